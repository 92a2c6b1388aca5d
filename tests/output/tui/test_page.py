"""The dashboard's page: plain lines for a state, a time and a size of the terminal."""

from __future__ import annotations

import functools
import re
from dataclasses import replace

import pytest
from constructed_events import START_S
from constructed_searches import SEARCHES
from constructed_trials import MS, TRIALS, S
from dashboard_scenes import END, OUTAGE, SCENES, trial

from loadgen.events import FaultBegan
from loadgen.output.tui.drawings import bar, plot
from loadgen.output.tui.line import STYLES, Line, apart, cut, headed, text
from loadgen.output.tui.model import Model
from loadgen.output.tui.numbers import rounded
from loadgen.output.tui.page import SECTIONS, page
from loadgen.snapshot import Backlog, Histogram
from loadgen.trial.ended import ChaosBegan, TrialBegan
from loadgen.trial.plan import ClientPlan

SIZES = ((80, 24), (120, 40))


def scene(name: str, *, can_skip: bool = False) -> tuple[Model, float]:
    events, now_s = SCENES[name]
    model = Model(START_S - 1.2, can_skip=can_skip)
    for event in events():
        model.tell(event)
    return model, now_s


kept_scene = functools.cache(scene)


def drawn(name: str, columns: int, lines: int) -> dict[str, str]:
    """Each section's text."""
    model, now_s = kept_scene(name, can_skip=name == "chaos")
    return {section: "\n".join(map(text, rows)) for section, rows in page(model, now_s, columns, lines).items()}


@pytest.mark.parametrize(("columns", "lines"), SIZES)
def test_a_page_of_a_trial_has_all_elements(columns: int, lines: int) -> None:
    found = drawn("chaos", columns, lines)
    words = "loadgen chaos builtin · mixed · 3 memcache nodes 0:25.2 n next q stop"
    assert " ".join(found["header"].split()) == words
    assert "single-node-failure · 1 of 3" in found["subject"]
    assert "fault on" in found["subject"]
    assert "Node 1 of 3 refuses connections for 15 s, and accepts them again." in found["subject"]
    assert re.search(r"✓settle +✓baseline +fault +recovery +━+╸?─* +3 s left", found["subject"])
    assert re.search(r"12\.0K ops/s +━+╸?─+ 20K +p50 +\d+ µs +p99 +\d+ µs", found["throughput"])
    assert re.search(
        r"267,\d+ operations +46,672 errors \(17\.4\d %\) +0 wrong answers +\d+ under way", found["throughput"]
    )
    assert "ops/s, last" in found["plots"]
    assert "errors" in found["plots"]
    assert "█" in found["plots"]
    assert re.search(r"1 fault +open +0 +0 +0 +590 +4\.\d+K +46\.7K", found["table"])
    assert re.search(r"3 +closed +12 +\d +\d +0 +3\.9\d+K +0", found["table"])
    assert "12:00:22.5  breaker of node 1: half-open → open" in found["events"]


@pytest.mark.parametrize(("columns", "lines"), SIZES)
def test_a_page_of_a_load_has_all_elements(columns: int, lines: int) -> None:
    found = drawn("run", columns, lines)
    assert found["header"].split() == ["loadgen", "run", "127.0.0.1:6379", "(redis", "7.0.15)", "0:40.5", "q", "stop"]
    words = " ".join(found["subject"].split())
    assert "80 % GET, 20 % SET, 1M keys, 64-byte values, depth 8, 50,000 req/s, constant" in words
    assert re.search(r"✓connect +✓precheck +✓prefill +✓warmup +measure +drain +━+╸?─+ +26 s left", found["subject"])
    assert re.search(r"\d+\.\dK req/s +━+╸?─+ 100K +hits 97.0 %", found["throughput"])
    assert "1,800 errors (0.11 %)" in found["throughput"]
    for label in ("p50", "p90", "p99", "p99.9", "max", "count", "last interval", "so far"):
        assert label in found["table"]
    assert re.search(r"rate +offered 50\.0K, achieved \d+\.\dK req/s, backlog 0 requests$", found["table"], re.M)
    assert re.search(r"connections +50 of 50 active", found["table"])
    assert re.search(r"generator +keeps up: 2 workers, 10 % of a CPU each", found["table"])
    assert "phase: measure" in found["events"]


@pytest.mark.parametrize("name", SCENES)
@pytest.mark.parametrize(("columns", "lines"), [*SIZES, (200, 60)])
def test_nothing_is_cut_off(name: str, columns: int, lines: int) -> None:
    assert "…" not in "".join(drawn(name, columns, lines).values())


