"""What can go wrong, as exceptions that carry one clear sentence and the exit code that belongs to it. No I/O."""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """What a verb's exit status says, the same for every verb."""

    YES = 0
    """It ran, and where something was judged, the answer is yes."""
    NO = 1
    """It was judged, and the answer is no."""
    USAGE = 2
    """The command line or the config is wrong."""
    COULD_NOT_RUN = 3
    """The target could not be reached, or a server or a worker died."""
    CANNOT_TELL = 4
    """The run is invalid or inconclusive."""
    INTERNAL = 70
    """An error of loadgen's own, which says nothing about a server; EX_SOFTWARE of sysexits.h."""
    INTERRUPTED = 130
    """Stopped by Ctrl-C, after draining and printing what there was."""


class LoadgenError(Exception):
    """An end of the program that needs no traceback: its text is for the user, in whole sentences."""

    exit_code: ExitCode = ExitCode.COULD_NOT_RUN


class UsageError(LoadgenError):
    """The command line is wrong."""

    exit_code = ExitCode.USAGE


class ConfigError(LoadgenError):
    """The config is wrong; `problems` has every error found, one sentence each, in the order of the file."""

    exit_code = ExitCode.USAGE

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class TargetError(LoadgenError):
    """The server under test could not be reached, refused the load, or answered in a way that ends the run."""


class WorkerError(LoadgenError):
    """A worker process could not start, or died."""


class OutputError(LoadgenError):
    """The results could not be written where they were meant to go."""


class ReaderGone(OutputError):
    """Whoever read the results has closed the pipe, as `head` does: that is not worth a word."""


class InternalError(Exception):
    """A bug of ours in another process, in one sentence; `traceback` is where it arose.

    It is no LoadgenError: nothing that handles the ends that a user can cause may take it for one of them.
    """

    def __init__(self, sentence: str, traceback: str) -> None:
        super().__init__(sentence)
        self.traceback = traceback
