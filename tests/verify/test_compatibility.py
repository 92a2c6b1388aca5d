"""Compatibility: the operations of the oracle's cases, of which each that failed has one divergence."""

from __future__ import annotations

from loadgen.verify.case import Verdict
from loadgen.verify.compatibility import Compatibility, compatibility
from loadgen.verify.ended import CaseEnded


def case(kind: str, operations: int, verdict: Verdict = Verdict.PASS) -> CaseEnded:
    return CaseEnded(kind, 0, verdict, 1, operations=operations)


def test_a_failed_case_is_one_divergence_among_the_operations_until_then() -> None:
    rows = compatibility(
        [
            case("oracle_lists", 50),
            case("oracle_sets", 20),
            case("oracle_lists", 30, Verdict.FAIL),
            case("set_get_roundtrip", 9, Verdict.FAIL),
        ]
    )
    assert rows == (Compatibility("lists", 80, 1), Compatibility("sets", 20, 0), Compatibility("all", 100, 1))
    assert [row.share for row in rows] == [79 / 80, 1.0, 0.99]


def test_a_group_that_was_skipped_has_no_compatibility() -> None:
    assert compatibility([case("oracle_lists", 0, Verdict.SKIPPED)]) == ()