@pytest.mark.parametrize("name", [*SCENES, *TRIALS, *SEARCHES])
def test_a_page_never_exceeds_its_terminal(name: str) -> None:
    if name in SCENES:
        model, now_s = scene(name)
    else:
        model, now_s = Model(START_S), START_S + 30
        for event in (TRIALS | SEARCHES)[name]():
            model.tell(event)
    for columns, lines in (*SIZES, (200, 60), (79, 23), (60, 16), (40, 10), (12, 4), (1, 1)):
        found = page(model, now_s, columns, lines)
        assert list(found) == list(SECTIONS)
        rows = [row for section in found.values() for row in section]
        assert len(rows) <= lines, (columns, lines)
        assert max(len(text(row)) for row in rows) <= columns, (columns, lines)
        assert {style for row in rows for _, style in row} <= set(STYLES)


@pytest.mark.parametrize("lines", [24, 30, 40, 60])
def test_the_newest_events_fill_the_page_and_at_least_five_are_seen(lines: int) -> None:
    model = Model(START_S)
    for event in trial(END):
        model.tell(event)
    found = page(model, START_S + 37, 80, lines)
    assert sum(map(len, found.values())) == lines or len(found["events"]) == len(model.log.lines(78, 1000)) + 1
    assert len(found["events"]) > 5
    assert model.log.entries[-1].words.endswith(text(found["events"][-1]).split("  ")[-1].strip())


def test_numbers_of_a_table_end_in_the_same_column_as_their_heading() -> None:
    for name, labels in (("chaos", ("active", "idle", "errors")), ("run", ("p50", "p99.9", "count"))):
        heading, *rows = drawn(name, 80, 24)["table"].splitlines()[1:4]
        for label in labels:
            end = heading.index(f" {label}") + len(label) + 1
            assert all(row[end - 1].isalnum() and row[end : end + 1] in ("", " ") for row in rows), (label, rows)


def test_a_trial_before_its_first_phase_and_a_command_before_its_first_event_have_a_page() -> None:
    for began in ([], trial(0)[:1], trial(0)[:2]):
        model = Model(START_S)
        for event in began:
            model.tell(event)
        found = page(model, START_S + 1, 80, 24)
        assert "0:01.0" in text(found["header"][0])
        assert sum(map(len, found.values())) <= 24


def test_the_time_since_the_start_is_in_tenths_and_hours_where_there_are_any() -> None:
    model = Model(START_S)
    for after_s, shown in (
        (0.0, "0:00.0"),
        (59.96, "0:59.9"),
        (61.5, "1:01.5"),
        (3661.2, "1:01:01.2"),
        (-5.0, "0:00.0"),
    ):
        assert f" {shown} " in text(page(model, START_S + after_s, 80, 24)["header"][0])


def test_a_workload_without_faults_has_one_phase_and_no_end() -> None:
    model = Model(START_S)
    for event in TRIALS["chaos_without_faults"]()[:4]:
        model.tell(event)
    rows = [text(row) for row in page(model, START_S + 1.0, 80, 24)["subject"]]
    assert rows[-1].split() == ["baseline", "until", "you", "stop", "it"]
    assert "workload mixed" in rows[0]
    assert rows[1].strip() == "The callers do their work, and there are no faults."


def test_a_load_under_strain_says_what_waits_and_who_was_late() -> None:
    model, now_s = scene("run")
    newest = model.load.sample
    assert newest is not None
    late = Histogram()
    late.record_many(30 * MS, 10_000)
    interval = replace(newest.interval, backlog=Backlog(3_108, 1_550 * MS), lag=late, lag_ours=late)
    model.tell(replace(newest, interval=interval, growing=True))
    rows = {text(row).split()[0]: row for row in page(model, now_s, 80, 24)["table"]}
    assert text(rows["rate"]).endswith("backlog 1.55 s and growing")
    assert "late: p99 of own lag 30.0 ms; 2 workers, 10 % of a CPU each" in text(rows["generator"])
    assert {rows[name][-1][1] for name in ("rate", "generator")} == {"warn"}


def test_faults_of_a_load_are_shown_while_they_last() -> None:
    model, now_s = scene("run")
    model.tell(FaultBegan(OUTAGE, 1, 0, now_s - 3.2))
    found = {name: "\n".join(map(text, rows)) for name, rows in page(model, now_s, 80, 24).items()}
    assert re.search(r"faults +down \(proxy\) on node 1, for 3 s", found["table"])
    assert "fault on" in found["subject"]
    assert len(found["events"].splitlines()) >= 4


