#!/usr/bin/env python3
"""A small external extension for the tests of the local Lambda.

How it behaves comes in EXT_* variables. What it got goes to stdout, one JSON object a line.
"""
import http.client
import http.server
import json
import os
import socketserver
import sys
import threading
import time

API = os.environ["AWS_LAMBDA_RUNTIME_API"]
NAME = os.path.basename(sys.argv[0])
LOCK = threading.Lock()


def option(name, default=""):
    return os.environ.get("EXT_" + name, default)


def say(**what):
    with LOCK:
        print(json.dumps(what), flush=True)


def call(method, path, body=None, headers=None):
    connection = http.client.HTTPConnection(API)
    connection.request(method, path, body, headers or {})
    answer = connection.getresponse()
    return answer.status, dict((k.lower(), v) for k, v in answer.getheaders()), answer.read().decode()


class Listener(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    posts = 0
    elements = 0

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        with LOCK:
            Listener.posts += 1
            Listener.elements += body.count(b'{"time":')
            number = Listener.posts
        if number <= int(option("STALL_POSTS", "0")):
            time.sleep(float(option("STALL", "600")))
        refuse = number <= int(option("REFUSE_POSTS", "0"))
        say(got="post", path=self.path, at=time.time(), refused=refuse, body=body.decode(errors="replace"))
        self.send_response(500 if refuse else 200)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True
    allow_reuse_address = True


class Lines(socketserver.StreamRequestHandler):
    def handle(self):
        for line in self.rfile:
            say(got="line", line=line.decode())


class LineServer(socketserver.ThreadingTCPServer):
    daemon_threads = True


def main():
    if option("SLEEP_BEFORE"):
        time.sleep(float(option("SLEEP_BEFORE")))
    if option("EXIT_AT") == "start":
        sys.exit(int(option("EXIT_CODE", "0")))
    events = json.loads(option("EVENTS", '["INVOKE","SHUTDOWN"]'))
    status, headers, body = call(
        "POST",
        "/2020-01-01/extension/register",
        json.dumps({"events": events}),
        {"lambda-extension-name": option("NAME", NAME), "lambda-extension-accept-feature": "accountId"},
    )
    say(got="registered", status=status, body=body)
    ident = {"lambda-extension-identifier": headers.get("lambda-extension-identifier", "")}
    if option("TYPES"):
        tcp = option("TCP") != ""
        kind, handler = (LineServer, Lines) if tcp else (Server, Listener)
        server = kind(("127.0.0.1", int(option("PORT", "0"))), handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        subscription = {
            "schemaVersion": option("SCHEMA", "2022-12-13"),
            "types": option("TYPES").split(","),
            "buffering": json.loads(option("BUFFERING", '{"maxItems":1000,"maxBytes":262144,"timeoutMs":25}')),
            "destination": {
                "protocol": "HTTP",
                "URI": "http://sandbox.localdomain:%d/some/path" % server.server_address[1],
            },
        }
        if tcp:
            port = server.server_address[1] if option("TCP") == "1" else int(option("TCP"))
            subscription["destination"] = {"protocol": "TCP", "port": port}
        status, _, body = call("PUT", option("API", "/2022-07-01/telemetry"), json.dumps(subscription), ident)
        say(got="subscribed", status=status, body=body, port=server.server_address[1])
    if option("READY_AFTER"):
        time.sleep(float(option("READY_AFTER")))
    while True:
        status, _, body = call("GET", "/2020-01-01/extension/event/next", None, ident)
        say(got="event", status=status, body=body, at=time.time())
        if status != 200:
            time.sleep(600)
        event = json.loads(body)
        if event["eventType"] == "SHUTDOWN":
            if option("IGNORE_SHUTDOWN"):
                time.sleep(600)
            time.sleep(0.15)
            say(got="end")
            if option("LEDGER"):
                count = Listener.elements
                sinks = {"out": {"delivered": count, "in_flight": 0}}
                ledger = {"tapline": "ledger", "received": count, "duplicates": 0, "sinks": sinks}
                print(json.dumps(ledger), file=sys.stderr, flush=True)
            return
        if option("EXIT_AT") == "invoke":
            sys.exit(int(option("EXIT_CODE", "0")))
        if option("HOLD"):
            time.sleep(float(option("HOLD")))
        if option("PRINT"):
            print(option("PRINT"), file=sys.stderr, flush=True)


main()
