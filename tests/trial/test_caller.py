"""Caller processes as their leader sees them: a load, its counts, its end, and each planted fault found by its name."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any

import psutil
import pytest
from places import ROOT
from real_servers import RealServer, ask
from trials import plan as whole_plan

from loadgen.errors import InternalError, LoadgenError, TargetError, UsageError, WorkerError
from loadgen.trial import callers as callers_module
from loadgen.trial.backend import Backend
from loadgen.trial.callers import Callers, Final, process
from loadgen.trial.observed import Observed
from loadgen.trial.plan import CallerPlan

NS_PER_S = 1_000_000_000


def plan(*arguments: Any, **more: Any) -> CallerPlan:
    """A plan with few keys to write before the load."""
    return whole_plan(*arguments, **{"shared_keys": 40, **more})


@pytest.fixture(autouse=True)
def _clients_of_tests(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT / "tests" / "support"))


@pytest.fixture(scope="module")
def memcached() -> Iterator[RealServer]:
    with RealServer.memcached() as server:
        yield server
        server.kill()  # One that is asked to end takes a second.


def mutant(name: str = "", **options: Any) -> dict[str, Any]:
    return {"client": "mutant_clients:make", "options": {"mutant": name, **options}}


def in_memory(name: str = "") -> dict[str, Any]:
    return {"client": "mutant_clients:Tasks", "options": {"mutant": name}}


@dataclass
class Run:
    """What a load came to."""

    written: int = 0
    version: str = ""
    phases: dict[str, Observed] = field(default_factory=dict)
    whole: Observed = field(default_factory=Observed)
    intervals: int = 0
    final: Final | None = None

    def note(self, intervals: Any) -> None:
        for interval in intervals:
            self.intervals += 1
            self.phases[interval.phase] = self.phases.get(interval.phase, Observed()) + interval.observed
            self.whole += interval.observed


def run(*plans: CallerPlan, seconds: float = 0.6, during: Any = None, enough: Any = None) -> Run:
    """Put the load on for so long, or until `enough` of what was observed; `during` is called after a third."""
    own = Run()
    with Callers(plans) as callers:
        own.written = callers.prepare(10 * NS_PER_S)
        own.version = callers.client_version
        callers.begin("first")
        began = time.monotonic()
        while time.monotonic() < began + seconds / 3:
            own.note(callers.hear(0.02))
        callers.enter("second")
        if during is not None:
            during()
        while time.monotonic() < began + (30 if enough else seconds):
            own.note(callers.hear(0.02))
            if enough is not None and enough(own.whole):
                break
        own.final = callers.stop()
        own.note(own.final.intervals)
    return own


# ── A load ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("client", ["builtin", "pymemcache"])
def test_every_operation_of_a_load_is_in_the_counts_and_nothing_is_left(client: str, memcached: RealServer) -> None:
    factory = {
        "builtin": "loadgen.trial.adapters.builtin:Builtin",
        "pymemcache": "loadgen.trial.adapters.pymemcache:Pymemcache",
    }
    plans = [
        replace(
            plan([memcached.port], client=factory[client], rate_per_s=400, timeout_ms=5000), writer=writer, writers=2
        )
        for writer in (1, 2)
    ]
    own = run(*plans)
    counts = own.whole.of()
    assert own.written == 2 * (20 + 20)
    assert set(own.phases) == {"first", "second"}
    assert counts.begun == counts.ok == counts.ended == counts.latency.count > 0
    assert counts == own.phases["first"].of() + own.phases["second"].of()
    assert counts.begun <= own.whole.due, "an operation begins when it falls due"
    assert set(own.whole.nodes) == {1}
    final = own.final
    assert final is not None
    assert (final.unfinished, final.hung, final.close_error) == (0, 0, "")
    assert (final.leaked_sockets, final.leaked_tasks, final.stuck) == (0, 0, ())
    assert final.states[1].total == final.states[1].sockets, "the pool's count is the kernel's"
    assert client in own.version or own.version.startswith("loadgen")


def test_the_operations_of_a_closed_loop_follow_each_other(memcached: RealServer) -> None:
    own = run(plan([memcached.port], **mutant(), rate_per_s=0, concurrency=2))
    assert (own.whole.due, own.whole.of().failed, own.whole.of().wrong) == (0, 0, 0)
    assert own.whole.of().ok > 50
    assert own.intervals >= 5


def test_a_load_begins_and_is_reported_by_the_clock_that_was_given(memcached: RealServer) -> None:
    with Callers([plan([memcached.port], **mutant(), report_ms=100)]) as callers:
        callers.prepare()
        start_ns = callers.begin("only", time.monotonic_ns() + NS_PER_S // 5)
        found: list[Observed] = []
        while len(found) < 3:
            found += [interval.observed for interval in callers.hear(1)]
        callers.stop()
    assert found[0].from_ns == start_ns
    assert all(one.to_ns == after.from_ns for one, after in pairwise(found))
    assert all(one.to_ns >= start_ns + (tick + 1) * NS_PER_S // 10 for tick, one in enumerate(found))


def test_a_phase_that_begins_within_an_interval_has_what_ends_from_then_on(memcached: RealServer) -> None:
    seen = run(plan([memcached.port], **mutant(), rate_per_s=400, report_ms=60_000))
    first, second = seen.phases["first"], seen.phases["second"]
    assert first.of().ok > 0
    assert second.of().ok > 0
    assert first.to_ns == second.from_ns


def sets_of(server: RealServer) -> int:
    """The sets that a memcached counted itself."""
    [count] = re.findall(rb"STAT cmd_set (\d+)", ask(server.port, b"stats\r\n", b"END\r\n"))
    return int(count)


def test_a_stampede_loads_once_for_each_caller_without_win_flags_and_once_with_them(memcached: RealServer) -> None:
    """Callers that miss within the 50 ms of the first load: all of them load, unless the server names one.

    The backend counts for itself, in a thread of this process; the callers are in another one.
    """
    loads = {}
    for client in ("loadgen.trial.adapters.pymemcache:Pymemcache", "loadgen.trial.adapters.builtin:Builtin"):
        ask(memcached.port, b"flush_all\r\n", b"\r\n")
        sets = sets_of(memcached)
        with Backend() as backend:
            stampede = plan([memcached.port], client=client, workload="stampede", concurrency=20)
            own = run(replace(stampede, backend=backend.endpoint), seconds=0.6)
        assert own.whole.of().wrong == 0
        assert own.whole.backend_loads == backend.served
        assert own.whole.expiries == 1
        assert sets_of(memcached) - sets == own.whole.backend_loads
        loads[client.rpartition(":")[2]] = own.whole.backend_loads
    assert loads["Builtin"] == 1
    assert loads["Pymemcache"] > 5


def test_a_caller_whose_client_is_made_by_a_coroutine_works() -> None:
    own = run(plan(client="mutant_clients:make_later"), seconds=0.3)
    assert own.version == "in memory 1"
    assert own.whole.of().ok == own.whole.of().begun > 0


# ── Mutants, each caught by its name ────────────────────────────────────────────────────────────────────────────────


def stalls(server: RealServer) -> None:
    """Stop the server for longer than a deadline."""
    os.kill(server.pid, signal.SIGSTOP)
    try:
        time.sleep(0.35)
    finally:
        os.kill(server.pid, signal.SIGCONT)


def kinds(observed: Observed) -> set[str]:
    return {wrong.kind for wrong in observed.wrong}


@pytest.mark.parametrize("name", ["", "reuses after a timeout"])
def test_a_late_reply_that_is_taken_for_another_requests_is_found_and_both_are_named(
    name: str, memcached: RealServer
) -> None:
    own = run(
        plan([memcached.port], **mutant(name), workload="get-heavy", rate_per_s=200, timeout_ms=100),
        during=lambda: stalls(memcached),
        enough=(lambda seen: "other_key" in kinds(seen)) if name else None,
        seconds=0.9,
    )
    assert own.whole.of().errors.get("timeout", 0) >= 1, "the stall was felt"
    if not name:
        assert (own.whole.of().wrong, own.whole.wrong) == (0, ())
        return
    wrong = next(wrong for wrong in own.whole.wrong if wrong.kind == "other_key" and "had failed" in wrong.found)
    assert re.fullmatch(
        r"value \d+ of writer 1 for key (\S+), written \S+ s before; a get of \1 that had failed began \S+ s before; "
        r"this get began \S+ s before",
        wrong.found,
    )
    assert wrong.node == 1


@pytest.mark.parametrize("name", ["", "off by one in a batch"])
def test_a_batch_that_is_off_by_one_is_found(name: str, memcached: RealServer) -> None:
    batches = plan([memcached.port], **mutant(name), workload="batches", rate_per_s=200)
    own = run(replace(batches, traffic=replace(batches.traffic, weights={"get_many": 1})))
    assert own.whole.of().ended > 0
    assert kinds(own.whole) == ({"other_key"} if name else set())


@pytest.mark.parametrize("name", ["", "increments twice on a retry"])
def test_an_increment_that_is_repeated_is_found(name: str, memcached: RealServer) -> None:
    own = plan([memcached.port], **mutant(name), rate_per_s=200, timeout_ms=100)
    own = replace(own, traffic=replace(own.traffic, weights={"increment": 1}, shared_keys=1))
    seen = run(
        own,
        during=lambda: stalls(memcached),
        enough=(lambda seen: "count" in kinds(seen)) if name else None,
        seconds=0.9,
    ).whole
    assert kinds(seen) == ({"count"} if name else set())
    assert bool(seen.of().errors) == (not name), "the stall was felt"


@pytest.mark.parametrize("options", [mutant("hangs in close"), in_memory("hangs in close")])
def test_a_client_that_hangs_in_close_is_found_and_its_process_ended(
    options: dict[str, Any], memcached: RealServer
) -> None:
    with Callers([replace(plan([memcached.port], **options), close_ns=NS_PER_S // 5)]) as callers:
        callers.prepare()
        pid = callers._seats[0].member.pid  # type: ignore[attr-defined]
        callers.begin("only")
        final = callers.stop()
    assert (final.hung, final.close_ns) == (1, None)
    assert not psutil.pid_exists(pid)


def test_a_close_that_raises_is_told(memcached: RealServer) -> None:
    final = run(plan([memcached.port], **mutant("raises in close")), seconds=0.2).final
    assert final is not None
    assert (final.hung, final.close_error) == (0, "RuntimeError: no close today")


def test_connections_that_are_left_open_are_counted_by_the_kernel(memcached: RealServer) -> None:
    own = run(plan([memcached.port], **mutant("leaks connections")), seconds=0.3)
    assert own.final is not None
    assert own.final.leaked_sockets == own.final.states[1].sockets
    assert own.final.leaked_sockets is not None
    assert own.final.leaked_sockets >= 1


def test_threads_and_tasks_that_are_left_are_counted_and_named(memcached: RealServer) -> None:
    own = run(plan([memcached.port], **mutant("leaks threads")), seconds=0.3)
    assert own.final is not None
    assert (own.final.leaked_tasks, own.final.leaked) == (1, "thread leaked thread")
    leaking = plan(**in_memory("leaks tasks"))
    own = run(replace(leaking, traffic=replace(leaking.traffic, weights={"get": 1})), seconds=0.3)
    assert own.final is not None
    assert own.final.leaked_tasks == own.whole.of().begun > 0
    assert own.final.leaked == "task sleep"


def test_an_operation_without_a_deadline_is_overdue_while_it_is_under_way(memcached: RealServer) -> None:
    own = plan([memcached.port], **mutant("has no deadline"), rate_per_s=100, timeout_ms=50)
    with Callers([replace(own, tolerance_ns=20_000_000)]) as callers:
        callers.prepare()
        callers.begin("only")
        seen = Observed()
        os.kill(memcached.pid, signal.SIGSTOP)
        try:
            until = time.monotonic() + 20
            while not seen.of().overdue and time.monotonic() < until:
                for interval in callers.hear(0.1):
                    seen += interval.observed
        finally:
            os.kill(memcached.pid, signal.SIGCONT)
        callers.stop()
    assert seen.of().overdue > 0
    assert seen.slowest_ns > 70_000_000


def test_an_operation_that_never_ends_is_unfinished() -> None:
    own = plan(**in_memory("never returns"), workload="get-heavy", rate_per_s=0, timeout_ms=50, concurrency=3)
    final = run(replace(own, tolerance_ns=0), seconds=0.2).final
    assert final is not None
    assert final.unfinished == 3
    assert final.hung == 0


def test_an_operation_that_the_client_cancels_is_an_error_of_that_class() -> None:
    cancelling = plan(**in_memory("is cancelled"))
    own = run(replace(cancelling, traffic=replace(cancelling.traffic, weights={"get": 1})), seconds=0.3)
    errors = own.whole.of().errors
    assert set(errors) == {"cancelled"}
    assert own.whole.of().begun == errors["cancelled"] > 0


def test_a_client_that_keeps_its_process_from_all_else_is_ended_and_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(callers_module, "SILENCE_NS", NS_PER_S)
    with Callers([plan(**in_memory("blocks the loop"), workload="get-heavy", rate_per_s=200)]) as callers:
        callers.prepare()
        pid = callers._seats[0].member.pid  # type: ignore[attr-defined]
        callers.begin("only")
        until, reports = time.monotonic() + 20, [Observed()]
        while reports[-1].unread_ns < NS_PER_S and time.monotonic() < until:
            for interval in callers.hear(0.1):
                assert interval.phase == "only"
                reports.append(interval.observed)
        final = callers.stop()
    reports += [interval.observed for interval in final.intervals]
    assert max(report.unread_ns for report in reports) >= NS_PER_S
    assert (final.hung, final.unfinished) == (1, reports[-1].under_way)
    assert final.unfinished >= 1
    assert final.stuck[0].startswith("Caller 1 of mutant_clients:Tasks reported nothing for ")
    assert not psutil.pid_exists(pid)


def test_statistics_that_block_are_told_by_the_time_and_stop_no_report(memcached: RealServer) -> None:
    own = run(plan([memcached.port], **mutant("blocks in stats", stats=True), report_ms=50), seconds=0.6)
    assert own.whole.unread_ns > 300_000_000
    assert own.whole.of().ok > 0
    assert own.intervals >= 5


# ── What cannot be run ──────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("client", "options", "kind", "words"),
    [
        ("no_such_module:make", {}, UsageError, "there is no module no_such_module"),
        ("mutant_clients:nothing", {}, UsageError, "mutant_clients has no nothing"),
        ("mutant_clients:make", {"mutant": "x"}, UsageError, "no mutant x"),
        ("mutant_clients:MUTANTS.count", {}, UsageError, "cannot be called"),
        ("os:getcwd", {}, UsageError, "cannot be called"),
        ("os:path", {}, UsageError, "os:path is not callable"),
        ("mutant_clients:refuse", {}, TargetError, "raised OSError: nothing to connect to"),
    ],
)
def test_a_client_that_cannot_be_made_is_one_sentence_and_no_process_stays(
    client: str, options: dict[str, str], kind: type[LoadgenError], words: str
) -> None:
    made = []

    def make(own: CallerPlan) -> Any:
        made.append(process(own))
        return made[-1]

    with pytest.raises(kind, match=words) as error, Callers([plan(client=client, options=options)], make) as callers:
        callers.prepare()
    assert "\n" not in str(error.value)
    assert not psutil.pid_exists(made[0].pid)


def test_a_server_that_is_not_there_is_named_by_the_clients_own_words() -> None:
    with Callers([plan(**mutant())]) as callers:
        with pytest.raises(TargetError, match=r"could not write the keys .* within 1 s: ConnectionRefusedError"):
            callers.prepare(NS_PER_S)


def test_statistics_that_raise_end_the_trial_with_a_sentence(memcached: RealServer) -> None:
    with pytest.raises(TargetError, match="stats raised RuntimeError: no numbers today"):
        run(plan([memcached.port], **mutant("raises in stats", stats=True)))


def heard_for(callers: Callers, seconds: float) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        callers.hear(0.2)


def test_a_caller_process_that_dies_is_told(memcached: RealServer) -> None:
    with Callers([plan([memcached.port], **mutant())]) as callers:
        callers.prepare()
        callers.begin("only")
        os.kill(callers._seats[0].member.pid, signal.SIGKILL)  # type: ignore[attr-defined]
        with pytest.raises(WorkerError, match=r"Caller 1 of mutant_clients:make was killed by SIGKILL"):
            heard_for(callers, 20)


def test_a_leader_that_is_killed_leaves_no_caller(memcached: RealServer) -> None:
    program = (
        "import sys, time; from trials import plan; from loadgen.trial.callers import Callers\n"
        f"with Callers([plan([{memcached.port}], client='mutant_clients:make')]) as callers:\n"
        "    callers.prepare(); callers.begin('only'); print(callers._seats[0].member.pid, flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as leader:
        assert leader.stdout is not None
        pid = int(leader.stdout.readline())
        leader.kill()
        until = time.monotonic() + 10
        while psutil.pid_exists(pid):
            assert time.monotonic() < until, "the caller is still there"
            time.sleep(0.02)


def test_a_bug_of_a_caller_is_an_internal_error_with_its_traceback(memcached: RealServer) -> None:
    broken = plan([memcached.port], **mutant())
    broken = replace(broken, traffic=replace(broken.traffic, weights={}))
    with pytest.raises(InternalError, match="A caller failed: IndexError") as error:
        run(broken)
    assert "Traceback" in error.value.traceback
