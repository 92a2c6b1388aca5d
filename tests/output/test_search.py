"""Saturation searches in the formats for people."""

from __future__ import annotations

import dataclasses
import io
import json

import pytest
from constructed_events import plan
from constructed_searches import P99, P999, SEARCHES, answer, step
from records import check_record

from loadgen.events import Event, PhaseBegan, SearchEnded
from loadgen.output import create
from loadgen.output.words import search
from loadgen.phase import Phase, Push
from loadgen.snapshot import Snapshot, Tally
from loadgen.stats.search import Outcome, Purpose
from loadgen.stats.trial import NO_LIMIT_NS, Limit, RateVerdict

PEOPLE = ("clean", "verbose", "quiet")


def text(format: str, events: list[Event]) -> str:
    stream = io.StringIO()
    output = create(format, stream)
    for event in events:
        output.emit(event)
    return stream.getvalue()


def words(format: str, events: list[Event]) -> str:
    """The same without line breaks and time stamps."""
    return " ".join(text(format, events).split())


def ended(outcome: Outcome, lo: float, hi: float | None, confirmed: bool = True) -> SearchEnded:
    return SearchEnded(plan(), (P99,), answer(outcome, lo, hi, confirmed, [], "as it happened"))


OUTCOMES = (
    (ended(Outcome.FOUND, 152_000.9, 158_000.4), "152000 to 158000 req/s", "confirmed"),
    (
        ended(Outcome.GENERATOR_LIMITED, 152_000.0, None),
        "at least 152000 req/s",
        "confirmed; the generator reached its limit before the server",
    ),
    (
        ended(Outcome.GENERATOR_LIMITED, 0.0, None, confirmed=False),
        "not known",
        "the generator reached its limit before the server",
    ),
    (
        ended(Outcome.NEVER_FAILED, 200_000.0, None),
        "at least 200000 req/s",
        "confirmed; the server passed at the highest rate that may be tried",
    ),
    (ended(Outcome.NEVER_PASSED, 0.0, 99.96, confirmed=False), "below 100 req/s, if there is one", "no rate passed"),
    (ended(Outcome.WIDE, 15.25, 30.0), "15.2 to 30 req/s", "confirmed; the interval is wider than asked for"),
    (ended(Outcome.UNCONFIRMED, 150_000.0, 152_000.0, confirmed=False), "150000 to 152000 req/s", "not confirmed"),
    (ended(Outcome.UNCONFIRMED, 0.0, 10.0, confirmed=False), "below 10 req/s, if there is one", "unconfirmed"),
)


@pytest.mark.parametrize(("event", "interval", "sureness"), OUTCOMES)
def test_every_outcome_is_an_interval_and_how_sure_it_is(event: SearchEnded, interval: str, sureness: str) -> None:
    assert f"HIGHEST RATE THAT MEETS p99 <= 1ms: {interval} ({sureness})" in words("verbose", [event])
    assert f"{interval} ({sureness})" in words("clean", [event]).replace(",000", "000")
    assert text("quiet", [event]) == f"{interval}  p99<=1ms  {sureness}\n"
    for format in ("clean", "verbose"):
        assert "as it happened" in text(format, [event])


def test_the_outcomes_above_are_all_that_there_are() -> None:
    assert {event.answer.outcome for event, _, _ in OUTCOMES if event.answer} == set(Outcome)


@pytest.mark.parametrize("format", PEOPLE)
def test_limits_of_several_percentiles_and_commands_are_all_named(format: str) -> None:
    printed = text(format, SEARCHES["search_found"]()[-1:])
    assert "p99<=1ms, delete p99.9<=5ms" in printed.replace(" <= ", "<=").replace(" ms", "ms")


@pytest.mark.parametrize("format", PEOPLE)
def test_a_search_without_limits_is_for_the_knee(format: str) -> None:
    printed = text(format, SEARCHES["search_knee"]()[-1:])
    assert "knee" in printed.lower()
    assert "MEETS" not in printed
    assert "knee" not in text(format, SEARCHES["search_found"]()).lower()


def test_each_step_is_a_row_as_it_happens_below_one_header() -> None:
    stream = io.StringIO()
    output = create("clean", stream)
    output.emit(PhaseBegan("search", 0.0))
    assert stream.getvalue().count("purpose") == 1, "the header is there before the first rate has been tried"
    for number, rate in enumerate((150_740.7, 201_234.0), 1):
        output.emit(step(number, rate, RateVerdict.PASS))
        assert stream.getvalue().splitlines()[-1].split()[:3] == [str(number), "climb", f"{int(rate):,}"]
    assert stream.getvalue().count("purpose") == 1


