#!/usr/bin/env python3
"""What the binary costs, in counts: bytes, relocations, and what it takes from exec to the first `next`.

    count.py FULL ONE BARE CONFIG

FULL is built with all features but `cli`, ONE with `http` alone, BARE is `tapline-bare`, all stripped. CONFIG is what
FULL and ONE are started with; ONE takes a console sink. Each is started under a platform that answers at once and is
killed when its first `next` arrives. All figures are counts, so none depends on the speed of the machine or on what
else runs there: of several starts the least counts, because nothing can make a count smaller than it is. Above a bound
the exit code is 1. A bound lies 5 to 15 % above what was measured (30 % for memory), so that growth fails and noise
does not; who lowers a figure lowers its bound.

Needs Linux and, for instructions, valgrind.
"""

import os
import pathlib
import re
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time

# Starts of each kind.
STARTS = 12
STARTS_COUNTED = 4

# Longest time of one start, in seconds; valgrind is 50 times slower than the machine.
START_TIME = 60

# How long the binary rests in `next` before its memory is looked at: what is prepared after the first one is done.
REST_TIME = 1.5

BOUNDS = {
    "bytes, all but cli": 5_600_000,
    "bytes, one http sink": 4_350_000,
    "relocations, all but cli": 9_200,
    "page faults, exec to first next": 250,
    "instructions, exec to first next": 1_600_000,
    "instructions more with https": 20_000,
    "idle RSS, KiB": 8_200,
    "idle anonymous memory, KiB": 1_900,
}


# Every sink that can speak TLS; none may set it up before its first connection.
SINKS = """
version = 1
[sink.a]
type = "http"
url = "{scheme}://logs.example.com/"
[sink.b]
type = "otlp"
endpoint = "{scheme}://otlp.example.com"
[sink.c]
type = "cloudwatch"
group = "g"
endpoint = "{scheme}://cloudwatch.example.com"
[sink.d]
type = "s3"
bucket = "b"
endpoint = "{scheme}://s3.example.com"
"""


class Platform:
    """Runtime API for one extension: registers, subscribes, and says when `next` has come."""

    def __init__(self):
        self.server = socket.create_server(("127.0.0.1", 0))
        self.asked = threading.Event()
        threading.Thread(target=self.accept, daemon=True).start()

    def endpoint(self):
        return "127.0.0.1:%d" % self.server.getsockname()[1]

    def accept(self):
        while True:
            connection, _ = self.server.accept()
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection):
        unread = b""
        while True:
            while b"\r\n\r\n" not in unread:
                more = self.read(connection)
                if not more:
                    return
                unread += more
            head, unread = unread.split(b"\r\n\r\n", 1)
            length = re.search(rb"content-length: *(\d+)", head, re.IGNORECASE)
            while length and len(unread) < int(length[1]):
                unread += self.read(connection)
            unread = unread[int(length[1]) if length else 0 :]
            line = head.split(b"\r\n")[0]
            if b"/event/next" in line:
                self.asked.set()
                continue
            body = b'{"functionName":"orders","functionVersion":"1","accountId":"123456789012"}'
            connection.sendall(
                b"HTTP/1.1 200 OK\r\nlambda-extension-identifier: 0b1c\r\ncontent-length: %d\r\n\r\n%s"
                % (len(body), body)
            )

    @staticmethod
    def read(connection):
        try:
            return connection.recv(65536)
        except OSError:
            return b""


def start(command, config, end, look=None):
    """Starts a process, sends `end` at its first `next`; gives its resource usage, what it said and what `look` saw."""
    platform = Platform()
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryFile() as said:
        environment = {
            "PATH": os.environ["PATH"],
            "AWS_LAMBDA_RUNTIME_API": platform.endpoint(),
            "AWS_LAMBDA_FUNCTION_NAME": "orders",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "128",
            "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
            "AWS_REGION": "eu-west-1",
            "TAPLINE_CONFIG": str(config),
            "TMPDIR": folder,
        }
        process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=said)
        came = platform.asked.wait(START_TIME)
        seen = look(process.pid) if look and came else None
        process.send_signal(end if came else signal.SIGKILL)
        _, _, usage = os.wait4(process.pid, 0)
        process.returncode = 0
        said.seek(0)
        text = said.read().decode(errors="replace")
        if not came:
            sys.exit(f"{command}: no `next` within {START_TIME} s\n{text}")
        return usage, text, seen


def page_faults(binary, config):
    starts = [start([binary], config, signal.SIGKILL) for _ in range(STARTS)]
    return min(usage.ru_minflt for usage, _, _ in starts)


def instructions(binary, config):
    command = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", binary]
    starts = [start(command, config, signal.SIGTERM) for _ in range(STARTS_COUNTED)]
    counts = [re.search(r"Collected *: *(\d+)", text) for _, text, _ in starts]
    return min(int(count[1]) for count in counts)


def instructions_of_tls(binary):
    """Instructions up to the first `next` with https in place of http. A handshake takes 250,000 for its key alone."""
    counts = []
    with tempfile.TemporaryDirectory() as folder:
        for scheme in ("http", "https"):
            config = pathlib.Path(folder, scheme + ".toml")
            config.write_text(SINKS.format(scheme=scheme))
            counts.append(instructions(binary, config))
    return counts[1] - counts[0]


def memory(binary, config):
    """RSS and what of it no file holds, in KiB, at rest in `next`."""

    def look(pid):
        time.sleep(REST_TIME)
        rollup = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text()
        sizes = {key: int(value) for key, value in re.findall(r"(\w+): +(\d+) kB", rollup)}
        return sizes["Rss"], sizes["Anonymous"]

    return min(start([binary], config, signal.SIGKILL, look)[2] for _ in range(3))


def relocations(binary):
    """What the loader has to put right before `main`: entries of the dynamic relocation tables."""
    data = pathlib.Path(binary).read_bytes()
    (sections_at,) = struct.unpack_from("<Q", data, 0x28)
    size, count = struct.unpack_from("<HH", data, 0x3A)
    total = 0
    for section in range(count):
        kind, _, _, _, length, _, _, _, entry = struct.unpack_from(
            "<IQQQQIIQQ", data, sections_at + section * size + 4
        )
        if kind in (4, 9, 19):
            total += length // entry
    return total


def main():
    full, one, bare, config = sys.argv[1:]
    config = pathlib.Path(config).resolve()
    rss, private = memory(full, config)
    figures = {
        "bytes, all but cli": (os.path.getsize(full), os.path.getsize(bare)),
        "bytes, one http sink": (os.path.getsize(one), os.path.getsize(bare)),
        "relocations, all but cli": (relocations(full), relocations(bare)),
        "page faults, exec to first next": (page_faults(full, config), page_faults(bare, config)),
        "instructions, exec to first next": (instructions(full, config), instructions(bare, config)),
        "instructions more with https": (instructions_of_tls(full), 0),
        "idle RSS, KiB": (rss, memory(bare, config)[0]),
        "idle anonymous memory, KiB": (private, memory(bare, config)[1]),
    }
    good = True
    for name, (figure, least) in figures.items():
        over = figure > BOUNDS[name]
        good = good and not over
        mark = "  TOO MUCH" if over else ""
        print(f"{name:34} {figure:>11,} (at most {BOUNDS[name]:>11,}; a bare tokio program {least:>9,}){mark}")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
