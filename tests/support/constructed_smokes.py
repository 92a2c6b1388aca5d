"""Constructed smoke tests: events with invented numbers. See `constructed_events`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from constructed_events import RUNS, START_S, closed_loop

from loadgen.events import Event, Result
from loadgen.reason import Code, Reason
from loadgen.severity import Severity
from loadgen.smoke.check import Check
from loadgen.smoke.criteria import CRITERIA
from loadgen.smoke.ended import SmokeBegan, SmokeEnded

LIMITS = {"timeouts": "0", "p99.9": "< 100 ms", "hit rate": "> 0", "requests measured": ">= 1,000"}
FOUND = {"server up": "answered after 0.01 s", "p99.9": "222 µs", "timeouts": "0", "requests measured": "3,000"}


def checks(**failed: str) -> tuple[Check, ...]:
    """All of CRITERIA, met but for those that are named with what was found; `_` stands for a blank."""
    found = {name.replace("_", " "): words for name, words in failed.items()}
    return tuple(
        Check(name, name not in found, found.get(name, FOUND.get(name, "as expected")), LIMITS.get(name, ""))
        for name in CRITERIA
    )


def result_of(run: str) -> Result:
    result = RUNS[run]()[-1]
    assert isinstance(result, Result)
    return result


def passed() -> SmokeEnded:
    result = replace(result_of("watched"), signs=result_of("closed_loop").signs)
    report = replace(result.server, exit_report="", log_errors=()) if result.server is not None else None
    return SmokeEnded("redis", "redis 7.0.15", checks(), replace(result, server=report), wall_s=START_S + 11)


def failed() -> SmokeEnded:
    found = checks(
        still_up="it was killed by SIGSEGV 2.1 s into the load",
        log=f"\"thread 'main' panicked at src/store.rs:42: {'no room left, ' * 8}\x1b[2J\", and 3 more",
        timeouts="25",
    )
    words = ("starting on port 6379", "", "thread 'main' panicked at src/store.rs:42\x1b[2J: no room \ud800")
    return SmokeEnded(
        "crucible-with-a-very-long-name",
        "crucible 0.3.0-nightly+20261120",
        found,
        result_of("errors_of_all_kinds"),
        words,
        wall_s=START_S + 12,
    )


def not_up() -> SmokeEnded:
    """What did not come so far has no answers."""
    first = Check("server up", False, "it did not answer within 30 s, so that no load was put on it")
    rest = (Check(name, None, "not reached: the server did not come up") for name in CRITERIA[1:])
    return SmokeEnded("absent", "", (first, *rest), wall_s=START_S + 13)


def doubtful() -> SmokeEnded:
    """Nothing is wrong with the server, but the generator had no CPU."""
    reasons = (Reason(Code.GENERATOR_SHORT, "the generator fell behind by 3.1 % of the plan", Severity.INVALID),)
    return SmokeEnded(
        "memcached", "memcached 1.6", checks(), replace(passed().result or result_of("ping"), reasons=reasons)
    )


def interrupted() -> SmokeEnded:
    checks = tuple(Check(name, None, "not reached: interrupted") for name in CRITERIA)
    return SmokeEnded("valkey", "", checks, interrupted=True, wall_s=START_S + 14)


def embedded() -> SmokeEnded:
    return SmokeEnded("built-in server", "loadgen 0.1.0", checks(), result_of("embedded"), wall_s=START_S + 15)


SMOKES: dict[str, Callable[[], list[Event]]] = {
    "smoke_passed": lambda: [SmokeBegan(matrix=False), *closed_loop()[:-1], passed()],
    **{
        f"smoke_{smoke.__name__}": (
            lambda smoke=smoke: [SmokeBegan(matrix=False), replace(smoke(), wall_s=START_S + 20)]
        )
        for smoke in (failed, not_up, doubtful, interrupted, embedded)
    },
}


def matrix() -> list[Event]:
    """Tests of several servers, of which only the ends are told."""
    tests = (passed, failed, not_up, doubtful, embedded, interrupted)
    return [SmokeBegan(matrix=True), *(replace(ended(), wall_s=START_S + 20) for ended in tests)]
