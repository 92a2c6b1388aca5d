"""The verdict on a load that several machines send: it names the machine whose generator was late or starved."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from loadgen.hosts import HostPart
from loadgen.judge.verdict import VerdictLimits, judge
from loadgen.reason import Code
from loadgen.signs import Ceiling, HostSigns, PauseAccount, Signs, WorkerSigns
from loadgen.snapshot import Histogram, Snapshot, Tally
from loadgen.units import NS_PER_MS, NS_PER_S, NS_PER_US

LIMITS = VerdictLimits()
WINDOW_NS = 10 * NS_PER_S
LAG_NS = 101 * NS_PER_MS
TSC = HostSigns(0.0, "tsc")


def worker(index: int = 0) -> WorkerSigns:
    """One that used a fifth of its CPU for the whole window."""
    return WorkerSigns(index, WINDOW_NS, WINDOW_NS // 5, 0)


def sent(late: int = 0, of: int = 10_000) -> Snapshot:
    """So many of all requests were sent late by us; 2 % took 92 ms, and none longer."""
    lag, response = Histogram(), Histogram()
    for histogram, slow, slow_ns in ((lag, late, LAG_NS), (response, of // 50, 92 * NS_PER_MS)):
        histogram.record_many(NS_PER_US, of - slow)
        if slow:
            histogram.record_many(slow_ns, slow)
    tallies = {"get": Tally(planned=of, ok=of)}
    return Snapshot(tallies=tallies, response={"get": response}, lag_ours=lag, answered_in_time=of)


LATE = sent(late=200)
BUSY = replace(worker(2), cpu_ns=WINDOW_NS, pauses=PauseAccount(9, LAG_NS, busy_ns=LAG_NS))
STARVED = replace(worker(2), queued_ns=WINDOW_NS // 4)
STOPPED = replace(worker(2), pauses=PauseAccount(1, 2 * LAG_NS, stopped_ns=2 * LAG_NS))


def part(name: str, host: HostSigns | None = TSC, measured: Snapshot = LATE, ceiling_per_s: float = 0.0) -> HostPart:
    return HostPart(name, 1, 25, measured, host, 0, 0, ceiling_per_s)


def said(
    workers: tuple[WorkerSigns, ...],
    parts: tuple[HostPart, ...],
    measured: Snapshot = LATE,
    leader: HostSigns = TSC,
    ceiling: Ceiling | None = None,
) -> str:
    """All that a verdict says, sentence by sentence."""
    signs = Signs(workers, leader, ceiling=ceiling)
    found = judge(LIMITS, measured, signs, open_loop=True, spin=False, duration_ns=WINDOW_NS, hosts=parts)
    return "\n".join(reason.words for reason in (*found.reasons, *found.notes))


@pytest.mark.parametrize(
    ("signs", "words"),
    [
        (BUSY, "worker 2 (on db2) used 100 % of its CPU"),
        (STARVED, "worker 2 (on db2) waited for a CPU 25 % of the time"),
        (STOPPED, "worker 2 (on db2) was stopped for 202 ms"),
    ],
)
def test_the_machine_whose_generator_was_late_is_named(signs: WorkerSigns, words: str) -> None:
    workers = (replace(worker(0), host="db1"), replace(signs, host="db2"))
    printed = said(workers, (part("db1"), part("db2")))
    assert words in printed
    assert "db1" not in printed


def test_steal_is_that_of_the_machines_that_send_and_not_of_the_leaders() -> None:
    workers = (replace(worker(0), host="db1"), replace(worker(1), host="db2"))
    parts = (part("db1", HostSigns(0.001, "tsc")), part("db2", HostSigns(0.2, "tsc")))
    assert "CPU steal on db2 was 20 % (the hypervisor ran other machines); use a machine with" in said(workers, parts)
    assert "steal" not in said(workers, (part("db1"), part("db2")), leader=HostSigns(0.5, "tsc"))
    both = (part("db1", HostSigns(0.1, "tsc")), part("db2", HostSigns(0.2, "tsc")))
    assert "CPU steal on db1 and db2 was up to 20 %" in said(workers, both)


def test_steal_counts_for_the_workers_of_its_machine_alone() -> None:
    """With one machine of a hundred that is robbed, the late worker's own CPU is the greater cause."""
    others = tuple(replace(worker(n), host="idle") for n in range(3, 60))
    workers = (replace(BUSY, host="db1"), replace(worker(1), host="db2"), *others)
    printed = said(workers, (part("db1"), part("db2", HostSigns(0.1, "tsc")), part("idle")))
    assert printed.splitlines()[0].endswith("general.threads) or a lower rate")
    assert "worker 2 (on db1) used 100 %" in printed.splitlines()[0]


def test_a_slow_clock_and_the_machine_that_has_it_are_named() -> None:
    workers = (replace(worker(0), host="db1"),)
    printed = said(workers, (part("db1", HostSigns(0.0, "hpet")), part("db2")), measured=sent())
    assert "the kernel's clock source on db1 is hpet, which takes a system call to read" in printed


def test_of_a_machine_that_was_lost_nothing_is_claimed() -> None:
    assert "db2" not in said((replace(worker(0), host="db1"),), (part("db1"), part("db2", None)))


def test_a_machine_near_its_own_ceiling_is_named_though_all_together_are_far_from_theirs() -> None:
    parts = (
        part("db1", measured=sent(of=9_000), ceiling_per_s=1_000.0),
        part("db2", measured=sent(of=1_000), ceiling_per_s=1_000_000.0),
    )
    together = Ceiling(1_001_000.0, 0, 0, "2026-11-20")
    found = judge(
        LIMITS,
        sent(),
        Signs((worker(0),), TSC, ceiling=together),
        open_loop=True,
        spin=False,
        duration_ns=WINDOW_NS,
        hosts=parts,
    )
    [note] = [note for note in found.notes if note.code is Code.NEAR_CEILING]
    assert note.words == (
        "agent db1 reached 90 % of its ceiling (1,000 req/s in its self-test): part of this latency is the "
        "generator's own; use more agents (--on)"
    )
    near = (replace(parts[0], name="db0", measured=sent(of=8_000)), replace(parts[0], name="db3"), parts[1])
    assert "agent db3 reached 90 % of its ceiling (1,000 req/s in its self-test), and 1 more of 3 agents" in said(
        (worker(0),), near, sent()
    )


def test_far_from_every_ceiling_nothing_is_said() -> None:
    parts = (part("db1", measured=sent(of=1_000), ceiling_per_s=1_000.0),)
    assert not re.search("ceiling", said((worker(0),), parts, sent(of=1_000)))


def test_of_many_late_machines_their_number_is_said() -> None:
    workers = tuple(replace(BUSY, index=n, host=f"db{n}") for n in range(24))
    assert "24 workers (on 24 hosts) used up to 100 % of a CPU each" in said(workers, (part("db1"),))
