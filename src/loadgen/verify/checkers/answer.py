"""What a checker found in a history: counts, violations with the operations that show them, what it could not judge."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

MOST_SHOWN = 10
"""The violations of a history that are shown whole; all are counted."""


@dataclass(frozen=True, slots=True)
class Shown:
    """An operation of a window."""

    process: str
    words: str
    """What was asked and what came back: "read → 7"."""
    call_ns: int
    return_ns: int | None
    """None where its end is not known."""
    accused: bool = False
    """True for the operation whose answer is impossible."""


@dataclass(frozen=True, slots=True)
class Violation:
    """A law that is broken, and the fewest operations that were found to break it."""

    kind: str
    """One of `kinds.KINDS`."""
    key: str
    """Empty where the history has one object."""
    why: str
    """Why it is impossible, in a sentence."""
    window: tuple[Shown, ...]


@dataclass(frozen=True, slots=True)
class Unjudged:
    """A key that nothing is said of."""

    key: str
    why: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What a checker says of a history."""

    model: str
    operations: int
    keys: int
    counts: Mapping[str, int]
    """By word, in the order in which they are shown."""
    violations: Sequence[Violation] = ()
    """The first MOST_SHOWN."""
    found: int = 0
    """The number of all violations."""
    unjudged: Sequence[Unjudged] = ()
    """The first MOST_SHOWN keys that could not be judged."""
    unjudged_count: int = 0
    nothing: str = ""
    """Why nothing could be judged at all; empty otherwise."""
    kinds: Mapping[str, int] = field(default_factory=dict)
    """The number of violations of each kind."""


KINDS = {
    # Registers.
    "unwritten": "a read returned a value that nobody wrote",
    "early": "a read returned before the write of its value was called",
    "two-values": "a key had two values at the same time",
    "overwritten": "a value came back after another one was written: a stale read",
    "revived": "a value came back after the key was absent",
    "lost": "an acknowledged value was not there (registers: with --no-eviction, and nothing deleted it)",
    "no-order": "no order of the operations explains every reply",
    # Counters.
    "too-low": "a read of a counter is below the sum of the additions that had been acknowledged",
    "too-high": "a read of a counter is above the sum of the additions that had been attempted",
    # Sets and queues.
    "unexpected": "an element was read that nobody added, or a value dequeued that nobody enqueued",
    # List-append.
    "G0": "transactions wrote over each other in a circle",
    "G1a": "a transaction read a value of one that failed",
    "G1b": "a transaction read a value that its writer replaced in the same transaction",
    "G1c": "transactions read from each other in a circle",
    "G-single": "a circle of transactions of which one read a version that another then replaced",
    "G2": "a circle of transactions of which several read versions that others then replaced",
    "incompatible-order": "two reads of a list differ in the order of its elements",
    "duplicate-elements": "a list has an element twice",
    "internal": "a transaction did not read what it had appended itself",
}
"""By kind of violation, its meaning."""
