"""The formats for people: their contents, and the spelling of numbers."""

from __future__ import annotations

import dataclasses
import io
import math
import re

import pytest
from constructed_campaigns import campaign, case
from constructed_events import CEILING, RUNS, S, closed_loop, counted, good, plan, sample
from hypothesis import given
from hypothesis import strategies as st

from loadgen.engine._histogram import Histogram
from loadgen.events import Configured, Event, Result, ServerAwaited
from loadgen.output import create
from loadgen.output.words import figures, sentences, slo
from loadgen.plan import Endpoint, Segment, Weights
from loadgen.reason import Code, Reason
from loadgen.severity import Severity
from loadgen.signs import Signs
from loadgen.slo import Attainment, Evaluation, Objective, Unit
from loadgen.snapshot import Snapshot, Tally
from loadgen.units import parse_duration, parse_rate


def text(format: str, events: list[Event]) -> str:
    stream = io.StringIO()
    output = create(format, stream)
    for event in events:
        output.emit(event)
    return stream.getvalue()


def third_digit(value: float) -> float:
    """The unit of a number's third digit; of a number below 1, a hundredth."""
    return 10.0 ** (math.floor(math.log10(max(value, 1))) - 2)


@pytest.mark.parametrize(
    ("ns", "shown"),
    [
        (0, "0 ns"),
        (999, "999 ns"),
        (1000, "1.00 µs"),
        (99_949, "99.9 µs"),
        (99_960, "100 µs"),
        (999_500, "1.00 ms"),
        (4_000_000_000_000, "4000 s"),
    ],
)
def test_latency_has_three_digits(ns: int, shown: str) -> None:
    assert figures.latency(ns) == shown


@given(st.integers(0, 999 * S), st.integers(0, 999 * S))
def test_latency_is_within_half_a_unit_of_its_third_digit_and_keeps_the_order(one: int, other: int) -> None:
    less, more = (parse_duration(figures.latency_word(ns)) for ns in sorted((one, other)))
    assert less <= more
    assert abs(parse_duration(figures.latency_word(one)) - one) <= max(third_digit(one), 1) / 2


@given(st.integers(0, 999 * S))
def test_latency_takes_7_characters_also_with_a_mark(ns: int) -> None:
    assert len(figures.latency(ns)) <= 7
    assert len(figures.marked(figures.FEW_SAMPLES, figures.latency(ns))) <= 7


@pytest.mark.parametrize(
    ("rate", "shown"), [(0, "0"), (7, "7"), (0.5, "0.50"), (99.96, "100"), (999.6, "1.00K"), (1.5e6, "1.50M")]
)
def test_rate_has_three_digits(rate: float, shown: str) -> None:
    assert figures.rate(rate) == shown


@given(st.floats(0, 999e9), st.floats(0, 999e9))
def test_rate_is_within_half_a_unit_of_its_third_digit_and_keeps_the_order(one: float, other: float) -> None:
    less, more = (parse_rate(figures.rate(rate)) for rate in sorted((one, other)))
    assert less <= more
    assert abs(parse_rate(figures.rate(one)) - one) <= third_digit(one) * 0.5001
    assert len(figures.rate(one)) <= 5


@pytest.mark.parametrize(("part", "shown"), [(None, "-"), (0.9999, "99.9"), (0.00001, "<0.1"), (0.5, "50.0")])
def test_a_share_has_one_decimal(part: float | None, shown: str) -> None:
    assert figures.share(part) == shown


@given(st.floats(0, 1))
def test_only_all_is_100_percent_and_only_none_is_0(part: float) -> None:
    shown = figures.share(part)
    assert (shown == "100.0", shown == "0.0") == (part == 1, part == 0)
    assert abs(float(shown.removeprefix("<")) - 100 * part) <= 0.1


def test_a_percentile_of_nothing_is_a_dash() -> None:
    assert figures.quantiles(Histogram()) == ["-"] * 6


def times(count: int, unanswered: int = 0) -> Histogram:
    histogram = Histogram()
    histogram.record_many(1000, count)
    for _ in range(unanswered):
        histogram.record(2_000_000, censored=True)
    return histogram


def test_a_percentile_that_rests_on_an_unanswered_request_says_at_least() -> None:
    shown = figures.quantiles(times(9_800, unanswered=200))
    assert shown == ["1.00 µs", "1.00 µs", "≥2.00ms", "≥2.00ms", "≥2.00ms", "≥2.00ms"]


