"""A law of time on a disturbed machine is tried again and counted; a run with too many unjudged laws fails."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from pathlib import Path

import pytest
import quiet
from places import SRC, SUPPORT

CONFTEST = """
from quiet import Laws

def pytest_configure(config):
    config.pluginmanager.register(Laws(), "laws")
"""
# A machine that is disturbed or not as each law says, and twenty laws: the first ones are broken.
LAWS = """
import contextlib, pytest, quiet

attempts = []

@pytest.fixture(params=range(20))
def broken(request, monkeypatch):
    @contextlib.contextmanager
    def watched():
        machine = quiet.Machine()
        yield machine
        machine.watched_s, machine.others = 1.0, 1.0 if request.param < {disturbed} else 0.0
    monkeypatch.setattr(quiet, "watched", watched)
    return request.param < {broken}

@quiet.law_of_time
def test_law(broken):
    assert not broken
"""


def run(folder: Path, broken: int, disturbed: int, *options: str) -> int:
    """The exit status of a run of twenty laws, so many of them broken, on a machine that so many find disturbed."""
    (folder / "conftest.py").write_text(CONFTEST)
    # A name of its own, as modules are imported once.
    laws = folder / f"test_{broken}_of_twenty_broken.py"
    laws.write_text(LAWS.replace("{broken}", str(broken)).replace("{disturbed}", str(disturbed)))
    config = ["-c", os.devnull, f"--rootdir={folder}", "--import-mode=importlib", "-p", "no:cacheprovider"]
    return int(pytest.main(["-q", *config, *options, str(laws)]))


@pytest.fixture(autouse=True)
def _nothing_but_what_is_named_is_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(map(str, (SRC, SUPPORT))))


@pytest.mark.parametrize(
    ("broken", "disturbed", "status", "says"),
    [
        (0, 20, 0, "20 of 20 judged"),
        (2, 2, 0, "18 of 20 judged\nnot judged: test_2_of_twenty_broken.py::test_law[0]\n"),
        (3, 3, 1, "FAILED: more than 10% of them could not be judged"),
        (1, 0, 1, "20 of 20 judged"),
    ],
)
def test_more_than_a_tenth_of_unjudged_laws_fail_a_run(
    broken: int, disturbed: int, status: int, says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(tmp_path, broken, disturbed) == status
    assert says in capsys.readouterr().out


def test_unjudged_laws_of_several_processes_are_counted_together(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(tmp_path, 3, 3, "-p", "xdist", "-n", "2") == 1
    assert "17 of 20 judged" in capsys.readouterr().out


def test_a_law_is_tried_again_three_times_and_only_where_the_machine_was_disturbed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    attempts = []

    def attempted(*fails: bool, disturbed: bool) -> None:
        machine = quiet.Machine()
        machine.watched_s, machine.overslept_s = 1.0, 1.0 if disturbed else 0.0
        monkeypatch.setattr(quiet, "watched", lambda: contextlib.nullcontext(machine))
        left = iter(fails)
        attempts.clear()

        def law() -> None:
            attempts.append(1)
            assert not next(left)

        quiet.law_of_time(law)()

    attempted(True, True, True, False, disturbed=True)
    assert len(attempts) == 4
    with pytest.raises(quiet.Unjudged, match=r"attempt 4: this machine stood still for 1000\.0 ms"):
        attempted(True, True, True, True, False, disturbed=True)
    with pytest.raises(AssertionError):
        attempted(True, False, disturbed=False)
    assert len(attempts) == 1


@pytest.mark.skipif(sys.platform != "linux", reason="others' CPU time is read from Linux's /proc")
def test_a_program_of_others_disturbs_the_machine() -> None:
    spin = "import time\nend = time.process_time() + 0.5\nwhile time.process_time() < end: pass"
    # Its parent ends at once: it is nobody's that this process knows of. The pipe is open until it has ended.
    orphan = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {spin!r}])"
    with quiet.watched() as machine:
        subprocess.run([sys.executable, "-c", orphan], check=True, stdout=subprocess.PIPE)
    assert machine.is_disturbed
