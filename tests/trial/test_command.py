"""The real `loadgen chaos`: a loop, nodes that are there, a Toxiproxy, bad clients, the user nobody, a sudden end."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import toxiproxy_script
from command import Running, loadgen, wait_until
from in_process import invoked
from nobody import as_nobody, python_of_nobody
from places import ROOT, SRC
from real_servers import RealServer

from loadgen.config import catalogue
from loadgen.faults.needs import missing
from loadgen.faults.proxy.client import ProxyApi
from loadgen.target import apart

SUPPORT = ROOT / "tests" / "support"
SMALL = ("--concurrency", "4", "--set", "rate=100", "--seed", "7")
SHORT = (
    *("--set", "phases.settle=100ms", "--set", "phases.baseline=600ms", "--set", "phases.recovery=600ms"),
    *("--duration", "600ms", *SMALL),
)
INTERFACES = Path("/sys/class/net")
LEFT_WITHIN_S = 5.0


def ended(text: str) -> list[dict[str, Any]]:
    """The end of each trial of a run in the format ndjson."""
    return [record for record in map(json.loads, text.splitlines()) if record["type"] == "trial"]


def namespaces(pid: int) -> set[str]:
    """The network and the mount namespace of a process, such as net:[4026531840]; none of one that has ended."""
    found = set()
    for name in ("net", "mnt"):
        with contextlib.suppress(OSError):
            found.add(str(Path(f"/proc/{pid}/ns/{name}").readlink()))
    return found


def answers(trial: dict[str, Any]) -> dict[str, bool | None]:
    return {check["name"]: check["passed"] for check in trial["checks"]}


MANY = """
title = "one node closes its connections, another is slow"
rate = 100
timeout = "500ms"
expects = ["timeout", "refused", "lost", "breaker_open"]

[[fault]]
kind = "down"
on = 1

[[fault]]
kind = "latency"
on = 2
delay = "50ms"
"""
"""A scenario of the proxy layer with two faults."""

EVERYWHERE = """
title = "one node each with a proxy, a namespace and a full disk"
protocol = "resp"
rate = 100

[phases]
settle = "100ms"
baseline = "300ms"
fault = "300s"

[[fault]]
kind = "latency"
on = 1

[[fault]]
kind = "delay"
on = 2

