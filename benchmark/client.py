"""Measure loadgen.client beside pymemcache on one core, with the same work in one run, and the bound of both.

.venv/bin/python benchmark/client.py            all of it, as in `make bench-client`: two minutes, Linux and memcached
.venv/bin/python benchmark/client.py --operations 2000 --rounds 1

The work is 80 % get and 20 % set over 1,000 keys of 16 bytes with values of 64 bytes. Each way of doing it runs in a
process of its own on one CPU, with memcached on another:

`loop`      one pymemcache Client, one operation after the other
`threads`   one pymemcache PooledClient, 1,000 threads
`client`    one loadgen Client on uvloop, 1,000 operations under way on 1,000 connections
`client10`  the same on 10 connections, the default
`pipelined` the same on 10 connections, of which each has up to 100 operations under way (`pipeline=100`)
`bound`     what 1,000 operations under way cost at the least in Python: two system calls on nonblocking sockets, and
            one switch of tasks on uvloop

Ratios are taken within a round; what is printed is the median over the rounds, with the least and the most. The goals:
`client` ≥ 5 × `threads` and ≥ 1 × `loop`, in operations per second of one core; `pipelined` is held against the same.
They are judged by the CPU time of an operation, which is what other programs on the machine change least: a core of its
own does as many operations in a second as it has CPU time for, and a loop, which also waits for the server, does fewer.
The exit status is 0 whether the goals are met or not.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import resource
import shutil
import socket
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Self

from processes import BenchmarkError, pinned

HOST = "127.0.0.1"
KEYS = [f"benchmark:{number:06d}" for number in range(1_000)]
VALUE = b"v" * 64
UNDER_WAY = 1_000
START_S = 20.0


def gets_and_sets(count: int, seed: int) -> list[tuple[bool, str]]:
    """Return the work: whether each operation is a get, and its key."""
    drawn = random.Random(seed)
    return [(drawn.random() < 0.8, drawn.choice(KEYS)) for _ in range(count)]


class Timed:
    """The wall time and the CPU time of a block, in seconds."""

    def __init__(self) -> None:
        self.wall_s = self.cpu_s = 0.0

    def __enter__(self) -> Self:
        self._wall_s, self._cpu_s = time.perf_counter(), time.process_time()
        return self

    def __exit__(self, *_: object) -> None:
        self.wall_s += time.perf_counter() - self._wall_s
        self.cpu_s += time.process_time() - self._cpu_s


def loop(port: int, operations: int) -> Timed:
    from pymemcache.client.base import Client

    client = Client((HOST, port), timeout=30, no_delay=True)
    work = gets_and_sets(operations, 0)
    with Timed() as timed:
        for is_get, key in work:
            if is_get:
                client.get(key)
            else:
                client.set(key, VALUE, noreply=False)
    return timed


def threads(port: int, operations: int) -> Timed:
    from pymemcache.client.base import PooledClient

    client = PooledClient((HOST, port), timeout=60, max_pool_size=UNDER_WAY, no_delay=True)
    parts = [gets_and_sets(operations // UNDER_WAY, part) for part in range(UNDER_WAY)]
    ready = threading.Barrier(UNDER_WAY + 1)

    def work(part: list[tuple[bool, str]]) -> None:
        client.get(KEYS[0])
        ready.wait()
        for is_get, key in part:
            if is_get:
                client.get(key)
            else:
                client.set(key, VALUE, noreply=False)

    running = [threading.Thread(target=work, args=(part,)) for part in parts]
    for thread in running:
        thread.start()
    # The time begins before the threads may: on one core they could be half done when this thread has its turn.
    while ready.n_waiting < UNDER_WAY:
        time.sleep(0.01)
    with Timed() as timed:
        ready.wait()
        for thread in running:
            thread.join()
    return timed


def client(port: int, operations: int, max_size: int = UNDER_WAY, pipeline: int = 1) -> Timed:
    import uvloop

    from loadgen.client import Client

    async def work(client: Client, part: list[tuple[bool, str]]) -> None:
        for is_get, key in part:
            if is_get:
                await client.get(key)
            else:
                await client.set(key, VALUE)

    async def all_of_it() -> Timed:
        parts = [gets_and_sets(operations // UNDER_WAY, part) for part in range(UNDER_WAY)]
        async with Client([(HOST, port)], timeout_s=60, max_size=max_size, pipeline=pipeline) as client:
            await asyncio.gather(*(client.get(KEYS[0]) for _ in range(UNDER_WAY)))
            with Timed() as timed:
                await asyncio.gather(*(work(client, part) for part in parts))
            return timed

    return uvloop.run(all_of_it())


def client10(port: int, operations: int) -> Timed:
    return client(port, operations, 10)


def pipelined(port: int, operations: int) -> Timed:
    return client(port, operations, 10, UNDER_WAY // 10)


def bound(port: int, operations: int) -> Timed:
    """Return the time of the least work: a send and a receive for each operation, and a switch of tasks."""
    import uvloop

    sockets = [socket.create_connection((HOST, port)) for _ in range(UNDER_WAY)]
    request = f"get {KEYS[0]}\r\n".encode()
    timed = Timed()
    for _ in range(operations // UNDER_WAY):
        with timed:
            for connection in sockets:
                connection.send(request)
        # The server's time is not counted: every reply is there when it is read.
        time.sleep(0.05)
        with timed:
            for connection in sockets:
                connection.recv(65536)
    for connection in sockets:
        connection.close()

    async def switch() -> None:
        for _ in range(operations // UNDER_WAY):
            await asyncio.sleep(0)

    async def switches() -> None:
        with timed:
            await asyncio.gather(*(switch() for _ in range(UNDER_WAY)))

    uvloop.run(switches())
    return timed


WAYS: dict[str, Callable[[int, int], Timed]] = {
    "loop": loop,
    "threads": threads,
    "client": client,
    "client10": client10,
    "pipelined": pipelined,
    "bound": bound,
}


def start_server(cpu: int) -> tuple[subprocess.Popen[bytes], int]:
    """Return a memcached on a CPU, with every key in it."""
    program = shutil.which("memcached")
    if program is None:
        raise BenchmarkError("memcached is not installed")
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port = probe.getsockname()[1]
    user = ["-u", "nobody"] if os.geteuid() == 0 else []
    with pinned(cpu):
        server = subprocess.Popen([program, "-l", HOST, "-p", str(port), "-U", "0", "-t", "1", "-c", "4096", *user])
    deadline = time.monotonic() + START_S
    while server.poll() is None and time.monotonic() < deadline:
        try:
            with socket.create_connection((HOST, port)) as connection:
                for key in KEYS:
                    connection.sendall(b"set %b 0 0 %d noreply\r\n%b\r\n" % (key.encode(), len(VALUE), VALUE))
                connection.sendall(b"mn\r\n")
                connection.recv(64)
            return server, port
        except ConnectionRefusedError:
            time.sleep(0.02)
    server.kill()
    server.wait()
    raise BenchmarkError("memcached did not start")


def measured(way: str, port: int, operations: int, cpu: int) -> tuple[float, float]:
    """Return operations per second, and µs of CPU per operation, of one way in a process of its own."""
    command = [sys.executable, str(Path(__file__).resolve()), "--way", way, str(port), "--operations", str(operations)]
    with pinned(cpu):
        done = subprocess.run(command, capture_output=True, text=True, timeout=600)
    if done.returncode:
        raise BenchmarkError(f"{way} failed:\n{done.stderr}")
    told = json.loads(done.stdout)
    return operations / told["wall_s"], told["cpu_s"] / operations * 1e6


def spread(numbers: list[float], digits: int) -> str:
    middle = f"{statistics.median(numbers):,.{digits}f}"
    return f"{middle} [{min(numbers):,.{digits}f}–{max(numbers):,.{digits}f}]"


def rounds(count: int, operations: int, server_cpu: int, client_cpu: int) -> None:
    server, port = start_server(server_cpu)
    rates: dict[str, list[float]] = {way: [] for way in WAYS}
    costs: dict[str, list[float]] = {way: [] for way in WAYS}
    try:
        for turn in range(count):
            ways = [*WAYS]
            for way in ways[turn % len(ways) :] + ways[: turn % len(ways)]:
                rate, cost = measured(way, port, operations, client_cpu)
                rates[way].append(rate)
                costs[way].append(cost)
    finally:
        server.kill()
        server.wait()
    print(f"{'':10}{'operations/s':>30}{'CPU µs/operation':>26}{'client ÷ it, by CPU':>26}")
    ratios = {way: [b / a for a, b in zip(costs["client"], costs[way], strict=True)] for way in WAYS}
    for way in WAYS:
        print(f"{way:10}{spread(rates[way], 0):>30}{spread(costs[way], 1):>26}{spread(ratios[way], 2):>26}")
    for ours in ("client", "pipelined"):
        for way, least in (("threads", 5.0), ("loop", 1.0)):
            ratio = statistics.median(b / a for a, b in zip(costs[ours], costs[way], strict=True))
            print(f"goal: {ours} ≥ {least:g} × {way}: {ratio:.2f} × ({'met' if ratio >= least else 'missed'})")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--operations", type=int, default=40_000, help="operations of each way in each round")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--cpus", default="0,1", help="the CPU of the server, and that of the clients")
    parser.add_argument("--way", nargs=2, metavar=("WAY", "PORT"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.way:
        timed = WAYS[given.way[0]](int(given.way[1]), given.operations)
        print(json.dumps({"wall_s": timed.wall_s, "cpu_s": timed.cpu_s}))
        return 0
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(max(soft, 4096), hard), hard))
    server_cpu, client_cpu = map(int, given.cpus.split(","))
    try:
        rounds(given.rounds, given.operations // UNDER_WAY * UNDER_WAY, server_cpu, client_cpu)
    except BenchmarkError as error:
        print(error, file=sys.stderr)
        return 3
    return 0


if __name__ == "__main__":
    sys.exit(main())
