"""Constructed campaigns: events with invented cases, failures and times. See `constructed_events`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

from constructed_events import START_S

from loadgen.events import Event
from loadgen.reason import Code, Reason
from loadgen.severity import Severity
from loadgen.verify.case import Outcome, Verdict
from loadgen.verify.ended import CampaignBegan, CampaignEnded, CaseEnded, FailureFound, Machine

MS = 1_000_000

SERVER = "redis 7.0.15\x1b[2J"
KINDS = ("set_get_roundtrip", "incr_is_monotonic", "streams_ordered")
OPTIONS = {"ops": "100", "server": "redis", "group": ""}

INVARIANT = "INCR never goes down"
MESSAGE = "INCR 'a' gave 3 after 4\x1b[2J ::error::"


def replay(kind: str, seed: int) -> str:
    return f"loadgen replay --seed {seed} --test {kind} --ops 100 --server 'redis of mine' --config appendonly=yes"


def case(kind: str, seed: int, verdict: Verdict = Verdict.PASS, error: str = "") -> CaseEnded:
    failed = verdict is Verdict.FAIL
    return CaseEnded(
        kind,
        seed,
        verdict,
        (seed + 1) * MS // 3,
        error=error or (f"{INVARIANT}: {MESSAGE}" if failed else ""),
        fingerprint=f"{INVARIANT}: INCR … gave # after #" if failed else "",
        trace="0123456789abcdef" if kind == "streams_ordered" else "",
        operations=0 if verdict is Verdict.SKIPPED else 20 + seed,
        replay=replay(kind, seed) if failed else "",
        shrunk=f"tests/regression_seeds/{kind}-{seed}.json" if seed == 4 else "",
        wall_s=START_S + seed,
    )


def failure(
    kind: str, seed: int, seeds: Sequence[int] = (), *, operations: int = 3, again: bool = True
) -> FailureFound:
    steps = tuple(f"INCR a → {number}" for number in range(operations - 1))
    outcome = Outcome(
        Verdict.FAIL,
        INVARIANT,
        MESSAGE,
        operations=(*steps, "INCR a → 3\x1b[2J"),
        faults=("power cut before operation 2",) * (seed % 2),
        fingerprint=f"{INVARIANT}: INCR … gave # after #",
    )
    return FailureFound(
        suite="properties",
        kind=kind,
        seed=seed,
        outcome=outcome,
        drawn_operations=operations if not again else 1234,
        drawn_faults=4,
        took_ns=12_300_000,
        replay=replay(kind, seed),
        reproduced=again,
        artifact=f"failures/{kind}-{seed}.json",
        seeds=tuple(seeds),
        wall_s=START_S + 1,
    )


def campaign(
    cases: Sequence[CaseEnded],
    failures: Sequence[FailureFound] = (),
    *,
    reasons: Sequence[Reason] = (),
    notes: Sequence[Reason] = (),
    interrupted: bool = False,
    virtual_ns: int = 0,
    machines: Sequence[Machine] = (),
) -> list[Event]:
    """The events: each failure comes after its case."""
    events: list[Event] = [CampaignBegan("properties", KINDS, 1000, "0.1.0", SERVER, OPTIONS, START_S)]
    found = {(each.kind, each.seed): each for each in failures}
    for each in cases:
        events += [each, *[found[key] for key in [(each.kind, each.seed)] if key in found]]
    end = CampaignEnded(
        suite="properties",
        version="0.1.0",
        host="a host",
        cases=tuple(cases),
        counts=Counter(each.verdict for each in cases),
        failures=tuple(failures),
        seeds=len({each.seed for each in cases}),
        took_ns=2_345 * MS,
        virtual_ns=virtual_ns,
        sometimes={"a breaker is half-open": 12, "a server is gone": 0},
        identity=SERVER,
        reasons=tuple(reasons),
        notes=tuple(notes),
        interrupted=interrupted,
        machines=tuple(machines),
        wall_s=START_S + 3,
    )
    return [*events, end]


def passed() -> list[Event]:
    return campaign([case(kind, seed) for seed in range(10) for kind in KINDS], virtual_ns=50_000 * MS)


def failed() -> list[Event]:
    cases = [
        case(kind, seed, Verdict.FAIL if kind == "incr_is_monotonic" and seed > 1 else Verdict.PASS)
        for seed in range(20)
        for kind in KINDS
    ]
    other = failure("set_get_roundtrip", 7, [7], operations=60, again=False)
    note = Reason(Code.NO_ARTIFACT, "the artifact could not be written to failures: No space left on device")
    failures = [failure("incr_is_monotonic", 2, range(2, 20)), other]
    cases[21] = case("set_get_roundtrip", 7, Verdict.FAIL)
    compared = [case("oracle_lists", 5), case("oracle_sets", 6), case("oracle_sets", 7, Verdict.FAIL)]
    return campaign([*cases, *compared], failures, notes=[note])


def untold() -> list[Event]:
    skipped = [case("streams_ordered", seed, Verdict.SKIPPED, "the server has no streams\x1b[2J") for seed in range(5)]
    return campaign([*skipped, case("incr_is_monotonic", 3, Verdict.UNTOLD, "the server was busy")])


def could_not_run() -> list[Event]:
    why = Reason(Code.COULD_NOT_RUN, "redis has ended: killed by SIGSEGV\x1b[2J", Severity.COULD_NOT_RUN)
    return campaign([case("incr_is_monotonic", 3)], reasons=[why])


def interrupted() -> list[Event]:
    return campaign([case("incr_is_monotonic", 3)], interrupted=True)


def on_machines() -> list[Event]:
    machines = [
        Machine("h1\x1b[2J", "h1.example", 2, 1_234, 2_000 * MS),
        Machine("h2", "h2.example", 8, 21, 500 * MS, "said nothing for 2.5 s, and is given up\x1b[2J", 57),
        Machine("h3", "h3.example", 1, 0, 0),
    ]
    note = Reason(Code.MACHINE_LOST, "h2 was lost when it had run 21 seeds: said nothing for 2.5 s\x1b[2J")
    return campaign([case("incr_is_monotonic", 3)], notes=[note], machines=machines)


CAMPAIGNS: dict[str, Callable[[], list[Event]]] = {
    "campaign_passed": passed,
    "campaign_failed": failed,
    "campaign_untold": untold,
    "campaign_could_not_run": could_not_run,
    "campaign_interrupted": interrupted,
    "campaign_on_machines": on_machines,
}
