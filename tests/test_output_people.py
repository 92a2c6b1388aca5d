"""What the formats for people say, and how numbers are spelled."""

from __future__ import annotations

import dataclasses
import io

import pytest
from constructed_events import RUNS, closed_loop, plan, sample

from loadgen._histogram import Histogram
from loadgen.events import Event, Result
from loadgen.output import create, figures, sentences
from loadgen.snapshot import Snapshot


def text(format: str, events: list[Event]) -> str:
    stream = io.StringIO()
    output = create(format, stream)
    for event in events:
        output.emit(event)
    return stream.getvalue()


@pytest.mark.parametrize(
    ("ns", "shown"),
    [
        (0, "0 ns"),
        (999, "999 ns"),
        (1000, "1.00 µs"),
        (42_500, "42.5 µs"),
        (99_949, "99.9 µs"),
        (99_960, "100 µs"),
        (999_499, "999 µs"),
        (999_500, "1.00 ms"),
        (1_234_567, "1.23 ms"),
        (68_700_000_000, "68.7 s"),
        (4_000_000_000_000, "4000 s"),
    ],
)
def test_latency_has_three_digits(ns: int, shown: str) -> None:
    assert figures.latency(ns) == shown


@pytest.mark.parametrize(
    ("rate", "shown"),
    [
        (0, "0"),
        (7, "7"),
        (0.5, "0.50"),
        (99.96, "100"),
        (999, "999"),
        (999.6, "1.00K"),
        (246_913, "247K"),
        (1.5e6, "1.50M"),
    ],
)
def test_rate_has_three_digits(rate: float, shown: str) -> None:
    assert figures.rate(rate) == shown


@pytest.mark.parametrize(
    ("part", "shown"), [(None, "-"), (0.0, "0.0"), (1.0, "100.0"), (0.9999, "99.9"), (0.00001, "<0.1"), (0.5, "50.0")]
)
def test_only_all_is_100_percent_and_only_none_is_0(part: float | None, shown: str) -> None:
    assert figures.share(part) == shown


def test_a_percentile_of_nothing_is_a_dash() -> None:
    assert figures.quantiles(Histogram()) == ["-"] * 6


def test_a_percentile_that_rests_on_an_unanswered_request_says_at_least() -> None:
    histogram = Histogram()
    histogram.record_many(1000, 98)
    for _ in range(2):
        histogram.record(2_000_000, censored=True)
    assert figures.quantiles(histogram) == ["1.00 µs", "1.00 µs", "≥2.00 ms", "≥2.00 ms", "≥2.00 ms", "≥2.00 ms"]


def test_weights_are_shown_as_what_they_come_to() -> None:
    assert sentences.mix(plan()) == "80% GET, 20% SET"
    weights = dataclasses.replace(plan().weights, get=1, set=1, delete=1)
    assert sentences.mix(dataclasses.replace(plan(), weights=weights)) == "33.3% GET, 33.3% SET, 33.3% DELETE"


@pytest.mark.parametrize("format", ["clean", "verbose", "quiet"])
def test_the_built_in_server_is_named(format: str) -> None:
    printed = text(format, RUNS["embedded"]())
    assert printed.count("built-in server") == (1 if format == "quiet" else 2)
    assert "built-in" not in text(format, closed_loop())


@pytest.mark.parametrize("format", ["clean", "verbose"])
def test_a_closed_loop_says_that_its_latency_is_not_for_slos(format: str) -> None:
    assert "SLO" in text(format, closed_loop())
    assert "SLO" not in text(format, RUNS["schedule"]())


@pytest.mark.parametrize("format", ["clean", "verbose"])
def test_only_a_schedule_shows_response_and_service_and_lag(format: str) -> None:
    for words in ("GET response", "GET service", "send lag"):
        assert words in text(format, RUNS["schedule"]())
        assert words not in text(format, closed_loop())


@pytest.mark.parametrize("format", ["clean", "verbose"])
def test_timeouts_and_connection_errors_are_shown_when_there_is_none(format: str) -> None:
    printed = text(format, closed_loop()).replace(":", "")
    assert "timeouts 0" in printed
    assert "connection errors 0" in printed
    assert "corrupt" not in printed


@pytest.mark.parametrize("format", ["clean", "verbose"])
def test_every_kind_of_error_is_shown_by_its_name(format: str) -> None:
    printed = text(format, RUNS["errors_of_all_kinds"]()).replace(":", "")
    for words in ("timeouts 25", "connection errors 6 (refused 2, eof 3, reset 1)", "error replies 50 (OOM 50)"):
        assert words in printed
    for words in ("lost 20", "corrupt 5", "unfinished 10", "first refused Connection refused"):
        assert words in printed


@pytest.mark.parametrize("format", ["clean", "verbose"])
def test_accounts_that_do_not_add_up_are_said_loudly(format: str) -> None:
    assert "THE ACCOUNTS DO NOT ADD UP" in text(format, RUNS["unbalanced"]())
    assert "ADD UP" not in text(format, RUNS["errors_of_all_kinds"]())


@pytest.mark.parametrize("format", ["clean", "verbose", "quiet"])
def test_nothing_measured_is_said_and_no_percentile_is_0(format: str) -> None:
    printed = text(format, RUNS["zero_requests"]())
    assert "no requests were measured" in printed
    assert "p50" not in printed


@pytest.mark.parametrize("format", ["clean", "verbose"])
def test_what_an_interrupted_run_was_to_be_is_shown(format: str) -> None:
    assert "1.23s of 3s, interrupted" in text(format, RUNS["interrupted"]())


@pytest.mark.parametrize("format", ["clean", "verbose", "quiet"])
def test_ping_has_no_hit_rate(format: str) -> None:
    result = text(format, RUNS["ping"]()[-1:])
    assert "hit" not in result.replace("hits", "").replace("hit%", "")
    assert "hit rate" not in result


def test_an_interval_without_a_reply_shows_dashes() -> None:
    line = text("verbose", [sample(0, Snapshot())])
    assert line.endswith("rate=0/s err=0/s hit%=- p50=- p90=- p99=- p99.9=- p99.99=- max=-\n")


def test_the_header_comes_again_every_25_rows() -> None:
    rows = text("clean", [sample(n, Snapshot()) for n in range(51)]).splitlines()
    headers = [number for number, line in enumerate(rows) if line.startswith("time")]
    assert headers == [1, 28, 55]


@pytest.mark.parametrize("format", ["clean", "verbose"])
def test_the_warm_up_has_no_lines_of_its_own(format: str) -> None:
    measured = sample(0, Snapshot())
    assert text(format, [dataclasses.replace(measured, phase="warmup")]) == ""
    assert text(format, [measured]) != ""


def test_quiet_is_one_line_of_all_commands() -> None:
    printed = text("quiet", closed_loop())
    assert printed == "1000 req/s  99.0% hit  p50=45.3us  p99=135us  p99.9=222us  max=281us\n"


def test_quiet_says_what_is_wrong() -> None:
    assert text("quiet", RUNS["errors_of_all_kinds"]()).endswith(
        "  errors=110  INVALID: A worker's CPU was 99 % busy.; Sends fell short of the plan by 3 %.\n"
    )
    died = dataclasses.replace(result_of("zero_requests"), interrupted=False, reasons=("worker 1 died",))
    assert text("quiet", [died]) == "no requests were measured  INVALID: worker 1 died\n"


def result_of(run: str) -> Result:
    result = RUNS[run]()[-1]
    assert isinstance(result, Result)
    return result
