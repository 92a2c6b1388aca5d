"""The status of a soak from outside: what is missing is missed in time, and what is only slow is not."""

from __future__ import annotations

from typing import Any

import pytest

from loadgen.errors import ExitCode
from loadgen.soak.follower import Follower
from loadgen.soak.status import BEAT_S, START_S, Life, Phase, Status, Times, Trouble, status

BEGAN = 1_000_000.0
TIMES = Times(BEGAN, settle_s=30.0, duration_s=1800.0, checkpoint_s=120.0, checkpoints=15)
BASELINE = {"type": "baseline", "wall_s": BEGAN + 30, "t_s": 0}
GONE, OVERDUE, STOPPED, SILENT = Trouble.GONE, Trouble.OVERDUE, Trouble.STOPPED, Trouble.SILENT


def checkpoint(number: int, late_s: float = 0.0) -> dict[str, Any]:
    at_s = BEGAN + 30 + 120 * number + late_s
    return {"type": "checkpoint", "wall_s": at_s, "t_s": 120 * number, "number": number, "of": 15}


def at(
    offset_s: float,
    *events: dict[str, Any],
    beat_s: float | None = None,
    result: dict[str, Any] | None = None,
    life: Life = Life.RUNS,
) -> Status:
    """The status `offset_s` after the soak began, with a heartbeat of that age; by default a fresh one."""
    beat = {"wall_s": BEGAN + offset_s - (beat_s or 0.0)}
    return status(TIMES, events, beat, result, BEGAN + offset_s, life)


def troubles(status: Status) -> list[Trouble]:
    return [problem.trouble for problem in status.problems]


def test_a_checkpoint_is_missed_after_one_and_a_half_intervals_and_not_before() -> None:
    events = (BASELINE, checkpoint(1), checkpoint(2))
    assert troubles(at(270 + 180, *events)) == []
    late = at(270 + 181, *events)
    assert troubles(late) == [OVERDUE]
    assert late.problems[0].words == "no checkpoint for 3m 1s, since checkpoint 2; the interval is 2m"
    assert troubles(at(30 + 181, BASELINE)) == [OVERDUE]
    assert "since the baseline" in at(30 + 181, BASELINE).problems[0].words


def test_a_checkpoint_that_came_late_moves_the_next() -> None:
    assert troubles(at(270 + 240, BASELINE, checkpoint(1), checkpoint(2, late_s=100))) == []


def test_a_baseline_that_does_not_come_is_missed() -> None:
    assert troubles(at(30 + 60)) == []
    assert troubles(at(30 + 61)) == [OVERDUE]
    # Before the first heartbeat servers are brought up and keys are written.
    assert status(TIMES, (), None, None, BEGAN + 59, Life.RUNS).problems == ()
    assert troubles(status(TIMES, (), None, None, BEGAN + START_S + 1, Life.RUNS)) == [SILENT]
    assert troubles(status(TIMES, (), None, None, BEGAN + 30 + 60 + START_S + 1, Life.RUNS)) == [OVERDUE, SILENT]


def test_the_heartbeat_of_a_stopped_or_hanging_soak_is_missed_long_before_its_checkpoint() -> None:
    events = (BASELINE, checkpoint(1))
    assert troubles(at(160, *events, beat_s=BEAT_S)) == []
    hangs = at(170, *events, beat_s=BEAT_S + 1)
    assert troubles(hangs) == [SILENT]
    assert hangs.problems[0].words == "its heartbeat is 11s old, and should be no older than a second"
    assert troubles(at(160, *events, life=Life.STOPPED)) == [STOPPED]
    assert troubles(at(160, *events, life=Life.UNKNOWN)) == []


def test_a_process_that_is_gone_is_said_at_once_and_nothing_else_is() -> None:
    assert troubles(at(900, BASELINE, beat_s=600, life=Life.GONE)) == [GONE]
    assert troubles(at(900, BASELINE, result={}, beat_s=600, life=Life.GONE)) == []
    # Killed between its last event and its result.
    assert troubles(at(900, BASELINE, {"type": "end", "wall_s": BEGAN + 800}, life=Life.GONE)) == [GONE]


def pause(from_s: float, to_s: float | None = None) -> list[dict[str, Any]]:
    ends = [] if to_s is None else [{"type": "resume", "wall_s": BEGAN + to_s, "t_s": 70, "length_s": to_s - from_s}]
    return [{"type": "pause", "wall_s": BEGAN + from_s, "t_s": 70, "words": "paused"}, *ends]


