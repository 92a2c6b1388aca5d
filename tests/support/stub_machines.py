"""A stub of Fly.io's Machines API: machines of one app, each of which is an agent at an address of loopback."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

TOKEN = "FlyV1 fm2_a-token-that-nobody-may-see"


class StubMachines:
    """What the API has, and what it is to do."""

    def __init__(self, start: Callable[[str, dict[str, Any]], Callable[[], None]]) -> None:
        self.start = start
        """Starts the agent of a machine at an address, by the machine's config, and returns what ends it."""
        self.url = ""
        self.machines: dict[str, dict[str, Any]] = {}
        self.asked: list[str] = []
        """Method and path of each request, in their order."""
        self.refusals: dict[str, list[tuple[int, str]]] = {}
        """By method: statuses and bodies to answer with before anything else."""
        self.after_creation: tuple[int, str] | None = None
        """A refusal that comes although the machine was created."""
        self._ends: dict[str, Callable[[], None]] = {}

    def answer(self, method: str, path: str, token: str, body: dict[str, Any] | None) -> tuple[int, Any]:
        self.asked.append(f"{method} {path}")
        if refusals := self.refusals.get(method):
            return refusals.pop(0)
        if token != f"Bearer {TOKEN}":
            return 401, {"error": f"unauthorized: {token}"}
        parts = urlsplit(path)
        prefix, _, rest = parts.path.partition("/v1/apps/bench/machines")
        if prefix or not parts.path.startswith("/v1/apps/bench/"):
            return 404, {"error": "app not found"}
        machine = rest.strip("/").partition("/")[0]
        match method:
            case "POST":
                return self.create(body or {})
            case "GET" if not machine:
                # All of them: a leader must not destroy whatever a filter lets through.
                assert "metadata.loadgen_run" in parse_qs(parts.query)
                return 200, list(self.machines.values())
            case _ if machine not in self.machines:
                return 404, {"error": "machine not found"}
            case "GET":
                return 200, {"ok": True}
            case "DELETE":
                self._ends.pop(machine)()
                del self.machines[machine]
                return 200, {"ok": True}
        return 405, {"error": method}

    def create(self, body: dict[str, Any]) -> tuple[int, Any]:
        machine = f"m{len(self.asked)}"
        address = f"127.0.0.{2 + len(self.machines)}"
        self.machines[machine] = body | {"id": machine, "private_ip": address, "instance_id": "i", "state": "started"}
        self._ends[machine] = self.start(address, body["config"])
        return self.after_creation or (200, self.machines[machine])


@contextmanager
def serving(start: Callable[[str, dict[str, Any]], Callable[[], None]]) -> Iterator[StubMachines]:
    stub = StubMachines(start)

    class Handler(BaseHTTPRequestHandler):
        def do(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length)) if length else None
            status, answer = stub.answer(self.command, self.path, self.headers["Authorization"], body)
            data = answer.encode() if isinstance(answer, str) else json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST = do_DELETE = do

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        stub.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield stub
        finally:
            server.shutdown()
            thread.join()