def test_a_percentile_that_fewer_than_100_samples_lie_beyond_is_marked_and_the_maximum_is_not() -> None:
    assert figures.quantiles(times(10_000)) == ["1.00 µs", "1.00 µs", "1.00 µs", "~1.00µs", "~1.00µs", "1.00 µs"]
    assert figures.quantile(times(9_999), 0.99) == "~1.00µs"
    assert figures.quantile(times(9_999), 0.99, figures.latency_us) == "~1"


def test_weights_are_shown_as_what_they_come_to() -> None:
    assert sentences.mix(plan()) == "80% GET, 20% SET"
    workload = dataclasses.replace(plan().workload, weights=Weights(get=1, set=1, delete=1))
    assert sentences.mix(dataclasses.replace(plan(), workload=workload)) == "33.3% GET, 33.3% SET, 33.3% DELETE"


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
    length = {"clean": "1.23 s of 3 s", "verbose": "1.23s of 3s"}[format]
    assert f"{length}, interrupted" in text(format, RUNS["interrupted"]())


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
    assert printed == "1000 req/s  99.0% hit  p50=45.3us  p99=~135us  p99.9=~222us  max=281us\n"


@pytest.mark.parametrize("format", ["clean", "verbose"])
def test_rows_of_intervals_are_marked_where_requests_were_unanswered_only(format: str) -> None:
    for unanswered in (0, 35):
        row = text(format, [sample(0, counted(good(800, 200), 1, unanswered=unanswered))])
        assert ("≥" in row) is (unanswered > 0)
        assert "~" not in row


@pytest.mark.parametrize("format", ["clean", "verbose"])
@pytest.mark.parametrize("run", RUNS)
def test_a_mark_is_explained_exactly_where_there_is_one(format: str, run: str) -> None:
    printed = text(format, RUNS[run]()[-1:])
    for sign, legend in (
        ("≥", "lower bound: some requests were not answered in time"),
        ("~", "imprecise: fewer than 100 samples above it"),
    ):
        explained = re.search(rf"note:? +{sign} {legend}", printed) is not None
        assert explained is (re.search(rf"{sign}\d", printed) is not None), sign


@pytest.mark.parametrize("format", ["clean", "verbose"])
def test_a_mark_that_only_an_objective_has_is_explained(format: str) -> None:
    measured = Snapshot(tallies={"get": Tally(planned=2_000_000, ok=2_000_000)}, response={"get": times(2_000_000)})
    few = Evaluation(Objective("p99", 2000, Unit.NS, "set"), 1000, Attainment.MET, has_few_samples=True)
    result = dataclasses.replace(result_of("closed_loop"), measured=measured, checks=(few,))
    assert "fewer than 100 samples" in text(format, [result])
    assert "fewer than 100 samples" not in text(format, [dataclasses.replace(result, checks=())])


P50 = {"clean": (3, 2, 2), "verbose": (2, 1, 1)}
"""The words before the p50 in the rows of the send lag and of its parts."""


@pytest.mark.parametrize("format", ["clean", "verbose"])
def test_a_warning_is_shown_to_its_end(format: str) -> None:
    warning = f"worker 0 was kept from its CPU: {'as follows, ' * 20}give workers CPUs that nothing else uses."
    result = dataclasses.replace(result_of("closed_loop"), notes=(Reason(Code.DRIFT, warning),))
    assert warning in " ".join(text(format, [result]).split())
    configured = dataclasses.replace(closed_loop()[0], warnings=(Reason(Code.CONFIGURATION, warning),))
    printed = re.sub(r"^\S+Z WARN", "", text(format, [configured]), flags=re.M)
    assert warning in " ".join(printed.split())


@pytest.mark.parametrize("format", ["clean", "verbose"])
def test_the_send_lag_is_followed_by_its_two_parts(format: str) -> None:
    lines = text(format, RUNS["schedule"]()).splitlines()
    first = next(number for number, line in enumerate(lines) if line.strip().startswith("send lag"))
    assert [line.split()[0] for line in lines[first : first + 3]] == [
        "send",
        {"clean": "generator", "verbose": "ours"}[format],
        "backpressure",
    ]
    p50s = [
        float(line.replace("│", " ").split()[column]) for line, column in zip(lines[first:], P50[format], strict=False)
    ]
    assert p50s == pytest.approx([12, 9, 3], rel=0.1)


