"""All outputs of one command, opened and closed in one place: standard output, files, reports for CI, progress, and the
remark that explains an exit status.

When the results go to a file, standard output still shows them for people, as a view. A view that can no longer be
written (a closed pager, a full disk) is dropped without failing the command, since the file holds the results.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TextIO

from loadgen.errors import LoadgenError, OutputError, ReaderGone, UsageError
from loadgen.events import Event
from loadgen.jobs.load.ended import JobsProgress
from loadgen.output.formats import progress
from loadgen.output.formats.create import create
from loadgen.output.formats.format import Output
from loadgen.output.formats.remark import Remark
from loadgen.output.held import Held
from loadgen.output.paper.color import wants_color
from loadgen.output.paper.sink import open_results, remark, settle
from loadgen.output.reports.report import Report
from loadgen.output.tui.dashboard import Dashboard
from loadgen.output.tui.obstacle import NO_TEXTUAL, obstacle
from loadgen.verify.ended import CaseEnded

if TYPE_CHECKING:
    from loadgen.output.tui.shown import Shown

_FOR_PROGRAMS = ("json", "document", "markdown")
"""The formats of files beside which standard output shows the results for people."""

_WITH_CASES = ("verbose", "json")
"""The formats that print each case of a campaign, and each second of a test of jobs."""

STDOUT = "-"
"""The value of a file option that names standard output."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """The outputs that a command's options ask for."""

    format: str | None = "clean"
    """The format of the results, one of FORMATS; None when the command writes the results itself."""
    color: str = "auto"
    """auto, always or never."""
    file: str | None = None
    """A file that gets the results instead of standard output."""
    json: str | None = None
    """A file that gets the results as JSON as well."""
    plot: str | None = None
    """A file that gets a comparison's intervals as SVG."""
    windows: str | None = None
    """A file that gets the violations of a history as SVG."""
    junit: str | None = None
    """A file that gets a comparison, trials, a campaign, a stress test, a soak, tests of jobs or a checked history as
    JUnit XML."""
    markdown: str | None = None
    """A file that gets Markdown of a comparison appended."""
    annotations: bool = False
    """A comparison's answers are printed on standard error as GitHub's workflow commands."""
    dashboard: Dashboard | None = None
    """A dashboard on the terminal while the command runs; the results are printed after it. Where no dashboard can be
    shown, standard error says why, and the results are printed as ever."""
    live: bool = True
    """True when the command measures: standard error shows progress and the remark on an ending that is not good, and
    standard output has a view beside a file. False when the command shows an earlier result."""


class View:
    """The results on standard output beside a file; dropped when standard output cannot be written."""

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
    """Several outputs as one. Each receives every event, always in the same order of outputs."""

    def __init__(self, outputs: Sequence[Output]) -> None:
        self._outputs = outputs

    def emit(self, event: Event) -> None:
        """Pass the event to each output. Raise OutputError when the results cannot be written."""
        for output in self._outputs:
            output.emit(event)

    def close(self) -> None:
        """Close every output, then raise the first error that closing raised."""
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
    """Open the outputs that are wanted, and close them at the end.

    Progress receives each event first, so that the results start on a clean line; the remark comes last. Beside a file,
    standard output shows the results too: in the format of the file, or in `clean` when the file is JSON. Raise
    OutputError when an output cannot be written, UsageError when two options name the same file.
    With a dashboard, the results on standard output come after it, and there is no other progress.
    """
    options = (("-o", wanted.file), ("--json", wanted.json))
    files = {option: path for option, path in options if path not in (None, STDOUT)}
    if len({os.path.realpath(str(path)) for path in files.values()}) < len(files):
        raise UsageError(f"-o and --json both name {wanted.file}: give each a file of its own, or leave one out.")
    with contextlib.ExitStack() as stack:
        streams = {option: stack.enter_context(open_results(str(path))) for option, path in files.items()}
        # Beside a file, standard output is a view: its reader may stop reading without failing the command.
        stack.callback(settle, sys.stdout if files and wanted.live else None)
        shown = _dashboard(wanted)
        outputs = Outputs(
            [
                *_progress(wanted, shown),
                *_results(wanted, streams, shown),
                *([Remark()] if wanted.live and not _is_seen() else []),
                *_reports(wanted),
            ]
        )
        stack.callback(outputs.close)
        if shown is not None:
            shown.open()
        yield outputs


