"""The severity of a statement about a result. No I/O."""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum

from loadgen.errors import ExitCode


class Severity(Enum):
    """The severities from the gravest to the least. Of all statements on one result, or several, the gravest counts.

    A load that was interrupted, or did not reach its end, is not judged. A load in which requests failed is no success,
    even if the generator was late. Numbers that are the generator's own say nothing about a server's objectives.
    """

    code: ExitCode
    """The exit status of a command whose gravest severity this is."""

    INTERRUPTED = "interrupted", ExitCode.INTERRUPTED
    COULD_NOT_RUN = "could not run", ExitCode.COULD_NOT_RUN
    FAILED = "failed", ExitCode.NO
    INVALID = "invalid", ExitCode.CANNOT_TELL
    BREACHED = "the answer is no", ExitCode.NO
    UNKNOWN = "there is no answer", ExitCode.CANNOT_TELL
    GOOD = "good", ExitCode.YES

    def __init__(self, words: str, code: ExitCode) -> None:
        self.code = code

    @classmethod
    def gravest(cls, severities: Iterable[Severity]) -> Severity:
        """Return the gravest of these severities; GOOD where there is none."""
        found = {*severities}
        return next((severity for severity in cls if severity in found), cls.GOOD)
