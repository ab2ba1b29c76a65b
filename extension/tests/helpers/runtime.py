#!/usr/bin/env python3
"""A Python runtime without a dependency: it speaks the Runtime API by urllib."""
import json
import os
import sys
import urllib.request

BASE = "http://%s/2018-06-01/runtime/" % os.environ["AWS_LAMBDA_RUNTIME_API"]


def post(path, body):
    urllib.request.urlopen(urllib.request.Request(BASE + path, json.dumps(body).encode(), method="POST"))


print("cold", os.environ["_HANDLER"], flush=True)
while True:
    with urllib.request.urlopen(BASE + "invocation/next") as answer:
        ident = answer.headers["Lambda-Runtime-Aws-Request-Id"]
        event = json.load(answer)
    print("handling", ident, flush=True)
    if event.get("exit") is not None:
        sys.exit(event["exit"])
    if event.get("throw"):
        post("invocation/%s/error" % ident, {"errorType": "ValueError", "errorMessage": event["throw"]})
    else:
        post("invocation/%s/response" % ident, {"seen": event})
