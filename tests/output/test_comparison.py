"""Comparisons and gates in the formats for people, and the places where intervals are drawn."""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from dataclasses import replace

import pytest
from constructed_comparisons import (
    BETTER,
    COMPARE,
    COMPARISONS,
    DOUBTFUL,
    GATE,
    GATES,
    SAME,
    UNCLEAR,
    WORSE,
    anything,
    compared,
    gate_failed,
    rounds,
    three,
)
from hypothesis import given
from hypothesis import strategies as st
from rendered import emit_all

from loadgen.compare.answers import Compared, NoiseFound, Row
from loadgen.compare.round import ContestBegan
from loadgen.compare.settings import ComparisonSettings
from loadgen.events import Event
from loadgen.output import create
from loadgen.output.paper.color import Paint
from loadgen.output.pictures.plot import lines
from loadgen.output.pictures.scale import Scale
from loadgen.output.words import comparison, figures
from loadgen.reason import Code, Reason
from loadgen.severity import Severity

PEOPLE = ("clean", "verbose", "quiet")


def text(format: str, events: Sequence[Event], color: str = "never") -> str:
    stream = io.StringIO()
    emit_all(events, create(format, stream, color=color))
    return stream.getvalue()


@pytest.mark.parametrize(
    ("part", "shown"),
    [(-0.0512, "−5.1 %"), (0.0994, "+9.9 %"), (0.0996, "+10 %"), (-0.00001, "0.00 %"), (None, "-")],
)
def test_a_change_has_a_real_sign_and_two_or_three_digits(part: float | None, shown: str) -> None:
    assert figures.change(part) == shown


@given(st.floats(-10, 10), st.floats(-10, 10))
def test_a_change_is_within_half_a_unit_of_its_second_digit_and_keeps_the_order(one: float, other: float) -> None:
    less, more = (float(figures.change(part, "").replace("−", "-")) for part in sorted((one, other)))
    assert less <= more
    shown = float(figures.change(one, "").replace("−", "-"))
    assert abs(shown - 100 * one) <= (0.005 if abs(one) < 0.00995 else 0.05 if abs(one) < 0.0995 else 0.5) * 1.001
    assert figures.change(-one).lstrip("−+") == figures.change(one).lstrip("−+")


@pytest.mark.parametrize(
    ("row", "settings", "words"),
    [
        (WORSE, GATE, "candidate is worse: throughput −5.1 %, 90 % interval [−5.6, −4.7]"),
        (WORSE, COMPARE, "valkey is worse than redis: throughput −5.1 %, 90 % interval [−5.6, −4.7]"),
        (BETTER, COMPARE, "valkey is better than redis: throughput +8.3 %, 90 % interval [+7.1, +9.5]"),
        (SAME, COMPARE, "server CPU/req is the same within 5 %: +0.03 %, 90 % interval [−1.2, +1.3]"),
        (SAME, GATE, "server CPU/req is not worse by 5 % or more: +0.03 %, 90 % interval [−1.2, +1.3]"),
        (
            UNCLEAR,
            GATE,
            "can't tell: p99 response +4.1 %, 90 % interval [−2.1, +13]; the interval does not exclude a change of "
            "10 %; the estimate is nearer to no change; the noise from round to round is σ = 2.1 %; "
            "about 12 more rounds would give an answer",
        ),
        (
            replace(UNCLEAR, p=0.03, more_rounds=None),
            GATE,
            "can't tell: p99 response +4.1 %, 90 % interval [−2.1, +13]; the interval does not exclude a change of "
            "10 %; p = 0.03 is above the 0.0067 that a change needs; the noise from round to round is σ = 2.1 %",
        ),
        (DOUBTFUL, GATE, "can't tell: p99 response; the generator ran late in 5 of 8 rounds"),
    ],
)
def test_every_answer_is_a_sentence(row: Row, settings: ComparisonSettings, words: str) -> None:
    assert comparison.sentence(row, compared((row,), settings)) == words


def test_a_gate_calls_nothing_the_same_of_which_it_only_knows_that_it_is_not_worse() -> None:
    row = replace(SAME, ci_low=-0.036, ci_high=0.1, threshold=0.2)
    for format in PEOPLE:
        assert "not worse" in text(format, [compared((row,), GATE)])
        assert "same" not in text(format, [compared((row,), GATE)])
        assert "same" in text(format, [compared((row,), COMPARE)])


def test_nobody_is_called_a_or_b() -> None:
    for events, called in (
        (gate_failed(), ("baseline", "candidate")),
        (three(), ("redis", "other")),
    ):
        for format in PEOPLE[:2]:
            printed = text(format, events)
            assert re.findall(r"\b[ABC]\b", printed) == []
            assert all(name in printed for name in called)