[[fault]]
kind = "disk_full"
on = 2
"""


def left(pids: Iterable[int], spaces: set[str], interfaces: Iterable[Path]) -> list[str]:
    """Which of the processes, namespaces and interfaces there still are."""
    alive = [pid for pid in pids if psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE]
    there = {name for path in Path("/proc").glob("[0-9]*") for name in namespaces(int(path.name))}
    return [*map(str, alive), *(spaces & there), *(str(path) for path in interfaces if path.exists())]


def test_a_loop_repeats_its_scenario_until_an_interrupt_ends_its_faults_and_prints_what_there_is(
    tmp_path: Path,
) -> None:
    file = tmp_path / "trials.ndjson"

    def begun() -> int:
        """How many faults have begun and not ended."""
        text = file.read_text()
        return text.count('"begins":true') - text.count('"begins":false')

    words = ("--loop", "--scenario", "pause-1-of-3", "--nodes", "1", "--format", "ndjson", "-o", str(file))
    with Running("chaos", *words, *SHORT) as running:
        running.wait_until(lambda: file.exists() and file.read_text().count('"type":"trial",') == 2 and begun() == 1)
        running.interrupt()
        finished = running.finish()
    assert finished.status == 130
    assert begun() == 0
    *whole, last = ended(file.read_text())
    assert [trial["interrupted"] for trial in whole] == [False, False]
    assert all(answers(trial)["fault fired"] for trial in whole)
    assert (last["interrupted"], last["verdict"], last["checks"]) == (True, "interrupted", [])
    assert last["phases"]["baseline"]["all"]["ok"] > 0
    # The table of all trials.
    assert len([line for line in finished.stdout.splitlines() if line.startswith("pause-1-of-3 ")]) >= 3


def test_a_workload_without_a_scenario_runs_for_its_duration_and_prints_a_line_for_each_interval(
    tmp_path: Path,
) -> None:
    file = tmp_path / "trial.json"
    words = ("--workload", "batches", "--nodes", "1", "--no-tui", "--format", "json", "-o", str(file))
    finished = loadgen("chaos", "--duration", "1500ms", *words, *SMALL)
    assert finished.status == 0, finished.stdout + finished.stderr
    # A second of settling and a second of the baseline, each with its operations per second.
    lines = re.findall(r"^\+(\d+)\.\d s +([\d.]+) ", finished.stdout, re.M)
    assert [second for second, _ in lines] == ["1", "2"]
    assert all(float(ok_per_s) > 0 for _, ok_per_s in lines)
    [trial] = json.loads(file.read_text())["results"]
    assert [*trial["phases"]] == ["settle", "baseline"]
    assert (trial["faults"], trial["plan"]["workload"]) == ([], "batches")
    # A busy machine begins late and ends late.
    assert 1.0 < trial["phases"]["baseline"]["secs"] < 30
    assert trial["phases"]["baseline"]["all"]["ok"] > 0


@contextlib.contextmanager
def toxiproxy() -> Iterator[str]:
    built = toxiproxy_script.program()
    if built is None:
        version, build = toxiproxy_script.VERSION, toxiproxy_script.BUILD
        pytest.skip(f"toxiproxy {version} is not built here: {build}=1 has the tests build it, with Go")
    with toxiproxy_script.running(built) as url:
        yield url


@pytest.mark.parametrize("proxy", ["loadgen", "toxiproxy"])
def test_faults_of_the_proxy_come_over_nodes_that_are_there(proxy: str, tmp_path: Path) -> None:
    scenario = tmp_path / "many.toml"
    scenario.write_text(MANY)
    with contextlib.ExitStack() as stack:
        url = stack.enter_context(toxiproxy()) if proxy == "toxiproxy" else ""
        nodes = [stack.enter_context(RealServer.memcached()) for _ in range(3)]
        words = ["--scenario", str(scenario), "--endpoints", ",".join(f"{node.host}:{node.port}" for node in nodes)]
        words += ["--toxiproxy", url] if url else []
        finished = loadgen("chaos", *words, "--format", "ndjson", *SHORT)
        assert finished.status in (0, 1, 4), finished.stderr
        if url:
            assert ProxyApi(url).proxies() == {}, "the proxies of the trial are taken away"
        for node in nodes:
            assert psutil.pid_exists(node.pid)
    [trial] = ended(finished.stdout)
    assert answers(trial)["answers right"] is True
    assert {(report["fault"]["kind"], report["fired"]) for report in trial["faults"]} == {
        ("down", True),
        ("latency", True),
    }
    during = trial["phases"]["fault"]["by_node"]
    assert set(during["1"]["errors"]) & {"lost", "refused", "breaker_open"}
    assert during["2"]["latency"]["max_ns"] >= 50_000_000
    assert trial["phases"]["fault"]["by_node"]["3"]["ok"] > 0


@pytest.mark.parametrize(
    ("client", "sentence"),
    [
        ("nowhere:Client", "The client nowhere:Client cannot be imported: there is no module nowhere. "),
        ("types:SimpleNamespace", "The client of types:SimpleNamespace (SimpleNamespace) has no get, set, "),
    ],
)
def test_a_factory_of_no_client_is_a_mistake_in_one_sentence(client: str, sentence: str) -> None:
    done = invoked("chaos", "--duration", "1s", "--nodes", "1", "--client", client, "-q")
    assert done.status == 2, done.stdout
    assert done.complaint.startswith(f"loadgen: {sentence}")
    assert done.stdout == ""


def test_a_client_that_hangs_in_close_fails_its_trial_and_ends() -> None:
    words = ("--client", "mutant_clients:make", "--set", 'client.mutant="hangs in close"')
    done = loadgen("chaos", "--duration", "300ms", "--nodes", "1", *words, *SMALL, "--format", "ndjson", cwd=SUPPORT)
    assert done.status == 1, done.stderr
    [trial] = ended(done.stdout)
    [check] = [check for check in trial["checks"] if check["name"] == "nothing left"]
    assert check["passed"] is False
    assert "close" in check["found"]


def test_nobody_puts_a_client_on_trial_behind_a_proxy_and_is_told_what_packets_need() -> None:
    program = (
        f"import sys; sys.path.insert(0, {str(SRC)!r})\n"
        "from loadgen.cli.main import main\n"
        "assert main(['chaos', '--scenario', 'packet-loss-5-pct', '-q']) == 3\n"
        f"sys.exit(main(['chaos', '--scenario', 'latency', *{(*SHORT, '--nodes', '1', '--format', 'ndjson')!r}]))"
    )
    done = as_nobody(python_of_nobody(), "-c", program)
    assert done.returncode in (0, 1, 4), done.stderr
    refused = done.stderr.splitlines()[0]
    assert refused.startswith("loadgen: packet-loss-5-pct with builtin: COULD NOT RUN: ")
    assert "; netns: namespaces are made by root: run loadgen by sudo; " in refused
    [trial] = ended(done.stdout.partition("\n")[2])
    assert answers(trial)["fault fired"] is True
    assert answers(trial)["nothing left"] is True


def test_nothing_is_left_when_a_trial_is_killed(tmp_path: Path) -> None:
    """One with a proxy, a network namespace, a full disk and callers."""
    scenario = tmp_path / "everywhere.toml"
    scenario.write_text(EVERYWHERE)
    if lacks := missing(catalogue.scenario(str(scenario)).needs):
        pytest.skip(f"this machine lacks {'; '.join(map(str, lacks))}")
    words = ("--scenario", str(scenario), "--nodes", "2", "--concurrency", "2", "--format", "ndjson")
    with Running("chaos", *words) as running:
        running.wait_for("fault", 3, begins=True)
        # A redis-server writes its title over its environment, by which `running` would find it.
        found = [running.process.pid, *(each.pid for each in psutil.Process(running.process.pid).children(True))]
        commands = [Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode() for pid in found]
        for part in ("redis-server", "loadgen.trial", "proxy", "loadgen.faults.packets"):
            assert any(part in command for command in commands), (part, commands)
        spaces = {name for pid in found for name in namespaces(pid)} - namespaces(os.getpid())
        assert {name.partition(":")[0] for name in spaces} == {"net", "mnt"}
        interfaces = [path for pid in found for path in INTERFACES.glob(f"{apart.PREFIX}{pid}*")]
        assert len(left(found, spaces, interfaces)) == len([*found, *spaces, *interfaces]) > len(found)
        assert interfaces
        running.process.send_signal(signal.SIGKILL)
        running.process.wait()
        wait_until(lambda: left(found, spaces, interfaces) == [], LEFT_WITHIN_S)
