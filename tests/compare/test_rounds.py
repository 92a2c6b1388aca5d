"""Rounds on real servers: restarts, the order of slices, the requests, and what idle servers do."""

from __future__ import annotations

import contextlib
import os
import re
import sys
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
from places import SUPPORT
from real_servers import RealServer
from runs import SETTINGS, endpoints, redis_calls

from loadgen import config
from loadgen.compare.candidate import Candidate
from loadgen.compare.rounds import Contender, Contestant, RequestsFailed, Rounds
from loadgen.compare.settings import Awake, ComparisonSettings, Idle
from loadgen.compare.stretch import Stretch
from loadgen.errors import TargetError
from loadgen.events import Event, Monitored, MonitorGap
from loadgen.host import awake, machine
from loadgen.judge.verdict import VerdictLimits
from loadgen.monitors.plan import MonitorPlan
from loadgen.plan import KeptHistory
from loadgen.reason import Code
from loadgen.server_plan import ServerPlan, loopback
from loadgen.signs import PauseAccount
from loadgen.snapshot import Snapshot, Tally
from loadgen.target.servers import GivenEndpoints, Managed
from loadgen.units import NS_PER_S
from loadgen.verify.checkers._register import Register
from loadgen.verify.history.file import read

BOTH_LOOPS = {"throughput": 0.05, "p99": 0.1, "server_cpu": 0.05, "rss": 0.05}
SHORT = ComparisonSettings(
    thresholds=BOTH_LOOPS,
    one_sided=True,
    slice_ns=50_000_000,
    settle_ns=10_000_000,
    slices=2,
    rate_per_s=2000,
    max_rounds=4,
)
CLOSED = replace(SHORT, thresholds={"throughput": 0.05})
SEEDS = (1, 1, 5)
# What the machine does to the generator while tests share it spoils no slice.
LIMITS = VerdictLimits(lag_ns=30 * NS_PER_S, shortfall=1.0)
LINUX_ONLY = pytest.mark.skipif(sys.platform != "linux", reason="epoll is Linux's")
REDIS = (
    *("redis-server", "--bind", "{host}", "--port", "{port}", "--dir", "{dir}", "--daemonize", "no", "--save", ""),
)


def on_cpu(own: Contestant, cpu: int) -> Managed:
    assert isinstance(own.servers, Managed)
    return Managed(replace(own.servers.plan, cpus=(cpu,)))


def managed(*more: str, name: str = "redis", program: tuple[str, ...] = REDIS) -> Contestant:
    plan = config.resolve(config.load(None, [*SETTINGS, "workload.prefill=true", "workload.arrival=poisson"]))
    servers = Managed(ServerPlan(name, (*program, *more), loopback("resp")))
    return Contestant(Candidate(name, "server"), plan, servers, LIMITS)


def running(server: RealServer) -> Contestant:
    """A server that runs already."""
    plan = config.resolve(config.load(None, [*SETTINGS, endpoints(server), "workload.prefill=true"]))
    servers = GivenEndpoints(plan.target.endpoints)
    return Contestant(Candidate(str(server.port), "endpoint"), plan, servers, LIMITS)


def rounds_of(*contestants: Contestant, settings: ComparisonSettings = SHORT, seed: int = 1) -> Rounds:
    return Rounds(contestants, settings, seed, lambda event: None)


def test_every_round_starts_each_server_anew_and_ends_it() -> None:
    seen: list[tuple[int, int]] = []

    class Watched(Rounds):
        def start(self, *arguments: object) -> Contender:  # type: ignore[override]
            side = super().start(*arguments)  # type: ignore[arg-type]
            assert side.server is not None
            seen.append((self.number, side.server.pid))
            return side

    rounds = Watched((managed(name="a"), managed(name="b")), CLOSED, 1, lambda event: None)
    for number in (1, 2):
        rounds.next()
        assert not any(psutil.pid_exists(pid) for started, pid in seen if started == number)
    assert [started for started, _ in seen] == [1, 1, 2, 2]
    assert len({pid for _, pid in seen}) == 4


def test_slices_mirror_each_other_and_who_is_first_is_the_seeds_to_say() -> None:
    orders = [rounds_of(managed(name="a"), managed(name="b"), settings=CLOSED, seed=s).next().order for s in SEEDS]
    assert orders[0] == orders[1]
    assert all(order == tuple(reversed(order)) and sorted(order) == [0, 0, 1, 1] for order in orders)
    assert orders[1] != orders[2]