def test_names_that_begin_alike_are_told_apart_in_a_column() -> None:
    assert comparison.cut(["redis", "valkey"], 9) == ["redis", "valkey"]
    assert comparison.cut(["builtin-uvloop", "builtin-asyncio"], 9) == ["…n-uvloop", "…-asyncio"]
    assert comparison.cut(["memcached-small", "redis"], 9) == ["memcache…", "redis"]


@pytest.mark.parametrize("format", ["clean", "verbose"])
def test_every_metric_of_a_comparison_has_its_sentence(format: str) -> None:
    printed = " ".join(text(format, [compared((BETTER, UNCLEAR, SAME), COMPARE)]).split())
    for row in (BETTER, UNCLEAR, SAME):
        assert comparison.sentence(row, compared((), COMPARE)) in printed


@pytest.mark.parametrize("gate", GATES)
def test_a_gate_ends_with_its_verdict_and_why(gate: str) -> None:
    event = GATES[gate]()[-1]
    verdict, reasons = event.verdict, comparison.reasons(event)
    assert reasons != []
    assert " ".join(text("clean", [event]).split()).endswith(f"{verdict}: {' '.join(reasons)}")
    assert text("quiet", [event]).startswith(f"{verdict}  ")
    assert f"verdict: {verdict}" in text("verbose", [event])


def test_a_gate_that_fails_tells_of_what_is_worse_and_of_nothing_else() -> None:
    assert comparison.reasons(gate_failed()[-1]) == [
        "candidate is worse: throughput −5.1 %, 90 % interval [−5.6, −4.7]"
    ]


def test_a_round_is_a_row_of_its_own_changes() -> None:
    [ended] = rounds(1, {"throughput": 0.5})
    a, b = ended.round.values
    row = text("clean", [ended]).splitlines()[-1].split()
    assert row[0] == "1/20"
    assert " ".join(row[1:3]) == figures.change(b["throughput"] / a["throughput"] - 1)
    assert "round 1/20 valkey against redis: throughput +" in text("verbose", [ended])
    assert text("quiet", [ended]) == ""


def test_a_metric_that_one_of_them_lacks_has_no_change() -> None:
    [ended] = rounds(1, {})
    lacking = replace(ended.round, values=(ended.round.values[0], {"p99": 1.0}))
    row = text("clean", [replace(ended, round=lacking)]).splitlines()[-1]
    assert row.split().count("-") == 5


def test_a_round_s_doubts_are_shown_whole() -> None:
    [ended] = rounds(1, {})
    words = ("worker 0 had no CPU, and this is " + "long " * 60 + "to its cause", "worker 1 neither", "a third")
    doubts = tuple(Reason(Code.GENERATOR_LATE, each, Severity.INVALID) for each in words)
    doubted = replace(ended, round=replace(ended.round, doubts=doubts))
    for format in ("clean", "verbose"):
        printed = re.sub(r"\S+Z WARN ", "", text(format, [doubted]))
        assert all(" ".join(doubt.split()) in " ".join(printed.split()) for doubt in words)


def test_the_candidates_are_named_before_the_first_round_and_once() -> None:
    began = ContestBegan(rounds(1, {})[0].candidates, 20)
    header = text("clean", [began]).splitlines()
    assert header[0] == "COMPARISON: at most 20 rounds"
    assert header[2:] == ["candidates    redis", "              valkey"]
    printed = text("clean", [began, *rounds(30, {})]).splitlines()
    assert printed == [*header, *text("clean", rounds(30, {})).splitlines()[len(header) :]]
    assert len([line for line in printed if line.startswith("round ")]) == 2


@pytest.mark.parametrize("format", ["clean", "verbose"])
def test_a_doubt_that_comes_again_is_shown_once_of_each_candidate(format: str) -> None:
    ended = rounds(3, {})
    doubts = [("redis: late by 1 ms",), ("redis: late by 2 ms", "valkey: late by 3 ms"), ("valkey: late by 4 ms",)]
    events = [
        replace(each, round=replace(each.round, doubts=tuple(Reason(Code.GENERATOR_LATE, one) for one in words)))
        for each, words in zip(ended, doubts, strict=True)
    ]
    assert re.findall(r"late by \d", text(format, events)) == ["late by 1", "late by 3"]


@pytest.mark.parametrize(
    ("run", "count"),
    [
        ("gate_failed", "8 rounds in 1 min 2 s"),
        ("gate_passed", "30 rounds in 1 min 2 s"),
        ("compare_better", "14 rounds in 1 min 2 s"),
        ("compare_noise", "20 rounds in 2 min 23 s"),
    ],
)
@pytest.mark.parametrize("format", ["clean", "verbose"])
def test_the_answer_comes_with_how_many_rounds_it_took_and_how_long(format: str, run: str, count: str) -> None:
    lines = text(format, (GATES | COMPARISONS)[run]()).splitlines()
    assert [line.removeprefix("took").lstrip(": ") for line in lines if line.startswith("took")] == [count]


