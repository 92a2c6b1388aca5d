"""The candidates of a command line: what is read from each, how often it is read, and which CPUs a candidate gets."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from loadgen import config
from loadgen.cli.contestants import Contestants
from loadgen.cli.options import parse
from loadgen.cli.verbs import compare
from loadgen.compare.rounds import Contestant
from loadgen.target.servers import Managed

LOAD = "[connection]\nconnections = 8\n"


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A load, on a machine of four CPUs."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0, 1, 2, 3})
    path = tmp_path / "load.toml"
    path.write_text(LOAD)
    return path


def found_by(file: Path, *flags: str, words: tuple[str, ...] = ("redis", "redis-aof")) -> list[Contestant]:
    given = parse(compare.SYNTAX, [*words, str(file), *flags])
    found = Contestants(given, "compare", file).candidates(words)
    assert all(isinstance(each, Contestant) for each in found)
    return [each for each in found if isinstance(each, Contestant)]


def cpus(found: Contestant) -> list[int | None]:
    return [worker.cpu for worker in found.plan.workers]


def test_each_candidate_is_read_once_and_its_plan_resolved_once(monkeypatch: pytest.MonkeyPatch, file: Path) -> None:
    calls: list[str] = []

    def counting(name: str) -> Callable[..., Any]:
        real = getattr(config, name)

        def call(*arguments: Any, **named: Any) -> Any:
            calls.append(name)
            return real(*arguments, **named)

        return call

    for name in ("load", "contested"):
        monkeypatch.setattr(config, name, counting(name))
    found_by(file)
    # The CONFIG by itself, and each candidate under it.
    assert (calls.count("load"), calls.count("contested")) == (3, 2)


def test_load_and_servers_have_cpus_of_their_own_and_one_seed(file: Path) -> None:
    a, b = found_by(file)
    assert cpus(a) == cpus(b) == [0, 1]
    assert a.servers.cpus == b.servers.cpus == (2, 3)
    assert a.plan.seed == b.plan.seed
    assert a.plan.workers == b.plan.workers


def test_a_server_that_names_its_cpus_keeps_them_and_the_load_gets_others(file: Path, tmp_path: Path) -> None:
    pinned = tmp_path / "pinned.toml"
    pinned.write_text('[target.server]\ncommand = ["redis-server", "--port", "{port}"]\ncpu_list = "0"\n')
    a, b = found_by(file, words=("redis", str(pinned)))
    assert (a.servers.cpus, b.servers.cpus) == ((0, 3), (0,))
    assert cpus(a) == cpus(b) == [1, 2]


def test_as_many_workers_as_are_asked_for_share_the_cpus(file: Path) -> None:
    assert [cpus(each) for each in found_by(file, "--threads", "3")] == [[0, 1, 0]] * 2


def test_nobody_is_pinned_where_somebody_has_said_where_the_load_runs(file: Path) -> None:
    for each in found_by(file, "--cpu-list", "0"):
        assert (set(cpus(each)), each.servers.cpus) == ({0}, ())


def test_servers_that_run_already_are_left_where_they_are(file: Path) -> None:
    for each in found_by(file, words=("127.0.0.1:1", "127.0.0.1:2")):
        assert not isinstance(each.servers, Managed)
        assert set(cpus(each)) == {None}