def test_a_round_has_every_metric_of_every_candidate() -> None:
    ended = rounds_of(managed(name="a"), managed(name="b"), managed(name="c")).next()
    assert len(ended.values) == 3
    assert sorted(ended.order) == [0, 0, 1, 1, 2, 2]
    for values in ended.values:
        assert set(values) == {"throughput", "p50", "p99", "p999", "server_cpu", "rss"}
        assert values["p50"] <= values["p99"] <= values["p999"]
        assert all(value > 0 for value in values.values())


def test_each_candidate_has_a_history_of_its_own_of_each_round(tmp_path: Path) -> None:
    with RealServer.redis() as server:
        kept = KeptHistory(str(tmp_path / "of"), 1.0, 1)
        found = (managed(name="a/b"), running(server))
        with_history = tuple(replace(each, plan=replace(each.plan, history=kept)) for each in found)
        rounds = rounds_of(*with_history)
        rounds.next()
        rounds.next()
    numbers = set()
    names = [f"{name}-round-0{number}.lghist" for name in ("1-a-b", f"2-{server.port}") for number in (1, 2)]
    for name in names:
        recorded = read(tmp_path / "of" / name)
        assert recorded.unclosed == ()
        assert Register().judged(recorded.operations) == "legal"
        # Nothing that the round before left on the server that was not restarted is read: each key is written anew.
        assert not any(operation[3] and operation[2] >> 63 for operation in recorded.operations)
        numbers.add(recorded.metadata.more["run"])
    assert len(numbers) == 4
    assert {each.name for each in (tmp_path / "of").iterdir()} == set(names)
    assert Code.HISTORIES_KEPT in rounds.notes.values()


def test_monitors_read_each_candidate_s_own_server_and_say_whose_it_is() -> None:
    every_ns, events = NS_PER_S // 50, list[Event]()
    read = (
        MonitorPlan("redis", "redis", every_ns=every_ns),
        MonitorPlan("proc", "absent", every_ns=every_ns, process="no such process"),
    )
    found = [replace(managed(name=name), monitors=read) for name in ("a", "b")]
    rounds = Rounds(found, CLOSED, 1, events.append)
    rounds.next()
    readings = [event for event in events if isinstance(event, Monitored)]
    identities = {(event.target, event.reading.identity) for event in readings}
    assert sorted(name for name, _ in identities) == ["a", "b"], "each candidate is one process"
    gaps = {(event.target, event.gap.monitor, event.gap.why) for event in events if isinstance(event, MonitorGap)}
    assert {(name, "absent", "no process is named no such process") for name in ("a", "b")} <= gaps
    silent = [words for words, code in rounds.notes.items() if code is Code.MONITOR_SILENT]
    assert [words.partition(" gave")[0] for words in silent] == ["a: monitor absent", "b: monitor absent"]


def test_only_the_loops_of_judged_metrics_are_run() -> None:
    [closed] = rounds_of(managed(), settings=CLOSED).next().values
    assert set(closed) == {"throughput", "server_cpu", "rss"}
    [opened] = rounds_of(managed(), settings=replace(SHORT, thresholds={"p99": 0.05})).next().values
    assert set(opened) == {"p50", "p99", "p999", "server_cpu", "rss"}


def test_without_a_rate_it_is_a_share_of_what_the_first_candidate_reaches() -> None:
    rounds = rounds_of(managed(), settings=replace(SHORT, rate_per_s=0, load_share=0.01))
    [values] = rounds.next().values
    # The burst that it was found by, and the slices, are of one server on one machine: within a factor of some.
    assert 0.01 * values["throughput"] / 10 < rounds.rate_per_s < 0.01 * values["throughput"] * 10


