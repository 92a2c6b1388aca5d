"""Schedules: times of cron expressions where clocks change, and which firings are due."""

from dataclasses import replace
from datetime import UTC, datetime
from itertools import islice, pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadgen.errors import UsageError
from loadgen.jobs import cron, scheduler
from loadgen.jobs.schedule import Schedule

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS


def ms(text: str) -> int:
    """Return the Unix time in ms of a time in ISO 8601; without an offset, of UTC."""
    time = datetime.fromisoformat(text)
    return round((time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp() * 1000)


def shown(expression: str, zone: str, after: str, count: int = 2) -> list[str]:
    """Return the first firings after a time, with their offsets: "29 02:30+02:00" is at half past two of the 29th."""
    times = islice(cron.times_ms(expression, zone, ms(after)), count)
    local = (datetime.fromtimestamp(time / 1000, ZoneInfo(zone)).isoformat() for time in times)
    return [f"{text[8:10]} {text[11:16]}{text[19:]}" for text in local]


def every(seconds: int, now_ms: int) -> Schedule:
    return scheduler.new("s", f"*/{seconds} * * * * *", "UTC", "f", b"{}", now_ms)


def due_one(schedule: Schedule, now_ms: int) -> scheduler.Firing:
    (firing,) = scheduler.due({schedule.name: schedule}, now_ms)
    return firing


def stored(firing: scheduler.Firing) -> Schedule:
    """Return the schedule as the storage has it after the firing."""
    return replace(firing.schedule, next_ms=firing.next_ms)


# ── Where clocks change ───────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("expression", "zone", "after", "times"),
    [
        # The clocks go from 02:00 to 03:00.
        ("30 2 * * *", "Europe/Berlin", "2026-03-28T12:00", ["29 03:00+02:00", "30 02:30+02:00"]),
        ("30 2 * * *", "America/New_York", "2026-03-07T12:00", ["08 03:00-04:00", "09 02:30-04:00"]),
        ("0 * * * *", "Europe/Berlin", "2026-03-29T00:00", ["29 03:00+02:00", "29 04:00+02:00"]),
        # From 02:00 to 02:30.
        ("15 2 * * *", "Australia/Lord_Howe", "2026-10-03T02:00", ["04 02:30+11:00", "05 02:15+11:00"]),
        ("*/30 * * * *", "Australia/Lord_Howe", "2026-10-03T15:00", ["04 02:30+11:00", "04 03:00+11:00"]),
    ],
)
def test_a_time_that_the_clocks_leave_out_is_fired_at_the_first_minute_after_it(
    expression: str, zone: str, after: str, times: list[str]
) -> None:
    assert shown(expression, zone, after) == times


@pytest.mark.parametrize(
    ("zone", "after", "times"),
    [
        # The clocks go from 03:00 back to 02:00, from 02:00 to 01:00, and from 02:00 to 01:30.
        ("Europe/Berlin", "2026-10-24T12:00", ["25 02:45+02:00", "26 02:45+01:00"]),
        ("America/New_York", "2026-10-31T12:00", ["01 01:45-04:00", "02 01:45-05:00"]),
        ("Australia/Lord_Howe", "2026-04-04T02:00", ["05 01:45+11:00", "06 01:45+10:30"]),
    ],
)
def test_a_daily_time_that_comes_twice_is_fired_the_first_time(zone: str, after: str, times: list[str]) -> None:
    expression = f"45 {times[0][4]} * * *"
    assert shown(expression, zone, after) == times
    # From within the hour that comes again, and from the firing itself.
    fired_ms = cron.next_ms(expression, zone, ms(after))
    for minutes in (0, 10, 35, 50):
        assert cron.next_ms(expression, zone, fired_ms + minutes * 60_000) > fired_ms + 23 * HOUR_MS


def test_an_interval_is_one_of_real_time() -> None:
    twice = ["25 02:30+02:00", "25 02:30+01:00"]
    assert shown("30 * * * *", "Europe/Berlin", "2026-10-25T00:00") == twice
    assert shown("*/30 * * * *", "America/New_York", "2026-11-01T05:10", 3) == [
        "01 01:30-04:00", "01 01:00-05:00", "01 01:30-05:00",
    ]  # fmt: skip
    seconds = list(islice(cron.times_ms("*/20 * * * * *", "Europe/Berlin", ms("2026-10-24T23:30")), 500))
    assert {later - sooner for sooner, later in pairwise(seconds)} == {20_000}