def test_results_of_earlier_days_took_no_time_today() -> None:
    [event] = COMPARISONS["compare_stored"]()
    assert isinstance(event, Compared)
    assert comparison.count(event) == "5 rounds in 1 min 2 s"
    assert comparison.count(replace(event, b=event.a)) == ""


def test_a_large_noise_is_a_plain_number() -> None:
    [*_, event] = COMPARISONS["compare_noise"]()
    assert isinstance(event, NoiseFound)
    [(_, sigma, alarm)] = comparison.noise(replace(event, noise={"p99": 1.7}, false_alarms={"p99": 1.0}))
    assert (sigma, alarm) == ("170 %", "100 %")


@pytest.mark.parametrize("format", ["clean", "verbose"])
def test_of_three_each_has_its_name(format: str) -> None:
    ended = rounds(1, {}, others=2)
    third = replace(compared((WORSE,), COMPARE, ended), b=ended[0].candidates[2])
    printed = text(format, [*ended, third])
    assert "other-0 is worse than redis: throughput" in printed
    assert re.search(r"(?m)^ +other-0  |other-0 against redis:", printed)


@pytest.mark.parametrize(
    ("metric", "change", "color"),
    [("throughput", -0.5, "31"), ("throughput", 0.5, "32"), ("p50", 0.5, "31"), ("p50", -0.4, "32")],
)
def test_a_change_is_red_where_it_is_worse_whichever_way_the_metric_goes(
    metric: str, change: float, color: str
) -> None:
    row = text("clean", rounds(1, {metric: change}), color="always").splitlines()[-1]
    colors = re.findall(r"\x1b\[(\d+)m +[+−]", row)
    assert colors[["throughput", "p50"].index(metric)] == color


def drawn(rows: Sequence[Row], one_sided: bool = False) -> list[str]:
    return lines(rows, one_sided, Paint(False))


def test_intervals_are_drawn_in_order_on_one_scale() -> None:
    axis, worse, same = drawn([WORSE, SAME])
    assert worse.index("├") < worse.index("●") < worse.index("┤") < same.index("├") < same.index("┤")
    zero = worse.index("│")
    assert axis[zero] == "0"
    assert same.index("├") < zero < same.index("┤")


def test_a_threshold_of_a_gate_is_drawn_on_the_worse_side_only() -> None:
    _, two_sided = drawn([replace(SAME, metric="p99")])
    _, one_sided = drawn([replace(SAME, metric="p99")], one_sided=True)
    assert (two_sided.count("┊"), one_sided.count("┊")) == (2, 1)
    assert one_sided.index("●") < one_sided.index("┊")
    _, more_is_better = drawn([replace(SAME, metric="throughput")], one_sided=True)
    assert more_is_better.index("┊") < more_is_better.index("●")


def test_an_open_end_is_an_arrow() -> None:
    _, row = drawn([replace(UNCLEAR, ci_low=None, ci_high=None)])
    assert row.index("◄") < row.index("●") < row.index("►")
    assert not set("├┤") & set(row)


def test_nothing_is_drawn_of_what_is_not_known() -> None:
    assert drawn([DOUBTFUL]) == []


@pytest.mark.parametrize("seed", range(100))
def test_any_comparison_can_be_shown_in_80_columns(seed: int) -> None:
    event = anything(seed)
    assert [line for line in text("clean", [event]).splitlines() if len(line) > 80] == []
    for format in PEOPLE:
        assert "\x1b" not in text(format, [event])


@pytest.mark.parametrize("seed", range(100))
def test_every_estimate_lies_on_the_scale_and_zero_is_one_of_its_ticks(seed: int) -> None:
    event = anything(seed)
    shown = [row for row in event.rows if row.effect is not None]
    scale = Scale.of(shown, event.settings.one_sided)
    assert scale.low < 0 < scale.high
    assert all(scale.holds(row.effect) for row in shown)
    assert len(scale.ticks(7)) <= 7
    assert any(abs(tick) < 1e-12 for tick in scale.ticks(7))


@pytest.mark.parametrize("run", GATES | COMPARISONS)
@pytest.mark.parametrize("format", PEOPLE)
def test_every_format_has_the_answer_for_each_metric(format: str, run: str) -> None:
    for event in (GATES | COMPARISONS)[run]():
        printed = " ".join(text(format, [event]).split())
        for row in getattr(event, "rows", ()):
            assert comparison.answer(row, run in GATES) in printed


def test_three_candidates_end_in_two_tables() -> None:
    assert text("clean", three()).count("COMPARISON\n") == 2
