"""`[[check]]`: a condition on what is measured, and what its answer leads to."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from pydantic import Field

from loadgen.config.tables.table import Table
from loadgen.judge.check import Check, Level


class CheckTable(Table):
    """A check of the result. docs/CHECKS.md has the language, with all names and functions."""

    expr: str = Field(
        description='The condition that the result is held against, such as "p99 < 5ms" or "errors / requests < 0.1 %".'
    )
    level: Literal["must", "nice"] = Field(
        default="must",
        description=(
            "must: the run fails where the check fails (exit status 1), and has no answer where the check cannot be "
            "told (4). nice: the answer is shown, and nothing else."
        ),
    )


def checks(tables: Iterable[CheckTable]) -> tuple[Check, ...]:
    """Return the checks of `[[check]]`, in their order."""
    return tuple(Check(table.expr, Level(table.level)) for table in tables)
