"""Sends 100,000 records through `tapline run` to receivers that are not ours, and compares every one that arrives.

    check.py TAPLINE COLLECTOR [PROTOCOL ...]

Receivers: a small server around `opentelemetry-proto` (PyPI), and rotel, a collector in Rust. The server is strict: it
refuses what the specification does not allow. COLLECTOR is `tests/collector`, which unpacks zstd over gRPC, as neither
of the two can. Any difference ends the run with 1.
"""

import base64
import collections
import gzip
import json
import pathlib
import re
import subprocess
import sys
import tempfile
import threading
import time
from concurrent import futures
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import grpc
import rotel
import zstandard
from google.protobuf import json_format
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2, logs_service_pb2_grpc
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2, metrics_service_pb2_grpc
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2, trace_service_pb2_grpc

TAPLINE, COLLECTOR = sys.argv[1:3]
RECORDS = 100_000
NODE_ID = "5e2f9b64-8d3c-4c1a-9f77-0b6a41d2c3e8"
TIME = "2026-01-02T03:04:05.%06dZ"
BASE_NS = 1767323045 * 10**9


def make(number):
    """One element of telemetry, and what it must become: body, attributes, severity, event name."""
    kind = number % 6
    if kind == 0:
        return "function", f"plain {number} café\n", f"plain {number} café", {}, 0, ""
    if kind == 1:
        text = f"2026-01-02T03:04:05.123Z\t{NODE_ID}\tWARN\tslow\t{number}\n"
        return "function", text, f"slow\t{number}", {"faas.invocation_id": NODE_ID}, 13, ""
    if kind == 2:
        record = {"level": "ERROR", "message": f"lost \"{number}\"", "n": number, "d": number / 8, "ok": True,
                  "none": None, "list": [1, "a", {"b": []}], "map": {"x": {"y": -number}}}
        attributes = {key: value for key, value in record.items() if key != "message"}
        return "function", record, record["message"], attributes, 17, ""
    if kind == 3:
        record = {"msg": "in text\n", "big": 2**63 - 1, "n": number}
        return "function", json.dumps(record) + "\n", "in text\n", {"big": 2**63 - 1, "n": number}, 0, ""
    if kind == 4:
        record = {"requestId": NODE_ID, "status": "success", "metrics": {"durationMs": 1.5, "n": number}}
        return "platform.report", record, record, {"faas.invocation_id": NODE_ID}, 9, "platform.report"
    record = {"tenant": number, "tags": ["a", "b"]}
    return "function", record, record, {}, 0, ""


def write_input(path):
    with open(path, "w") as out:
        for number in range(RECORDS):
            kind, record, *_ = make(number)
            out.write(json.dumps({"time": TIME % (number % 10**6), "type": kind, "record": record}) + "\n")


# What both forms of a value are compared as: Python's own.
def of_protobuf(value):
    which = value.WhichOneof("value")
    if which is None:
        return None
    inside = getattr(value, which)
    if which == "array_value":
        return [of_protobuf(item) for item in inside.values]
    if which == "kvlist_value":
        return of_pairs((pair.key, of_protobuf(pair.value)) for pair in inside.values)
    return inside


def of_json(value):
    if not value:
        return None
    (which, inside), = value.items()
    if which == "arrayValue":
        return [of_json(item) for item in inside["values"]]
    if which == "kvlistValue":
        return of_pairs((pair["key"], of_json(pair.get("value"))) for pair in inside["values"])
    if which == "intValue":
        assert isinstance(inside, str), f"64 bits are a string: {inside!r}"
        return int(inside)
    assert which in ("stringValue", "boolValue", "doubleValue"), which
    return inside


def of_pairs(pairs):
    pairs = list(pairs)
    keys = [key for key, _ in pairs]
    assert len(keys) == len(set(keys)), f"a key is there twice: {keys}"
    return dict(pairs)


Seen = collections.namedtuple("Seen", "body attributes severity event time_ns observed_ns")


def read_protobuf(request):
    for resource in request.resource_logs:
        names = of_pairs((pair.key, of_protobuf(pair.value)) for pair in resource.resource.attributes)
        assert names["cloud.platform"] == "aws_lambda" and names["service.name"] == "checked", names
        for scope in resource.scope_logs:
            assert (scope.scope.name, bool(scope.scope.version)) == ("tapline", True)
            for record in scope.log_records:
                attributes = of_pairs((pair.key, of_protobuf(pair.value)) for pair in record.attributes)
                yield Seen(of_protobuf(record.body), attributes, record.severity_number, record.event_name,
                           record.time_unix_nano, record.observed_time_unix_nano)


