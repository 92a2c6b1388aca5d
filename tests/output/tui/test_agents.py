"""The machines of a load on the dashboard: who sends, while it runs, and in its log what each was and did."""

from __future__ import annotations

import re

from constructed_events import START_S, agents, closed_loop

from loadgen.events import Event
from loadgen.output.tui.line import text
from loadgen.output.tui.model import Model
from loadgen.output.tui.page import page


def shown(events: list[Event]) -> str:
    model = Model(START_S - 1)
    for event in events:
        model.tell(event)
    sections = page(model, START_S + 9, 160, 60)
    return "\n".join(text(line) for lines in sections.values() for line in lines)


def test_who_sends_is_shown_beside_the_connections() -> None:
    printed = shown(agents()[:-1])
    assert "agents        3 agents on db1.example, a-host-with-a-name" in printed
    assert "agent db1: host db1.example, loadgen 0.1.0" in printed
    assert re.search(r"db1 +500 req/s +p99 +\d+ µs", printed)
    assert re.search(r"db2 +240 req/s +p99 +≥1\.00s +10 errors", printed)
    assert "\x1b" not in printed


def test_each_machines_part_is_in_the_log_at_the_end() -> None:
    printed = shown(agents())
    assert "agent db1: sent 1500, ok 1500, errors 0, 750 req/s" in printed
    assert "lost, sent 500, ok 500" in printed


def test_nothing_is_said_of_agents_where_this_machine_sends() -> None:
    assert "agent" not in shown(closed_loop())
