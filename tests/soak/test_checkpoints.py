"""The lines of a soak: baseline, checkpoints, header. Upstream's form, for any series."""

import re
import time

import pytest
from soaks import ASKED, asked, column, told

from loadgen.judge.check import Check
from loadgen.output.words import soak as words
from loadgen.soak import checkpoints
from loadgen.soak.checkpoints import Base, Schedule
from loadgen.soak.ended import SoakBaseline, SoakBegan

LINE = re.compile(r"\[(\d+)/(\d+)\] ([0-9]+min(?:[0-9]+s)?|[0-9]+s): \S+=\S+ \([+-]\S+, -?[0-9.]+\S*/min\)( .*)?")


def test_a_checkpoint_says_value_growth_since_the_baseline_and_rate_per_minute() -> None:
    """2 more files in 6 minutes are 0.3/min, as upstream rounds."""
    journal, _ = told(
        asked(duration_s=1800, checkpoint_s=120), lambda t: {"proc.fds": 22 + max(t, 0) // 180, "proc.threads": 6}
    )
    third = journal.found.checkpoints[2]
    line = words.checkpoint(journal.asked, third)
    assert line == "[3/15] 6min: FD=24 (+2, 0.3/min) THREADS=6 (+0, 0.0/min)"


def test_every_line_of_a_soak_has_the_form() -> None:
    journal, _ = told(asked(duration_s=300, checkpoint_s=20), lambda t: {"proc.fds": 22, "proc.rss": 5e6 + 100 * t})
    lines = [words.checkpoint(journal.asked, each) for each in journal.found.checkpoints]
    assert len(lines) == 15
    for number, line in enumerate(lines, 1):
        match = LINE.fullmatch(line)
        assert match is not None, line
        assert (match[1], match[2]) == (str(number), "15")
    assert [re.split(r"[\]:]", line)[1].strip() for line in lines[:4]] == ["20s", "40s", "1min", "1min20s"]
    assert "RSS=5.01MB (+8.15KB, 6.11KB/min)" in lines[3]


def test_the_baseline_is_the_median_of_the_last_part_of_settling() -> None:
    journal, _ = told(
        asked(settle_s=30, duration_s=60, checkpoint_s=10),
        lambda t: {"proc.fds": 900 if t < -10 else 22 if t <= 0 else 30},
    )
    assert journal.found.bases["proc.fds"] == Base(22, 0.0)
    [line] = words.baseline(SoakBaseline(journal.asked, journal.found.bases))
    assert line == "Baseline: FD=22"


def test_a_series_that_comes_later_counts_from_its_first_checkpoint() -> None:
    journal, _ = told(
        asked(duration_s=240, checkpoint_s=60), lambda t: {"proc.fds": 5} | ({"proc.threads": t} if t > 30 else {})
    )
    first, second, *_ = journal.found.checkpoints
    assert words.checkpoint(journal.asked, first).endswith("THREADS=60 (new)")
    assert words.checkpoint(journal.asked, second).endswith("THREADS=120 (+60, 60.0/min)")


def test_a_series_without_a_reading_since_the_last_checkpoint_is_a_question_mark() -> None:
    journal, _ = told(
        asked(duration_s=180, checkpoint_s=60), lambda t: {"proc.threads": 1} | ({"proc.fds": 5} if t < 62 else {})
    )
    assert [words.checkpoint(journal.asked, each).split()[2] for each in journal.found.checkpoints] == [
        "FD=5", "FD=5", "FD=?",
    ]  # fmt: skip


def test_a_count_of_intervals_is_summed_since_the_beginning() -> None:
    journal, _ = told(asked(duration_s=120, checkpoint_s=60), lambda t: {"load.requests": 500})
    assert [each.reached["load.requests"].value for each in journal.found.checkpoints] == [30_000, 60_000]


def test_names_that_several_monitors_have_are_told_apart_and_checks_add_series_to_the_line() -> None:
    both = asked(
        series={"proc.fds": column("fds"), "proxy.fds": column("fds"), "web.sessions": column("sessions")},
        checks=(Check("growth(sessions) < 5/min"),),
    )
    assert [words.label(both, each) for each in words.shown(both)] == ["FD[proc]", "FD[proxy]", "SESSIONS"]


def test_the_header_has_start_expected_end_and_the_time_of_each_checkpoint(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    began = SoakBegan(
        asked(settle_s=30, duration_s=1800, checkpoint_s=120), "1", "run", "redis", "500/s", 1_762_528_279
    )
    lines = words.header(began)
    assert lines[0] == "Start: 2025-11-07 15:11:19 +0000"
    assert lines[1] == "Expected end: 2025-11-07 15:41:49 +0000 (30m, 30s of settling included)"
    assert lines[2].startswith("Checkpoints: 15, at 15:13:49, 15:15:49, ")
    assert lines[2].endswith(", 15:41:49")
    many = words.header(
        SoakBegan(asked(duration_s=86_400, checkpoint_s=120), "1", "run", "redis", "500/s", 1_762_528_279)
    )
    assert many[2] == "Checkpoints: 720, at 15:13:29, and each 2m until 15:11:29"


def test_a_schedule_ends_with_a_checkpoint_whatever_its_length() -> None:
    schedule = Schedule(settle_s=0, duration_s=100, checkpoint_s=30, every_s=1)
    assert schedule.checkpoints == 4
    assert [schedule.time_of(number) for number in range(1, 5)] == [30, 60, 90, 100]
    assert [schedule.due(0, t) for t in (29, 30, 59.9999999, 99, 100)] == [0, 1, 2, 3, 4]


def test_a_checkpoint_that_comes_after_one_and_a_half_intervals_is_late() -> None:
    schedule = ASKED.schedule
    assert [*checkpoints.late(schedule, [0, 60, 150, 210, 301])] == [(3, 91)]