@pytest.mark.parametrize(
    ("number", "words"),
    [(0, "0"), (1, "1"), (64, "64"), (20_000, "20K"), (1_250, "1.25K"), (1e6, "1M"), (1e9, "1G"), (500, "500")],
)
def test_a_round_number_takes_few_characters(number: float, words: str) -> None:
    assert rounded(number) == words


def test_a_search_shows_its_aim_and_the_rates_that_it_has_tried() -> None:
    model = Model(START_S)
    for event in SEARCHES["search_found"]()[:-1]:
        model.tell(event)
    found = {name: "\n".join(map(text, rows)) for name, rows in page(model, START_S + 20, 80, 24).items()}
    assert "loadgen saturate" in found["header"]
    assert "highest rate that meets p99 <= 1 ms" in " ".join(found["subject"].split())
    assert re.search(r"152K req/s +━+╸?─* 500K", found["throughput"])
    assert "█" in found["plots"]
    assert "rate 7: 152K req/s passed" in found["events"]


def test_a_long_name_of_a_client_takes_the_place_of_what_is_less_important() -> None:
    model = Model(START_S, can_skip=True)
    [_, began, *_] = trial(0)
    assert isinstance(began, TrialBegan)
    model.tell(replace(began, plan=replace(began.plan, client=ClientPlan("my_own_clients:of_a_pool", "x:y"))))
    header = text(page(model, START_S, 80, 24)["header"][0]).split()
    assert " ".join(header) == "loadgen chaos my_own_clients:of_a_pool · mixed 0:00.0 n next q stop"


def test_repeated_trials_are_counted_as_runs() -> None:
    model = Model(START_S)
    [began, trial_began, *_] = trial(0)
    assert isinstance(began, ChaosBegan)
    assert isinstance(trial_began, TrialBegan)
    for event in (replace(began, loops=True), replace(trial_began, number=7)):
        model.tell(event)
    assert "single-node-failure · run 7" in text(page(model, START_S, 80, 24)["subject"][0])


def test_more_nodes_than_lines_are_counted() -> None:
    model = Model(START_S)
    for event in trial(4 * S):
        model.tell(event)
    for number in range(4, 41):
        model.trials.nodes[number] = model.trials.nodes[1]
    found = [text(row) for row in page(model, START_S, 80, 24)["table"]]
    assert len(found) == 9
    assert found[-1].strip() == "and 34 nodes more"


def test_a_stop_that_was_asked_for_is_said() -> None:
    model, now_s = scene("run")
    model.stopping = True
    assert text(page(model, now_s, 80, 24)["header"][0]).endswith("stopping")


# ── Lines, bars and plots ─────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("share", "shown"), [(0, "──────────"), (0.5, "━━━━━─────"), (0.55, "━━━━━╸────"), (7, "━━━━━━━━━━")]
)
def test_a_bar_is_filled_to_its_share_in_half_columns(share: float, shown: str) -> None:
    assert text(bar(share, 10)) == shown


def test_a_plot_has_eighths_of_lines_and_shows_what_is_little() -> None:
    values = [(value, "accent") for value in (0.0, 0.01, 4.0, 8.0, 12.0, 16.0)]
    assert [text(row) for row in plot([*values, (None, "")], 16.0, 7, 2)] == ["    ▄█ ", "▁▁▄███ "]
    [_, below] = plot(values, 16.0, 7, 2)
    assert below[0] == ("▁", "dim"), "0 is a line on the ground, not a value"
    assert [text(row) for row in plot(values, 16.0, 2, 1)] == ["▆█"], "the newest columns are those that are seen"


def test_a_line_that_is_too_long_is_cut_with_a_sign() -> None:
    line: Line = (("abc", "bold"), ("defg", ""))
    assert cut(line, 7) == line
    assert cut(line, 5) == (("abc", "bold"), ("d…", ""))
    assert cut(line, 3) == (("ab…", "bold"),)
    assert text(cut(line, 0)) == ""
    assert text(apart(line, (("xy", ""),), 12)) == "abcdefg   xy"
    assert text(apart(line, (("xy", ""),), 7)) == "abc… xy"
    assert text(headed((("title", ""),), 20, (("end", ""),))) == "── title ──── end ──"