def _dashboard(wanted: Wanted) -> Shown | None:
    """Return the dashboard that is wanted, not yet open; None, with a remark, where it cannot be shown."""
    if wanted.dashboard is None:
        return None
    why = obstacle()
    if not why:
        from loadgen.output.tui.shown import Shown

        return Shown(wanted.dashboard, color=wants_color(sys.stdout, wanted.color))
    if wanted.dashboard.asked or why == NO_TEXTUAL:
        remark(f"loadgen: {why}")
    return None


def _progress(wanted: Wanted, shown: Shown | None) -> Iterator[Output]:
    if shown is not None:
        yield shown
    elif wanted.live:
        # Thousands of cases a second would leave no bar to be seen.
        unprinted = frozenset[type[Event]]() if wanted.format in _WITH_CASES else frozenset({CaseEnded, JobsProgress})
        yield progress.create(sys.stderr, wants_color(sys.stderr, wanted.color), unprinted)


def _results(wanted: Wanted, streams: dict[str, TextIO], shown: Shown | None) -> Iterator[Output]:
    """Yield the outputs of files, then that of standard output, held back while a dashboard is shown."""
    for output, format in _formats(wanted, streams):
        if shown is not None and format is not None:
            yield Held(output, lambda: shown.is_shown, summary=format == "clean")
        else:
            yield output


def _formats(wanted: Wanted, streams: dict[str, TextIO]) -> Iterator[tuple[Output, str | None]]:
    """Yield the outputs of files, each with None, then that of standard output with its format."""
    if wanted.format is None:
        return
    if "-o" in streams:
        yield create(wanted.format, streams["-o"], color=wanted.color), None
    if "--json" in streams:
        yield create("json", streams["--json"], color=wanted.color), None
    if not streams:
        format = "json" if wanted.json == STDOUT else wanted.format
        yield create(format, sys.stdout, color=wanted.color), format
    elif wanted.live:
        for_people = "clean" if "-o" in streams and wanted.format in _FOR_PROGRAMS else wanted.format
        # Beside a file, standard output may be closed.
        with contextlib.suppress(OutputError):
            format = "json" if wanted.json == STDOUT else for_people
            view = View(
                create(format, sys.stdout, color=wanted.color), str(wanted.file if "-o" in streams else wanted.json)
            )
            yield view, format


def _reports(wanted: Wanted) -> Iterator[Output]:
    """Yield the reports beside the results. The module of a report is imported only when the report is wanted."""
    plot, junit, markdown = wanted.plot, wanted.junit, wanted.markdown
    if plot:
        from loadgen.output.pictures.svg import write_plot

        yield Report(lambda ended: write_plot(plot, ended))
    if wanted.windows:
        from loadgen.output.reports.check_svg import CheckSvg

        yield CheckSvg(wanted.windows)
    if junit:
        from loadgen.output.reports.campaign_junit import CampaignJunit
        from loadgen.output.reports.check_junit import CheckJunit
        from loadgen.output.reports.jobs_junit import JobsJunit
        from loadgen.output.reports.junit import write_junit
        from loadgen.output.reports.soak_junit import SoakJunit
        from loadgen.output.reports.stress_junit import StressJunit
        from loadgen.output.reports.trials_junit import TrialsJunit

        yield Report(lambda ended: write_junit(junit, ended[-1]))
        yield TrialsJunit(junit)
        yield CampaignJunit(junit)
        yield StressJunit(junit)
        yield SoakJunit(junit)
        yield CheckJunit(junit)
        yield JobsJunit(junit)
    if markdown:
        from loadgen.output.reports.markdown import append_markdown

        yield Report(lambda ended: append_markdown(markdown, ended[-1]))
    if wanted.annotations:
        from loadgen.output.reports.annotations import write_annotations

        yield Report(lambda ended: write_annotations(ended[-1]))


def _is_seen() -> bool:
    """Return True when the results are shown on a terminal."""
    return sys.stdout is not None and not sys.stdout.closed and sys.stdout.isatty()
