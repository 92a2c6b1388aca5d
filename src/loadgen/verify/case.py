"""A case: a kind and a seed, or a kind and a tape. A kind runs the case and returns its outcome. Values; no I/O."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from hashlib import blake2b
from typing import Protocol

from loadgen.verify.durability.survival import Survival
from loadgen.verify.tape import Tape


class Verdict(StrEnum):
    """How a case ended."""

    PASS = "pass"
    FAIL = "fail"
    UNTOLD = "untold"
    """The case ran, and cannot be judged: what it asks did not come about."""
    SKIPPED = "skipped"
    """The case was not run, as the subject does not have what it asks."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one run of a case."""

    verdict: Verdict
    invariant: str = ""
    """The invariant that was broken: "GET returns what SET stored"."""
    message: str = ""
    """The finding with its values: what was expected, and what was found. Of a case that was not judged, why."""
    operations: tuple[str, ...] = ()
    """Every operation that was done, in order, as text to read: "SET a 1 → OK"."""
    faults: tuple[str, ...] = ()
    """Every fault that was begun, in order, as text."""
    trace: str = ""
    """A hash of all that the case did and saw, by `Trace`; empty where runs of one tape may differ."""
    sometimes: Mapping[str, int] = field(default_factory=dict)
    """How often each state was reached that a campaign is to reach; 0 for those that this case did not reach."""
    survival: Survival | None = None
    """What became of the acknowledged writes, of a case that looks for them after a fault of their server."""
    fingerprint: str = ""
    """The failure without its values, by which failures are the same. Made of invariant and message when empty."""
    virtual_ns: int = 0
    """The virtual time that passed in one run of a simulated case; 0 for others."""

    def __post_init__(self) -> None:
        if self.verdict is Verdict.FAIL and not self.fingerprint:
            object.__setattr__(self, "fingerprint", f"{self.invariant}: {without_values(self.message)}")

    @property
    def failed(self) -> bool:
        return self.verdict is Verdict.FAIL


class Kind(Protocol):
    """A kind of case, made with its subjects. The subjects are in their initial state when a run begins."""

    @property
    def name(self) -> str:
        """The name of the kind, such as "incr_is_monotonic": part of the seed of every tape."""

    def run(self, tape: Tape) -> Outcome:
        """Run the case of a tape. The same tape gives the same outcome, as far as the subject allows.

        Raises LoadgenError when the subject cannot be reached, which ends the campaign.
        """


def without_values(words: str) -> str:
    """Return a sentence without the values in it: what is in quotes, and numbers."""
    quoted = re.sub(r"""b?"(?:[^"\\]|\\.)*"|b?(?<!\w)'(?:[^'\\]|\\.)*'(?!\w)""", "…", words)
    return re.sub(r"(?<!\w)[-+]?\d[\d.,]*(?:e[-+]?\d+)?", "#", quoted)


class Trace:
    """A hash over the steps of a case: two runs with the same hash did and saw the same, in the same order."""

    def __init__(self) -> None:
        self._hash = blake2b(digest_size=8)

    def note(self, step: bytes) -> None:
        """Add a step: an operation, a reply, the time of an event."""
        self._hash.update(len(step).to_bytes(8, "big"))
        self._hash.update(step)

    def digest(self) -> str:
        """Return the hash of all steps so far, 16 hexadecimal digits."""
        return self._hash.hexdigest()
