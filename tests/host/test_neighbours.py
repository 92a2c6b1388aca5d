"""CPU use of other programs during a self-test, on made-up kernel accounts, and whether the self-test is kept."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from loadgen import __version__
from loadgen.cli.verbs.selftest import kept
from loadgen.errors import ExitCode
from loadgen.host import machine
from loadgen.host.neighbours import Busy, NeighbourWatch
from loadgen.selftest import reach
from loadgen.selftest.reach import Reach, SelfTest

ME = os.getpid()


def proc(folder: Path, *, user: int, idle: int, steal: int, processes: dict[int, tuple[str, int, int]]) -> None:
    """`processes` has name, parent and ticks by pid."""
    (folder / "stat").write_text(f"cpu {user} 0 0 {idle} 0 0 0 {steal} 0 0\n")
    for pid, (name, parent, ticks) in processes.items():
        (folder / str(pid)).mkdir(exist_ok=True)
        fields = ["S", parent, *[0] * 9, ticks, 0, *[0] * 6, 77]
        (folder / str(pid) / "stat").write_text(f"{pid} ({name}) {' '.join(map(str, fields))}\n")


def test_others_are_what_is_not_ours_nor_what_we_started(tmp_path: Path) -> None:
    ours = {ME: ("loadgen", 1, 5), 900_001: ("loadgen serve", ME, 10), 900_002: ("its (odd) child", 900_001, 0)}
    proc(tmp_path, user=1000, idle=1000, steal=0, processes={**ours, 900_003: ("make", 1, 50)})
    watch = NeighbourWatch(tmp_path)
    ours |= {900_001: ("loadgen serve", ME, 310), 900_002: ("its (odd) child", 900_001, 100)}
    proc(tmp_path, user=1900, idle=2000, steal=100, processes={**ours, 900_003: ("make", 1, 450)})
    busy = watch.busy(waited=0.011)
    # Of 2,000 ticks 900 were used: 400 of them by our two; what this very process uses meanwhile is hardly a tick.
    assert busy.others == pytest.approx(0.25, abs=0.02)
    assert (busy.stolen, busy.waited, busy.names) == (0.05, 0.011, ("make",))


def test_a_number_that_is_another_process_by_now_counts_from_its_start(tmp_path: Path) -> None:
    proc(tmp_path, user=0, idle=0, steal=0, processes={900_003: ("old", 1, 900)})
    watch = NeighbourWatch(tmp_path)
    proc(tmp_path, user=500, idle=500, steal=0, processes={900_003: ("new", 1, 400)})
    text = (tmp_path / "900003" / "stat").read_text()
    (tmp_path / "900003" / "stat").write_text(text.replace(" 77\n", " 99\n"))
    assert watch.busy(0.0).names == ("new",)


def test_a_system_that_says_nothing_is_not_held_busy(tmp_path: Path) -> None:
    busy = NeighbourWatch(tmp_path).busy(0.0)
    assert (busy, busy.reasons) == (Busy(), ())


@pytest.mark.parametrize(
    ("busy", "words"),
    [
        (Busy(stolen=0.019, waited=0.019, others=0.049), None),
        (Busy(stolen=0.021), "CPU steal was 2.1 % (limit 2 %)"),
        (Busy(waited=0.12), "the worker waited for a CPU 12 % of the time (limit 2 %)"),
        (
            Busy(others=0.31, names=("cc1", "make")),
            "other programs used 31 % of all CPUs' time (cc1, make) (limit 5 %)",
        ),
    ],
)
def test_figures_of_a_busy_host_are_not_kept_unless_they_are_to_be(
    busy: Busy, words: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    taken = SelfTest(__version__, machine.fingerprint(), "2026-11-28T10:00:00Z", (Reach(1, 2.0, False, 1.0),), 10, 20)
    assert kept(taken, busy) is (ExitCode.CANNOT_TELL if words else ExitCode.YES)
    said = capsys.readouterr().err
    assert reach.kept(__version__) == (None if words else taken)
    if words:
        assert f"as this host was busy: {words}. Stop what else runs" in said
    assert kept(taken, busy, anyway=True) is ExitCode.YES
    assert reach.kept(__version__) == taken
