"""How far two servers agree: the share of operations that did not diverge, by group of commands and in all. Values.

A case of the oracle ends at its first divergence, as the operations after it start from different states.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from loadgen.verify.case import Verdict
from loadgen.verify.ended import CaseEnded

PREFIX = "oracle_"
"""The beginning of the names of the oracle's kinds; a group of commands follows."""

ALL = "all"
"""The name of the row of all groups."""


@dataclass(frozen=True, slots=True)
class Compatibility:
    """One group of commands."""

    group: str
    operations: int
    """Those that were compared."""
    divergences: int

    @property
    def share(self) -> float:
        """The share of the operations that did not diverge, from 0 to 1."""
        return 1 - self.divergences / self.operations


def compatibility(cases: Iterable[CaseEnded]) -> tuple[Compatibility, ...]:
    """Return a row for each group of which operations were compared, and one for all; none without such cases."""
    operations: dict[str, int] = {}
    divergences: dict[str, int] = {}
    for case in cases:
        if case.kind.startswith(PREFIX) and case.operations:
            for group in (case.kind.removeprefix(PREFIX), ALL):
                operations[group] = operations.get(group, 0) + case.operations
                divergences[group] = divergences.get(group, 0) + (case.verdict is Verdict.FAIL)
    rows = (Compatibility(group, operations[group], divergences[group]) for group in operations)
    return tuple(sorted(rows, key=lambda row: row.group == ALL))
