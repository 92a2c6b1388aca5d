"""Results that are held back while a dashboard is shown."""

from __future__ import annotations

import io

from constructed_events import RUNS
from constructed_searches import SEARCHES
from constructed_trials import TRIALS

from loadgen.events import Event, PhaseBegan
from loadgen.output.formats.clean import Clean
from loadgen.output.formats.create import create
from loadgen.output.formats.quiet import Quiet
from loadgen.output.held import LIVE, Held
from loadgen.output.paper.color import Paint
from loadgen.output.paper.sink import Sink


class Kept:
    """An output that keeps what it gets."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.closed = False

    def emit(self, event: Event) -> None:
        self.events.append(event)

    def close(self) -> None:
        self.closed = True


def test_events_come_in_order_when_the_dashboard_has_gone_and_at_once_after_that() -> None:
    shown, kept = [True], Kept()
    held = Held(kept, lambda: shown[0], summary=False)
    events = RUNS["closed_loop"]()
    for event in events[:5]:
        held.emit(event)
    assert kept.events == []
    shown[0] = False
    held.emit(events[5])
    assert kept.events == events[:6]
    held.emit(events[6])
    assert kept.events == events[:7]


def test_events_come_at_the_end_when_the_dashboard_is_shown_until_then() -> None:
    kept = Kept()
    held = Held(kept, lambda: True, summary=False)
    for event in RUNS["closed_loop"]():
        held.emit(event)
    held.close()
    assert kept.events == RUNS["closed_loop"]()
    assert kept.closed


def test_a_summary_leaves_out_how_a_command_got_on_and_nothing_else() -> None:
    for events in (RUNS["closed_loop"](), SEARCHES["search_found"](), TRIALS["chaos_several"]()):
        kept = Kept()
        held = Held(kept, lambda: True, summary=True)
        for event in events:
            held.emit(event)
        held.close()
        searched = [event for event in events if isinstance(event, PhaseBegan) and event.phase == "search"]
        assert kept.events == [event for event in events if type(event) not in LIVE or event in searched]
        assert len(kept.events) < len(events)


def test_a_summary_in_clean_has_the_results_and_no_rows() -> None:
    stream = io.StringIO()
    held = Held(Clean(Sink(stream), Paint(False)), lambda: True, summary=True)
    for event in RUNS["closed_loop"]():
        held.emit(event)
    assert stream.getvalue() == ""
    held.close()
    assert "RESULTS (3.00 s)" in stream.getvalue()
    assert "[running" not in stream.getvalue()


def test_what_a_format_would_not_show_takes_no_memory() -> None:
    events = RUNS["closed_loop"]()
    quiet = create("quiet", io.StringIO())
    assert isinstance(quiet, Quiet)
    held = Held(quiet, lambda: True, summary=False)
    for event in events:
        held.emit(event)
    assert held._events == [event for event in events if type(event) in quiet.table]
