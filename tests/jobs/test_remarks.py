"""Remarks on tests of jobs: each names the cause, and what to do, where there is one."""

from __future__ import annotations

from typing import Any

import pytest
from job_evidence import S, account, evidence, fault, plan

from loadgen.jobs.job import Terms
from loadgen.jobs.load import remarks
from loadgen.jobs.load.account import Account, Share
from loadgen.jobs.load.ended import Cost
from loadgen.jobs.load.evidence import Evidence
from loadgen.jobs.load.plan import Kind, Publishing, QueueSettings
from loadgen.reason import Code


def said(its: Evidence) -> dict[Code, str]:
    return {reason.code: reason.words for reason in remarks.remarks(its)}


def of_length(seconds: float, drain: float = 1.0, **counts: int) -> Account:
    """1,000 jobs that took so long, the last publish so long before the end."""
    last_ns = S + round(seconds * S)
    return account(counts, last_ns=last_ns, published_ns=last_ns - round(drain * S))


# ── What limits the throughput ────────────────────────────────────────────────────────────────────────────────────────


def test_the_jobs_own_work_bounds_the_rate() -> None:
    assert remarks.bound_per_s(evidence()) == 600.0
    assert remarks.bound_per_s(evidence(plan(publishing=Publishing((Kind(5, work_ns=0),))))) is None
    two = Publishing((Kind(500), Kind(500, work_ns=30_000_000)))
    assert remarks.bound_per_s(evidence(plan(publishing=two, workers=2))) == 600.0
    retried = account({"executions": 2000})
    assert remarks.bound_per_s(evidence(its_account=retried)) == 300.0


@pytest.mark.parametrize(
    ("its_account", "cost", "changed", "found"),
    [
        (
            of_length(2.0),
            Cost(),
            {},
            "500 jobs/s of at most 600, which the jobs' own work leaves to 1 worker of 6 jobs",
        ),
        (of_length(5.0, 0.1), Cost(), {}, "the publishes are the limit"),
        (of_length(5.0), Cost(4.0, 5.0), {}, "the machine's CPUs are the limit (of 2 CPUs, the storage used 0.80"),
        (of_length(5.0), Cost(4.5, 0.5), {}, "the storage is the limit, as it used up its CPU"),
        (of_length(5.0), Cost(0.5, 4.5), {}, "each worker is the limit, as it used up a CPU"),
        (of_length(5.0), Cost(0.5, 1.0), {}, "the storage is the limit, by the waits for its disk and its lock"),
        (of_length(5.0), Cost(None, 1.0), {}, "as CPUs were free (of 2 CPUs, the workers used 0.20)"),
        (of_length(5.0), Cost(0.5, 1.0), {"adapter": "lists"}, "by the waits for round trips to it"),
        (of_length(5.0), Cost(), {}, "what limits it is not known, as CPU times were not measured"),
    ],
)
def test_what_limits_the_throughput_is_told(
    its_account: Account, cost: Cost, changed: dict[str, Any], found: str
) -> None:
    assert found in said(evidence(plan(**changed), its_account, cost=cost))[Code.JOBS_BOUND]


def test_no_limit_is_told_where_the_test_itself_sets_the_pace() -> None:
    rate = plan(publishing=Publishing((Kind(1000),), rate_per_s=50.0))
    bursts = plan(publishing=Publishing((Kind(1000),), bursts=5, pause_ns=S))
    under = plan(faults=(fault("kill", on_workers=True),))
    for its in (rate, bursts, under):
        assert Code.JOBS_BOUND not in said(evidence(its, of_length(5.0)))


# ── Stuck jobs, locks, losses ─────────────────────────────────────────────────────────────────────────────────────────


def test_stuck_jobs_have_a_cause_and_a_remedy() -> None:
    gone = account({"stuck": 2}, unreclaimed_ns=(30 * S,))
    assert "sweeps find them after the lease of 5s" in said(evidence(its_account=gone))[Code.JOBS_STUCK]
    assert "rq finds such jobs after a time of its own" in said(evidence(plan(adapter="rq"), gone))[Code.JOBS_STUCK]
    stuck = account({"stuck": 1})
    assert said(evidence(its_account=stuck))[Code.JOBS_STUCK].startswith("1 job had not ended when the patience of 30s")
    assert "their ends were not acknowledged" in said(evidence(its_account=stuck))[Code.JOBS_STUCK]
    endless = plan(terms=Terms(timeout_ns=0))
    assert "give them one by [terms] timeout" in said(evidence(endless, stuck))[Code.JOBS_STUCK]
    held = said(evidence(its_account=account({"held": 3})))[Code.JOBS_STUCK]
    assert held.startswith("3 jobs")
    assert "a worker went away" in held


def test_a_locked_database_has_a_remedy_also_where_only_an_error_tells() -> None:
    for its_account in (account({"locks": 2}), account(errors={"sqlite3: database is locked": 1})):
        words = said(evidence(its_account=its_account))[Code.STORAGE_LOCKED]
        assert '"database is locked"' in words
        assert "WAL mode" in words


def test_a_queue_that_may_lose_jobs_by_its_fault_says_so() -> None:
    def words(kind: str, adapter: str, durability: str) -> str | None:
        its = plan(adapter=adapter, faults=(fault(kind),), queue=QueueSettings(durability=durability))
        return said(evidence(its)).get(Code.STORAGE_LOSES)

    assert words("power_cut", "sqlite", "normal") == (
        'power_cut with durability normal may take back jobs that were acknowledged; [queue] durability = "full" keeps '
        "them"
    )
    assert words("power_cut", "sqlite", "") is None
    assert 'durability = "always"' in (words("kill", "streams", "") or "")
    assert words("power_cut", "streams", "always") is None


# ── Shares ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def uneven(*shares: Share) -> str:
    its = plan(workers=3, publishing=Publishing((Kind(1000),)))
    return said(evidence(its, account(shares=shares))).get(Code.SHARES_UNEVEN, "")


USUAL = (Share("1", 400, 400, 4 * S, 100), Share("2", 400, 400, 4 * S, 100))


def test_an_uneven_share_has_a_cause() -> None:
    assert "worker 3 completed 0 jobs of a fair 267: it never began one" in uneven(*USUAL)
    rarely = uneven(*USUAL, Share("3", 100, 100, S, 20))
    assert "it asked for jobs 20 times, and the others 100 times" in rarely
    slow = uneven(*USUAL, Share("3", 100, 100, 4 * S, 100))
    assert "its executions took 40 ms, and the others' 10 ms" in slow
    late = uneven(*USUAL, Share("3", 100, 100, S, 100))
    assert "its executions are as quick as the others'" in late
    assert uneven(*USUAL, Share("3", 390, 390, S, 100)) == ""


def test_a_server_with_nearly_all_of_its_connections_is_told() -> None:
    def words(connections: int) -> str:
        cost = Cost(facts={"most_connections": connections, "connection_limit": 1000})
        return said(evidence(cost=cost)).get(Code.STORAGE_FULL, "")

    assert words(899) == ""
    assert words(900).startswith("the storage had 900 connections of at most 1,000")
    assert said(evidence(cost=Cost())).get(Code.STORAGE_FULL) is None
