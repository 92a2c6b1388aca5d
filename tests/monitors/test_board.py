"""The board: a thread per monitor, gaps for what is missing, and news in order of time. Monitors here do as told."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from itertools import pairwise

import pytest

from loadgen.judge.expression.vocabulary import Known
from loadgen.monitors.board import NOT_BEGUN, NOT_ENDED, Board, opened
from loadgen.monitors.monitor import Found, Unreadable
from loadgen.monitors.plan import MonitorPlan
from loadgen.monitors.reading import Gap, Reading

MS = 1_000_000
DEADLINE_S = 60.0


class Told:
    """A monitor whose readings are what a function returns or raises."""

    kind = "told"
    series: Mapping[str, Known] = {}

    def __init__(self, name: str, read: Callable[[], Found], every_ns: int = MS) -> None:
        self.name, self.every_ns, self._read = name, every_ns, read
        self.is_closed = threading.Event()

    def read(self) -> Found:
        return self._read()

    def evidence(self) -> Mapping[str, str]:
        return {"a.txt": self.name}

    def close(self) -> None:
        self.is_closed.set()


def good() -> Found:
    return Found({"x": 1.0}, "pid 1")


def waiting(go_on: threading.Event) -> Callable[[], Found]:
    def read() -> Found:
        go_on.wait(DEADLINE_S)
        return good()

    return read


def until(board: Board, enough: Callable[[list[Reading | Gap]], bool]) -> list[Reading | Gap]:
    """The news until they are enough."""
    news: list[Reading | Gap] = []
    deadline = time.monotonic() + DEADLINE_S
    while not enough(news):
        assert time.monotonic() < deadline, news
        news += board.news()
        time.sleep(0.001)
    return news


def gaps_of(news: list[Reading | Gap]) -> list[Gap]:
    return [each for each in news if isinstance(each, Gap)]


def of(news: list[Reading | Gap], name: str, kind: type) -> list[Reading | Gap]:
    return [each for each in news if each.monitor == name and isinstance(each, kind)]


def test_readings_come_by_the_schedule_and_news_are_in_order_of_time() -> None:
    with Board([Told("a", good), Told("b", good)]) as board:
        assert board.first_look(DEADLINE_S) == ()
        until(board, lambda news: len(of(news, "a", Reading)) > 3 and len(of(news, "b", Reading)) > 3)
        time.sleep(0.01)
        news = board.news()
        assert {each.monitor for each in news} == {"a", "b"}
        assert all(before.at_ns <= after.at_ns for before, after in pairwise(news))
        first = of(news, "a", Reading)[0]
        assert first == Reading("a", first.at_ns, first.wall_s, {"x": 1.0}, "pid 1")
        assert first.wall_s == pytest.approx(time.time(), abs=DEADLINE_S)


def test_a_monitor_that_hangs_has_a_gap_for_each_time_and_holds_up_no_other() -> None:
    go_on = threading.Event()
    with Board([Told("hangs", waiting(go_on)), Told("works", good)]) as board:
        news = until(board, lambda news: len(of(news, "hangs", Gap)) >= 9 and len(of(news, "works", Reading)) >= 3)
        # Its first reading may have begun late, after other times.
        gaps = [each for each in news if isinstance(each, Gap) and each.monitor == "hangs" and each.why != NOT_BEGUN]
        assert all(after.at_ns - before.at_ns == MS for before, after in pairwise(gaps))
        assert gaps[0].why == NOT_ENDED.format("1ms")
        assert of(news, "hangs", Reading) == []
        go_on.set()
        until(board, lambda news: bool(of(news, "hangs", Reading)))


def test_a_failure_is_a_gap_with_its_reason_fit_to_be_shown_and_the_first_look_tells_it() -> None:
    def fail() -> Found:
        raise Unreadable("page\x1b[31m is no page")

    with Board([Told("fails", fail), Told("works", good)]) as board:
        [gap] = board.first_look(DEADLINE_S)
        assert (gap.monitor, gap.why) == ("fails", "page\\x1b[31m is no page")
        assert gap in until(board, lambda news: len(of(news, "fails", Gap)) >= 2)


def test_a_part_that_is_missing_is_a_gap_beside_the_reading() -> None:
    with Board([Told("a", lambda: Found({"x": 1.0}, lacking="y is not there"), every_ns=10**12)]) as board:
        [gap] = board.first_look(DEADLINE_S)
        assert gap.why == "y is not there"
        assert board.news() == [Reading("a", gap.at_ns, gap.wall_s, {"x": 1.0}), gap]


def test_a_bug_in_a_monitor_is_told_and_the_monitor_is_read_again() -> None:
    outcomes: Iterator[int] = iter([0, 1])

    def read() -> Found:
        return Found({"x": 1 / next(outcomes, 1)})

    with Board([Told("a", read)]) as board:
        assert board.first_look(DEADLINE_S)[0].why == "a bug in loadgen: ZeroDivisionError: division by zero"
        until(board, lambda news: bool(of(news, "a", Reading)))


def test_a_first_look_at_a_monitor_that_hangs_ends() -> None:
    go_on = threading.Event()
    with Board([Told("a", waiting(go_on))]) as board:
        [gap] = board.first_look(0.01)
        assert gap.why == "nothing could be read within 10ms"
        go_on.set()


def test_times_at_which_loadgen_did_not_run_are_gaps() -> None:
    """As after a SIGSTOP: the thread wakes up long after its time."""
    monitor = Told("a", good, every_ns=1000)
    board = Board([monitor])
    # A thread that begins late has gaps before its first reading.
    until(board, lambda news: bool(of(news, "a", Reading)) and any(gap.why == NOT_BEGUN for gap in gaps_of(news)))
    board.close()


def test_closing_ends_the_threads_closes_monitors_and_leaves_one_that_hangs_behind() -> None:
    go_on = threading.Event()
    works = Told("works", good)
    hangs = Told("hangs", waiting(go_on), every_ns=10**12)
    board = Board([works, hangs])
    board.first_look(0.01)
    assert board.evidence("hangs") == {"a.txt": "hangs"}
    board.close(patience_s=0.01)
    assert works.is_closed.is_set()
    assert not hangs.is_closed.is_set()
    go_on.set()
    assert hangs.is_closed.wait(DEADLINE_S)
    assert board.news() == [] or all(each.monitor == "hangs" for each in board.news())


def test_the_monitors_of_plans_are_opened_by_name() -> None:
    with opened(
        [MonitorPlan("host", "here", every_ns=10**12), MonitorPlan("self", "me", every_ns=2 * 10**12)]
    ) as board:
        assert board.first_look(DEADLINE_S) == ()
        assert board.every_ns == {"here": 10**12, "me": 2 * 10**12}
        assert board.series.keys() == {"here", "me"}
        found = {each.monitor: each for each in board.news()}
        assert found.keys() == {"here", "me"}
