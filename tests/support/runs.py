"""Whole runs for tests, and the server's counts of them.

`measure` runs a plan here, with real worker processes, and returns the Result. Servers' counters are read over
separate connections, whose every byte is known.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Iterable

from real_servers import HOST, RealServer, ask

import loadgen
from loadgen import config
from loadgen.config.loader import parse_override
from loadgen.events import Event, Result
from loadgen.judge.judging import Judging
from loadgen.plan import Plan

# Short, and with timeouts that no busy machine runs into; a test's own settings win.
SETTINGS = (
    "general.duration=0.1s",
    "general.warmup=20ms",
    "general.seed=42",
    "general.threads=1",
    "connection.connections=4",
    "connection.pipeline_depth=8",
    "connection.connect_timeout=30s",
    "connection.request_timeout=30s",
    "workload.keyspace.count=2000",
    "workload.arrival=constant",
    # What the machine does to the generator while tests share it is not what these runs are about.
    "verdict.lag=30s",
    "verdict.shortfall=1",
)

Servers = RealServer | tuple[RealServer, ...] | int
"""One or several, or just a port."""


def addresses(servers: Servers) -> list[str]:
    listed = servers if isinstance(servers, tuple) else (servers,)
    return [f"{HOST}:{server if isinstance(server, int) else server.port}" for server in listed]


def endpoints(servers: Servers) -> str:
    """The servers as a setting of the command."""
    return f"target.endpoints={json.dumps(addresses(servers))}"


def described(servers: Servers, *settings: str) -> loadgen.Plan:
    """A short load with these `--set` settings, as the library has it."""
    given = {".".join(key): value for key, value in map(parse_override, [*SETTINGS, *settings])}
    return loadgen.Plan(settings={"target.endpoints": addresses(servers), **given})


def plan(servers: Servers, *settings: str) -> Plan:
    """The same, resolved."""
    return config.resolve(described(servers, *settings).config)


def up_to(rate: int) -> tuple[str, ...]:
    """Settings of a search that tries this rate only, which passes on any machine where limits are loose."""
    table = "workload.saturation_search"
    return f"{table}.start_rate={rate}", f"{table}.max_rate={rate}", f"{table}.min_throughput_ratio=0.01"


def judging(*settings: str) -> Judging:
    """What these `--set` settings judge a result by."""
    return config.judging(described(1, *settings).config)


def profile_of(told: Plan) -> list[tuple[int, float, float, int]]:
    """The plan's profile as an engine takes it."""
    return [(s.length_ns, s.from_per_s, s.to_per_s, s.period_ns) for s in told.load.profile]


def measure(servers: Servers, *settings: str, events: list[Event] | None = None) -> Result:
    """Runs it, and holds what must hold for every run against a healthy server."""
    heard: list[Event] = [] if events is None else events
    result = loadgen.run(described(servers, *settings), on_event=heard.append)
    assert result.valid, result.invalid_because
    assert result.unaccounted == 0
    overall = result.overall
    for command, tally in overall.tallies.items():
        assert (tally.not_ok, tally.received) == (0, tally.sent), (command, tally)
    assert (overall.connections.failed, overall.connections.closed, dict(overall.failures)) == (0, 0, {})
    return result


def sets(*settings: str) -> list[str]:
    """Settings as arguments of the command."""
    return [argument for setting in settings for argument in ("--set", setting)]


# ── What the server counted ─────────────────────────────────────────────────────────────────────────────────────────

INFO = b"INFO everything\r\n"


def redis_info(port: int) -> tuple[dict[str, str], int]:
    """INFO's fields, and how many bytes the server sent to say so."""
    with socket.create_connection((HOST, port), timeout=20) as connection, connection.makefile("rwb") as stream:
        stream.write(INFO)
        stream.flush()
        head = stream.readline()
        body = stream.read(int(head[1:]) + 2)
    fields = dict(line.split(":", 1) for line in body.decode().splitlines() if ":" in line)
    return fields, len(head) + len(body)


def redis_calls(server: RealServer) -> dict[str, int]:
    """How often each command was called, but for the INFOs of these tests."""
    calls = {
        name.removeprefix("cmdstat_"): int(value.split("calls=")[1].split(",")[0])
        for name, value in redis_info(server.port)[0].items()
        if name.startswith("cmdstat_")
    }
    return {name: n for name, n in calls.items() if name != "info"}


def memcached_stats(port: int) -> tuple[dict[str, int], int]:
    """The numbers among the statistics, and how many bytes the server sent to say so."""
    answer = ask(port, b"stats\r\n", b"END\r\n")
    lines = [line.split() for line in answer.decode().splitlines() if line.startswith("STAT ")]
    return {name: int(value) for _, name, value in lines if value.isdigit()}, len(answer)


def redis_calls_of(sent: dict[str, int]) -> dict[str, int]:
    """What a redis-server must have counted of so many requests of each command."""
    names = {
        "get": "get",
        "set": "set",
        "backfill": "set",
        "delete": "del",
        "ping": "ping",
        "hello": "hello",
        "auth": "auth",
        "select": "select",
        "readonly": "readonly",
        "mget": "mget",
        "mset": "mset",
        "incr": "incr",
    }
    calls: dict[str, int] = {}
    for command, count in sent.items():
        if count:
            calls[names[command]] = calls.get(names[command], 0) + count
    return calls


def sent(result: Result) -> dict[str, int]:
    """Requests sent over all phases, by command."""
    return {command: tally.sent for command, tally in result.overall.tallies.items()}


def stores(servers: Iterable[RealServer]) -> list[set[bytes]]:
    """The keys that each redis-server has."""
    return [set(server.redis().scan_iter(count=10_000)) for server in servers]
