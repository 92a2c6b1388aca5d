"""The dashboard's state: a fold over events with invented times."""

from __future__ import annotations

from dataclasses import replace

import pytest
from constructed_events import START_S, counted, plan, sample
from constructed_events import good as good_tallies
from constructed_trials import FAULT, MS, PLAN, RECOVERY, S, chaos, counts, failed, interval, intervals, passed, state
from dashboard_scenes import OUTAGE, load, trial

from loadgen.events import Configured, Event, FaultBegan, FaultEnded, PhaseBegan, Progress, Sample
from loadgen.output.tui.line import text
from loadgen.output.tui.log import Log
from loadgen.output.tui.model import Model
from loadgen.output.tui.series import Point, Series, round_top, step_s
from loadgen.snapshot import Backlog, Histogram, Tally
from loadgen.trial.ended import TrialBegan, TrialPhaseBegan, TrialSample
from loadgen.trial.observed import Transition, WrongAnswer


def told(*events: Event) -> Model:
    model = Model(START_S)
    for event in events:
        model.tell(event)
    return model


def trials(changed: Transition | None = None) -> list[Event]:
    return [
        TrialBegan(PLAN, 1, START_S),
        *(TrialSample(phase, each, START_S + each.to_ns / S) for phase, each in intervals()),
    ]


def words(model: Model) -> list[str]:
    return [entry.words for entry in model.log.entries]


def test_the_rate_is_that_of_the_last_second_and_totals_are_of_the_trial() -> None:
    state = told(*trials()).trials
    # Each of three nodes ends 40 operations in each 200 ms.
    assert state.rate_per_s == pytest.approx(600)
    assert state.ended == sum(each.of().ended for _, each in intervals())
    assert state.errors == sum(each.of().failed for _, each in intervals())
    assert {number: node.rate_per_s for number, node in state.nodes.items()} == pytest.approx({1: 200, 2: 200, 3: 200})
    assert state.nodes[1].errors == state.errors
    assert state.latency.count == 5 * 120


def test_a_second_without_operations_has_the_rate_0_and_no_latency() -> None:
    silent = [TrialSample("fault", interval(n * 200 * MS, {1: counts(0)}), START_S + n) for n in range(90, 96)]
    state = told(*trials(), *silent).trials
    assert state.rate_per_s == 0
    assert not state.latency.count
    assert state.top_per_s == pytest.approx(600)


def test_errors_are_a_share_of_what_ended_in_the_same_time_and_faults_mark_their_columns() -> None:
    columns = told(*trial(36 * S)).trials.series.columns(500, 0.2)
    assert len(columns) == 36 * 5
    assert all(column is not None for column in columns)
    shares = [column.failed for column in columns if column]
    assert shares[: 12 * 5] == [0] * 12 * 5
    assert shares[15 * 5] == pytest.approx(1 / 3, abs=0.03)
    marked = [number for number, column in enumerate(columns) if column and column.faulted]
    assert marked == list(range(12 * 5, 27 * 5))


def test_a_transition_of_a_breaker_is_in_the_log_at_its_own_time() -> None:
    model = told(*trials())
    opened = next(entry for entry in model.log.entries if "closed → open" in entry.words)
    assert opened.words == "breaker of node 1: closed → open"
    assert opened.wall_s == pytest.approx(START_S + (FAULT + 300 * MS) / S)
    assert opened.style == "bad"
    assert [w for w in words(model) if "half-open" in w] == [
        "breaker of node 1: open → half-open",
        "breaker of node 1: half-open → closed",
    ]


def test_a_wrong_answer_is_in_the_log_and_counted_and_its_text_is_harmless() -> None:
    answer = WrongAnswer("other_key", 7 * S, 2, "lg:1:s4", "value 17 of writer 2\x1b[2J")
    observed = interval(7 * S, {2: counts(39, wrong=1)}, wrong=(answer,))
    model = told(*trials()[:1], TrialSample("fault", observed, START_S + 7.2))
    [entry] = [entry for entry in model.log.entries if "wrong" in entry.words]
    assert entry.words.startswith("wrong answer (other_key) from node 2, key lg:1:s4: value 17 of writer 2")
    assert "\x1b" not in entry.words
    assert model.trials.wrong == 1


def test_the_figures_begin_anew_with_each_trial_and_the_log_goes_on() -> None:
    events = chaos(passed(), failed())
    model = told(*events)
    second = max(n for n, event in enumerate(events) if isinstance(event, TrialBegan))
    alone = told(*events[:1], *events[second:])
    assert model.trials.number == 2
    assert model.trials.ended == alone.trials.ended
    assert len(model.log.entries) > len(alone.log.entries)
    assert words(model)[-1].startswith("FAIL kill-1-of-3: ")
    assert [word for word in words(model) if word.startswith("PASS")] == ["PASS kill-1-of-3"]


def test_faults_are_on_from_their_beginning_to_their_end_each_on_its_node() -> None:
    began = FaultBegan(OUTAGE, 1, FAULT, START_S)
    ended = FaultEnded(OUTAGE, 1, RECOVERY, START_S + 9, 1_412)
    for before in (trials(), load(2)):
        model = told(*before, began)
        assert model.faults.nodes() == {1}
        model.tell(replace(began, node=2))
        model.tell(ended)
        assert model.faults.nodes() == {2}
        assert words(model)[-1] == "fault ended: down (proxy) on node 1; connections closed or refused: 1,412"
        model.tell(replace(ended, failure="the proxy is gone", node=2))
        assert not model.faults
        assert words(model)[-1] == "fault failed: down (proxy) on node 2: the proxy is gone"


