"""Commands: their exit status, the number that they print, and what is said of one that cannot be read."""

import sys
import time
from pathlib import Path

import pytest

from loadgen.monitors.command import parse_number, run
from loadgen.monitors.making import make
from loadgen.monitors.monitor import UnderLoad, Unreadable
from loadgen.monitors.plan import MonitorPlan
from loadgen.monitors.sources import gathered, named


@pytest.mark.parametrize(
    ("output", "number"),
    [
        (b"5\n", 5), (b"12 /var/log/x\n", 12), (b"load: -1.5e3 ok\n", -1500), (b"", None), (b"nan inf ok", None),
        (b"\xff 7", 7), (b"1.2.3", None),
    ],
)  # fmt: skip
def test_the_first_word_that_is_a_number_is_the_value(output: bytes, number: float | None) -> None:
    assert parse_number(output) == number


def test_a_command_has_a_status_a_value_and_a_time() -> None:
    monitor = make(MonitorPlan("command", "c", command=("sh", "-c", "echo 7; echo 9 >&2; exit 3")), UnderLoad())
    found = monitor.read()
    assert (found.values["exit_status"], found.values["value"]) == (3, 7)
    assert found.values.keys() == monitor.series.keys()
    assert monitor.evidence() == {"output.txt": "exit status 3\n\n7\n9\n"}
    killed = make(MonitorPlan("command", "c", command=("sh", "-c", "kill -9 $$")), UnderLoad())
    assert killed.read().values["exit_status"] == 137
    assert "value" not in killed.read().values


def test_a_command_that_is_not_there_is_told() -> None:
    with pytest.raises(Unreadable, match=r"^/nowhere/x cannot be run \(No such file or directory\)$"):
        run(["/nowhere/x"], 5)


def test_a_command_that_does_not_end_is_killed_with_what_it_has_started(tmp_path: Path) -> None:
    alive = tmp_path / "alive"
    script = f"while :; do touch {alive}; sleep 0.01; done & wait"
    with pytest.raises(Unreadable, match=r"^sh has not ended within 0.2 s$"):
        run(["sh", "-c", script], 0.2)
    assert alive.exists()
    # One that was about to touch the file may have done so still.
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        alive.unlink(missing_ok=True)
        time.sleep(0.1)
        if not alive.exists():
            return
    pytest.fail("what the command has started goes on")


def test_an_output_is_kept_up_to_a_size_and_read_to_its_end() -> None:
    ran = run([sys.executable, "-c", "print('7 ' * 4_000_000)"], 60)
    assert ran.status == 0
    assert len(ran.output) == 4 << 20


def test_sources_of_evidence_are_run_and_one_that_fails_is_there_with_the_reason() -> None:
    found = dict(
        gathered(
            ["sh -c 'echo {pid}; echo bad >&2'", "/nowhere/x y", "printf '\\377\\000'"], timeout_s=5, pid=lambda: 4711
        )
    )
    assert found == {
        "1-sh-c-echo-pid-echo-bad-2.txt": "4711\nbad\n",
        "2-nowhere-x-y.txt": "/nowhere/x cannot be run (No such file or directory)\n",
        "3-printf-377-000.b64": "/wA=\n",
    }
    assert dict(gathered(["echo {pid}"], 5)) == {
        "1-echo-pid.txt": "{pid} is filled in for a monitor of the kind proc only\n"
    }
    assert named("http://me:hush@127.0.0.1:6060/debug/pprof/goroutine?debug=1") == (
        "127.0.0.1-6060-debug-pprof-goroutine-debug-1"
    )


def test_the_sources_of_a_monitor_are_beside_its_own_evidence() -> None:
    plan = MonitorPlan("command", "c", command=("echo", "1"), evidence=("echo 2",))
    monitor = make(plan, UnderLoad())
    assert monitor.read().values["value"] == 1
    assert monitor.evidence() == {"output.txt": "exit status 0\n\n1\n", "1-echo-2.txt": "2\n"}
