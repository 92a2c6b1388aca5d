"""Load of several agents on a real server: in namespaces, on clocks of their own, killed, stopped and cut off.

The control channels pass relays that delay each piece as a network does.
"""

from __future__ import annotations

import os
import re
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from fleets import Agents, local, pid_of, run_on
from namespaces import machines
from quiet import law_of_time
from real_servers import HOST, RealServer
from runs import plan, redis_calls

from loadgen.errors import WorkerError
from loadgen.events import Result
from loadgen.fleet import machine
from loadgen.fleet.agent import BEAT_NS
from loadgen.fleet.channel import Channel
from loadgen.fleet.fleet import LEASE_NS, Fleet, launched
from loadgen.fleet.link import LOST_NS
from loadgen.reason import Code
from loadgen.severity import Severity
from loadgen.units import NS_PER_MS, NS_PER_S

DAY_S = 86_400
LOAD = ("general.warmup=0s", "general.duration=30s", "connection.pipeline_depth=1")


@pytest.fixture(scope="module")
def server() -> Iterator[RealServer]:
    with RealServer.redis("--bind", "0.0.0.0", "--protected-mode", "no") as server:
        yield server


def on_another_clock(name: str, ahead_s: int) -> list[str]:
    """The command that enters a network namespace, and a time namespace whose monotonic clock is ahead."""
    return [
        *("ip", "netns", "exec", name),
        *("unshare", "--time", "--monotonic", str(ahead_s), "--fork", "--kill-child", "--"),
    ]


def sent(server: RealServer) -> int:
    calls = redis_calls(server)
    return calls.get("get", 0) + calls.get("set", 0)