def read_json(request):
    for resource in request["resourceLogs"]:
        names = of_pairs((pair["key"], of_json(pair.get("value"))) for pair in resource["resource"]["attributes"])
        assert names["cloud.platform"] == "aws_lambda" and names["service.name"] == "checked", names
        for scope in resource["scopeLogs"]:
            assert scope["scope"]["name"] == "tapline"
            for record in scope["logRecords"]:
                attributes = of_pairs((pair["key"], of_json(pair.get("value"))) for pair in record["attributes"])
                for key in ("timeUnixNano", "observedTimeUnixNano"):
                    assert isinstance(record[key], str), f"64 bits are a string: {record[key]!r}"
                assert None not in record.values(), "nothing is null"
                yield Seen(of_json(record.get("body")), attributes, record.get("severityNumber", 0),
                           record.get("eventName", ""), int(record["timeUnixNano"]),
                           int(record["observedTimeUnixNano"]))


class Receiver:
    """Takes logs over HTTP and gRPC, and keeps what it could read. `reject` says how many of a request it refuses."""

    def __init__(self, reject=lambda count: 0):
        self.seen, self.problems, self.rejected, self.requests = [], [], 0, 0
        self.metrics, self.spans, self.codings = [], [], set()
        self.reject, self.lock = reject, threading.Lock()

    def take(self, records):
        records = list(records)
        assert records, "an empty request is not sent"
        with self.lock:
            self.requests += 1
            self.seen += records
            rejected = self.reject(len(records))
            self.rejected += rejected
        return rejected

    def problem(self, error):
        with self.lock:
            self.problems.append(repr(error))

    def serve_http(self):
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                try:
                    kind, body = receiver.read(self)
                    status = 200
                except Exception as error:  # pylint: disable=broad-except
                    receiver.problem(error)
                    status, kind, body = 400, "text/plain", b""
                self.send_response(status)
                self.send_header("content-type", kind)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return server.server_port

    def read(self, handler):
        assert handler.path in ("/v1/logs", "/v1/metrics", "/v1/traces"), handler.path
        assert handler.headers["x-tapline-batch"], "each attempt has the id of its batch"
        body = handler.rfile.read(int(handler.headers["content-length"]))
        coding = handler.headers["content-encoding"]
        assert coding in (None, "gzip", "zstd"), coding
        with self.lock:
            self.codings.add(coding)
        if coding == "zstd":
            body = zstandard.ZstdDecompressor().decompressobj().decompress(body)
        elif coding:
            body = gzip.decompress(body)
        kind = handler.headers["content-type"]
        if handler.path != "/v1/logs":
            return kind, self.take_signal(handler.path, kind, body)
        if kind == "application/json":
            rejected = self.take(read_json(json.loads(body)))
            partial = {"rejectedLogRecords": str(rejected), "errorMessage": "refused"} if rejected else {}
            return kind, json.dumps({"partialSuccess": partial}).encode()
        assert kind == "application/x-protobuf", kind
        request = logs_service_pb2.ExportLogsServiceRequest.FromString(body)
        return kind, self.answer(self.take(read_protobuf(request))).SerializeToString()

    def take_signal(self, path, kind, body):
        """Metrics and spans: kept as messages, whatever form they came in."""
        module = metrics_service_pb2.ExportMetricsServiceRequest
        if path == "/v1/traces":
            module = trace_service_pb2.ExportTraceServiceRequest
        if kind == "application/json":
            # Ids are hex in OTLP, and base64 in protobuf's own JSON.
            def decoded(pairs):
                return {key: base64.b64encode(bytes.fromhex(value)).decode() if key.endswith(("traceId", "panId")) else value
                        for key, value in pairs}
            request = json_format.ParseDict(json.loads(body, object_pairs_hook=decoded), module())
            answer = b"{}"
        else:
            assert kind == "application/x-protobuf", kind
            request = module.FromString(body)
            answer = b""
        self.keep_signal(request)
        return answer

    def keep_signal(self, request):
        with self.lock:
            if isinstance(request, metrics_service_pb2.ExportMetricsServiceRequest):
                for resource in request.resource_metrics:
                    self.metrics += resource.scope_metrics[0].metrics
            else:
                for resource in request.resource_spans:
                    self.spans += resource.scope_spans[0].spans

    @staticmethod
    def answer(rejected):
        answer = logs_service_pb2.ExportLogsServiceResponse()
        if rejected:
            answer.partial_success.rejected_log_records = rejected
            answer.partial_success.error_message = "refused"
        return answer

    def serve_grpc(self):
        receiver = self

        class Service(logs_service_pb2_grpc.LogsServiceServicer):
            def Export(self, request, context):
                try:
                    return receiver.answer(receiver.take(read_protobuf(request)))
                except Exception as error:  # pylint: disable=broad-except
                    receiver.problem(error)
                    context.abort(grpc.StatusCode.INVALID_ARGUMENT, "wrong")

        class Metrics(metrics_service_pb2_grpc.MetricsServiceServicer):
            def Export(self, request, context):
                receiver.keep_signal(request)
                return metrics_service_pb2.ExportMetricsServiceResponse()

        class Traces(trace_service_pb2_grpc.TraceServiceServicer):
            def Export(self, request, context):
                receiver.keep_signal(request)
                return trace_service_pb2.ExportTraceServiceResponse()

        # 4 MiB is what servers take unless they are told otherwise.
        server = grpc.server(futures.ThreadPoolExecutor(4))
        logs_service_pb2_grpc.add_LogsServiceServicer_to_server(Service(), server)
        metrics_service_pb2_grpc.add_MetricsServiceServicer_to_server(Metrics(), server)
        trace_service_pb2_grpc.add_TraceServiceServicer_to_server(Traces(), server)
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        self.server = server
        return port


