"""Who follows a soak from outside: told its log and its status again and again, it says what is new. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from loadgen.errors import ExitCode
from loadgen.soak.status import FINAL, Phase, Status, Trouble

OWN = "watch: "
"""The beginning of a line that is not the log's."""

_LOGGED = (Trouble.RESTART, Trouble.BREACH)
"""The log itself says these."""


class Follower:
    """What was said so far."""

    def __init__(self) -> None:
        self._lines = 0
        self._troubles: frozenset[Trouble] = frozenset()

    def look(
        self, log: Sequence[str], status: Status, result: Mapping[str, Any] | None
    ) -> tuple[list[str], ExitCode | None]:
        """Return the lines that are new, and the exit code when there is nothing to wait for any more.

        `log` is the whole of `soak.log`. A soak that has ended has the exit code of its verdict; one whose next
        checkpoint is overdue, or whose process is gone, has NO.
        """
        said = [*log[self._lines :]]
        self._lines = len(log)
        problems = {each.trouble: each.words for each in status.problems if each.trouble not in _LOGGED}
        said += [f"{OWN}{words}" for trouble, words in problems.items() if trouble not in self._troubles]
        if self._troubles and not problems:
            said.append(f"{OWN}it goes on")
        self._troubles = frozenset(problems)
        if any(trouble in FINAL for trouble in problems):
            return said, ExitCode.NO
        if status.phase is Phase.ENDED and result is not None:
            return said, exit_code_of(result)
        return said, None


def exit_code_of(result: Mapping[str, Any]) -> ExitCode:
    """Return the exit code that `result.json` has; CANNOT_TELL where it has none that this loadgen knows."""
    try:
        return ExitCode(int(result["exit_status"]))
    except (KeyError, TypeError, ValueError):
        return ExitCode.CANNOT_TELL
