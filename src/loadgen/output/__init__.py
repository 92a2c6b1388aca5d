"""Where events become text: one file per format, one class each with `emit(event)`.

A format knows events, snapshots and plans; not where they come from, nor who else reads them. A new one is a file here
and a line in `create`. Each event is flushed before `emit` returns; what cannot be written raises OutputError. What CI
systems read of a gate is written apart, when it has ended.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TextIO

from loadgen.errors import UsageError
from loadgen.lazy import lazily
from loadgen.output.paper.color import Paint, wants_color
from loadgen.output.paper.sink import Sink

if TYPE_CHECKING:
    from loadgen.output.formats.event import AnyOutput
    from loadgen.output.formats.progress import Progressing
    from loadgen.output.outputs import Create, Outputs, opened
    from loadgen.output.paper.sink import open_results, remark, settle, write_lines
    from loadgen.output.pictures.svg import write_plot
    from loadgen.output.reports.annotations import write_annotations
    from loadgen.output.reports.junit import write_junit
    from loadgen.output.reports.markdown import append_markdown
    from loadgen.output.words.figures import count
    from loadgen.output.words.slo import summary as objectives
    from loadgen.output.words.smoke import verdict as smoke_verdict

__all__ = [
    "FORMATS",
    "AnyOutput",
    "Create",
    "Outputs",
    "append_markdown",
    "count",
    "create",
    "create_comparison",
    "create_progress",
    "create_smoke",
    "no_csv",
    "objectives",
    "open_results",
    "opened",
    "remark",
    "settle",
    "smoke_verdict",
    "write_annotations",
    "write_junit",
    "write_lines",
    "write_plot",
]

__getattr__ = lazily(
    __name__,
    {
        "AnyOutput": "formats.event",
        **dict.fromkeys(("Create", "Outputs", "opened"), "outputs"),
        **dict.fromkeys(("open_results", "remark", "settle", "write_lines"), "paper.sink"),
        "write_plot": "pictures.svg",
        "write_annotations": "reports.annotations",
        "write_junit": "reports.junit",
        "append_markdown": "reports.markdown",
        "count": "words.figures",
        "objectives": "words.slo:summary",
        "smoke_verdict": "words.smoke:verdict",
    },
)

FORMATS = ("clean", "verbose", "json", "quiet")
"""Those that every command has; a run also has csv, with a row for each load."""


def create(format: str, stream: TextIO | None, *, color: str = "auto") -> AnyOutput:
    """The output that writes `format`, one of FORMATS, to `stream`; `color` is auto, always or never.

    `stream` may be None, as sys.stdout is where it was closed. Raises OutputError when it cannot be written at all,
    ValueError for a format or colour that there is not.
    """
    sink, paint = _opened(stream, color)
    match format:
        case "clean":
            from loadgen.output.formats.clean import Clean
            from loadgen.output.formats.event import Fitted

            return Fitted(Clean(sink, paint), sink)
        case "verbose":
            from loadgen.output.formats.event import Fitted
            from loadgen.output.formats.verbose import Verbose

            return Fitted(Verbose(sink), sink)
        case "json":
            from loadgen.output.formats.json import Json

            return Json(sink)
        case "quiet":
            from loadgen.output.formats.quiet import Quiet

            return Quiet(sink)
        case "csv":
            from loadgen.output.formats.csv import Csv

            return Csv(sink)
        case _:
            raise _no_such(format)


def create_smoke(format: str, stream: TextIO | None, *, color: str = "auto", matrix: bool = False) -> AnyOutput:
    """The same for a smoke test, or for a `matrix` of them, of which `clean` is one table.

    The events of a test's load may be given to it too; `verbose` and `json` show those of a single test.
    """
    sink, paint = _opened(stream, color)
    from loadgen.output.formats.event import EndsOnly, Fitted

    match format:
        case "clean":
            from loadgen.output.formats.clean_smoke import CleanMatrix, CleanSmoke

            return Fitted(CleanMatrix(sink, paint) if matrix else CleanSmoke(sink, paint), sink)
        case "verbose":
            from loadgen.output.formats.verbose import Verbose

            return Fitted(EndsOnly(Verbose(sink)) if matrix else Verbose(sink), sink)
        case "json":
            from loadgen.output.formats.json import Json

            return EndsOnly(Json(sink)) if matrix else Json(sink)
        case "quiet":
            from loadgen.output.formats.quiet import QuietSmoke

            return QuietSmoke(sink)
        case "csv":
            raise no_csv("a smoke test")
        case _:
            raise _no_such(format)


def create_comparison(format: str, stream: TextIO | None, *, color: str = "auto", gate: bool = False) -> AnyOutput:
    """The same for a comparison, or for a `gate`, whose answer is one verdict. Of events of loads nothing is shown."""
    sink, paint = _opened(stream, color)
    from loadgen.output.formats.event import Fitted

    match format:
        case "clean":
            from loadgen.output.formats.clean_comparison import CleanComparison

            return Fitted(CleanComparison(sink, paint, gate), sink)
        case "verbose":
            from loadgen.output.formats.verbose_comparison import VerboseComparison

            return Fitted(VerboseComparison(sink, gate), sink)
        case "json":
            from loadgen.output.formats.json import Json

            return Json(sink)
        case "quiet":
            from loadgen.output.formats.quiet import QuietComparison

            return QuietComparison(sink, gate)
        case "csv":
            raise no_csv("a gate" if gate else "a comparison")
        case _:
            raise _no_such(format)


def _opened(stream: TextIO | None, color: str) -> tuple[Sink, Paint]:
    if color not in ("auto", "always", "never"):
        raise ValueError(f'color is "auto", "always" or "never", not "{color}"')
    return Sink(stream), Paint(wants_color(stream, color))


def no_csv(what: str) -> UsageError:
    """The refusal of what has no row in redis-benchmark's table."""
    return UsageError(f"the format csv has a row for each load, and {what} has none; --format json has all figures.")


def _no_such(format: str) -> ValueError:
    return ValueError(f'there is no format "{format}": it is one of {", ".join(FORMATS)}')


def create_progress(stream: TextIO | None, *, color: str = "auto") -> Progressing:
    """What shows Progress events on standard error: to be given each event before the output is, and closed at last."""
    from loadgen.output.formats import progress

    return progress.create(stream, wants_color(stream, color))
