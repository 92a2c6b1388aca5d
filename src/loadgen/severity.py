"""How grave something is that is said of a result. No I/O."""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum

from loadgen.errors import ExitCode


class Severity(Enum):
    """From the gravest to the least: of everything that is said of one result, or of several, the gravest counts.

    Nothing is judged of a load that was interrupted, or that did not come to its end. One in which requests failed is
    no success, whoever was late. Numbers that are the generator's own answer no question about a server's objectives.
    """

    code: ExitCode
    """The exit status of a command whose result this is the gravest thing to be said of."""

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
        """The one that stands for all of these; GOOD where there is none."""
        found = {*severities}
        return next((severity for severity in cls if severity in found), cls.GOOD)
