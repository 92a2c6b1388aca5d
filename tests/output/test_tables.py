"""Every format has, for every event, a renderer or an entry that it is silent about the event."""

from __future__ import annotations

import io
import pkgutil
import sys
from collections.abc import Callable, Iterator
from importlib import import_module
from typing import TypeVar

import pytest
from constructed_comparisons import COMPARISONS, GATES
from rendered import ALL

import loadgen
from loadgen.errors import OutputError
from loadgen.events import Ending, Event, PhaseBegan, Result
from loadgen.output.formats.clean import Clean
from loadgen.output.formats.csv import Csv
from loadgen.output.formats.document import Document
from loadgen.output.formats.format import (
    OF_COMPARISONS,
    OF_JOBS,
    OF_RESULTS,
    OF_SOAKS,
    OF_TESTS,
    OF_VERIFICATION,
    Format,
)
from loadgen.output.formats.json import Json
from loadgen.output.formats.markdown import Markdown
from loadgen.output.formats.progress.bar import Bar
from loadgen.output.formats.progress.lines import Lines
from loadgen.output.formats.quiet import Quiet
from loadgen.output.formats.remark import Remark
from loadgen.output.formats.verbose import Verbose
from loadgen.output.outputs import Outputs
from loadgen.output.paper.color import Paint
from loadgen.output.paper.sink import Sink
from loadgen.output.reports.campaign_junit import CampaignJunit
from loadgen.output.reports.check_junit import CheckJunit
from loadgen.output.reports.check_svg import CheckSvg
from loadgen.output.reports.jobs_junit import JobsJunit
from loadgen.output.reports.report import Report
from loadgen.output.reports.soak_junit import SoakJunit
from loadgen.output.reports.stress_junit import StressJunit
from loadgen.output.reports.trials_junit import TrialsJunit
from loadgen.output.tui.model import Model
from loadgen.trial.ended import ChaosEnded, TrialEnded

FORMATS: dict[str, Callable[[], Format]] = {
    "clean": lambda: Clean(Sink(io.StringIO()), Paint(False)),
    "verbose": lambda: Verbose(Sink(io.StringIO())),
    "json": lambda: Json(Sink(io.StringIO())),
    "quiet": lambda: Quiet(Sink(io.StringIO())),
    "csv": lambda: Csv(Sink(io.StringIO())),
    "bar": lambda: Bar(io.StringIO(), False),
    "lines": lambda: Lines(io.StringIO()),
    "remark": Remark,
    "report": lambda: Report(print),
    "document": lambda: Document(Sink(io.StringIO())),
    "markdown": lambda: Markdown(Sink(io.StringIO())),
    "trials junit": lambda: TrialsJunit("/dev/null"),
    "campaign junit": lambda: CampaignJunit("/dev/null"),
    "stress junit": lambda: StressJunit("/dev/null"),
    "soak junit": lambda: SoakJunit("/dev/null"),
    "jobs junit": lambda: JobsJunit("/dev/null"),
    "check junit": lambda: CheckJunit("/dev/null"),
    "check svg": lambda: CheckSvg("/dev/null"),
}

Class = TypeVar("Class")


def ends(kind: type[Class]) -> Iterator[type[Class]]:
    """The classes of loadgen below this one that have none below themselves."""
    for below in kind.__subclasses__():
        if below.__subclasses__():
            yield from ends(below)
        # A dataclass with slots is made of another class, which nobody can name.
        elif vars(sys.modules[below.__module__]).get(below.__name__) is below and below.__module__ in MODULES:
            yield below


# To import the others is to be the process of a command, or of a library's worker.
MODULES = {
    module.name
    for module in pkgutil.walk_packages(loadgen.__path__, "loadgen.")
    if module.name not in ("loadgen.__main__", "loadgen.entry")
    and not (module.name.startswith("loadgen.jobs.adapters.") and module.name.endswith("_worker"))
}


@pytest.fixture(scope="module")
def events() -> set[type[Event]]:
    """Every kind of event that there is in loadgen."""
    for module in MODULES:
        import_module(module)
    return set(ends(Event))


@pytest.mark.parametrize("format", FORMATS)
def test_every_event_is_rendered_or_named_as_left_out(format: str, events: set[type[Event]]) -> None:
    one = FORMATS[format]()
    assert set(one.table) | one.silent == events
    assert set(one.table) & one.silent == set()


def test_every_event_is_on_the_dashboard_or_is_of_a_verb_without_one(events: set[type[Event]]) -> None:
    assert Model(0.0).kinds | OF_TESTS | OF_COMPARISONS | OF_VERIFICATION | OF_SOAKS | OF_JOBS == events


def test_every_format_is_asked(events: set[type[Event]]) -> None:
    assert {type(create()) for create in FORMATS.values()} == set(ends(Format))
    assert len(events) == len(OF_RESULTS) + 1


@pytest.mark.parametrize("format", ["clean", "verbose", "json", "quiet"])
def test_no_format_is_silent_about_an_ending(format: str, events: set[type[Event]]) -> None:
    # The end of all trials holds the ends of each, which are shown.
    endings = {kind for kind in events if issubclass(kind, Ending)} - {ChaosEnded}
    assert TrialEnded in endings
    assert endings <= set(FORMATS[format]().table)
    assert Result in endings
    assert PhaseBegan not in endings


def test_an_event_that_a_format_does_not_know_is_a_mistake_of_ours() -> None:
    class Unheard(Event):
        pass

    with pytest.raises(KeyError):
        FORMATS["clean"]().emit(Unheard())


def test_a_report_is_written_once_when_all_have_ended() -> None:
    written: list[object] = []
    report = Report(written.append)
    events = COMPARISONS["compare_three"]()
    for event in events:
        report.emit(event)
    assert written == []
    report.close()
    assert written == [events[-2:]]


def test_no_report_is_written_of_what_did_not_come_to_an_end() -> None:
    written: list[object] = []
    report = Report(written.append)
    for event in [*ALL["closed_loop"](), *GATES["gate_failed"]()[:-1]]:
        report.emit(event)
    report.close()
    assert written == []


def test_every_output_is_closed_though_one_cannot_be() -> None:
    closed: list[str] = []

    class Closing(Format):
        silent = OF_RESULTS

        def __init__(self, name: str, trouble: Exception | None = None) -> None:
            super().__init__({})
            self.name, self.trouble = name, trouble

        def close(self) -> None:
            closed.append(self.name)
            if self.trouble is not None:
                raise self.trouble

    troubles = (None, OutputError("first"), OutputError("second"), None)
    with pytest.raises(OutputError, match="first"):
        Outputs([Closing(str(number), trouble) for number, trouble in enumerate(troubles)]).close()
    assert closed == ["0", "1", "2", "3"]
