"""70,000 connections of one loadgen to one server address, from several source addresses: memory and time.

Where a process may have no more than some 20,000 open files, several processes share the server's port.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import multiprocessing
import resource
import socket
import subprocess
import sys
import time

REPLIES = {b"PING": b"+PONG\r\n", b"GET": b"$-1\r\n", b"SET": b"+OK\r\n"}


class Answers(asyncio.Protocol):
    """Answers each command as an empty server would."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        for command in data.split(b"*")[1:]:
            name = command.split(b"\r\n")[2]
            self.transport.write(REPLIES.get(name, b"+OK\r\n"))  # type: ignore[attr-defined]


def serve(port: int) -> None:
    async def forever() -> None:
        loop = asyncio.get_running_loop()
        await loop.create_server(Answers, "127.0.0.1", port, reuse_port=True, backlog=4096)
        await asyncio.Event().wait()

    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(forever())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--connections", type=int, default=70_000)
    parser.add_argument("--sources", type=int, default=3)
    given = parser.parse_args()
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    processes = -(-given.connections // (hard - 100)) + 1
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    servers = [multiprocessing.Process(target=serve, args=(port,), daemon=True) for _ in range(processes)]
    for server in servers:
        server.start()
    time.sleep(1)
    sources = ",".join(f"127.0.0.{n}" for n in range(1, given.sources + 1))
    load = [
        "--mix",
        "get=1",
        "--rate",
        "1000",
        "--duration",
        "2s",
        "--warmup",
        "0",
        "-c",
        "1000",
        "--idle",
        str(given.connections - 1000),
    ]
    command = [sys.executable, "-m", "loadgen", "-p", str(port), *load, "--threads", str(processes), "--format", "json"]
    began_s = time.monotonic()
    ran = subprocess.run([*command, "--source-addresses", sources], capture_output=True, text=True, check=False)
    for server in servers:
        server.terminate()
    records = [json.loads(line) for line in ran.stdout.splitlines()]
    result = next((record for record in records if record["type"] == "result"), None)
    if result is None:
        sys.exit(ran.stderr)
    connections, rss = result["connections"], result["client"]["max_rss_bytes"]
    each = rss * processes / given.connections
    print(f"{connections['opened']:,} connections, {connections['idle']:,} idle, {connections['failed']} failed")
    print(f"{time.monotonic() - began_s:.1f} s in all, connect p99 {connections['connect']['p99_ns'] / 1e6:.2f} ms")
    print(f"{rss / 1e6:.0f} MB for each of {processes} workers: {each:.0f} bytes for each connection, Python included")


if __name__ == "__main__":
    main()