def run(tapline, folder, protocol, port, more="", name="input.ndjson"):
    """Runs a file through one sink; gives the sink's part of the ledger."""
    config = folder / "tapline.toml"
    config.write_text(f'version = 1\nmemory = "32MiB"\n[sink.out]\ntype = "otlp"\n'
                      f'endpoint = "http://127.0.0.1:{port}"\nprotocol = "{protocol}"\ntimeout = "60s"\n{more}')
    done = subprocess.run([tapline, "run", config, "--input", folder / name], stderr=subprocess.PIPE,
                          text=True, env={"OTEL_SERVICE_NAME": "checked"}, timeout=170, check=False)
    lines = [json.loads(line) for line in done.stderr.splitlines() if line.startswith("{")]
    ledger = [line for line in lines if line["tapline"] == "ledger"]
    assert ledger, done.stderr
    return ledger[0]["sinks"]["out"], done


def compare(seen):
    """Every record is there once, and is what it must be."""
    assert len(seen) == RECORDS, f"{len(seen)} records came"
    by_number = {}
    for record in seen:
        instance, number = record.attributes.pop("log.record.uid").rsplit("-", 1)
        assert re.fullmatch("[0-9a-f]{32}", instance), instance
        assert by_number.setdefault(int(number), record) is record, f"{number} came twice"
    for number in range(RECORDS):
        kind, _, body, attributes, severity, event = make(number)
        record = by_number[number]
        wanted = Seen(body, {"tapline.type": kind, **attributes}, severity, event,
                      BASE_NS + number % 10**6 * 1000, record.observed_ns)
        if "faas.invocation_id" in record.attributes and "faas.invocation_id" not in attributes:
            record.attributes.pop("faas.invocation_id")
        assert record == wanted, f"{number}:\n{record}\nis to be\n{wanted}"
        assert record.observed_ns > BASE_NS


def check_decoder(tapline, folder, protocol):
    receiver = Receiver()
    port = receiver.serve_grpc() if protocol == "grpc" else receiver.serve_http()
    sink, done = run(tapline, folder, protocol, port)
    assert not receiver.problems, receiver.problems[:3]
    assert sink["delivered"] == RECORDS and done.returncode == 0, done.stderr
    compare(receiver.seen)


