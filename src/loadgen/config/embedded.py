"""Tables of a configuration in a file that is none: `[[fault]]`, `[[monitor]]` and `[[check]]`, each with the place of
every problem."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from pydantic import Field, ValidationError

from loadgen.config.document.problem import problems_in
from loadgen.config.document.reading import Reading
from loadgen.config.tables.check import CheckTable
from loadgen.config.tables.check import checks as checks_of
from loadgen.config.tables.fault import FaultTable
from loadgen.config.tables.monitor import MonitorTable
from loadgen.config.tables.table import Table
from loadgen.config.told.faults import faults as faults_of
from loadgen.faults.fault import Fault
from loadgen.judge.check import Check, mistakes
from loadgen.judge.expression.vocabulary import Vocabulary


class _Faults(Table):
    # Lax for the container alone, as TOML has lists and no tuples.
    fault: tuple[FaultTable, ...] = Field(default=(), strict=False)


class _Monitors(Table):
    monitor: tuple[MonitorTable, ...] = Field(default=(), strict=False)


class _Checks(Table):
    check: tuple[CheckTable, ...] = Field(default=(), strict=False)


def faults(reading: Reading, tables: Sequence[dict[str, Any]], seed: int = 0) -> tuple[Fault, ...]:
    """Return the faults of these tables, in their order; none where one of them has a problem."""
    try:
        found = _Faults.model_validate({"fault": [*tables]}).fault
        if named := [index for index, table in enumerate(found) if table.roles]:
            sentence = "names a node by its role, and only the nodes of a cluster that loadgen starts have roles"
            reading.problem(("fault", named[0], "on"), f"{sentence}; write its number")
            return ()
        return faults_of(found, seed)
    except ValidationError as error:
        for problem in problems_in(error):
            reading.problem(problem.paths[0], problem.sentence)
        return ()


def monitors(reading: Reading, selectors: Iterable[str]) -> tuple[MonitorTable, ...]:
    """Return the monitors of `[[monitor]]`; none where one is malformed. Two of one name are a problem, and so is one
    that has the name of something else that checks select, which are `selectors`."""
    try:
        tables = _Monitors.model_validate({"monitor": reading.tables(("monitor",))}).monitor
    except ValidationError as error:
        for problem in problems_in(error):
            reading.problem(problem.paths[0], problem.sentence)
        return ()
    taken = [*selectors]
    for index, table in enumerate(tables):
        if table.called in taken:
            reading.problem(
                ("monitor", index),
                f'"{table.called}" is another monitor, or selects something else in checks; give this one another '
                f'name, such as name = "{table.called}_2"',
            )
        taken.append(table.called)
    return tables


def checks(reading: Reading, vocabulary: Vocabulary) -> tuple[Check, ...]:
    """Return the checks of `[[check]]`; none where one is malformed. A mistake in an expression is a problem."""
    found = reading.tables(("check",))
    for index, table in enumerate(found):
        expr = table.get("expr")
        for wrong in mistakes(expr, vocabulary) if isinstance(expr, str) else ():
            reading.problem(("check", index, "expr"), str(wrong))
    try:
        return checks_of(_Checks.model_validate({"check": found}).check)
    except ValidationError as error:
        for problem in problems_in(error):
            reading.problem(problem.paths[0], problem.sentence)
        return ()
