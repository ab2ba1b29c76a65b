"""`otlp` with `auth = "sigv4"` against a stand-in for CloudWatch's OTLP endpoints that computes each signature anew.

`python sigv4.py TAPLINE`, with the Python of a virtual environment that has moto[server] (for botocore and cryptography)
and opentelemetry-proto. The stand-in is a proxy: it takes CONNECT to the real names, `logs.eu-west-1.amazonaws.com` and the
like, speaks TLS with certificates of its own authority, and answers as AWS documents. The signature is botocore's, so that
both sides are not from the same hand. It also refuses what AWS refuses: a clock that is off by more than 5 minutes, an
unsigned header, a request over its limits, a group that is not there.
"""

import base64
import datetime
import gzip
import hashlib
import http.server
import json
import os
import re
import socketserver
import ssl
import sys
import tempfile
import threading
import time

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from google.protobuf import json_format
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2

import aws

RECORDS = 100_000
REGION = "eu-west-1"
KEYS = ("key-id-of-this-run", "secret-of-this-run")
TOKEN = "token-of-this-run"
# Path, message, most bytes and most bytes beside each record, of each service.
SERVICES = {
    "logs": ("/v1/logs", logs_service_pb2.ExportLogsServiceRequest, 1_048_576, 26),
    "xray": ("/v1/traces", trace_service_pb2.ExportTraceServiceRequest, 5_000_000, 0),
    "monitoring": ("/v1/metrics", metrics_service_pb2.ExportMetricsServiceRequest, 1_000_000, 0),
}
AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 Credential=([^/]+)/(\d{8})/([^/]+)/([^/]+)/aws4_request, SignedHeaders=([a-z0-9;-]+), "
    r"Signature=([0-9a-f]{64})"
)


def certificate(name, issuer=None, issuer_key=None):
    """A certificate for a host, or without an issuer an authority."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.timezone.utc)
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer.subject if issuer else subject)
    builder = builder.public_key(key.public_key()).serial_number(x509.random_serial_number())
    builder = builder.not_valid_before(now - datetime.timedelta(days=1)).not_valid_after(now + datetime.timedelta(days=1))
    builder = builder.add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
    if issuer:
        builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
    return builder.sign(issuer_key or key, hashes.SHA256()), key


def pem(part):
    if isinstance(part, x509.Certificate):
        return part.public_bytes(serialization.Encoding.PEM)
    return part.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption(),
    )


class Refused(Exception):
    """What AWS would refuse, as status, code and sentence."""


class CloudWatch:
    """The stand-in. `ahead` is how far its clock is before ours, in seconds."""

    def __init__(self, folder, groups=("/pay/orders",), ahead=0):
        self.groups, self.ahead = groups, ahead
        self.requests, self.refused, self.problems, self.codings = [], [], [], set()
        self.lock = threading.Lock()
        authority, authority_key = certificate("Authority of this run")
        self.ca = os.path.join(folder, "ca.pem")
        with open(self.ca, "wb") as file:
            file.write(pem(authority))
        self.contexts = {}
        for service in SERVICES:
            name = f"{service}.{REGION}.amazonaws.com"
            path = os.path.join(folder, f"{name}.pem")
            with open(path, "wb") as file:
                for part in certificate(name, authority, authority_key):
                    file.write(pem(part))
            self.contexts[name] = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.contexts[name].load_cert_chain(path)
        stand_in = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self):
                line = self.rfile.readline().decode()
                while self.rfile.readline().strip():
                    pass
                host, _, port = line.split()[1].partition(":")
                assert line.startswith("CONNECT ") and port == "443", line
                self.wfile.write(b"HTTP/1.1 200 go\r\n\r\n")
                stream = stand_in.contexts[host].wrap_socket(self.request, server_side=True)
                stand_in.serve(stream, host, self.client_address)

        class Server(socketserver.ThreadingTCPServer):
            allow_reuse_address = daemon_threads = True

        self.server = Server(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def serve(self, stream, host, address):
        stand_in = self

        class Requests(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["content-length"]))
                status, kind, said = stand_in.answer(host, self.path, self.headers, body)
                self.send_response_only(status)
                now = time.time() + stand_in.ahead
                self.send_header("date", self.date_time_string(now))
                self.send_header("content-type", kind)
                self.send_header("content-length", str(len(said)))
                self.end_headers()
                self.wfile.write(said)

            def log_message(self, *_):
                pass

        Requests(stream, address, None)

    def answer(self, host, path, headers, body):
        service = host.split(".")[0]
        try:
            check_signature(service, host, path, headers, body, time.time() + self.ahead)
            return self.take(service, path, headers, body)
        except Refused as refused:
            status, code, sentence = refused.args
            with self.lock:
                self.refused.append(code)
            said = json.dumps({"__type": code, "message": sentence}).encode()
            return status, "application/json", said
        except Exception as error:  # pylint: disable=broad-except
            with self.lock:
                self.problems.append(repr(error))
            return 400, "text/plain", b""

    def take(self, service, path, headers, body):
        wanted, message, bytes_max, beside = SERVICES[service]
        assert path == wanted, path
        coding = headers["content-encoding"]
        assert coding in (None, "gzip"), f"AWS does not take {coding}"
        if coding:
            body = gzip.decompress(body)
        kind = headers["content-type"]
        request = message()
        if kind == "application/json":
            request = json_format.ParseDict(json.loads(body, object_pairs_hook=as_base64), request)
        else:
            assert kind == "application/x-protobuf", kind
            request.ParseFromString(body)
        items = list(items_of(service, request))
        assert items, "an empty request is not sent"
        if service == "logs":
            if headers["x-aws-log-group"] not in self.groups or not headers["x-aws-log-stream"]:
                raise Refused(400, "ResourceNotFoundException", "The specified log group does not exist.")
            assert len(items) <= 10_000, len(items)
        if len(body) + beside * len(items) > bytes_max and len(items) > 1:
            raise Refused(400, "InvalidParameterException", f"{len(body)} bytes and {len(items)} items are too large")
        with self.lock:
            self.requests.append((service, kind, items))
            self.codings.add(coding)
        return 200, kind, b"{}" if kind == "application/json" else b""

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


def as_base64(pairs):
    """Ids are hex in OTLP, and Base64 in protobuf's own JSON."""
    return {
        key: base64.b64encode(bytes.fromhex(value)).decode() if key.endswith(("traceId", "panId")) else value
        for key, value in pairs
    }


