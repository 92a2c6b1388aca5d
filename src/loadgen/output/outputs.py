"""All outputs of one command, opened in one place: what standard output shows, the files beside it, and progress.

With a file for the results, standard output shows them for people all the same. It is then a view, and one that cannot
be written any longer (a pager that was closed, a full disk) is left alone: the file is what counts.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from typing import Protocol, TextIO

from loadgen.errors import OutputError, ReaderGone, UsageError
from loadgen.events import Event
from loadgen.output.formats import progress
from loadgen.output.formats.event import AnyOutput
from loadgen.output.paper.color import wants_color
from loadgen.output.paper.sink import open_results, remark, settle

STDOUT = "-"
"""The name by which an option means standard output."""


class Create(Protocol):
    """Makes the output of a command for a format, one of FORMATS; `color` is auto, always or never."""

    def __call__(self, format: str, stream: TextIO | None, *, color: str = "auto") -> AnyOutput: ...


class View:
    """What standard output shows beside a file: gone quietly when it cannot be written."""

    def __init__(self, output: AnyOutput, file: str) -> None:
        self._output: AnyOutput | None = output
        self._file = file

    def emit(self, event: Event) -> None:
        if self._output is None:
            return
        try:
            self._output.emit(event)
        except ReaderGone:
            self._output = None
        except OutputError as error:
            self._output = None
            remark(f"loadgen: {error}; the results are in {self._file}")


class Outputs:
    """The outputs of one command. Each event goes to progress first, so that what is shown starts on a clean line."""

    def __init__(self, progress: AnyOutput, outputs: list[AnyOutput], *, seen: bool) -> None:
        self._progress = progress
        self._outputs = outputs
        self._seen = seen

    def emit(self, event: Event) -> None:
        """Raises OutputError when the results cannot be written."""
        self._progress.emit(event)
        for output in self._outputs:
            output.emit(event)

    def remark(self, words: str) -> None:
        """Says on standard error what an exit status alone does not say, unless the results stand on a terminal."""
        if not self._seen:
            remark(f"loadgen: {words}")


@contextlib.contextmanager
def opened(
    create: Create, format: str, *, color: str = "auto", file: str | None = None, json: str | None = None
) -> Iterator[Outputs]:
    """Opens what a command's options ask for, and closes it in the end.

    `format` is that of the results, which go to `file`, or to standard output without one; `json` is a file that gets
    them as JSON besides. Beside either file, standard output shows the results too: in `format`, or in clean where
    `file` holds them as JSON. Raises OutputError when one of these cannot be written, UsageError when both name one
    file.
    """
    files = {option: path for option, path in (("-o", file), ("--json", json)) if path not in (None, STDOUT)}
    if len({os.path.realpath(str(path)) for path in files.values()}) < len(files):
        raise UsageError(f"-o and --json both name {file}: give each a file of its own, or leave one out.")
    with contextlib.ExitStack() as stack:
        streams = {option: stack.enter_context(open_results(str(path))) for option, path in files.items()}
        # Beside a file, what standard output shows is a view, and a reader that takes no more of it has seen enough.
        stack.callback(settle, sys.stdout if files else None)
        outputs: list[AnyOutput] = []
        if "-o" in streams:
            outputs.append(create(format, streams["-o"], color=color))
        if "--json" in streams:
            outputs.append(create("json", streams["--json"], color=color))
        shown = "json" if json == STDOUT else "clean" if "-o" in files and format == "json" else format
        outputs += _shown(create, shown, color, str(next(iter(files.values()), "")))
        showing = progress.create(sys.stderr, wants_color(sys.stderr, color))
        stack.callback(showing.close)
        yield Outputs(showing, outputs, seen=sys.stdout is not None and not sys.stdout.closed and sys.stdout.isatty())


def _shown(create: Create, format: str, color: str, file: str) -> list[AnyOutput]:
    """What standard output gets; beside a file it may be closed."""
    if not file:
        return [create(format, sys.stdout, color=color)]
    try:
        return [View(create(format, sys.stdout, color=color), file)]
    except OutputError:
        return []