@pytest.mark.parametrize(
    ("verdict", "passed", "shown"),
    [
        (RateVerdict.PASS, True, "PASS"),
        (RateVerdict.FAIL, False, "FAIL"),
        (RateVerdict.INCONCLUSIVE, True, "leans PASS"),
        (RateVerdict.INCONCLUSIVE, False, "leans FAIL"),
        (RateVerdict.GENERATOR_LIMITED, False, "GENERATOR"),
    ],
)
def test_a_step_shows_its_verdict_and_which_way_an_open_one_leans(
    verdict: RateVerdict, passed: bool, shown: str
) -> None:
    taken = step(7, 1234.0, verdict, Purpose.REFINE, passed=passed, limits=(P99,))
    assert text("clean", [taken]).splitlines()[0].endswith(f"│           p99 812.0 µs     1 ms  {shown}")
    line = text("verbose", [taken]).splitlines()[0]
    assert line.endswith(f"step 7 (refine): rate=1234/s achieved=1232/s for 2s, p99 812.0us of 1ms, {shown}")


def test_the_row_of_a_step_shows_the_limit_that_is_exceeded_most() -> None:
    assert search.worst(step(1, 1.0, RateVerdict.PASS, limits=(P999, P99)).step) == ("p99", "812.0 µs", "1 ms")
    near, far = Limit(0.5, 900_000), Limit(0.9, NO_LIMIT_NS)
    assert search.worst(step(1, 1.0, RateVerdict.PASS, limits=(far, P99, near)).step) == ("p50", "812.0 µs", "900 µs")
    assert search.worst(step(1, 1.0, RateVerdict.PASS, limits=(far,), x_ns=0).step) == ("p90", "-", "-")


def test_why_a_step_failed_is_below_its_row_unless_the_percentile_in_it_says_so() -> None:
    shortfall = step(1, 1.0, RateVerdict.FAIL, why="half was achieved")
    spoilt = step(1, 1.0, RateVerdict.GENERATOR_LIMITED, why="no CPU")
    for taken, reason in ((shortfall, ["     half was achieved"]), (spoilt, ["     no CPU"])):
        assert text("clean", [taken]).splitlines()[1:] == reason
    for taken in (step(1, 1.0, RateVerdict.FAIL, x_ns=2_000_000), step(1, 1.0, RateVerdict.PASS)):
        assert len(text("clean", [taken]).splitlines()) == 1


def test_verbose_says_of_every_step_what_its_verdict_rests_on() -> None:
    for verdict in RateVerdict:
        assert words("verbose", [step(1, 1.0, verdict, why="the reason of it")]).endswith("the reason of it")


def test_quiet_says_nothing_before_the_end() -> None:
    assert text("quiet", SEARCHES["search_found"]()[:-1]) == ""
    assert text("quiet", SEARCHES["search_found"]()).count("\n") == 1


@pytest.mark.parametrize("format", PEOPLE)
def test_a_search_that_was_interrupted_or_failed_has_no_answer_and_says_why(format: str) -> None:
    interrupted, failed = (words(format, SEARCHES[f"search_{end}"]()[-1:]) for end in ("interrupted", "failed"))
    assert "interrupted" in interrupted
    assert "INVALID: 127.0.0.1:6379 closed all 50 connections." in failed
    assert "interrupted" not in failed
    for printed in (interrupted, failed):
        assert "not known" in printed
        assert " req/s" not in printed


@pytest.mark.parametrize("format", PEOPLE)
def test_accounts_that_do_not_add_up_are_said_loudly(format: str) -> None:
    lost = {"measure": Snapshot(tallies={"get": Tally(planned=9, ok=8)})}
    for event, said in ((dataclasses.replace(OUTCOMES[0][0], phases=lost), True), (OUTCOMES[0][0], False)):
        printed = words(format, [event])
        assert ("INVALID: 1 planned requests are not accounted for" in printed) is said
        assert ("THE ACCOUNTS DO NOT ADD UP" in printed) is (said and format != "quiet")


@pytest.mark.parametrize("format", ["clean", "verbose"])
def test_the_requests_of_all_phases_are_counted_for_the_server_s_counters(format: str) -> None:
    printed = text(format, SEARCHES["search_found"]()[-1:]).replace(",", "")
    assert "11002 requests sent 10992 replies received" in printed


@pytest.mark.parametrize("format", PEOPLE)
def test_the_built_in_server_is_named(format: str) -> None:
    assert "built-in server" in text(format, SEARCHES["search_generator_limited"]()[-1:])
    assert "built-in" not in text(format, SEARCHES["search_found"]())


@pytest.mark.parametrize("format", ["clean", "verbose"])
def test_what_was_pushed_in_a_search_is_shown_and_in_its_record(format: str) -> None:
    pushed = {Push.INVALIDATIONS: 7, Push.INVALIDATED_KEYS: 12}
    event = dataclasses.replace(
        ended(Outcome.FOUND, 152_000.0, 158_000.0), phases={Phase.MEASURE: Snapshot(pushes=pushed)}
    )
    assert "7 invalidations of 12 keys" in words(format, [event])
    [record] = map(json.loads, text("json", [event]).splitlines())
    check_record(record)
    assert record["pushes"] == {"invalidations": 7, "invalidated_keys": 12}
