#!/usr/bin/env python3
"""Holds a running server to the descriptions of its two APIs, with requests that schemathesis makes up from them.

    python run.py [--examples N] [--only native|frontegg] [SCHEMATHESIS ARGUMENTS...]

Each description is played twice, as an operator and as a plain credential, against a server on a data folder of its own. Nothing may be a fault of
the server (5xx), and every answer has the content type and the shape that is described. The seed is fixed: the same program gets the same requests.

Nothing leaves this machine. Where the kernel allows it, the server and all of this run in a network namespace that has nothing but loopback. Where it
does not, what keeps everything here is that every URL that the server is given is replaced by that of the receiver below (hooks.py), and that at the
end the server's own log is searched for an attempt at any other address.
"""

import argparse
import base64
import fcntl
import http.client
import http.server
import json
import os
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
BINARY = ROOT / os.environ.get("TIDINGS_BIN", "target/debug/tidings")
SCHEMATHESIS = Path(sys.executable).with_name("schemathesis")
SEED = "1"
# Seconds after which a play is a failure by itself.
PLAY_SECONDS_MAX = 300
# Set in the namespace, so that it is entered once.
INSIDE = "TIDINGS_OPENAPI_INSIDE"


def enter_namespace():
    """Goes on in a namespace without a network, if there can be one."""
    inside = os.environ.get(INSIDE)
    if inside == "yes":
        raise_loopback()
        return print("openapi: in a network namespace that has nothing but loopback")
    if inside is None and shutil.which("unshare"):
        for flags in (["--net"], ["--user", "--map-root-user", "--net"]):
            enter = ["unshare", *flags, "--"]
            can_raise = "import runpy, sys; runpy.run_path(sys.argv[1])['raise_loopback']()"
            if subprocess.run([*enter, sys.executable, "-c", can_raise, __file__], capture_output=True, check=False).returncode == 0:
                os.environ[INSIDE] = "yes"
                os.execvp("unshare", [*enter, sys.executable, *sys.argv])
    print("openapi: no network namespace can be made here; the server is given no URL but that of a receiver on this machine")


def raise_loopback():
    """Brings the interface lo up: a new namespace has it down."""
    get_flags, set_flags, up = 0x8913, 0x8914, 0x1
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        request = struct.pack("16sh14x", b"lo", 0)
        _, flags = struct.unpack("16sh14x", fcntl.ioctl(any_socket, get_flags, request))
        fcntl.ioctl(any_socket, set_flags, struct.pack("16sh14x", b"lo", flags | up))


class Receiver(http.server.BaseHTTPRequestHandler):
    """Takes every delivery, and answers one in four with 500, so that there are retries to ask about."""

    count = 0

    def do_POST(self):
        self.rfile.read(int(self.headers.get("content-length", 0)))
        Receiver.count += 1
        self.send_response(500 if Receiver.count % 4 == 0 else 200)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_):
        """Says nothing."""


