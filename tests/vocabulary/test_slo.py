"""Objectives against counts: every metric at, below and above its limit, and values that cannot be known."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadgen.percentiles import PERCENTILES
from loadgen.slo import Attainment, Evaluation, Objective, Unit, check, exceeding
from loadgen.snapshot import Histogram, Snapshot, Tally
from loadgen.units import NS_PER_MS, NS_PER_S

MET, BREACHED, UNKNOWN = Attainment.MET, Attainment.BREACHED, Attainment.UNKNOWN
LONGEST_RECORDED_NS = 2**36 - 1


def histogram(*values_ns: int, censored_ns: tuple[int, ...] = ()) -> Histogram:
    made = Histogram()
    for value in values_ns:
        made.record(value)
    for value in censored_ns:
        made.record(value, censored=True)
    return made


def latency(metric: str, limit_ns: int, samples: Histogram, command: str = "") -> Evaluation:
    (checked,) = check([Objective(metric, limit_ns, Unit.NS, command)], Snapshot(response={"get": samples}), NS_PER_S)
    return checked


def count(metric: str, limit: float, unit: Unit, command: str = "", duration_ns: int = NS_PER_S) -> Evaluation:
    """Held against 1000 GETs, of which 900 hit and 3 failed, 1 of them by a timeout; and 10 SETs that stored."""
    get = Tally(planned=1000, ok=997, hits=900, misses=97, errors=2, timeouts=1)
    measured = Snapshot(
        tallies={"get": get, "set": Tally(planned=10, ok=10, hits=10)}, answered_in_time=1001, ok_in_time=999
    )
    (checked,) = check([Objective(metric, limit, unit, command)], measured, duration_ns)
    return checked


@pytest.mark.parametrize(("limit_ns", "answer"), [(400, MET), (100, MET), (99, BREACHED)])
@pytest.mark.parametrize("metric", PERCENTILES)
def test_a_latency_beyond_its_limit_is_a_breach(metric: str, limit_ns: int, answer: Attainment) -> None:
    assert latency(metric, limit_ns, histogram(*[100] * 50)).answer is answer


@given(st.sampled_from([name for name in PERCENTILES if name != "max"]), st.integers(1, LONGEST_RECORDED_NS))
def test_rounding_alone_breaches_nothing(metric: str, truth_ns: int) -> None:
    """Above the sample lies a longer one, so that its counter's largest value is what is reported."""
    samples = Histogram()
    samples.record_many(truth_ns, 100_000)
    samples.record(2 * truth_ns)
    assert latency(metric, truth_ns, samples).answer is MET