@pytest.mark.parametrize(
    ("cost", "fixed", "asked", "fitting"),
    [
        (10e-6, 0.0, 40_000, 40_000),
        (20e-6, 0.0, 40_000, 25_000),
        # Whose workers wake up for each request, however few there are.
        (20e-6, 0.1, 40_000, 20_000),
    ],
)
def test_the_rate_leaves_each_worker_half_of_its_cpu(cost: float, fixed: float, asked: int, fitting: int) -> None:
    class Costly(Rounds):
        """As if the server answered 100,000 requests per second, and each cost the worker so much CPU."""

        def measure(self, sides: dict[int, Contender], side: Contender, rate_per_s: float) -> Stretch:
            taken = super().measure(sides, side, 0.0)
            if not rate_per_s:
                tally = Tally(planned=10_000, ok=10_000)
                return replace(taken, measured=Snapshot(tallies={"get": tally}), length_ns=100_000_000)
            busy = round(taken.length_ns * (fixed + cost * rate_per_s))
            own = replace(taken.workers[0], cpu_ns=busy, wall_ns=taken.length_ns)
            return replace(taken, workers=(replace(own, cpu_ns=busy // 2), own))

    rounds = Costly((managed(name="a"),), replace(SHORT, rate_per_s=0, load_share=0.4), 1, lambda event: None)
    assert rounds.fitting_rate_per_s() == pytest.approx(fitting, rel=0.05)
    lowered = [note for note in rounds.notes if "compared at" in note]
    assert bool(lowered) is (fitting < asked)
    if lowered:
        assert f"and not at {asked:,} (0.4 of what a reaches)" in lowered[0]


def test_a_worker_that_polls_is_always_busy_and_keeps_the_rate() -> None:
    own = managed()
    polls = replace(own, plan=replace(own.plan, wire=replace(own.plan.wire, spin=True)))
    rounds = rounds_of(polls, settings=replace(SHORT, rate_per_s=0, load_share=0.2))
    assert rounds.fitting_rate_per_s() > 0
    assert not any("compared at" in note for note in rounds.notes)


@LINUX_ONLY
@pytest.mark.parametrize(
    ("said", "virtual", "kept"),
    [(Awake.VM, True, True), (Awake.VM, False, False), (Awake.ALWAYS, False, True), (Awake.NEVER, True, False)],
)
def test_the_cpus_of_load_and_servers_are_kept_from_sleeping(
    said: Awake, virtual: bool, kept: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine, "is_virtual", lambda: virtual)
    monkeypatch.setattr(awake, "can_be_kept", lambda: True)
    first, *_, last = [*sorted(os.sched_getaffinity(0)), max(os.sched_getaffinity(0))]
    policies: list[set[tuple[int, ...]]] = []

    class Looking(Rounds):
        def check_connected(self, side: Contender) -> None:
            children = psutil.Process().children()
            idle = [child for child in children if os.sched_getscheduler(child.pid) == os.SCHED_IDLE]
            policies.append({tuple(child.cpu_affinity() or []) for child in idle})
            super().check_connected(side)

    own = managed()
    pinned = replace(
        own,
        servers=on_cpu(own, last),
        plan=replace(own.plan, workers=tuple(worker._replace(cpu=first) for worker in own.plan.workers)),
    )
    rounds = Looking([pinned], replace(CLOSED, awake=said), 1, lambda event: None)
    rounds.next()
    assert all(cpus == ({(first,), (last,)} if kept else set()) for cpus in policies)
    assert bool(policies)
    assert any("kept from sleeping" in note for note in rounds.notes) is kept


def test_cpus_that_nobody_is_pinned_to_are_not_kept_from_sleeping() -> None:
    assert rounds_of(managed(), settings=replace(SHORT, awake=Awake.ALWAYS)).to_keep_awake({}) == []


def test_nothing_is_said_of_cpus_that_could_not_be_kept_from_sleeping(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(awake, "kept", lambda cpus: contextlib.nullcontext([]))
    rounds = rounds_of(managed(), settings=replace(CLOSED, awake=Awake.ALWAYS))
    rounds.next()
    assert not any("sleeping" in note for note in rounds.notes)


def test_workers_say_nothing_while_a_slice_is_measured() -> None:
    heard: list[int] = []

    class Looking(Rounds):
        def measure(self, sides: dict[int, Contender], side: Contender, rate_per_s: float) -> Stretch:
            taken = super().measure(sides, side, rate_per_s)
            assert side.crew.load is not None
            heard.append(sum(side.crew.load.intervals.newest.values()))
            assert taken.measured.total.ok > 0
            return taken

    own = managed()
    talkative = replace(own, plan=replace(own.plan, load=replace(own.plan.load, interval_ns=20_000_000)))
    Looking([talkative], SHORT, 1, lambda event: None).next()
    assert set(heard) == {0}


@pytest.mark.parametrize(("idle", "state_of_others"), [(Idle.RUN, "runs"), (Idle.STOP, "stopped")])
def test_an_idle_server_runs_unless_it_is_to_be_stopped(idle: Idle, state_of_others: str) -> None:
    states: list[tuple[str, str]] = []
    started: list[Contender] = []

    class Looking(Rounds):
        def check_connected(self, side: Contender) -> None:
            assert side.server is not None
            for other in started:
                assert other.server is not None
                state = psutil.Process(other.server.pid).status()
                states.append(("own" if other is side else "other", "stopped" if state == "stopped" else "runs"))
            super().check_connected(side)

        def start(self, *arguments: object) -> Contender:  # type: ignore[override]
            side = super().start(*arguments)  # type: ignore[arg-type]
            started.append(side)
            return side

    settings = replace(CLOSED, idle=idle)
    Looking((managed(name="a"), managed(name="b")), settings, 1, lambda event: None).next()
    assert set(states) == {("own", "runs"), ("other", state_of_others)}


def test_a_server_that_uses_a_cpu_although_it_was_stopped_is_a_note() -> None:
    # The helper is not in the server's process group, so that the group's SIGSTOP does not reach the helper.
    helper = "import time\nwhile True: time.sleep(0.0002)"
    start = f"subprocess.Popen([sys.executable, '-c', {helper!r}], start_new_session=True)"
    busy = (sys.executable, "-c", f"import os, subprocess, sys; {start}; os.execvp(sys.argv[1], sys.argv[1:])", *REDIS)
    settings = replace(CLOSED, idle=Idle.STOP)
    rounds = rounds_of(managed(name="a"), managed(name="busy", program=busy), settings=settings)
    rounds.next()
    [note] = [note for note in rounds.notes if "of a CPU" in note]
    assert re.fullmatch(r"busy used [\d.]+ % of a CPU while idle, although it had been stopped", note)


IDLE_SERVER = (sys.executable, str(SUPPORT / "idle_server.py"), "{port}")


@LINUX_ONLY
@pytest.mark.parametrize("idle", [Idle.RUN, Idle.ALONE])
def test_a_server_that_dies_of_an_interrupted_wait_gets_its_round(idle: Idle) -> None:
    candidates = (managed(name="a"), managed(name="mio", program=(*IDLE_SERVER, "eintr")))
    rounds = rounds_of(*candidates, settings=replace(CLOSED, idle=idle))
    ended = rounds.next()
    assert all(values["throughput"] > 0 for values in ended.values)
    assert rounds.alone is (idle is Idle.ALONE)


@LINUX_ONLY
def test_a_server_that_dies_of_being_stopped_is_quoted_and_the_key_is_named() -> None:
    candidates = (managed(name="a"), managed(name="mio", program=(*IDLE_SERVER, "eintr")))
    rounds = rounds_of(*candidates, settings=replace(CLOSED, idle=Idle.STOP))
    with pytest.raises(TargetError) as raised:
        rounds.next()
    words = str(raised.value)
    assert 'mio ended with exit status 1; its log ends with "Error: Interrupted system call (os error 4)"' in words
    assert 'compare.idle = "stop"' in words
    assert "start a server" not in words


@LINUX_ONLY
def test_where_an_idle_server_spins_each_is_run_alone_and_it_is_named() -> None:
    told: list[Event] = []
    candidates = (managed(name="a"), managed(name="uring", program=(*IDLE_SERVER, "spins")))
    rounds = Rounds(candidates, CLOSED, 1, told.append)
    ended = rounds.next()
    assert all(values["throughput"] > 0 for values in ended.values)
    assert ended.order in ((0, 0, 1, 1), (1, 1, 0, 0))
    [note] = rounds.notes
    assert re.match(r"uring used [\d.]+ % of a CPU while idle; each candidate was run alone", note)
    # It is not looked for again.
    pids = []
    rounds.check_at_rest = lambda sides: pids.append(len(sides))  # type: ignore[method-assign]
    rounds.next()
    assert pids == [1, 1]


def test_a_server_at_rest_is_not_taken_for_one_that_spins() -> None:
    rounds = rounds_of(managed(name="a"), managed(name="b"), settings=CLOSED)
    rounds.next()
    assert (rounds.at_rest, rounds.alone, rounds.notes) == (True, False, {})


class Spoilt(Rounds):
    """The slices of these numbers, from 1 and of all that are measured, are ones in which the host took a CPU away."""

    spoilt: tuple[int, ...] = ()

    def measure(self, sides: dict[int, Contender], side: Contender, loop: str) -> Stretch:
        taken = super().measure(sides, side, loop)
        self.measured = [*getattr(self, "measured", []), side.name]
        if len(self.measured) not in self.spoilt:
            return replace(taken, workers=tuple(replace(w, queued_ns=0, pauses=PauseAccount()) for w in taken.workers))
        return replace(taken, workers=tuple(replace(w, queued_ns=taken.length_ns) for w in taken.workers))


def test_a_slice_in_which_the_host_took_a_cpu_away_is_measured_again_within_a_third_more() -> None:
    settings = replace(CLOSED, slice_ns=30_000_000, slices=4)
    rounds = Spoilt((managed(name="a"), managed(name="b")), settings, 1, lambda event: None)
    rounds.spoilt = (2,)
    ended = rounds.next()
    assert (ended.repeated, len(rounds.measured)) == (1, 9)
    assert rounds.measured[1] == rounds.measured[2]
    rounds.spoilt = tuple(range(100))
    ended = rounds.next()
    # Eight slices, and two more.
    assert (ended.repeated, len(rounds.measured)) == (2, 9 + 10)
    assert len(ended.order) == 8


def test_a_round_in_which_requests_failed_is_run_again_once() -> None:
    class Failing(Rounds):
        failures = 0

        def check_answers(self, side: Contender, measured: Snapshot) -> None:
            if self.failures:
                self.failures -= 1
                raise RequestsFailed(f"{side.name}: 3 % of requests failed (timeouts 3).")

    rounds = Failing((managed(name="a"),), CLOSED, 1, lambda event: None)
    rounds.failures = 1
    assert rounds.next().number == 1
    assert list(rounds.notes) == ["round 1 was run again: a: 3 % of requests failed (timeouts 3)"]
    rounds.failures = 2
    with pytest.raises(RequestsFailed):
        rounds.next()


def test_both_candidates_get_the_same_keys_and_requests() -> None:
    with RealServer.redis() as a, RealServer.redis() as b:
        # At a rate, a count is the schedule's and not the servers'.
        rounds_of(running(a), running(b), settings=replace(SHORT, thresholds={"p99": 0.1})).next()
        calls = [redis_calls(server) for server in (a, b)]
        assert calls[0]["get"] == calls[1]["get"] > 0
        assert calls[0]["set"] == calls[1]["set"] > 2000
        assert set(a.redis().scan_iter(count=10_000)) == set(b.redis().scan_iter(count=10_000))


def test_a_server_that_is_not_ours_is_neither_watched_nor_ended() -> None:
    with RealServer.redis() as server:
        [values] = rounds_of(running(server)).next().values
        assert {"server_cpu", "rss"}.isdisjoint(values)
        assert server.redis().ping()


def test_a_candidate_whose_requests_fail_ends_the_comparison_with_class_and_remedy() -> None:
    full = managed("--maxmemory", "1mb", "--maxmemory-policy", "noeviction", name="full")
    with pytest.raises(TargetError, match=r"full: .* % *\) failed .*OOM [\d,]+, .*raise the server's memory limit"):
        rounds_of(replace(full, plan=replace(full.plan, workload=replace(full.plan.workload, prefill=False)))).next()


def test_a_candidate_that_dies_in_the_middle_ends_the_comparison_with_its_fate() -> None:
    script = SUPPORT / "dying_server.py"
    dying = managed(name="dying", program=(sys.executable, str(script), "{port}", "2000"))
    with pytest.raises(TargetError, match=r"dying was killed by (SIGKILL|SIGSEGV).*; its log is empty"):
        rounds_of(managed(name="a"), dying).next()


def test_what_a_round_cannot_start_it_leaves_nothing_of() -> None:
    before = {process.pid for process in psutil.Process().children(recursive=True)}
    with pytest.raises(TargetError):
        rounds_of(managed(name="a"), managed(name="b", program=("no-such-program", "{port}"))).next()
    assert {process.pid for process in psutil.Process().children(recursive=True)} <= before


def test_servers_are_pinned_where_they_are_told_to() -> None:
    cpu = max(os.sched_getaffinity(0))
    seen: list[list[int]] = []

    class Looking(Rounds):
        def check_connected(self, side: Contender) -> None:
            assert side.server is not None
            seen.append(psutil.Process(side.server.pid).cpu_affinity() or [])
            super().check_connected(side)

    own = managed()
    Looking([replace(own, servers=on_cpu(own, cpu))], CLOSED, 1, lambda event: None).next()
    assert {tuple(cpus) for cpus in seen} == {(cpu,)}


def test_candidates_that_find_different_parts_of_their_keys_are_told_apart() -> None:
    forgetful = managed("--maxmemory", "3mb", "--maxmemory-policy", "allkeys-lru", name="forgetful")
    workload = replace(forgetful.plan.workload, value_bytes=4096)
    large = [replace(each, plan=replace(each.plan, workload=workload)) for each in (managed(), forgetful)]
    for candidates, differ in (((managed(), managed(name="b")), False), (tuple(large), True)):
        rounds = rounds_of(*candidates)
        rounds.next()
        assert any("hit rates differ" in note for note in rounds.notes) is differ
