"""All outputs of one command, opened and closed in one place: what standard output shows, the files beside it, reports
for CI, progress, and the remark that an exit status rests on.

With a file for the results, standard output shows them for people all the same. It is then a view, and one that cannot
be written any longer (a pager that was closed, a full disk) is left alone: the file is what counts.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TextIO

from loadgen.errors import LoadgenError, OutputError, ReaderGone, UsageError
from loadgen.events import Event
from loadgen.output.formats import progress
from loadgen.output.formats.create import create
from loadgen.output.formats.format import Output
from loadgen.output.formats.remark import Remark
from loadgen.output.paper.color import wants_color
from loadgen.output.paper.sink import open_results, remark, settle
from loadgen.output.reports.report import Report

STDOUT = "-"
"""The name by which an option means standard output."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which outputs a command's options ask for."""

    format: str | None = "clean"
    """That of the results, one of FORMATS; None where the command writes them itself."""
    color: str = "auto"
    """auto, always or never."""
    file: str | None = None
    """Gets the results instead of standard output."""
    json: str | None = None
    """A file that gets the results as JSON besides."""
    plot: str | None = None
    """A file that gets a comparison's intervals as SVG."""
    junit: str | None = None
    """A file that gets a comparison as JUnit XML."""
    markdown: str | None = None
    """A file that Markdown of a comparison is added to."""
    annotations: bool = False
    """A comparison's answers are printed on standard error as GitHub's workflow commands."""
    live: bool = True
    """The command measures: standard error shows progress, and the remark on an ending that is not good; beside a file,
    standard output has a view. Otherwise, an earlier result is shown."""


class View:
    """What standard output shows beside a file: gone quietly when it cannot be written."""

    def __init__(self, output: Output, file: str) -> None:
        self._output: Output | None = output
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

    def close(self) -> None:
        if self._output is not None:
            self._output.close()


class Outputs:
    """Several outputs as one: each is told of an event in the same order."""

    def __init__(self, outputs: Sequence[Output]) -> None:
        self._outputs = outputs

    def emit(self, event: Event) -> None:
        """Raises OutputError when the results cannot be written."""
        for output in self._outputs:
            output.emit(event)

    def close(self) -> None:
        """Closes every one. Raises the first OutputError of theirs when all are closed."""
        trouble: LoadgenError | None = None
        for output in self._outputs:
            try:
                output.close()
            except LoadgenError as error:
                trouble = trouble or error
        if trouble is not None:
            raise trouble


@contextlib.contextmanager
def opened(wanted: Wanted) -> Iterator[Outputs]:
    """Opens what is wanted, and closes it in the end.

    Progress is told of an event first, so that what is shown starts on a clean line, and the remark comes last. Beside
    a file, standard output shows the results too: in the format of the file, or in clean where that is JSON. Raises
    OutputError when an output cannot be written, UsageError when two options name one file.
    """
    options = (("-o", wanted.file), ("--json", wanted.json))
    files = {option: path for option, path in options if path not in (None, STDOUT)}
    if len({os.path.realpath(str(path)) for path in files.values()}) < len(files):
        raise UsageError(f"-o and --json both name {wanted.file}: give each a file of its own, or leave one out.")
    with contextlib.ExitStack() as stack:
        streams = {option: stack.enter_context(open_results(str(path))) for option, path in files.items()}
        # Beside a file, what standard output shows is a view, and a reader that takes no more of it has seen enough.
        stack.callback(settle, sys.stdout if files and wanted.live else None)
        outputs = Outputs(
            [
                *([progress.create(sys.stderr, wants_color(sys.stderr, wanted.color))] if wanted.live else []),
                *_results(wanted, streams),
                *([Remark()] if wanted.live and not _is_seen() else []),
                *_reports(wanted),
            ]
        )
        stack.callback(outputs.close)
        yield outputs


def _results(wanted: Wanted, streams: dict[str, TextIO]) -> Iterator[Output]:
    """The files, then what standard output shows."""
    if wanted.format is None:
        return
    if "-o" in streams:
        yield create(wanted.format, streams["-o"], color=wanted.color)
    if "--json" in streams:
        yield create("json", streams["--json"], color=wanted.color)
    if not streams:
        yield create("json" if wanted.json == STDOUT else wanted.format, sys.stdout, color=wanted.color)
    elif wanted.live:
        for_people = "clean" if "-o" in streams and wanted.format == "json" else wanted.format
        # Beside a file, standard output may be closed.
        with contextlib.suppress(OutputError):
            shown = create("json" if wanted.json == STDOUT else for_people, sys.stdout, color=wanted.color)
            yield View(shown, str(wanted.file if "-o" in streams else wanted.json))


def _reports(wanted: Wanted) -> Iterator[Output]:
    """Files beside the results; each library that writes one is loaded only where it is wanted."""
    plot, junit, markdown = wanted.plot, wanted.junit, wanted.markdown
    if plot:
        from loadgen.output.pictures.svg import write_plot

        yield Report(lambda ended: write_plot(plot, ended))
    if junit:
        from loadgen.output.reports.junit import write_junit

        yield Report(lambda ended: write_junit(junit, ended[-1]))
    if markdown:
        from loadgen.output.reports.markdown import append_markdown

        yield Report(lambda ended: append_markdown(markdown, ended[-1]))
    if wanted.annotations:
        from loadgen.output.reports.annotations import write_annotations

        yield Report(lambda ended: write_annotations(ended[-1]))


def _is_seen() -> bool:
    """Whether the results stand on a terminal, for somebody to read."""
    return sys.stdout is not None and not sys.stdout.closed and sys.stdout.isatty()
