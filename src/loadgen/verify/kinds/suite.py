"""A suite as a value: the kinds of cases that one verb runs, and what brings up their subjects."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field

from loadgen.events import Event
from loadgen.verify.case import Kind

Emit = Callable[[Event], None]


@dataclass(frozen=True, slots=True)
class Opened:
    """Kinds whose subjects are up."""

    kinds: Sequence[Kind]
    """In the order in which they were asked for."""
    identity: str = ""
    """Name and version of the subjects in their own words: "redis 7.0.15"."""
    spec_hash: str = ""
    """A hash of the spec file that the kinds were made from; empty without one."""
    notes: tuple[str, ...] = ()
    """What the kinds do not show on these subjects, in sentences without the full stop."""


@dataclass(frozen=True, slots=True)
class Suite:
    """The kinds that one verb runs."""

    name: str
    """The verb: "properties"."""
    kinds: tuple[str, ...]
    """The names of its kinds, which are unique over all suites."""
    opened: Callable[[Sequence[str], Mapping[str, str], Emit], AbstractContextManager[Opened]]
    """Brings up subjects, and makes the kinds of these names with options. Raises LoadgenError; UsageError for the
    value of an option."""
    options: Mapping[str, str] = field(default_factory=dict)
    """What a case depends on beside its seed: the name of each option and its default. `{"keys": "100"}` is
    `--keys 100` of the verb and of `replay`, and `keys=100` in a seed bank."""
    names: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Further names that a test type may have, each with the kinds that it names."""
