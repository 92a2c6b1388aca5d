"""What ended a load before its time: something that it needs has died, or no request can succeed any more.

It knows neither members nor servers: whoever finds that one has died says so.
"""

from __future__ import annotations

from loadgen.errors import TargetError, WorkerError
from loadgen.phase import Phase
from loadgen.reason import Code, Reason
from loadgen.runner.ended_early import EndedEarly
from loadgen.severity import Severity

BEFORE_A_LOAD = (Phase.CONNECT, Phase.PRECHECK, Phase.PREFILL)


class LoadFailure:
    """The first thing that ended a load; nothing that follows from it counts."""

    def __init__(self) -> None:
        self.reasons: tuple[Reason, ...] = ()
        """One reason, or none."""

    def __bool__(self) -> bool:
        return bool(self.reasons)

    def ended_by(self, code: Code, words: str) -> None:
        """Keeps what ended the load, in a sentence."""
        self.reasons = self.reasons or (Reason(code, words, Severity.COULD_NOT_RUN),)

    def on_death(
        self, phase: Phase, code: Code, words: str, error: type[TargetError | WorkerError], kept: str = ""
    ) -> None:
        """Something that the load needs died in this phase; `words` say what, `kept` what becomes of its counts.

        Raises the error where nothing had been measured yet, and EndedEarly before the drain.
        """
        if phase in BEFORE_A_LOAD:
            raise error(f"{words}; nothing had been measured yet.")
        self.ended_by(code, f"{words}{kept}.")
        if phase != Phase.DRAIN:
            raise EndedEarly
