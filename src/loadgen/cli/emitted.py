"""The events of a soak to its outputs, and to the log in its run folder."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable

from loadgen import output
from loadgen.errors import OutputError
from loadgen.events import Event
from loadgen.output.formats.create import create
from loadgen.soak.folder import RunFolder


class Emitted:
    """The outputs of a soak, and its log: the terminal's plain text in the run folder."""

    def __init__(self, tell: Callable[[Event], None]) -> None:
        """`tell` emits an event to the outputs."""
        self._tell = tell
        self._log: output.Output | None = None
        self._folder: RunFolder | None = None

    def log_to(self, kept: RunFolder) -> None:
        self._folder = kept
        self._log = create("clean", _LogStream(kept), color="never")

    def emit(self, event: Event) -> None:
        self._tell(event)
        if self._log is not None and type(event).__module__ == "loadgen.soak.ended":
            # A log that cannot be written is found by the leader, which writes more than that.
            with contextlib.suppress(OutputError):
                self._log.emit(event)

    def close(self) -> None:
        if self._folder is not None:
            self._folder.close()


class _LogStream(io.StringIO):
    """A text stream into `soak.log`, line by line."""

    def __init__(self, kept: RunFolder) -> None:
        super().__init__()
        self._kept = kept

    def write(self, text: str) -> int:
        for line in text.splitlines():
            self._kept.log(line)
        return len(text)