def check_zstd(tapline, folder, protocol):
    """The same with zstd, to another decoder of it. rotel has none, and gets gzip."""
    check_rotel(tapline, folder, protocol, 'compression = "zstd"\n')
    if protocol == "grpc":
        check_zstd_over_grpc(tapline, folder)
        return
    receiver = Receiver()
    sink, done = run(tapline, folder, protocol, receiver.serve_http(), 'compression = "zstd"\n')
    assert not receiver.problems, receiver.problems[:3]
    assert sink["delivered"] == RECORDS and done.returncode == 0, done.stderr
    assert receiver.codings == {"zstd"}, receiver.codings
    compare(receiver.seen)


def check_zstd_over_grpc(tapline, folder):
    """To tonic, which writes down what it understood."""
    requests = folder / "requests"
    process = subprocess.Popen([COLLECTOR, requests], stdout=subprocess.PIPE, text=True)
    try:
        sink, done = run(tapline, folder, "grpc", int(process.stdout.readline()), 'compression = "zstd"\n')
    finally:
        process.terminate()
        process.wait(10)
    assert sink["delivered"] == RECORDS and done.returncode == 0, done.stderr
    assert "does not take zstd" not in done.stderr, done.stderr
    written, seen = requests.read_bytes(), []
    while written:
        length = int.from_bytes(written[:4], "big")
        request = logs_service_pb2.ExportLogsServiceRequest.FromString(written[4:4 + length])
        seen += read_protobuf(request)
        written = written[4 + length:]
    compare(seen)


