"""The part of a lane's waits that is the generator's: on invented times, and against a simulated queue with pauses."""

from __future__ import annotations

import pytest

from loadgen.engine._busy import InventedLane, kind_of

MS = 1_000_000


def test_while_there_is_room_all_of_a_wait_is_the_generators() -> None:
    lane = InventedLane()
    assert lane.sent(100, 170) == (70, 70)


def test_a_wait_for_room_is_the_servers() -> None:
    lane = InventedLane()
    lane.block(1000)
    # One was due before the lane was blocked: so long the loop was late.
    assert lane.sent(940, 5000) == (60, 60)
    assert lane.sent(1000, 6000) == (0, 0)
    assert lane.sent(2000, 7000) == (0, 0)


def test_a_pause_of_a_dry_server_sets_back_all_that_waits_and_what_falls_due_after_it() -> None:
    lane = InventedLane()
    lane.paused("dry", 0, 80 * MS, 0)
    assert lane.sent(10 * MS, 80 * MS) == (70 * MS, 70 * MS)
    lane.block(80 * MS)
    assert lane.sent(70 * MS, 85 * MS) == (15 * MS, 15 * MS)
    # It fell due after the pause, into the backlog that the pause left.
    assert lane.sent(90 * MS, 120 * MS) == (30 * MS, 30 * MS)
    # What goes beyond the pause is the server's.
    assert lane.sent(100 * MS, 200 * MS) == (80 * MS, 80 * MS)


def test_pauses_of_one_busy_period_add_up() -> None:
    lane = InventedLane()
    for start in range(0, 1000, 100):
        lane.paused("dry", start * MS, (start + 80) * MS, 0)
        lane.block((start + 80) * MS)
    assert lane.sent(500 * MS, 1000 * MS) == (500 * MS, 500 * MS)
    assert lane.sent(100 * MS, 1000 * MS) == (800 * MS, 800 * MS)


def test_a_pause_counts_from_when_the_first_that_waits_was_due() -> None:
    lane = InventedLane()
    lane.paused("dry", 0, 80 * MS, 50 * MS)
    lane.block(80 * MS)
    assert lane.sent(90 * MS, 200 * MS) == (30 * MS, 30 * MS)


def test_a_pause_in_which_nothing_was_due_counts_nothing() -> None:
    lane = InventedLane()
    lane.paused("dry", 0, 80 * MS, 90 * MS)
    lane.block(90 * MS)
    assert lane.sent(90 * MS, 200 * MS) == (0, 0)


def test_a_pause_of_a_busy_server_counts_nothing() -> None:
    lane = InventedLane()
    # Every pipeline was full when the first fell due, and stayed so: it has been the server's wait since then.
    lane.paused("served", 0, 80 * MS, 20 * MS)
    assert lane.sent(20 * MS, 90 * MS) == (0, 0)
    lane.paused("served", 100 * MS, 180 * MS, 30 * MS)
    assert lane.sent(30 * MS, 190 * MS) == (0, 0)


def test_a_pause_in_doubt_is_an_upper_bound() -> None:
    lane = InventedLane()
    lane.block(0)
    lane.paused("dry", 10 * MS, 15 * MS, 0)
    lane.paused("in doubt", 20 * MS, 50 * MS, 0)
    assert lane.sent(0, 100 * MS) == (5 * MS, 35 * MS)
    assert lane.sent(90 * MS, 100 * MS) == (5 * MS, 10 * MS)


def test_a_new_busy_period_owes_nothing_to_the_pauses_of_the_last() -> None:
    lane = InventedLane()
    lane.paused("dry", 0, 80 * MS, 0)
    lane.paused("in doubt", 80 * MS, 90 * MS, 0)
    lane.end()
    lane.block(100 * MS)
    assert lane.sent(100 * MS, 200 * MS) == (0, 0)


@pytest.mark.parametrize(("gap", "service"), [(2, 1), (3, 2), (1, 1), (2, 3), (1, 4)])
def test_the_wait_without_pauses_is_never_said_to_be_the_generators(gap: int, service: int) -> None:
    """One place, requests evenly spaced; the generator stands still for 50 of every 100, whatever the server does."""

    def waits(*, pauses: bool) -> list[tuple[int, int]]:
        lane, free, out, now = InventedLane(), 0, [], 0
        due = 0
        for now in range(20_000):
            if pauses and now % 100 < 50:
                continue
            if pauses and now % 100 == 50 and due <= now:
                # The one that was on its way is answered, or was at the end of the pause.
                lane.paused("dry" if free <= now else "served", now - 50, now, due)
            while due <= now:
                if free > now:
                    lane.block(now)
                    break
                out.append((now - due, lane.sent(due, now)[0]))
                free, due = now + service, due + gap
            else:
                lane.end()
        return out

    paused, undisturbed = waits(pauses=True), waits(pauses=False)
    for (wait, ours), (without, _) in zip(paused, undisturbed, strict=False):
        # Exact, but for the part of a pause in which the server was still busy with what it had.
        assert 0 <= ours <= wait
        assert wait - ours <= without
    late = [wait for wait, _ in paused if wait > 10]
    assert late
    assert sum(ours for _, ours in paused) > 0.3 * sum(late)


def test_what_waits_at_the_end_is_behind_if_pauses_alone_took_it_there() -> None:
    lane = InventedLane()
    assert lane.is_behind(100, 200)
    lane.block(50)
    assert not lane.is_behind(100, 200)
    lane.paused("dry", 60, 170, 0)
    assert lane.is_behind(100, 200)
    assert not lane.is_behind(100, 210)


@pytest.mark.parametrize(
    ("seen", "kind"),
    [
        # Room all along.
        ({"room": True, "ready": 2, "ready_after": 2, "owed": 5}, "dry"),
        # Full pipelines, and answers to all that was asked.
        ({"ready": 2, "ready_after": 2}, "dry"),
        # Full pipelines, and an answer that is still owed.
        ({"ready": 2, "ready_after": 2, "owed": 1}, "served"),
        ({"ready": 2, "ready_after": 1, "owed": 1}, "served"),
        # A connection went: nobody can say when.
        ({"ready": 2, "ready_after": 1}, "in doubt"),
        # Nothing to send on; being accepted or greeted is the server's turn.
        ({"opening": 1}, "served"),
        ({"ready_after": 1}, "in doubt"),
        ({}, "in doubt"),
        # A full socket that took bytes again: nobody can say when.
        ({"ready": 1, "stuck": 1, "ready_after": 1}, "in doubt"),
        ({"ready": 1, "stuck": 1, "ready_after": 1, "owed": 1}, "served"),
    ],
)
def test_what_a_pause_was_follows_from_what_it_found_and_left(seen: dict[str, int], kind: str) -> None:
    assert kind_of(**seen) == kind  # type: ignore[arg-type]