def test_a_paused_soak_misses_no_checkpoint_but_its_heartbeat_goes_on() -> None:
    paused = at(5000, BASELINE, *pause(100))
    assert (paused.phase, paused.problems, paused.due_s) == (Phase.PAUSED, (), None)
    assert troubles(at(5000, BASELINE, *pause(100), beat_s=30)) == [SILENT]


def test_a_pause_moves_the_next_checkpoint_and_the_end_by_its_length() -> None:
    before, after = at(310, BASELINE), at(310, BASELINE, *pause(100, 300))
    assert before.due_s is not None
    assert after.due_s == before.due_s + 200
    assert after.expected_end_s == before.expected_end_s + 200 == BEGAN + 30 + 1800 + 200
    assert troubles(at(30 + 180 + 200, BASELINE, *pause(100, 300))) == []
    assert troubles(at(30 + 181 + 200, BASELINE, *pause(100, 300))) == [OVERDUE]
    # While it lasts, the end moves with the time.
    assert at(400, BASELINE, *pause(100)).expected_end_s == BEGAN + 30 + 1800 + 300


def test_an_extension_moves_the_end() -> None:
    extended = {"type": "extended", "wall_s": BEGAN + 1830, "t_s": 1800, "duration_s": 3600.0}
    long = at(1840, BASELINE, checkpoint(15), extended)
    assert (long.expected_end_s, long.of, long.phase) == (BEGAN + 30 + 3600, 30, Phase.SOAKING)


@pytest.mark.parametrize("trouble", [Trouble.RESTART, Trouble.BREACH])
def test_what_the_soak_itself_found_is_a_problem(trouble: Trouble) -> None:
    event = {"type": str(trouble), "wall_s": BEGAN + 50, "t_s": 20, "words": "redis was restarted"}
    found = at(60, BASELINE, event, {**event, "words": "again"})
    assert troubles(found) == [trouble]
    assert found.problems[0].words == f"{trouble} (the last of 2): again"
    assert found.restarts == (2 if trouble is Trouble.RESTART else 0)


def test_the_last_checkpoint_is_due_at_the_end_however_short_its_interval() -> None:
    times = Times(BEGAN, 0.0, 100.0, 30.0, 4)
    third = {"type": "checkpoint", "wall_s": BEGAN + 90, "t_s": 90, "number": 3, "of": 4}
    assert status(times, [third], None, None, BEGAN + 91, Life.RUNS).due_s == BEGAN + 100


def looked(follower: Follower, now: Status, *log: str, result: dict[str, Any] | None = None) -> tuple[list[str], Any]:
    return follower.look(log, now, result)


def test_a_follower_repeats_the_log_says_troubles_once_and_gives_up_at_the_missing_checkpoint() -> None:
    follower, events = Follower(), (BASELINE, checkpoint(1))
    assert looked(follower, at(155, *events), "a", "b") == (["a", "b"], None)
    stopped = at(170, *events, beat_s=12, life=Life.STOPPED)
    said, exit_code = looked(follower, stopped, "a", "b", "c")
    assert (said[0], [line.split(",")[0] for line in said[1:]], exit_code) == (
        "c",
        ["watch: the soak's process is stopped", "watch: its heartbeat is 12s old"],
        None,
    )
    assert looked(follower, stopped, "a", "b", "c") == ([], None)
    assert looked(follower, at(180, *events), "a", "b", "c") == (["watch: it goes on"], None)
    said, exit_code = looked(follower, at(331, *events), "a", "b", "c")
    assert (said, exit_code) == (
        ["watch: no checkpoint for 3m 1s, since checkpoint 1; the interval is 2m"],
        ExitCode.NO,
    )


@pytest.mark.parametrize("exit_status", [0, 1, 3, 4])
def test_a_follower_of_a_soak_that_ended_has_its_exit_status(exit_status: int) -> None:
    result = {"exit_status": exit_status}
    now = at(1900, BASELINE, result=result)
    assert looked(Follower(), now, "Complete", result=result) == (["Complete"], ExitCode(exit_status))


def test_a_follower_leaves_to_the_log_what_the_log_says() -> None:
    event = {"type": "restart", "wall_s": BEGAN + 50, "t_s": 20, "words": "redis was restarted"}
    assert looked(Follower(), at(60, BASELINE, event)) == ([], None)