def concatenated_quantile(result: Result, q: float) -> int:
    """The quantile of all hosts' recorded values, in one sorted row."""
    values = [
        value for part in result.hosts for value, count in part.measured.latency().buckets() for _ in range(count)
    ]
    return sorted(values)[max(0, -(-int(q * 1000) * len(values) // 1000) - 1)]


def test_two_agents_in_namespaces_are_counted_exactly(server: RealServer) -> None:
    before = sent(server)
    with machines(2) as two:
        agents = Agents([(name, ("ip", "netns", "exec", name)) for name, _, _ in two])
        endpoint = f'target.endpoints=["{two[0][1]}:{server.port}"]'
        result = run_on(agents, server.port, endpoint, "general.requests=4000", "connection.connections=6", *LOAD)
    assert result.severity is Severity.GOOD, result.reasons
    assert result.unaccounted == 0
    assert [part.name for part in result.hosts] == [name for name, _, _ in two]
    assert [part.measured.total.planned for part in result.hosts] == [2000, 2000]
    assert result.measured.total.planned == 4000 == sent(server) - before
    merged = result.hosts[0].measured.latency() + result.hosts[1].measured.latency()
    assert result.measured.latency().to_bytes() == merged.to_bytes()
    for q in (0.5, 0.9, 0.99, 0.999):
        assert result.measured.latency().quantile(q) == concatenated_quantile(result, q)
    # One agent sends the same number, and each host says what its machine did.
    alone = run_on(local(1), server.port, "general.requests=4000", "connection.connections=6", *LOAD)
    assert alone.measured.total.planned == result.measured.total.planned
    assert all(part.host is not None for part in result.hosts)
    assert {signs.host for signs in result.signs.workers} == {part.name for part in result.hosts}


@contextmanager
def monitored(server: RealServer) -> Iterator[Callable[[], dict[str, float]]]:
    """Watch what the server is asked. Yield a function that says when each address first asked for a key."""
    first: dict[str, float] = {}
    line_of = re.compile(rb'\+([0-9.]+) \[0 ([0-9.]+):\d+\] "(?:get|set)"', re.IGNORECASE)
    with socket.create_connection((HOST, server.port)) as watching, watching.makefile("rb") as stream:
        watching.sendall(b"MONITOR\r\n")
        assert stream.readline() == b"+OK\r\n"

        def watch() -> None:
            for line in stream:
                if (found := line_of.match(line)) is not None:
                    first.setdefault(found[2].decode(), float(found[1]))

        thread = threading.Thread(target=watch, daemon=True)
        thread.start()
        yield lambda: first
        watching.shutdown(socket.SHUT_RDWR)
        thread.join()


@law_of_time
def test_agents_with_other_clocks_behind_slow_channels_begin_together(server: RealServer) -> None:
    with machines(2) as two, monitored(server) as first:
        inside = [
            (two[0][0], on_another_clock(two[0][0], DAY_S)),
            (two[1][0], ("ip", "netns", "exec", two[1][0])),
        ]
        agents = Agents(inside, delay_s=0.020, jitter_s=0.005, seed=7)
        endpoint = f'target.endpoints=["{two[0][1]}:{server.port}"]'
        result = run_on(agents, server.port, endpoint, "general.requests=200", "connection.connections=2", *LOAD)
        began = first()
    assert result.unaccounted == 0
    ahead, same = result.hosts
    # The stated bound holds, and says what a delay of 20 ms on each way allows to know.
    assert abs(ahead.clock_ahead_ns - DAY_S * NS_PER_S) <= ahead.clock_error_ns
    assert 10 * NS_PER_MS <= ahead.clock_error_ns <= 25 * NS_PER_MS
    assert same.clock_ahead_ns == 0
    assert began.keys() == {own for _, _, own in two}
    skew_s = max(began.values()) - min(began.values())
    assert skew_s < 0.002, f"{skew_s * 1e3:.2f} ms apart"


def lost(server: RealServer, during: Callable[[Fleet, Agents], None]) -> tuple[Result, float, int]:
    """A load of which an agent is lost: its result, how long that took, and what came to the server afterwards."""
    agents, at_s = local(2), 0.0

    def strike(fleet: Fleet) -> None:
        nonlocal at_s
        at_s = time.monotonic()
        during(fleet, agents)

    result = run_on(
        agents, server.port, "workload.rate_limit=400", "connection.connections=4", *LOAD, during=strike, after_s=1.5
    )
    took_s = time.monotonic() - at_s
    settled = sent(server)
    time.sleep(0.3)
    return result, took_s, sent(server) - settled


def is_lost(result: Result, words: str) -> None:
    assert result.severity is Severity.COULD_NOT_RUN
    [reason] = [reason for reason in result.reasons if reason.code is Code.WORKER_DIED]
    assert reason.words.startswith(f"Agent local-1 {words}; it had sent ")
    # At 400 requests/s in all, it had sent about 200 by its first report; where it was struck late, by its second.
    assert 150 <= int(re.search(r"had sent ([\d,]+)", reason.words)[1].replace(",", "")) <= 500  # type: ignore[index]
    assert result.unaccounted == 0


def test_an_agent_that_is_killed_ends_the_run_at_once(server: RealServer) -> None:
    result, took_s, later = lost(server, lambda fleet, agents: os.kill(pid_of(fleet, 1), signal.SIGKILL))
    is_lost(result, "was killed by SIGKILL")
    assert took_s < 3
    assert later == 0


def test_an_agent_that_is_stopped_is_lost_within_four_seconds(server: RealServer) -> None:
    result, took_s, later = lost(server, lambda fleet, agents: os.kill(pid_of(fleet, 1), signal.SIGSTOP))
    is_lost(result, "said nothing for 2.5 s, and is given up")
    # Its last sign of life was at most half a second before.
    assert (LOST_NS - BEAT_NS) / NS_PER_S <= took_s < 4
    assert later == 0


def test_an_agent_that_is_cut_off_stops_its_load_by_itself(server: RealServer) -> None:
    """Nobody can reach it: its process is not ended by its leader, and only its own timers can end the load."""
    held: list[Channel] = []

    def cut(fleet: Fleet, agents: Agents) -> None:
        line = fleet.exchange.lines[1]
        agents.relays[1].is_cut = True
        held.append(line.channel)
        # A machine far away: nothing that the leader has of it is its process.
        line.channel = Channel(line.channel.name, line.channel.socket, line.channel.ending, lambda: None)

    result, took_s, later = lost(server, cut)
    is_lost(result, "said nothing for 2.5 s, and is given up")
    assert took_s < LEASE_NS / NS_PER_S + 1
    assert later == 0


def test_workers_end_when_their_agent_is_stopped_where_nobody_can_end_it(server: RealServer) -> None:
    """The kernel's timer of each worker ends it: its agent stands still, and does not know."""
    agents = local(1)
    stopped: list[int] = []
    children: list[int] = []

    def stop(fleet: Fleet) -> None:
        stopped.append(pid_of(fleet, 0))
        children.extend(children_of(stopped[0]))
        line = fleet.exchange.lines[0]
        line.channel = Channel(line.channel.name, line.channel.socket, line.channel.ending, lambda: None)
        os.kill(stopped[0], signal.SIGSTOP)
        began_s = time.monotonic()
        while any(is_running(child) for child in children) and time.monotonic() < began_s + 20:
            time.sleep(0.05)

    result = run_on(agents, server.port, "workload.rate_limit=400", *LOAD, during=stop, after_s=0.5)
    assert children
    assert not any(is_running(child) for child in children)
    assert result.severity is Severity.COULD_NOT_RUN


def children_of(pid: int) -> list[int]:
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()]


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def test_an_agent_of_another_version_is_refused_before_any_load(server: RealServer) -> None:
    older = (
        "import loadgen.version, sys; loadgen.version.__version__ = '0.0.1'; sys.argv[1:] = ['agent']; "
        "from loadgen.entry import main; main()"
    )
    before = sent(server)
    agents = Agents([("old", (sys.executable, "-P", "-c", older))])
    with pytest.raises(WorkerError, match=r"Agent old has loadgen 0\.0\.1, and this is .*: install the same version"):
        run_on(agents, server.port, *LOAD)
    assert sent(server) == before


def test_a_rank_of_a_run_is_locked_on_this_machine(tmp_path: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert machine.lock("a", 0) == ""
    assert "no load is fired twice" in machine.lock("a", 0)
    assert machine.lock("a", 1) == ""
    assert machine.lock("b", 0) == ""


def test_a_fleet_gives_each_agent_one_plan(server: RealServer) -> None:
    agents = local(1)
    with launched(agents) as fleet:
        [share] = fleet.shares(told := plan(server))
        fleet.make(told, share)
        with pytest.raises(WorkerError, match="no load is fired twice"):
            fleet.make(told, share)
