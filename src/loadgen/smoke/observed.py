"""The observations of a server in a smoke test, beside its load's counts. Values; no I/O."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of a step other than the load."""

    good: bool
    words: str


@dataclass(frozen=True, slots=True)
class Observed:
    """The observations of a smoke test, step by step, beside the load's counts. None for a step not reached."""

    up: Finding | None = None
    sanity: Finding | None = None
    failure: str = ""
    """Why the load could not begin, in a sentence; empty when the load began, or was not tried."""
    still_up: Finding | None = None
    log_errors: tuple[str, ...] | None = None
    """The lines of the server's log that report an error; None when loadgen cannot see a log."""
    interrupted: bool = False

    @property
    def not_reached_because(self) -> str:
        """Why the steps that are None were not reached."""
        if self.up is not None and not self.up.good:
            return "not reached: the server did not come up"
        if self.sanity is not None and not self.sanity.good:
            return "not reached: the server gave a wrong answer before the load"
        if self.failure:
            return "not reached: the load could not begin"
        return "not reached: interrupted" if self.interrupted else "not reached"