def items_of(service, request):
    if service == "logs":
        for resource in request.resource_logs:
            for scope in resource.scope_logs:
                yield from scope.log_records
    elif service == "xray":
        for resource in request.resource_spans:
            for scope in resource.scope_spans:
                yield from scope.spans
    else:
        for resource in request.resource_metrics:
            for scope in resource.scope_metrics:
                yield from scope.metrics


def check_signature(service, host, path, headers, body, now):
    """Computes the signature with botocore, from what came."""
    found = AUTHORIZATION.fullmatch(headers["authorization"] or "")
    if not found:
        raise Refused(403, "MissingAuthenticationTokenException", "no signature, or not in its form")
    key_id, day, region, of_service, signed, signature = found.groups()
    if (region, of_service) != (REGION, service):
        raise Refused(403, "InvalidSignatureException", f"signed for {of_service} in {region}")
    if key_id != KEYS[0] or headers["x-amz-security-token"] != TOKEN:
        raise Refused(403, "UnrecognizedClientException", "The security token included in the request is invalid.")
    names = signed.split(";")
    # What AWS wants signed: the host, the type, all of its own headers.
    must = {"host", "content-type"} | {name.lower() for name in headers.keys() if name.lower().startswith("x-amz-")}
    if names != sorted(set(names)) or not must <= set(names):
        raise Refused(403, "InvalidSignatureException", f"signed are {names}")
    assert headers["host"] == host, headers["host"]
    stamp = headers["x-amz-date"]
    at = datetime.datetime.strptime(stamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=datetime.timezone.utc).timestamp()
    if abs(at - now) > 300:
        raise Refused(403, "InvalidSignatureException", f"Signature not yet current or expired: {stamp}")
    content_hash = headers["x-amz-content-sha256"]
    assert content_hash in (None, hashlib.sha256(body).hexdigest()), content_hash
    request = AWSRequest("POST", f"https://{host}{path}", data=body, headers={name: headers[name] for name in names})
    request.context["timestamp"] = stamp
    signer = SigV4Auth(Credentials(*KEYS), service, region)
    to_sign = signer.string_to_sign(request, signer.canonical_request(request))
    assert day == stamp[:8], day
    if signer.signature(to_sign, request) != signature:
        raise Refused(403, "InvalidSignatureException", "The request signature we calculated does not match.")


def run(tapline, folder, stand_in, source, more="", expect=0, secret=KEYS[1]):
    config = f"""
version = 1
[sink.out]
type = "otlp"
auth = "sigv4"
signals = ["logs", "metrics", "traces"]
logs_endpoint = "https://logs.{REGION}.amazonaws.com/v1/logs"
metrics_endpoint = "https://monitoring.{REGION}.amazonaws.com/v1/metrics"
traces_endpoint = "https://xray.{REGION}.amazonaws.com/v1/traces"
headers = {{ x-aws-log-group = "/pay/orders", x-aws-log-stream = "a b" }}
timeout = "60s"
tls = {{ ca = "{stand_in.ca}" }}
{more}
"""
    ledger, said, took = aws.run(
        tapline, folder, config, source, (KEYS[0], secret), expect,
        AWS_SESSION_TOKEN=TOKEN, HTTPS_PROXY=f"http://127.0.0.1:{stand_in.port}",
    )
    assert not stand_in.problems, stand_in.problems[:3]
    assert TOKEN not in said and KEYS[1] not in said, "a secret was printed"
    aws.assert_balances(ledger)
    return ledger, said, took


