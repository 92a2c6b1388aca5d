"""`loadgen cloud`: the seeds of a verb on agents, from the command line to the exit status."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import psutil
import pytest
from in_process import invoked

SCENARIO = '''"""Fails for about one seed in 500, and is as cheap as a scenario can be."""


async def unlucky(world):
    assert world.draw.below(500, "number") != 7, "it is not unlucky"
'''


def busiest(leader: int) -> list[psutil.Process]:
    """Return the agent whose process for seeds has worked the most, and that process: it has some that it runs."""
    agents = [each for each in psutil.Process(leader).children() if "agent" in each.cmdline()]
    working = [[agent, *agent.children(recursive=True)] for agent in agents]
    return max(working, key=lambda each: sum(process.cpu_times().user for process in each[1:]))


def test_of_2000_seeds_on_two_machines_each_is_run_once_though_one_machine_is_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The failure that is planted is found once, and its replay fails here."""
    (tmp_path / "scenario.py").write_text(SCENARIO)
    words = ["cloud", "simulate", "--machines", "2", "--seeds", "2000", "--keep-going", "--format", "ndjson"]
    with subprocess.Popen(
        [sys.executable, "-m", "loadgen", *words, "scenario.py:unlucky"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as leader:
        assert leader.stdout is not None
        assert leader.stderr is not None
        records = []
        killed: list[psutil.Process] = []
        for line in leader.stdout:
            records.append(json.loads(line))
            if len(records) == 100:
                killed = busiest(leader.pid)
                os.kill(killed[0].pid, signal.SIGKILL)
        said = leader.stderr.read().decode()
    assert leader.returncode == 1, said
    cases = [each for each in records if each["type"] == "case"]
    assert Counter(each["seed"] for each in cases) == Counter(range(2000))
    assert len(killed) == 2
    assert not any(
        each.is_running() and each.status() != psutil.STATUS_ZOMBIE for each in psutil.wait_procs(killed, 5)[1]
    )

    [end] = [each for each in records if each["type"] == "campaign"]
    summary = end["summary"]
    assert (summary["seeds"], summary["total"], summary["untold"], summary["skipped"]) == (2000, 2000, 0, 0)
    assert summary["failed"] == sum(each["passed"] is False for each in cases) > 1
    [lost] = [each for each in summary["machines"] if each["lost"] is not None]
    assert lost["lost"] == "was killed by SIGKILL"
    assert lost["seeds"] > 0
    assert lost["leased_again"] > 0
    assert sum(each["seeds"] for each in summary["machines"]) == 2000
    assert "machine-lost" in summary["codes"]["notes"]

    [failure] = end["failures"]
    assert len([each for each in records if each["type"] == "failure"]) == 1
    assert sorted(failure["seeds"]) == sorted(each["seed"] for each in cases if each["passed"] is False)
    assert Path(failure["artifact"]).parts[0] == "failures"
    assert (tmp_path / failure["artifact"]).exists()

    monkeypatch.chdir(tmp_path)
    for command in (["replay", failure["artifact"]], failure["replay_command"].split()[1:]):
        again = invoked(*command)
        assert again.status == 1, again.stderr
        assert "it is not unlucky" in again.stdout


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("--seeds 10", "cloud needs machines: --machines 2 for agents on this one, or --on ssh:HOST,… for others."),
        (
            "oracle --machines 2",
            "cloud runs the seeds of properties, simulate, chaos, fuzz, and oracle is none of them",
        ),
        ("--machines 2 simulate", "simulate is one word too many; VERB comes first, and a server is named"),
        ("simulate --machines 2 --on local:2", "--machines N is the same as --on local:N: keep one of them."),
        ("fuzz --machines 2 --duration 1s --seeds 5", "--duration and --seeds both say when to end"),
        ("fuzz --machines 2 --target nothing", 'there is no target "nothing"'),
        ("--machines 2 --subject 127.0.0.1:6379", "--subject 127.0.0.1:6379 is one server, and the cases of several"),
        ("chaos --machines 2", "chaos on several machines is for faults that judge a server"),
        ("chaos --machines 2 --faults latency", "chaos on several machines is for faults that judge a server"),
        ("chaos --machines 2 --faults power_cut --cleanup", "--cleanup runs nothing: leave it out."),
        ("simulate --machines 2 --processes 0", "--processes"),
        ("simulate --machines 2 nothing", '"nothing" names no scenario'),
    ],
)
def test_a_mistake_is_said_before_any_agent_is_launched(words: str, said: str) -> None:
    done = invoked("cloud", *words.split())
    assert done.status == 2
    assert said in done.stderr
    assert done.stdout == ""


def test_the_help_is_that_of_the_verb_with_what_machines_add() -> None:
    of_fuzz, by_default = invoked("cloud", "fuzz", "--help").stdout, invoked("cloud", "--help").stdout
    assert "--target" in of_fuzz
    assert "--target" not in by_default
    assert "--known-defects" in by_default
    for text in (of_fuzz, by_default):
        assert "--keep-going" in text
        assert "--machines" in text