ANSWERS = (
    (
        Evaluation(Objective("p999", 1_000_000, Unit.NS, "get"), 812_000, Attainment.MET),
        "get p99.9 <= 1ms: 812.0us, met",
    ),
    (Evaluation(Objective("p99", 10**6, Unit.NS), 1_002_000, Attainment.BREACHED), "p99 <= 1ms: 1.002ms, BREACHED"),
    (
        Evaluation(
            Objective("p50", 10**9, Unit.NS), 800_000_000, Attainment.UNKNOWN, is_lower_bound=True, has_few_samples=True
        ),
        "p50 <= 1s: ≥800.0ms, unknown",
    ),
    (
        Evaluation(Objective("p9999", 10**6, Unit.NS), 10**5, Attainment.MET, has_few_samples=True),
        "p99.99 <= 1ms: ~100.0us, met",
    ),
    (Evaluation(Objective("errors", 0, Unit.COUNT), 12, Attainment.BREACHED), "errors <= 0: 12, BREACHED"),
    (Evaluation(Objective("timeouts", 0.001, Unit.SHARE), 0.00025, Attainment.MET), "timeouts <= 0.1%: 0.025%, met"),
    (Evaluation(Objective("hit_rate_min", 0.9, Unit.SHARE), None, Attainment.UNKNOWN), "hit rate >= 90%: -, unknown"),
    (
        Evaluation(Objective("throughput_min", 10_000, Unit.PER_S, "set"), 9999.9, Attainment.BREACHED),
        "set throughput >= 10000 req/s: 9999 req/s, BREACHED",
    ),
)


@pytest.mark.parametrize(("check", "line"), ANSWERS)
def test_an_objective_is_shown_with_its_limit_what_was_measured_and_the_answer(check: Evaluation, line: str) -> None:
    assert slo.line(check) == line
    printed = text("verbose", [dataclasses.replace(result_of("closed_loop"), checks=(check,))])
    assert f"\nslo: {line}\n" in printed
    people = re.sub(r"(?<=\d)(us|ms|s|%)(?=[,:]|$)", r" \1", line).replace(" us", " µs")
    cells = " ".join(people.replace(":", "").replace(",", "").split())
    clean = text("clean", [dataclasses.replace(result_of("closed_loop"), checks=(check,))])
    assert cells in (" ".join(row.replace(",", "").split()) for row in clean.splitlines())


@pytest.mark.parametrize("format", ["clean", "verbose", "quiet"])
def test_a_breach_leaves_a_run_valid_and_is_said_on_its_own(format: str) -> None:
    printed = text(format, RUNS["objectives"]())
    assert "INVALID" not in printed
    assert printed.count("BREACHED") == {"clean": 4, "verbose": 3, "quiet": 1}[format]
    assert "BREACHED" not in text(format, RUNS["schedule"]())


def test_quiet_says_which_objectives_are_breached_unknown_or_that_all_are_met() -> None:
    result = result_of("closed_loop")

    def said(*checks: Evaluation) -> str:
        return text("quiet", [dataclasses.replace(result, checks=checks)]).partition("281us")[2].strip()

    met, breached, unknown = (ANSWERS[place][0] for place in (0, 1, 6))
    assert said() == ""
    assert said(met) == "SLO met"
    assert said(met, breached, unknown) == "SLO BREACHED: p99 (1.002ms, limit <= 1ms); unknown: hit rate"
    assert said(met, unknown) == "SLO unknown: hit rate"


@pytest.mark.parametrize("format", ["clean", "verbose"])
def test_how_near_the_host_s_ceiling_a_run_came_is_said_where_that_is_known(format: str) -> None:
    result = result_of("closed_loop")
    assert "ceiling" not in text(format, [result])
    ceiling = dataclasses.replace(CEILING, throughput_per_s=result.throughput_per_s / 0.38)
    printed = text(format, [dataclasses.replace(result, signs=Signs(ceiling=ceiling))])
    words = " ".join(printed.split())
    shown = {"clean": ("38.0 %", "p50 31.2 µs, p99 41.0 µs"), "verbose": ("38.0%", "p50 31.2us, p99 41.0us")}
    share, floor = shown[format]
    assert f"{share} of this host's ceiling, 2.63K req/s; its floor is {floor} (self-test of 2026-11-20)" in words


FLAT, RAMP = Segment(30 * S, 10_000.0, 10_000.0), Segment(90 * S, 1000.0, 50_000.0)
SWING = Segment(60 * S, 500.0, 2000.5, 10 * S)


