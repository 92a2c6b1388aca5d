"""`loadgen cloud` with its agents played: interrupts, lost machines, and a dry run, from the command line."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Callable, Iterable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from in_process import invoked
from seed_machines import SeedMachine

from loadgen.cli import cloud
from loadgen.fleet.seed_messages import Order, Prepare
from loadgen.fleet.study import Study

WORDS = ("cloud", "simulate", "--machines", "2", "--filter", "client_liveness", "--seeds", "5000", "--processes", "1")
SAID = SimpleNamespace(host="h.example", cpus=2, version="0.1.0", python="3.11.7")


class Board:
    """The conversations with two agents, whose time goes on by 0.25 s with each wait for them."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.machines: list[SeedMachine] = []
        self.told: list[tuple[int, object]] = []
        self.gone: dict[int, str] = {}
        self.waits = 0
        self.each_wait: Callable[[], None] = lambda: None
        made = cloud.study_of

        def study_of(*arguments: Any) -> Study:
            study = made(*arguments)
            self.machines = [SeedMachine(study) for _ in range(2)]
            return study

        @contextlib.contextmanager
        def agents(given: object, launcher: object, lost_ns: int) -> Iterator[object]:
            named = [SimpleNamespace(name=name, said=SAID) for name in ("a", "b")]
            yield SimpleNamespace(exchange=self, machines=named)

        monkeypatch.setattr(cloud, "study_of", study_of)
        monkeypatch.setattr(cloud.machines, "agents", agents)
        monkeypatch.setattr(cloud, "THIS_MACHINE", self)

    def fileno(self, rank: int) -> int:
        return rank

    def tell(self, rank: int, message: Order) -> None:
        self.told.append((rank, message))
        if rank not in self.gone:
            self.machines[rank].tell(message)

    def hear(self, rank: int) -> object:
        if rank in self.gone:
            raise EOFError(self.gone[rank])
        return self.machines[rank].answers.popleft()

    def wait(self, files: Iterable[int], timeout_ns: int) -> list[int]:
        """Return the agents that have something to say."""
        self.waits += 1
        self.each_wait()
        for rank, machine in enumerate(self.machines):
            if not machine.answers and rank not in self.gone:
                machine.work()
        return [rank for rank in files if rank in self.gone or self.machines[rank].answers]


def test_a_campaign_is_led_to_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    board = Board(monkeypatch)
    done = invoked(*WORDS)
    assert done.status == 0, done.stderr
    assert "PASS  simulate: 5,000 seeds" in done.stdout
    assert "a: 2," in done.stdout
    [first, _] = [message for _, message in board.told if isinstance(message, Prepare)]
    assert isinstance(first, Prepare)
    assert (first.verb, first.processes) == ("simulate", 1)
    assert first.words == ("--filter", "client_liveness", "--seeds", "5000")


def test_what_becomes_of_results_is_the_leaders_alone(monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> None:
    board = Board(monkeypatch)
    done = invoked(*WORDS, "--format", "json", "-o", f"{tmp_path}/r.json", "--artifacts", f"{tmp_path}", "--ops=7")
    assert done.status == 0, done.stderr
    [first, _] = [message for _, message in board.told if isinstance(message, Prepare)]
    assert isinstance(first, Prepare)
    assert first.words == ("--filter", "client_liveness", "--seeds", "5000", "--ops", "7")


def test_an_interrupt_ends_a_campaign_with_what_was_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    board = Board(monkeypatch)

    def interrupt() -> None:
        if sum(len(machine.ran) for machine in board.machines) > 500:
            signal.raise_signal(signal.SIGINT)

    board.each_wait = interrupt
    done = invoked(*WORDS)
    assert done.status == 130
    assert "INTERRUPTED  simulate: " in done.stdout
    assert "cases" in done.stdout


def test_an_interrupt_before_any_machine_is_ready_has_no_result(monkeypatch: pytest.MonkeyPatch) -> None:
    board = Board(monkeypatch)
    board.each_wait = lambda: signal.raise_signal(signal.SIGINT)
    done = invoked(*WORDS)
    assert done.status == 130
    assert done.stdout == ""
    assert "interrupted" in done.stderr


def test_without_any_machine_left_it_says_how_far_it_came(monkeypatch: pytest.MonkeyPatch) -> None:
    board = Board(monkeypatch)

    def lose() -> None:
        if sum(len(machine.ran) for machine in board.machines) > 500:
            board.gone = {0: "was killed by SIGKILL", 1: "lost its connection (Connection reset by peer)"}

    board.each_wait = lose
    done = invoked(*WORDS)
    assert done.status == 3
    assert "COULD NOT RUN  simulate: " in done.stdout
    assert "a was killed by SIGKILL; b lost its connection (Connection reset by peer); " in done.stderr
    assert " of 5,000 seeds were run" in done.stderr


def test_agents_that_are_gone_before_they_are_ready_are_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    board = Board(monkeypatch)
    board.gone = {0: "ended with exit status 3", 1: "ended with exit status 3"}
    done = invoked(*WORDS)
    assert (done.status, done.stdout) == (3, "")
    assert "no machine is left: a ended with exit status 3; b ended with exit status 3; 0 of 5,000 seeds" in done.stderr


def test_a_dry_run_says_what_would_be_run_and_where(monkeypatch: pytest.MonkeyPatch) -> None:
    board = Board(monkeypatch)
    done = invoked(*WORDS, "--dry-run")
    assert done.status == 0, done.stderr
    assert done.stdout.splitlines() == [
        "simulate: 1 test × 5,000 seeds",
        "a: loadgen 0.1.0, Python 3.11.7, 2 CPUs, 1 process",
        "b: loadgen 0.1.0, Python 3.11.7, 2 CPUs, 1 process",
        "nothing was run (--dry-run)",
    ]
    assert board.told == []
