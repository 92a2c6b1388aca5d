"""The failure that ended a load early: something that the load needs has died, or no request can succeed any more.

This file knows neither members nor servers: the caller that finds a death reports it here.
"""

from __future__ import annotations

from loadgen.errors import TargetError, WorkerError
from loadgen.phase import Phase
from loadgen.reason import Code, Reason
from loadgen.runner.ended_early import EndedEarly
from loadgen.severity import Severity

BEFORE_A_LOAD = (Phase.CONNECT, Phase.PRECHECK, Phase.PREFILL)


class LoadFailure:
    """The first failure that ended a load. Later failures follow from the first and are ignored."""

    def __init__(self) -> None:
        self.reasons: tuple[Reason, ...] = ()
        """One reason, or none."""

    def __bool__(self) -> bool:
        return bool(self.reasons)

    def ended_by(self, code: Code, words: str) -> None:
        """Record the failure that ended the load, in a sentence, unless one is recorded already."""
        self.reasons = self.reasons or (Reason(code, words, Severity.COULD_NOT_RUN),)

    def on_death(
        self, phase: Phase, code: Code, words: str, error: type[TargetError | WorkerError], kept: str = ""
    ) -> None:
        """Record a death in this phase; `words` say what died, `kept` what happens to its counts.

        Raises `error` when nothing had been measured yet, and EndedEarly in later phases.
        """
        if phase in BEFORE_A_LOAD:
            raise error(f"{words}; nothing had been measured yet.")
        self.ended_by(code, f"{words}{kept}.")
        raise EndedEarly