def check_partial(tapline, folder, protocol):
    """A third of each request is refused: counted as that, not sent again, said once."""
    receiver = Receiver(lambda count: count // 3)
    port = receiver.serve_grpc() if protocol == "grpc" else receiver.serve_http()
    sink, done = run(tapline, folder, protocol, port)
    assert not receiver.problems, receiver.problems[:3]
    assert len(receiver.seen) == RECORDS + loss_reports(receiver), "nothing is sent again"
    assert 0 < receiver.rejected == sink["rejected"], (receiver.rejected, sink)
    assert sink["rejected_why"] == {"partial_success": receiver.rejected}, sink
    assert sink["delivered"] == len(receiver.seen) - receiver.rejected, sink
    assert done.returncode == 1 and done.stderr.count("partial_success; check") == 1, done.stderr


def loss_reports(receiver):
    return sum(record.event == "tapline.loss" for record in receiver.seen)


def check_rotel(tapline, folder, protocol, more=""):
    """A real collector prints what it took."""
    agent = pathlib.Path(rotel.__file__).parent / "rotel-agent"
    log = folder / "rotel.log"
    ports = [free_port(), free_port()]
    with open(log, "w") as out:
        process = subprocess.Popen([agent, "start", "--otlp-grpc-endpoint", f"127.0.0.1:{ports[0]}",
                                    "--otlp-http-endpoint", f"127.0.0.1:{ports[1]}", "--exporter", "blackhole",
                                    "--debug-log", "logs", "--debug-log-verbosity", "detailed"], stdout=out, stderr=out)
    try:
        wait(lambda: "Starting Rotel" in log.read_text(), "rotel starts")
        wait(lambda: connects(ports[1]), "rotel listens")
        port = ports[0] if protocol == "grpc" else ports[1]
        sink, done = run(tapline, folder, protocol, port, more)
        assert done.stderr.count("does not take zstd") == ("zstd" in more), done.stderr
        assert sink["delivered"] == RECORDS and done.returncode == 0, done.stderr
        uid = re.compile(r"-> log\.record\.uid: Str\([0-9a-f]{32}-(\d+)\)")
        wait(lambda: len(uid.findall(log.read_text())) >= RECORDS, "rotel prints all records")
    finally:
        process.terminate()
        process.wait(10)
    printed = log.read_text()
    numbers = [int(number) for number in uid.findall(printed)]
    assert sorted(numbers) == list(range(RECORDS)), "each record once"
    # Bodies stand before the attributes of the same record, in the order in which they were sent.
    bodies = re.findall(r"^Body: Str\(plain (\d+) café\)$", printed, re.M)
    assert [int(body) for body in bodies] == [number for number in numbers if number % 6 == 0], "each body in its place"


TRACE = {"type": "X-Amzn-Trace-Id", "spanId": "6f1e2d3c4b5a6978",
         "value": "Root=1-69573b95-2b7c9d0e4f61a83355c7e912;Parent=3d2c1b0a99887766;Sampled=1"}


def element(ms, kind, record):
    return json.dumps({"time": f"2026-01-02T03:04:05.{ms:03}Z", "type": kind, "record": record}) + "\n"


def check_signals(tapline, folder, protocol):
    """One environment's platform events, of which a filter leaves nothing: metrics and spans all the same."""
    (folder / "platform.ndjson").write_text("".join([
        element(101, "platform.initReport", {"status": "success", "phase": "init", "initializationType": "on-demand",
                                             "metrics": {"durationMs": 100.5}}),
        element(110, "platform.start", {"requestId": NODE_ID, "tracing": TRACE}),
        element(150, "function", {"level": "ERROR", "message": "boom"}),
        element(360, "platform.runtimeDone", {"requestId": NODE_ID, "status": "success", "tracing": TRACE,
                                              "metrics": {"durationMs": 250.0}}),
        element(420, "platform.report", {"requestId": NODE_ID, "status": "success", "tracing": TRACE,
                                         "metrics": {"durationMs": 310, "maxMemoryUsedMB": 84},
                                         "spans": [{"name": "extensionOverhead", "start": "2026-01-02T03:04:05.360Z",
                                                    "durationMs": 59.5}]}),
    ]))
    receiver = Receiver()
    port = receiver.serve_grpc() if protocol == "grpc" else receiver.serve_http()
    more = """signals = ["metrics", "traces"]
[[transform]]
type = "filter"
keep = 'level > fatal'
"""
    sink, done = run(tapline, folder, protocol, port, more, "platform.ndjson")
    assert not receiver.problems and done.returncode == 0, (receiver.problems, done.stderr)
    assert (sink["filtered"], sink["delivered"]) == (5, 0), sink
    ledger = json.loads(done.stderr.splitlines()[-1])["observations"]
    assert [ledger[name]["delivered"] for name in ("out/metrics", "out/traces")] == [3, 3], ledger
    values = {}
    for metric in receiver.metrics:
        if metric.WhichOneof("data") == "sum":
            point = metric.sum.data_points[0]
            values[metric.name] = (metric.unit, point.as_int)
            assert metric.sum.is_monotonic and metric.sum.aggregation_temporality == 1
        else:
            point = metric.histogram.data_points[0]
            values[metric.name] = (metric.unit, point.count, point.sum)
            assert sum(point.bucket_counts) == point.count
            assert len(point.bucket_counts) == len(point.explicit_bounds) + 1
        assert 0 < point.start_time_unix_nano < point.time_unix_nano
    assert values == {
        "faas.invoke_duration": ("s", 1, 0.25), "faas.init_duration": ("s", 1, 0.1005),
        "faas.mem_usage": ("By", 1, 84 * 2**20), "faas.coldstarts": ("{coldstart}", 1),
        "faas.errors": ("{error}", 1)}, values
    spans = {span.name: span for span in receiver.spans}
    assert sorted(spans) == ["extension overhead", "invocation"], spans
    invocation, overhead = spans["invocation"], spans["extension overhead"]
    assert invocation.trace_id.hex() == "69573b952b7c9d0e4f61a83355c7e912" == overhead.trace_id.hex()
    assert invocation.span_id.hex() == TRACE["spanId"] == overhead.parent_span_id.hex()
    assert invocation.parent_span_id.hex() == "3d2c1b0a99887766"
    assert (invocation.end_time_unix_nano - invocation.start_time_unix_nano, invocation.status.code) == (250 * 10**6, 2)
    assert overhead.end_time_unix_nano - overhead.start_time_unix_nano == 59_500_000


def free_port():
    import socket
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def connects(port):
    import socket
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def wait(fact, what, seconds=60):
    until = time.monotonic() + seconds
    while not fact():
        assert time.monotonic() < until, f"not within {seconds} s: {what}"
        time.sleep(0.05)


def main():
    protocols = sys.argv[3:]
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        write_input(folder / "input.ndjson")
        for protocol in protocols or ["http/protobuf", "http/json", "grpc"]:
            for check in (check_signals, check_decoder, check_zstd, check_partial, check_rotel):
                started = time.monotonic()
                check(TAPLINE, folder, protocol)
                print(f"{check.__name__} {protocol}: {time.monotonic() - started:.1f} s", flush=True)


main()
