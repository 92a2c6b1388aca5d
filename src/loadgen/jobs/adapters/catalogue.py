"""The libraries that have an adapter, as rows. A library is imported when its adapter is made."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches

from loadgen.errors import UsageError
from loadgen.jobs.adapters.adapter import Adapter, Setup


@dataclass(frozen=True, slots=True)
class Row:
    """A library."""

    name: str
    factory: str
    """`module:class`, beside this file."""
    modules: tuple[str, ...]
    """What must be importable."""
    extra: str = "jobs"
    """The extra of loadgen that installs it."""
    note: str = ""
    """How else it is installed."""

    @property
    def missing(self) -> str:
        """The first module that is not installed; empty when none is missing."""
        return next((module for module in self.modules if importlib.util.find_spec(module) is None), "")


ROWS = (
    Row("rq", "rq:Rq", ("rq",)),
    Row("celery", "celery:Celery", ("celery", "redis")),
    Row(
        "arq",
        "arq:Arq",
        ("arq",),
        "jobs-arq",
        " in an environment of its own, as arq asks for redis-py < 6; or, as it works with redis-py 8, "
        "pip install --no-deps arq beside the others",
    ),
    Row("taskiq", "taskiq:Taskiq", ("taskiq", "taskiq_redis")),
    Row("dramatiq", "dramatiq:Dramatiq", ("dramatiq", "redis")),
)
"""Every library, in the order of outputs."""

ADAPTERS = {row.name: row for row in ROWS}


def adapter_row(name: str) -> Row:
    """Return the row of a library by its name. Raises UsageError, with the nearest name, when there is none."""
    if row := ADAPTERS.get(name):
        return row
    near = get_close_matches(name.lower()[:80], ADAPTERS, n=1)
    hint = f"did you mean {near[0]}?" if near else f"the adapters are {', '.join(ADAPTERS)}."
    raise UsageError(f"There is no adapter {name!r}; {hint}")


def check_installed(name: str) -> Row:
    """Return the row of a library. Raises UsageError for an unknown name, and for a library that is not installed."""
    row = adapter_row(name)
    if missing := row.missing:
        raise UsageError(
            f"The adapter {name} needs the library {missing}, which is not installed: "
            f"pip install 'loadgen[{row.extra}]'{row.note}"
        )
    return row


def make_adapter(name: str, setup: Setup) -> Adapter:
    """Return the adapter of a library.

    Raises UsageError for an unknown name, for a library that is not installed, and for a setting that it does not have.
    """
    row = check_installed(name)
    module, _, factory = row.factory.partition(":")
    make: Callable[[Setup], Adapter] = getattr(importlib.import_module(f"{__package__}.{module}"), factory)
    return make(setup)