def check_form(tapline, folder, protocol, compression):
    """100,000 records and the platform's events of an invocation, in one form: each is there once."""
    source = os.path.join(folder, "in.ndjson")
    now_ms = int(time.time() * 1000)
    aws.write_input(source, now_ms - 60_000, RECORDS)
    with open(source, "a", encoding="utf-8") as file:
        write_invocation(file, now_ms)
    stand_in = CloudWatch(folder)
    more = f'protocol = "{protocol}"\ncompression = "{compression}"'
    ledger, _, took = run(tapline, folder, stand_in, source, more)
    stand_in.stop()
    assert not stand_in.refused, stand_in.refused
    delivered = ledger["sinks"]["out"]["delivered"]
    assert delivered == ledger["received"] >= RECORDS, ledger
    records = [item for service, _, items in stand_in.requests if service == "logs" for item in items]
    uids = {attribute.value.string_value for record in records for attribute in record.attributes
            if attribute.key == "log.record.uid"}
    assert len(records) == len(uids) == delivered, (len(records), len(uids), delivered)
    spans = [item.name for service, _, items in stand_in.requests if service == "xray" for item in items]
    assert "orders" in spans or "invocation" in spans, spans
    metrics = {item.name for service, _, items in stand_in.requests if service == "monitoring" for item in items}
    assert "faas.invoke_duration" in metrics, metrics
    if compression == "gzip":
        assert "gzip" in stand_in.codings, stand_in.codings
    print(f"sigv4: {delivered} records, {len(spans)} spans, {len(metrics)} metrics as {protocol} in {took:.1f} s")


def write_invocation(file, now_ms):
    node = "5e2f9b64-8d3c-4c1a-9f77-0b6a41d2c3e8"
    trace = {"type": "X-Amzn-Trace-Id", "spanId": "6f1e2d3c4b5a6978",
             "value": "Root=1-69573b95-2b7c9d0e4f61a83355c7e912;Parent=3d2c1b0a99887766;Sampled=1"}
    events = [
        ("platform.start", {"requestId": node, "tracing": trace}),
        ("platform.runtimeDone", {"requestId": node, "status": "success", "tracing": trace, "metrics": {"durationMs": 250.0}}),
        ("platform.report", {"requestId": node, "status": "success", "tracing": trace,
                             "metrics": {"durationMs": 310, "maxMemoryUsedMB": 84}}),
    ]
    for number, (kind, record) in enumerate(events):
        at = now_ms + number * 250
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(at // 1000)) + f".{at % 1000:03}Z"
        file.write(json.dumps({"time": stamp, "type": kind, "record": record}) + "\n")


def check_clock(tapline, folder):
    """AWS's clock is an hour ahead of ours: it is taken over, within the attempt, and nothing is lost."""
    source = os.path.join(folder, "few.ndjson")
    aws.write_input(source, int(time.time() * 1000), 500)
    stand_in = CloudWatch(folder, ahead=3_600)
    ledger, _, _ = run(tapline, folder, stand_in, source, "retry = { max_attempts = 1 }")
    stand_in.stop()
    assert ledger["sinks"]["out"]["delivered"] == 500, ledger
    assert stand_in.refused == ["InvalidSignatureException"], stand_in.refused
    print("sigv4: a clock that is off by an hour is set right")


def check_refused(tapline, folder):
    """A wrong secret and a group that is not there: told once, counted, nothing delivered."""
    source = os.path.join(folder, "few.ndjson")
    aws.write_input(source, int(time.time() * 1000), 500)
    stand_in = CloudWatch(folder)
    wrong = "w" + KEYS[1][1:]
    ledger, said, _ = run(tapline, folder, stand_in, source, expect=1, secret=wrong)
    sink = ledger["sinks"]["out"]
    assert sink["delivered"] == 0 and sink["dropped"]["denied"] >= 500, ledger
    assert said.count("look at the keys, the region and the clock") == 1 and not stand_in.requests, said
    stand_in.stop()
    stand_in = CloudWatch(folder, groups=())
    ledger, said, _ = run(tapline, folder, stand_in, source, expect=1)
    stand_in.stop()
    sink = ledger["sinks"]["out"]
    assert sink["delivered"] == 0 and sink["dropped"]["denied"] >= 500 and not stand_in.requests, ledger
    assert said.count("make the log group and the stream") == 1, said
    assert set(stand_in.refused) == {"ResourceNotFoundException"}, stand_in.refused
    print("sigv4: a wrong secret and a missing group are told, and counted")


def main():
    tapline = os.path.abspath(sys.argv[1])
    with tempfile.TemporaryDirectory() as folder:
        for protocol, compression in [("http/protobuf", "gzip"), ("http/protobuf", "none"), ("http/json", "gzip")]:
            check_form(tapline, folder, protocol, compression)
        check_clock(tapline, folder)
        check_refused(tapline, folder)


main()
