"""What is seen of a server in a smoke test, apart from its load's counts. Values; no I/O."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """What came of a step that is not the load."""

    good: bool
    words: str


@dataclass(frozen=True, slots=True)
class Observed:
    """How far a smoke test came, and what was seen apart from the load's counts. None: it did not come so far."""

    up: Finding | None = None
    sanity: Finding | None = None
    failure: str = ""
    """Why the load could not begin, in a sentence; empty when it did, or was not tried."""
    still_up: Finding | None = None
    log_errors: tuple[str, ...] | None = None
    """Lines of the server's log that tell of an error; None where there is no log to be seen."""
    interrupted: bool = False

    @property
    def not_reached_because(self) -> str:
        """Why what follows was not reached."""
        if self.up is not None and not self.up.good:
            return "not reached: the server did not come up"
        if self.sanity is not None and not self.sanity.good:
            return "not reached: it answered wrong before the load"
        if self.failure:
            return "not reached: the load could not begin"
        return "not reached: interrupted" if self.interrupted else "not reached"
