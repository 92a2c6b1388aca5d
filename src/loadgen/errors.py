"""The exceptions that end a command, each with sentences for the user, and the exit codes of all verbs. No I/O."""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """The exit status of a verb, with the same meaning for every verb."""

    YES = 0
    """The verb ran, and where something was judged, the answer is yes."""
    NO = 1
    """The verb ran and judged something, and the answer is no."""
    USAGE = 2
    """The command line or the config is wrong."""
    COULD_NOT_RUN = 3
    """The target could not be reached, or a server or a worker died."""
    CANNOT_TELL = 4
    """The run is invalid or inconclusive."""
    INTERNAL = 70
    """A bug in loadgen, which says nothing about a server; EX_SOFTWARE of sysexits.h."""
    INTERRUPTED = 130
    """The verb was stopped by Ctrl-C; it drained and printed the results so far."""


class LoadgenError(Exception):
    """An error that ends the program without a traceback: its text is whole sentences for the user."""

    exit_code: ExitCode = ExitCode.COULD_NOT_RUN


class UsageError(LoadgenError):
    """The command line is wrong."""

    exit_code = ExitCode.USAGE


class ConfigError(LoadgenError):
    """The config is wrong. `problems` has a sentence for every error found, in the order of the file."""

    exit_code = ExitCode.USAGE

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class TargetError(LoadgenError):
    """The server under test could not be reached, refused the load, or answered in a way that ends the run."""


class WorkerError(LoadgenError):
    """A worker process could not start, or died."""


class OutputError(LoadgenError):
    """The results could not be written to their destination."""


class ReaderGone(OutputError):
    """The reader of the results has closed the pipe, as `head` does. No message is printed."""


class InternalError(Exception):
    """A bug of loadgen in another process: a sentence, and the `traceback` of that process.

    InternalError is no LoadgenError, so that code which handles the errors that users can cause does not catch it.
    """

    def __init__(self, sentence: str, traceback: str) -> None:
        super().__init__(sentence)
        self.traceback = traceback
