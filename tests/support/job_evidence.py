"""Constructed evidence of tests of jobs: one that went well, which tests change by a field or two."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from loadgen.engine._histogram import Histogram
from loadgen.faults.fault import Fault, Layer
from loadgen.faults.kinds import KINDS
from loadgen.jobs.load.account import Account, Counts, Second, Share
from loadgen.jobs.load.evidence import Evidence
from loadgen.jobs.load.plan import JobFault, JobsPlan, Kind, Publishing
from loadgen.judge.named import Check

MS, S = 1_000_000, 1_000_000_000


def histogram(*values: int) -> Histogram:
    found = Histogram()
    for value in values:
        found.record(value)
    return found


def plan(**changed: Any) -> JobsPlan:
    """One worker of 6 jobs at once, 1,000 jobs of 10 ms."""
    usual: dict[str, Any] = {"name": "test", "title": "1,000 jobs", "publishing": Publishing((Kind(1000),))}
    return JobsPlan(**{**usual, **changed})


def account(counts: Mapping[str, int] | None = None, shares: Sequence[Share] | None = None, **changed: Any) -> Account:
    """1,000 jobs in 2 s, all of which ended well after 12 ms."""
    usual = dict.fromkeys(("attempted", "acknowledged", "executed", "executions", "completed"), 1000)
    found: dict[str, Any] = {
        "counts": Counts(**{**usual, **(counts or {})}),
        "latencies": {"handling": histogram(*[12 * MS] * 1000), "queueing": histogram(*[900 * MS] * 1000)},
        "of_kinds": {"1": histogram(*[12 * MS] * 1000)},
        "shares": shares if shares is not None else (Share("1", 1000, 1000, 10 * S, 200),),
        "seconds": tuple(Second(float(n), 250, 500, 900.0 * MS) for n in range(1, 3)),
        "first_ns": 1 * S,
        "published_ns": 2 * S,
        "last_ns": 3 * S,
    }
    return Account(**{**found, **changed})


def evidence(its: JobsPlan | None = None, its_account: Account | None = None, **changed: Any) -> Evidence:
    return Evidence(its or plan(), its_account or account(), cpus=changed.pop("cpus", 2), **changed)


def fault(kind: str, *, on_workers: bool = False, **changed: Any) -> JobFault:
    row = KINDS[kind]
    parameters = row.defaults() | changed.pop("parameters", {})
    its = Fault(kind, changed.pop("layer", row.layer), parameters=parameters, **changed)
    return JobFault(its, on_workers)


def named(checks: Sequence[Check]) -> dict[str, Check]:
    return {each.name: each for each in checks}


__all__ = ["Layer", "account", "evidence", "fault", "histogram", "named", "plan"]