def test_what_is_measured_so_far_leaves_the_warm_up_out() -> None:
    events = load(34)
    state = told(*events).load
    measured = [e.interval for e in events if isinstance(e, Sample) and e.phase == "measure"]
    assert len(measured) == 34
    assert state.measured.count == sum((each.latency() for each in measured), Histogram()).count
    assert state.ended == sum(each.total.ok + each.total.not_ok for each in measured)
    assert state.failed == sum(each.total.timeouts for each in measured) == 1800
    assert state.offered_per_s == 50_000


def test_figures_begin_anew_with_each_load() -> None:
    model = told(*load(10), Configured(plan(), "0.1.0", wall_s=START_S + 20))
    assert (model.load.ended, model.load.sample, model.load.measured.count) == (0, None, 0)


def test_a_strain_is_logged_when_it_begins() -> None:
    def second(number: int, age_ns: int) -> Sample:
        return replace(
            sample(number, replace(counted(good_tallies(8, 2), 1), backlog=Backlog(100, age_ns))), growing=True
        )

    began = [*load(1)[:6], second(1, 900 * MS), second(2, 900 * MS)]
    model = told(*began)
    assert len([word for word in words(model) if "backlog" in word]) == 1
    assert "backlog 900 ms and growing" in words(model)[-1]
    assert model.load.is_strained
    model.tell(second(3, 0))
    assert not model.load.is_strained
    model.tell(second(4, 900 * MS))
    assert len([word for word in words(model) if "backlog" in word]) == 2


def test_a_stall_of_a_phase_is_logged_once() -> None:
    stalls = [Progress("connect", 3, 50, n * S, note="the server takes no more connections") for n in (1, 2, 3)]
    model = told(*load(0)[:2], *stalls)
    assert words(model)[-1] == "connect: the server takes no more connections"
    assert len(words(model)) == 3


def test_the_log_is_bounded() -> None:
    model = told(*(PhaseBegan("measure", START_S + n) for n in range(1000)))
    assert len(model.log.entries) == 200
    assert [text(line).split("  ") for line in model.log.lines(40, 2)] == [
        ["12:16:38.2", "phase: measure"],
        ["12:16:39.2", "phase: measure"],
    ]
    assert model.log.lines(40, 0) == []


def test_long_words_of_the_log_go_on_below_and_are_never_shown_in_part() -> None:
    log = Log()
    log.say(START_S, "the first")
    log.say(START_S, "words that are longer than a line of this width")
    assert [text(line) for line in log.lines(34, 3)] == [
        "12:00:00.2  words that are longer",
        "            than a line of this",
        "            width",
    ]
    assert len(log.lines(34, 4)) == 4
    assert log.lines(34, 2) == []


def point(end_s: float, counted: int = 10, failed: int = 0, length_s: float = 0.2) -> Point:
    return Point(end_s, length_s, counted, counted, failed, False)


def test_columns_are_the_newest_stretches_of_time_and_gaps_stay_empty() -> None:
    series = Series()
    assert series.columns(10, 1.0) == []
    for tick in [*range(1, 51), *range(76, 101)]:
        series.add(point(1000 + tick * 0.2))
    columns = series.columns(100, 1.0)
    assert [column and round(column.rate_per_s) for column in columns] == [*[50] * 10, *[None] * 5, *[50] * 5]
    assert series.columns(7, 1.0) == columns[-7:]
    assert series.columns(0, 1.0) == []
    series.add(point(2000, length_s=0))
    assert series.columns(100, 1.0) == columns, "an interval without a length has no rate"


def test_the_share_of_errors_of_a_column_without_operations_is_unknown() -> None:
    series = Series()
    series.add(point(1.0, counted=0))
    [column] = series.columns(5, 1.0)
    assert column is not None
    assert (column.rate_per_s, column.failed) == (0, None)


@pytest.mark.parametrize(
    ("value", "top"),
    [(0, 1), (0.004, 0.005), (1, 1), (1.01, 2), (20_000, 20_000), (20_001, 50_000), (99, 100), (0.3, 0.5)],
)
def test_a_scale_ends_at_the_next_round_number(value: float, top: float) -> None:
    assert round_top(value) == pytest.approx(top)


def test_columns_are_as_short_as_the_whole_allows_and_never_longer_than_two_seconds() -> None:
    assert [step_s(whole, 40) for whole in (5, 8, 9, 21, 41, 10_000)] == [0.2, 0.2, 0.5, 1.0, 2.0, 2.0]
    assert step_s(5, 40, 1.0) == 1.0
    assert step_s(0, 40) == 1.0


def test_a_load_that_is_told_of_without_a_header_does_not_fail() -> None:
    model = told(sample(1, counted(good_tallies(8, 2), 1)), PhaseBegan("measure", START_S))
    assert model.load.rate_per_s == 10


def test_timeouts_count_as_errors_although_nothing_was_answered() -> None:
    silent = replace(counted({}, 1), tallies={"get": Tally(planned=70, timeouts=70)})
    model = told(*load(1), sample(1, silent))
    newest = model.load.series.columns(1, 1.0)[0]
    assert newest is not None
    assert (newest.rate_per_s, newest.failed) == (0, 1.0)


def test_what_a_client_does_not_say_stays_unknown() -> None:
    observed = interval(S, {0: counts(10)}, states={})
    model = told(*trials()[:1], TrialPhaseBegan("baseline", S, START_S), TrialSample("baseline", observed, START_S + 2))
    assert model.trials.nodes[0].state.breaker is None
    assert state().breaker == "closed"