@given(st.sampled_from([name for name in PERCENTILES if name != "max"]), st.integers(2000, LONGEST_RECORDED_NS))
def test_a_thousandth_beyond_the_limit_is_a_breach(metric: str, truth_ns: int) -> None:
    samples = Histogram()
    samples.record_many(truth_ns, 100_000)
    samples.record(2 * truth_ns)
    assert latency(metric, truth_ns * 999 // 1000, samples).answer is BREACHED


def test_a_true_millisecond_does_not_breach_a_millisecond_though_more_is_reported() -> None:
    checked = latency("p99", NS_PER_MS, histogram(*[NS_PER_MS] * 1000, 2 * NS_PER_MS))
    assert (checked.answer, checked.measured) == (MET, 1_000_447)


def test_the_maximum_is_held_to_the_nanosecond() -> None:
    samples = histogram(NS_PER_MS, NS_PER_MS + 1)
    assert [latency("max", NS_PER_MS + more, samples).answer for more in (0, 1)] == [BREACHED, MET]


def test_a_lower_bound_beyond_the_limit_is_a_breach() -> None:
    checked = latency("p99", 500, histogram(*[100] * 50, censored_ns=(1000,) * 50))
    assert (checked.answer, checked.is_lower_bound) == (BREACHED, True)


def test_a_lower_bound_within_the_limit_is_not_known() -> None:
    checked = latency("p99", 2000, histogram(*[100] * 50, censored_ns=(1000,) * 50))
    assert (checked.answer, checked.measured, checked.is_lower_bound) == (UNKNOWN, 1000, True)


def test_a_percentile_that_missing_answers_cannot_raise_is_met() -> None:
    checked = latency("p50", 100, histogram(*[100] * 99, censored_ns=(1000,)))
    assert (checked.answer, checked.is_lower_bound) == (MET, False)


def test_latencies_longer_than_the_table_say_only_that_they_are() -> None:
    samples = histogram(70 * NS_PER_S, 90 * NS_PER_S)
    limits_ns = (60 * NS_PER_S, 80 * NS_PER_S, 90 * NS_PER_S)
    assert [latency("p50", limit_ns, samples).answer for limit_ns in limits_ns] == [BREACHED, UNKNOWN, MET]


def test_few_samples_beyond_a_percentile_are_marked() -> None:
    assert latency("p99", 100, histogram(*[100] * 9_999)).has_few_samples
    assert not latency("p99", 100, histogram(*[100] * 10_000)).has_few_samples
    assert not latency("max", 100, histogram(100)).has_few_samples


def test_a_latency_of_nothing_is_not_known() -> None:
    objective = Objective("p99", 100, Unit.NS, "set")
    measured = Snapshot(response={"get": histogram(1)})
    assert check([objective], measured, NS_PER_S) == (Evaluation(objective, None, UNKNOWN),)


def test_a_command_has_its_own_latency_and_all_have_everybodys() -> None:
    measured = Snapshot(response={"get": histogram(100), "set": histogram(900), "backfill": histogram(9000)})
    objectives = [Objective("max", 500, Unit.NS, command) for command in ("get", "set", "")]
    assert [checked.measured for checked in check(objectives, measured, NS_PER_S)] == [100, 900, 900]


@pytest.mark.parametrize(
    ("checked", "measured", "answer"),
    [
        (count("errors", 3, Unit.COUNT), 3, MET),
        (count("errors", 2, Unit.COUNT), 3, BREACHED),
        (count("errors", 0.003, Unit.SHARE, "get"), 0.003, MET),
        (count("errors", 0.0029, Unit.SHARE, "get"), 0.003, BREACHED),
        (count("errors", 0, Unit.COUNT, "set"), 0, MET),
        (count("timeouts", 1, Unit.COUNT), 1, MET),
        (count("timeouts", 0, Unit.COUNT), 1, BREACHED),
        (count("timeouts", 0.0, Unit.SHARE, "set"), 0, MET),
        (count("hit_rate_min", 900 / 997, Unit.SHARE), 900 / 997, MET),
        (count("hit_rate_min", 0.95, Unit.SHARE, "get"), 900 / 997, BREACHED),
        (count("throughput_min", 1998, Unit.PER_S, duration_ns=NS_PER_S // 2), 1998, MET),
        (count("throughput_min", 1999, Unit.PER_S, duration_ns=NS_PER_S // 2), 1998, BREACHED),
        (count("throughput_min", 997, Unit.PER_S, "get"), 997, MET),
        (count("throughput_min", 998, Unit.PER_S, "get"), 997, BREACHED),
        (count("throughput_min", 1, Unit.PER_S, "delete"), 0, BREACHED),
    ],
)
def test_a_count_is_held_to_its_limit(checked: Evaluation, measured: float, answer: Attainment) -> None:
    assert (checked.measured, checked.answer) == (measured, answer)


@pytest.mark.parametrize(
    "checked",
    [
        count("errors", 0, Unit.COUNT, "delete"),
        count("timeouts", 0.1, Unit.SHARE, "delete"),
        count("throughput_min", 1, Unit.PER_S, duration_ns=0),
    ],
)
def test_what_nothing_was_measured_of_is_not_known(checked: Evaluation) -> None:
    assert (checked.measured, checked.answer) == (None, UNKNOWN)


def test_a_hit_rate_without_a_get_is_not_known() -> None:
    objective = Objective("hit_rate_min", 0.5, Unit.SHARE)
    (checked,) = check([objective], Snapshot(tallies={"set": Tally(planned=1, ok=1, hits=1)}), NS_PER_S)
    assert (checked.measured, checked.answer) == (None, UNKNOWN)


def test_checks_come_in_the_order_of_their_objectives() -> None:
    objectives = (Objective("max", 1, Unit.NS), Objective("errors", 0, Unit.COUNT), Objective("p50", 1, Unit.NS))
    assert tuple(checked.objective for checked in check(objectives, Snapshot(), NS_PER_S)) == objectives


def of_good_and_failed(good_ns: list[int], error_replies_ns: list[int], **ended: int) -> Snapshot:
    """GETs that were answered well, others by an error, and `ended` otherwise, without a latency."""
    failed = histogram(*error_replies_ns)
    planned = len(good_ns) + len(error_replies_ns) + sum(ended.values())
    return Snapshot(
        tallies={"get": Tally(planned=planned, ok=len(good_ns), errors=len(error_replies_ns), **ended)},
        response={"get": histogram(*good_ns) + failed},
        failed={"get": failed},
    )


def held(metric: str, limit_ns: int, measured: Snapshot) -> tuple[Attainment, float | None]:
    (checked,) = check([Objective(metric, limit_ns, Unit.NS)], measured, NS_PER_S)
    return checked.answer, checked.measured


@pytest.mark.parametrize("took_ns", [1, 10_000_000])
def test_an_error_reply_exceeds_every_latency_however_fast_it_came(took_ns: int) -> None:
    """Of 100 requests one may exceed a p99; the second breaches it."""
    assert held("p99", 200, of_good_and_failed([100] * 99, [took_ns])) == (MET, 100)
    assert held("p99", 200, of_good_and_failed([100] * 98, [took_ns] * 2)) == (BREACHED, None)
    assert held("max", 20_000_000, of_good_and_failed([100] * 99, [took_ns])) == (BREACHED, None)


def test_a_slow_error_reply_counts_once() -> None:
    """Six of a thousand fail, slowly: with the four good ones that are slow too, exactly the p99's share exceeds it."""
    assert held("p99", 200, of_good_and_failed([100] * 990 + [900] * 4, [900] * 6)) == (MET, 100)
    assert held("p99", 200, of_good_and_failed([100] * 989 + [900] * 5, [900] * 6)) == (BREACHED, 900)


@pytest.mark.parametrize("kind", ["lost", "corrupt"])
def test_a_request_that_failed_without_a_reply_exceeds_every_latency(kind: str) -> None:
    assert held("p50", 200, of_good_and_failed([100] * 50, [], **{kind: 50}))[0] is MET
    assert held("p50", 200, of_good_and_failed([100] * 49, [], **{kind: 51}))[0] is BREACHED


def test_a_timeout_exceeds_a_limit_that_is_longer_than_the_timeout() -> None:
    timeouts = histogram(censored_ns=(1000,) * 2)
    measured = Snapshot(
        tallies={"get": Tally(planned=100, ok=98, timeouts=2)},
        response={"get": histogram(*[100] * 98) + timeouts},
        failed={"get": timeouts},
    )
    assert held("p99", 5000, measured) == (BREACHED, None)
    assert exceeding(measured, 5000) == (100, 2)


def test_a_breach_by_failures_says_how_many_failed() -> None:
    (checked,) = check([Objective("p99", 1, Unit.NS)], of_good_and_failed([1], [1] * 3), NS_PER_S)
    assert (checked.answer, checked.failed) == (BREACHED, 0.75)


@given(
    st.lists(st.integers(1, 4000), max_size=60),
    st.lists(st.integers(1, 4000), max_size=60),
    st.integers(1, 4000),
    st.sampled_from(sorted(PERCENTILES)),
)
def test_an_objective_breaches_when_more_exceed_it_than_its_quantile_allows(
    good_ns: list[int], errors_ns: list[int], limit_ns: int, metric: str
) -> None:
    measured = of_good_and_failed(good_ns, errors_ns)
    requests, above = exceeding(measured, limit_ns)
    answer, _ = held(metric, limit_ns, measured)
    if not good_ns + errors_ns:
        assert answer is UNKNOWN
    elif metric != "max":
        allowed = requests - -(-round(PERCENTILES[metric].quantile * 10_000) * requests // 10_000)
        assert (answer is BREACHED) == (above > allowed)


def test_a_metric_that_there_is_not_is_refused() -> None:
    with pytest.raises(ValueError, match='there is no metric "p42"'):
        check([Objective("p42", 1, Unit.NS)], Snapshot(), NS_PER_S)