@given(
    minute=st.sampled_from(["0", "30", "*/7", "45"]),
    hour=st.sampled_from(["*", "1", "2", "3", "*/2", "1-3"]),
    zone=st.sampled_from(["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "UTC"]),
    change=st.sampled_from(["2026-03-08", "2026-03-29", "2026-04-04", "2026-10-03", "2026-10-25", "2026-11-01"]),
    offset_ms=st.integers(-DAY_MS, 2 * DAY_MS),
)
def test_times_go_ahead_and_are_the_same_from_wherever_they_are_asked_for(
    minute: str, hour: str, zone: str, change: str, offset_ms: int
) -> None:
    expression = f"{minute} {hour} * * *"
    after_ms = ms(change) + offset_ms
    times = list(islice(cron.times_ms(expression, zone, after_ms), 6))
    assert times == sorted(set(times))
    assert times[0] > after_ms
    for sooner, later in pairwise(times):
        assert cron.next_ms(expression, zone, sooner) == later


@pytest.mark.parametrize(
    ("expression", "zone", "words"),
    [
        ("* * * *", "UTC", "no cron expression"),
        ("61 * * * *", "UTC", "Bad minute"),
        ("0 0 31 2 *", "UTC", "Bad day-of-month"),
        ("every day\n", "UTC", r"every day\\n"),
        ("* * * * *", "Europe/Atlantis", "no time zone"),
        ("* * * * *", "../etc/passwd", "no time zone"),
        ("* * * * *", "Europe", "no time zone"),
        ("* * * * *", "", "no time zone"),
    ],
)
def test_what_is_no_expression_or_no_zone_is_told_in_a_sentence(expression: str, zone: str, words: str) -> None:
    with pytest.raises(UsageError, match=words) as wrong:
        scheduler.new("s", expression, zone, "f", b"", 0)
    assert str(wrong.value).endswith(".")


# ── Which firings are due ─────────────────────────────────────────────────────────────────────────────────────────────

NOW_MS = ms("2026-11-30T12:00:00")


def test_a_schedule_fires_at_its_times_and_is_not_due_in_between() -> None:
    schedule = every(10, NOW_MS + 1)
    assert scheduler.wait_ms({"s": schedule}, NOW_MS + 1) == 9_999
    assert scheduler.due({"s": schedule}, NOW_MS + 9_999) == []
    firing = due_one(schedule, NOW_MS + 10_000)
    assert (firing.intended_ms, firing.next_ms, firing.missed) == (NOW_MS + 10_000, NOW_MS + 20_000, 0)
    assert firing.job.id == f"s@{NOW_MS + 10_000}"
    assert scheduler.due({"s": stored(firing)}, NOW_MS + 19_999) == []


def test_what_was_missed_is_fired_once_for_the_latest_and_the_others_counted() -> None:
    firing = due_one(every(10, NOW_MS), NOW_MS + 45_000)
    assert (firing.intended_ms, firing.next_ms, firing.missed) == (NOW_MS + 40_000, NOW_MS + 50_000, 3)


@pytest.mark.parametrize("late_s", [1000, 1001, 1002, 1003, 400 * 86_400])
def test_very_many_missed_firings_are_not_gone_through(late_s: int) -> None:
    firing = due_one(every(1, NOW_MS), NOW_MS + late_s * 1000 + 500)
    assert firing.intended_ms == NOW_MS + late_s * 1000
    assert firing.next_ms == firing.intended_ms + 1000
    assert firing.missed == min(late_s - 1, scheduler.MOST_COUNTED)


def test_a_clock_that_is_set_back_fires_nothing_twice() -> None:
    schedule = every(10, NOW_MS)
    fired = []
    for now_ms in (NOW_MS + 10_000, NOW_MS + 5_000, NOW_MS - DAY_MS, NOW_MS + 10_000, NOW_MS + 20_000):
        for firing in scheduler.due({"s": schedule}, now_ms):
            fired.append(firing.intended_ms)
            schedule = stored(firing)
    assert fired == [NOW_MS + 10_000, NOW_MS + 20_000]


def test_a_paused_schedule_does_not_fire_and_has_no_burst_when_it_is_resumed() -> None:
    schedule = scheduler.paused(every(10, NOW_MS))
    assert scheduler.due({"s": schedule}, NOW_MS + HOUR_MS) == []
    assert scheduler.wait_ms({"s": schedule}, NOW_MS) is None
    again = scheduler.resumed(schedule, NOW_MS + HOUR_MS + 1)
    assert scheduler.due({"s": again}, NOW_MS + HOUR_MS + 1) == []
    firing = due_one(again, NOW_MS + HOUR_MS + 10_000)
    assert (firing.intended_ms, firing.missed) == (NOW_MS + HOUR_MS + 10_000, 0)
    assert scheduler.resumed(again, NOW_MS + 2 * HOUR_MS) is again


def test_other_times_count_from_the_change_on() -> None:
    schedule = scheduler.changed(every(10, NOW_MS), "0 13 * * *", "Europe/Berlin", NOW_MS)
    assert schedule.next_ms == ms("2026-12-01T13:00:00+01:00")
    with pytest.raises(UsageError):
        scheduler.changed(schedule, "never", "UTC", NOW_MS)


def test_firings_that_are_due_come_in_the_order_of_their_times() -> None:
    schedules = {
        name: scheduler.new(name, expression, "UTC", "f", b"", NOW_MS)
        for name, expression in (("late", "30 * * * *"), ("b", "10 * * * *"), ("a", "10 * * * *"), ("no", "0 0 1 1 *"))
    }
    assert [firing.schedule.name for firing in scheduler.due(schedules, NOW_MS + HOUR_MS - 1)] == ["a", "b", "late"]