class Server:
    """The program on a data folder of its own, on a port of its own."""

    client, secret = "operator", "a-secret-for-these-tests"

    def __enter__(self):
        self.data = tempfile.TemporaryDirectory(prefix="tidings-openapi-")
        surroundings = {name: value for name, value in os.environ.items() if not name.startswith("TIDINGS_")}
        credential = {"TIDINGS_BOOTSTRAP_CLIENT_ID": self.client, "TIDINGS_BOOTSTRAP_CLIENT_SECRET": self.secret}
        self.log = open(Path(self.data.name) / "log", "w+b")
        self.process = subprocess.Popen(
            [BINARY, "serve", "--data", Path(self.data.name) / "data", "--listen", "127.0.0.1:0", "--egress-allow", "127.0.0.1/32"],
            env=surroundings | credential,
            stdout=self.log,
            stderr=self.log,
        )
        deadline = time.monotonic() + 60
        while not (found := re.search(rb"listening.*http://(127\.0\.0\.1:\d+)", self.said())):
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise SystemExit(f"the server does not start:\n{self.said().decode(errors='replace')}")
            time.sleep(0.05)
        self.address = found.group(1).decode()
        self.url = f"http://{self.address}"
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.log.close()
        self.data.cleanup()

    def said(self):
        """What it wrote, without the colours."""
        text = (Path(self.data.name) / "log").read_bytes()
        return re.sub(rb"\x1b\[[0-9;]*m", b"", text)

    def ask(self, method, path, body=None):
        """One request as the operator; what came back, as JSON."""
        connection = http.client.HTTPConnection(self.address, timeout=20)
        proof = base64.b64encode(f"{self.client}:{self.secret}".encode()).decode()
        connection.request(method, path, json.dumps(body) if body is not None else None, {"authorization": f"Basic {proof}"})
        answer = connection.getresponse()
        text = answer.read()
        if answer.status >= 400:
            raise SystemExit(f"{method} {path}: {answer.status} {text}")
        return json.loads(text or b"null")

    def prepare(self, receiver):
        """One of each thing, and a plain credential: the environment of all, and the client id and secret."""
        environment = self.ask("GET", "/v1/environments")["data"][0]["id"]
        self.ask("PATCH", f"/v1/environments/{environment}", {"settings": {"httpAllowed": True}})
        self.ask("POST", "/v1/webhooks", {"url": receiver, "eventKeys": ["*"], "secret": "eight-or-more"})
        for payload in ({}, {"user": {"id": "u"}}):
            self.ask("POST", "/v1/events", {"eventKey": "frontegg.user.created", "payload": payload})
        made = self.ask("POST", f"/v1/environments/{environment}/credentials", {"name": "Plain", "scopes": ["read", "write"]})
        return environment, made["clientId"], made["clientSecret"]

    def strayed(self):
        """The addresses of all attempts that are not of this machine."""
        found, cursor = set(), ""
        for _ in range(200):
            page = self.ask("GET", f"/v1/deliveries?limit=200{cursor}")
            for delivery in page["data"]:
                attempts = self.ask("GET", f"/v1/deliveries/{delivery['id']}")["attemptLog"] if delivery["attempts"] else []
                found |= {attempt["address"] for attempt in attempts if attempt.get("address")}
            if page["nextCursor"] is None:
                break
            cursor = f"&cursor={page['nextCursor']}"
        return {address for address in found if not address.startswith("127.")}


def play(name, dialect, as_operator, receiver, arguments):
    """Plays one description as one caller. True when everything held."""
    with Server() as server:
        environment, *plain = server.prepare(receiver)
        client, secret = (server.client, server.secret) if as_operator else plain
        with tempfile.TemporaryDirectory(prefix="tidings-openapi-") as folder:
            document = Path(folder) / "openapi.json"
            document.write_bytes(subprocess.run([BINARY, "openapi", *dialect], capture_output=True, check=True).stdout)
            command = [
                SCHEMATHESIS,
                "--config-file",
                HERE / "schemathesis.toml",
                "run",
                document,
                "--url",
                server.url,
                "--auth",
                f"{client}:{secret}",
                "--seed",
                SEED,
                *arguments,
            ]
            began = time.monotonic()
            ours = {
                "TIDINGS_RECEIVER": receiver,
                "TIDINGS_OWN": f"{environment},{client},{server.client}",
                "SCHEMATHESIS_HOOKS": str(HERE / "hooks.py"),
                "PYTHONDONTWRITEBYTECODE": "1",
            }
            ended = subprocess.run(
                command, env=os.environ | ours, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=PLAY_SECONDS_MAX, check=False
            )
        said = ended.stdout.decode(errors="replace")
        strayed = server.strayed()
        alive = server.process.poll() is None
        broken = b"panicked" in server.said()
    cases = re.search(r"(\d+) generated", said)
    held = ended.returncode == 0 and cases is not None and alive and not broken and not strayed
    if not held:
        print(said)
    for what, is_so in (("the server ended", not alive), ("a handler panicked", broken), (f"something was sent to {strayed}", bool(strayed))):
        if is_so:
            print(f"openapi: {what}")
    count = cases.group(1) if cases else "no"
    print(f"openapi {name}: {'ok' if held else 'FAILED'}, {count} requests made up in {time.monotonic() - began:.0f} s", flush=True)
    return held


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--examples", default="10", help="requests of each kind for each operation")
    parser.add_argument("--only", choices=["native", "frontegg"])
    ours, arguments = parser.parse_known_args()
    enter_namespace()
    receiver = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    threading.Thread(target=receiver.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{receiver.server_address[1]}/"
    arguments = ["--max-examples", ours.examples, *arguments]
    results = [
        play(f"{description} as {caller}", dialect, caller == "an operator", url, arguments)
        for description, dialect in (("native", []), ("frontegg", ["--dialect", "frontegg"]))
        if ours.only in (None, description)
        for caller in ("an operator", "a plain credential")
    ]
    print(f"openapi: {sum(results)} passed, {len(results) - sum(results)} failed")
    sys.exit(0 if all(results) else 1)


if __name__ == "__main__":
    main()