def test_a_schedule_in_words() -> None:
    def words(*profile: Segment) -> list[str]:
        return sentences.schedule(plan(profile=profile, arrival="poisson"), figures.grouped)

    assert words() == []
    assert words(FLAT) == ["10,000 req/s, poisson"]
    assert words(RAMP) == ["25,500 req/s on average, poisson", "ramp 1,000 to 50,000 req/s for 90 s"]
    assert words(FLAT, SWING)[1:] == ["10,000 req/s for 30 s", "swing 500 to 2,000 req/s every 10 s for 1 min"]
    assert words(Segment(S // 3, 0.5, 0.5), FLAT)[1] == "0.5 req/s for 0.333333 s"


def test_of_a_long_schedule_the_first_six_stretches_are_shown_and_the_rest_is_counted() -> None:
    shown = sentences.schedule(plan(profile=(FLAT, RAMP) * 600))
    assert len(shown) == 1 + 6 + 1
    assert shown[-1] == "and 1194 more"
    assert len(sentences.schedule(plan(profile=(FLAT, RAMP) * 3))) == 1 + 6


@pytest.mark.parametrize("format", ["clean", "verbose"])
def test_only_a_schedule_has_a_rate_and_a_distribution(format: str) -> None:
    assert "roundrobin" in text(format, RUNS["objectives"]()[:1])
    assert "poisson" in text(format, RUNS["objectives"]()[:1])
    for word in ("roundrobin", "poisson", "constant", "rate"):
        assert word not in text(format, closed_loop()[:1])


@pytest.mark.parametrize("format", ["clean", "verbose"])
def test_spinning_workers_are_said(format: str) -> None:
    assert "2, spinning" in text(format, RUNS["objectives"]()[:1])
    assert "spinning" not in text(format, closed_loop()[:1])


def test_quiet_says_what_is_wrong() -> None:
    assert text("quiet", RUNS["errors_of_all_kinds"]()).endswith(
        "  errors=110  INVALID: A worker's CPU was 99 % busy.; Sends fell short of the plan by 3 %.  "
        "warning: The 127.0.0.1:6381 endpoint was away for 1.2 s, so that its keys were neither read nor written.\n"
    )
    died = dataclasses.replace(
        result_of("zero_requests"),
        interrupted=False,
        reasons=(Reason(Code.WORKER_DIED, "worker 1 died", Severity.INVALID),),
    )
    assert text("quiet", [died]) == "no requests were measured  INVALID: worker 1 died\n"


def result_of(run: str) -> Result:
    result = RUNS[run]()[-1]
    assert isinstance(result, Result)
    return result


SERVER = "4.71 µs CPU/req, 87 % of a CPU, 12.3 MB, 5 threads, 61 files"


@pytest.mark.parametrize("format", ["clean", "verbose"])
def test_what_the_load_cost_the_server_stands_below_the_throughput(format: str) -> None:
    lines = [" ".join(line.replace(":", "").split()) for line in text(format, RUNS["watched"]()).splitlines()]
    place = lines.index(f"server {SERVER}")
    assert lines[place - 1].startswith("throughput 1")
    assert "server 4" not in " ".join(text(format, closed_loop()).split())


@pytest.mark.parametrize("format", ["clean", "verbose", "quiet"])
def test_how_a_server_ended_is_said_and_what_its_log_tells(format: str) -> None:
    printed = text(format, RUNS["watched"]())
    assert "crucible was killed by SIGSEGV 2.1 s into the load" in printed
    if format != "quiet":
        assert [line.strip() for line in printed.splitlines() if "its log" in line or "of that kind" in line] == [
            r"its log: thread 'main' panicked at src/store.rs:42\x1b[2J",
            "its log: ERROR out of slots",
            "its log: ERROR 3",
            "its log: ERROR 4",
        ]


def test_of_many_lines_of_a_log_three_are_shown_and_never_is_a_single_one_hidden() -> None:
    report = result_of("watched").server
    assert report is not None
    lasts = [sentences.log_errors(dataclasses.replace(report, log_errors=("ERROR",) * n))[3:] for n in (3, 4, 5)]
    assert lasts == [[], ["its log: ERROR"], ["and 2 more lines of that kind"]]


def test_one_hit_and_one_miss_are_singular_for_people() -> None:
    get = Tally(planned=2, ok=2, hits=1, misses=1)
    result = dataclasses.replace(result_of("closed_loop"), measured=counted({"get": get}, 1))
    assert sentences.hit_rate(result, figures.grouped) == "50.00 % (1 hit, 1 miss)"
    assert sentences.hit_rate(result) == "50.00% (1 hits, 1 misses)"


def started_server(events: list[Event], name: str = "redis") -> list[Event]:
    """The same run on a server that is started first."""
    [first, *rest] = events
    assert isinstance(first, Configured)
    nowhere = first.plan.at(Endpoint("127.0.0.1", 0, "127.0.0.1"))
    return [ServerAwaited(name, dataclasses.replace(first, plan=nowhere, server="")), first, *rest]


@pytest.mark.parametrize("run", ["closed_loop", "schedule", "objectives"])
@pytest.mark.parametrize("format", ["clean", "verbose"])
def test_the_header_is_there_before_the_server_is(format: str, run: str) -> None:
    """Of a server that is awaited, all but where it is and who it is; that is a line of its own, and nothing else."""
    events = started_server(RUNS[run]())
    awaited, header = text(format, events[:1]), text(format, events[:2])
    assert "redis, starting" in awaited or "starting redis..." in awaited
    assert "127.0.0.1" not in awaited
    assert ("zipf is slower" in awaited) is (run == "schedule")
    assert header.startswith(awaited)
    rest = [re.sub(r"^\S+Z INFO ", "", line) for line in header[len(awaited) :].splitlines()]
    identity = [] if run == "schedule" else ["redis 7.0.15"]
    if format == "clean":
        assert rest == [f"server        127.0.0.1:6379{f' ({identity[0]})' if identity else ''}", ""]
    else:
        assert rest == ["target: 127.0.0.1:6379", *(f"server: {words}" for words in identity)]
    whole = text(format, events[1:2]).splitlines()
    assert len([line for line in whole if line not in header.splitlines()]) == (format == "clean")


def test_of_several_tests_on_a_started_server_the_second_has_a_whole_header() -> None:
    both = started_server(closed_loop()) + closed_loop()
    assert text("clean", both).endswith("\n" + text("clean", closed_loop()))


@pytest.mark.parametrize("format", ["json", "quiet", "csv"])
def test_other_formats_wait_for_the_server(format: str) -> None:
    events = started_server(closed_loop())
    assert text(format, events[:1]) == ""
    assert text(format, events) == text(format, events[1:])


def test_how_a_server_ended_is_red_and_what_its_log_tells_is_yellow() -> None:
    stream = io.StringIO()
    create("clean", stream, color="always").emit(RUNS["watched"]()[-1])
    assert re.search(r"\x1b\[1;31m +crucible was killed", stream.getvalue())
    assert re.search(r"\x1b\[33m +its log: ERROR 3", stream.getvalue())


def test_quiet_has_the_server_s_cpu_per_request() -> None:
    assert "  server=4.71us/req  " in text("quiet", RUNS["watched"]())
    assert "server" not in text("quiet", closed_loop())


def test_a_watched_interval_has_the_server_s_cpu_and_the_percentiles_stand_in_line() -> None:
    lines = text("clean", RUNS["watched"]()).splitlines()
    header = next(number for number, line in enumerate(lines) if line.startswith("time"))
    assert lines[header].split("│")[0].split() == ["time", "UTC", "req/s", "err/s", "hit%", "srv%"]
    assert [line.split("│")[0].split()[-1] for line in lines[header + 1 : header + 4]] == ["87", "1587", "-"]
    bars = {line.index("│") for line in lines if "│" in line}
    assert len(bars) == 1
    assert " server_cpu=87% rss=12.3MB\n" in text("verbose", RUNS["watched"]())


def test_a_server_that_is_watched_later_on_gets_its_column_and_a_new_header() -> None:
    before, after = sample(0, counted(good(8, 2), 1)), RUNS["watched"]()[2]
    lines = text("clean", [before, after, before]).splitlines()
    assert ["srv%" in line for line in lines if line.startswith("time")] == [False, True]
    assert lines[-1].split("│")[0].endswith(" -")


def test_each_of_several_tests_has_the_header_of_its_rows() -> None:
    lines = text("clean", [*RUNS["busy"](), *RUNS["busy"]()]).splitlines()
    first = len(text("clean", RUNS["busy"]()).splitlines())
    assert lines[first] == ""
    assert lines[first + 1 :] == lines[:first]


def test_names_of_tests_of_any_length_leave_their_counts_in_columns() -> None:
    names = ["a" * letters for letters in (5, 43, 44, 45, 79)]
    printed = text("clean", campaign([case(name, 0) for name in names])).splitlines()
    [heading] = [line for line in printed if line.startswith("test ")]
    table = printed[printed.index(heading) :]
    assert {len(line) for line in table if not line.startswith("a") or " " in line} == {80}
    assert [line.split()[0] for line in table if line.startswith("a")] == names
