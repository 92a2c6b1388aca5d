"""The diary of a soak: what is found wrong is told to who asks by the signal, while the soak goes on."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest
from soaks import SERIES, asked

from loadgen.monitors.board import Board
from loadgen.monitors.reading import Gap, Reading
from loadgen.soak.asked import Asked
from loadgen.soak.diary import Diary
from loadgen.soak.folder import RunFolder
from loadgen.soak.go import Go
from loadgen.web.get import get

OF = asked(settle_s=10, duration_s=600, checkpoint_s=60, series={"proc.fds": SERIES["proc.fds"]})


class Told(Board):
    """A board whose news a test sets."""

    def __init__(self) -> None:
        super().__init__(())
        self.waiting: list[Reading | Gap] = []

    def news(self) -> list[Reading | Gap]:
        news, self.waiting = self.waiting, []
        return news

    def evidence(self, monitor: str) -> Mapping[str, str]:
        return {}


def served(go: Go) -> tuple[int, list[str]]:
    page = get(f"{go.url}/state")
    return page.status, json.loads(page.body)["why"]


def diary_of(of: Asked, folder: Path, board: Board, go: Go | None = None) -> Diary:
    return Diary(
        of,
        lambda event: None,
        board=board,
        open_folder=lambda started_s: RunFolder(folder, {"started_s": started_s}),
        version="0",
        host="host",
        target="process 1",
        go=go,
    )


@pytest.mark.parametrize(("settle_s", "at_s"), [(10.0, -5.0), (9.0, -4.0), (0.0, 1.0)])
def test_the_evidence_of_the_baseline_is_asked_for_once_and_before_what_the_baseline_is_of(
    settle_s: float, at_s: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    of = asked(settle_s=settle_s, series={"proc.fds": SERIES["proc.fds"]})
    diary = diary_of(of, tmp_path, Told())
    seen: list[tuple[float, str]] = []
    for second in range(1 - round(settle_s), 100):
        monkeypatch.setattr(diary.captures, "ask", lambda why, at=float(second): seen.append((at, why)))
        diary.sample(float(second), {"proc.fds": 22.0}, 0)
    diary.captures.close(0.0)
    assert seen == [(at_s, "the baseline")]


def test_a_growth_that_is_red_and_a_restart_are_a_no_go_from_then_on(tmp_path: Path) -> None:
    board = Told()
    with Go(serves=("127.0.0.1", 0)) as go:
        diary = diary_of(OF, tmp_path / "run", board, go)

        def sample(second: int, per_min: float) -> None:
            value = 22 + per_min * max(0, second) / 60
            board.waiting.append(Reading("proc", 0, 0.0, {"fds": value}, "pid 1"))
            diary.sample(float(second), diary.take_news(keep=True), 0)

        for second in range(-9, 1):
            sample(second, 0)
        diary.state = "soaking"
        for second in range(1, 241):
            sample(second, 40 if second > 1 else 0)
            if second == 59:
                diary.beat(force=True)
                assert served(go) == (200, []), "no checkpoint has found it yet"
        diary.beat(force=True)
        status, red = served(go)
        assert (status, len(red)) == (503, 1)
        assert red[0].startswith("proc.fds grows by 40/min at least: red")
        for identity in ("pid 1", "pid 2", "pid 3"):
            board.waiting.append(Reading("proc", 0, 0.0, {"fds": 22.0}, identity))
            diary.take_news(keep=True)
        diary.no_go = "the disk is full"
        diary.beat(force=True)
        assert served(go) == (503, ["the disk is full", *red, "proc was restarted: pid 2, then pid 3"])
        diary.captures.close(0.0)
