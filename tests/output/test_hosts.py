"""The machines of a load as people see them: all of a few, and of many those that stand out."""

from __future__ import annotations

from dataclasses import replace

import pytest
from constructed_events import S, agent_host, agents, counted, good, host_part, many_agents
from rendered import text

from loadgen.events import Configured, Result
from loadgen.output.paper.grid import fitting
from loadgen.output.paper.layout import at
from loadgen.output.words import hosts
from loadgen.record import Reading, to_record
from loadgen.signs import HostSigns
from loadgen.snapshot import Snapshot


def configured(events: list[object]) -> Configured:
    return next(event for event in events if isinstance(event, Configured))


def result(events: list[object]) -> Result:
    return next(event for event in events if isinstance(event, Result))


def test_a_thousand_agents_are_summed_up_and_those_that_stand_out_are_named() -> None:
    events = many_agents(1000)
    before, after = configured([*events]), result([*events])
    assert hosts.preflight(before).startswith("1000 agents on 1000 hosts: loadgen 0.1.0, Python 3.13.1, 2 to 4 CPUs")
    assert hosts.division(before) == "1 worker and 25 connections each"
    assert "known within +/-2.10ms (db17); wall clocks off by 6.99ms" in hosts.clocks(before)
    seen = [agent.name for agent in hosts.agents_shown(before.agents)]
    assert "db17" in seen
    assert len(hosts.agent_lines(before)) == len(seen) + 1 <= hosts.NAMED + 1
    assert {"db5", "db7", "db11"} <= {part.name for part in hosts.parts_shown(after.hosts)}
    lines = hosts.part_lines(after)
    assert len(lines) <= hosts.NAMED + 1
    assert [line for line in lines if line.startswith("agent db7: lost, sent 100,")]
    rest = 1000 - len(lines) + 1
    assert lines[-1].startswith(f"agents: and {rest} more agents, with 0 errors in all and a p99 of")


def test_of_many_lost_agents_half_of_what_is_shown_are_those() -> None:
    counts = [counted(good(80, 20), 1, unanswered=5 if n == 35 else 0) for n in range(40)]
    parts = [host_part(agent_host(n), counts[n], None if n < 30 else HostSigns()) for n in range(40)]
    seen = hosts.parts_shown(parts)
    assert sum(part.host is None for part in seen) >= hosts.NAMED // 2
    assert parts[35] in seen
    assert len(seen) <= hosts.NAMED


@pytest.mark.parametrize(("columns", "has"), [(80, False), (120, True)])
def test_a_wide_table_has_every_column_and_a_narrow_one_those_that_differ(columns: int, has: bool) -> None:
    before, after = configured([*agents()]), result([*agents()])
    cells = [hosts.agent_cells(replace(agent, host="db", wall_ahead_ns=0)) for agent in before.agents]
    parts = [hosts.part_cells(part, after.duration_ns) for part in after.hosts]
    with at(columns):
        left = hosts.agents_left_out(before.agents)
        seen = {hosts.AGENT_HEADINGS[place] for place in fitting(hosts.AGENT_HEADINGS, cells, left)}
        assert {"agent", "CPUs", "conns", "clock ±", "wall clock"} <= seen
        assert ("loadgen" in seen) is has
        left = hosts.parts_left_out(after.hosts)
        seen = {hosts.PART_HEADINGS[place] for place in fitting(hosts.PART_HEADINGS, parts, left)}
        assert {"agent", "sent", "errors", "req/s", "p99", "late p99", "unsent", "state"} <= seen
        assert ({"ok", "p50", "clock ±"} <= seen) is has


def test_the_state_is_shown_only_where_a_machine_was_lost_and_lag_only_with_a_schedule() -> None:
    whole = [host_part(agent_host(n), counted(good(80, 20), n), HostSigns(0.0)) for n in range(2)]
    dropped = hosts.parts_left_out(whole)[:4]
    assert {hosts.PART_HEADINGS[place] for place in dropped} == {"state", "steal%", "unsent", "late p99"}
    assert "lost" not in text("clean", "schedule")


def test_a_single_machine_and_one_clock_are_said_as_such() -> None:
    same = agent_host(1, clock_ahead_ns=0, clock_error_ns=0, cpus=1, host="box")
    one = replace(configured([*agents()]), agents=(same,))
    assert hosts.preflight(one).startswith("1 agent on box: loadgen 0.1.0, Python 3.13.1, 1 CPU each")
    assert hosts.clocks(one) == "monotonic clocks the same as ours; wall clocks off by 3.00us +/-5.21us at most"
    assert hosts.lead(1500) == "+1.50 µs"
    assert hosts.lead(-1500) == "−1.50 µs"
    assert hosts.lead(0) == "0 ns"


def test_a_record_reads_back_as_the_same_rows() -> None:
    events = agents()
    before, after = configured([*events]), result([*events])
    records = [to_record(event) for event in events]
    read = [*Reading().events([record for record in records if record is not None])]
    assert configured([*read]).agents == before.agents
    again = result([*read])
    assert hosts.part_lines(again) == hosts.part_lines(after)
    assert [part.measured.total for part in again.hosts] == [part.measured.total for part in after.hosts]
    assert [part.ceiling_per_s for part in again.hosts] == [200_000.0] * 3
    assert [signs.host for signs in again.signs.workers] == ["db1", "db2"]


def test_the_rows_of_a_record_add_up_to_its_counts() -> None:
    record = to_record(result([*agents()]))
    assert record is not None
    for name in ("planned", "ok", "timeouts", "error_replies", "unsent"):
        assert sum(each["counts"][name] for each in record["agents"]) == record["counts"][name]
    assert [each["lost"] for each in record["agents"]] == [False, False, True]
    assert [each["throughput"] for each in record["agents"]] == [750, 737, 250]


def test_nothing_is_said_of_machines_where_this_one_sends() -> None:
    before, after = configured([*agents()]), result([*agents()])
    here, there = replace(before, agents=()), replace(after, hosts=())
    assert [hosts.preflight(here), hosts.division(here), hosts.clocks(here)] == ["", "", ""]
    assert hosts.agent_lines(here) == hosts.part_lines(there) == []
    assert hosts.lost(there) == 0
    assert "agents" not in text("json", "closed_loop")


def test_a_machine_that_measured_nothing_has_no_percentiles() -> None:
    cells = hosts.part_cells(host_part(agent_host(1), Snapshot(), None), 3 * S)
    assert dict(zip(hosts.PART_HEADINGS, cells, strict=True))["p99"] == "-"
    assert hosts.part_cells(host_part(agent_host(1), Snapshot(), None), 0)[10] == "-"


def test_a_dry_run_has_a_row_for_each_agent_in_csv_and_a_line_in_quiet() -> None:
    header, *rows = [line.split(",") for line in text("csv", "dry_run").splitlines()]
    assert header[:3] == ['"agent"', '"host"', '"version"']
    assert [row[0] for row in rows] == ['"db1"', '"db2"']
    assert {len(row) for row in rows} == {len(header)}
    assert dict(zip(header, rows[0], strict=True))['"wall_clock_ahead_ms"'] == '"-0.003000"'
    [line] = text("quiet", "dry_run").splitlines()
    assert line.startswith("2 agents on db1.example and db2.example")
    assert line.endswith("nothing was sent")
