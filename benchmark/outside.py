"""Acceptance rows whose evidence comes from outside the record: a probe, the kernel, a terminal, another user.

4.13 holds what a trial says of an outage against a probe of ours; 4.15 looks for what a killed command has left; 4.16
looks at the dashboard in a terminal; 4.19 runs as a user without rights.
"""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from one_trial import LOADGEN, SEED, Finding, check_of, passes, phases, spell_of, was_late

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "support"))

Attempt = tuple[list[Finding], bool]

PROBE_S = 0.02
"""The time between two looks of the probe."""

GONE_S = 5.0
"""The time within which all of a killed command must be gone."""

NOBODY = 65534
EVERY_LAYER = Path(__file__).parent / "scenarios" / "every-layer.toml"


@dataclass(frozen=True)
class OutsideRow:
    """One acceptance: an attempt returns its lines, and whether the machine was late."""

    name: str
    words: tuple[str, ...]
    run: Callable[[tuple[str, ...]], Attempt]

    def attempt(self) -> Attempt:
        return self.run(self.words)


# ── Processes ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def parents() -> dict[int, int]:
    """Return the parent of every process."""
    found = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            found[int(path.parent.name)] = int(path.read_text().rpartition(")")[2].split()[1])
    return found


def below(pid: int) -> list[int]:
    """Return the processes that a process has started, and those that these have, in order."""
    children = parents()
    found = [pid]
    for each in found:
        found += sorted(child for child, parent in children.items() if parent == each)
    return found[1:]


def words_of(pid: int) -> list[str]:
    with suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")
    return []


def started(pid: int) -> str:
    """Return the time at which a process was started, which tells it from a later one; empty when it is gone."""
    with suppress(OSError):
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        # A zombie is gone: somebody has only not looked yet.
        return "" if fields[0] == "Z" else fields[19]
    return ""


def namespace(pid: int, kind: str) -> str:
    with suppress(OSError):
        return str(Path(f"/proc/{pid}/ns/{kind}").readlink())
    return ""


@contextmanager
def running(*words: str) -> Iterator[subprocess.Popen[str]]:
    """Run `loadgen chaos`, a record a line; it is ended on exit."""
    command = [*LOADGEN, "chaos", *words, *SEED, "--format", "ndjson"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


# ── 4.13 ──────────────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass
class Probe:
    """Asks a memcached for its version again and again, each time on a connection of its own."""

    port: int
    answers: list[tuple[float, bool]] = field(default_factory=list)
    """The time of each question, and whether there was an answer."""
    over: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        while not self.over.wait(PROBE_S):
            began_s = time.monotonic()
            try:
                with socket.create_connection(("127.0.0.1", self.port), timeout=0.1) as connection:
                    connection.sendall(b"version\r\n")
                    answered = connection.recv(100).startswith(b"VERSION")
            except OSError:
                answered = False
            self.answers.append((began_s, answered))

    def outage(self) -> tuple[float, float]:
        """Return the times of the first question without an answer, and of the first answer after it."""
        silent_s = next((at_s for at_s, answered in self.answers if not answered), 0.0)
        back = (at_s for at_s, answered in self.answers if answered and at_s > silent_s > 0.0)
        return silent_s, next(back, float("inf"))


def probed(words: tuple[str, ...]) -> Attempt:
    """4.13: the outage and the time back that a trial reports are those that somebody else sees."""
    probe, trial = None, None
    with running(*words) as process:
        assert process.stdout is not None
        for line in process.stdout:
            record = json.loads(line)
            if record["type"] == "trial-phase" and record["phase"] == "baseline":
                servers = [pid for pid in below(process.pid) if "memcached" in words_of(pid)[0]]
                asked = words_of(servers[0])
                probe = Probe(int(asked[asked.index("-p") + 1]))
                threading.Thread(target=probe.run, daemon=True).start()
            elif record["type"] == "trial":
                trial = record
                break
        if probe is not None:
            probe.over.set()
    if probe is None or trial is None:
        return [("the trial was not run", False)], False
    down_s, up_s = probe.outage()
    [node] = [each for each in trial["nodes"] if each["faulted"]]
    spell, outage_s, back_s = spell_of(trial), node["outage_secs"] or 0.0, node["recovered_secs"]
    # The fault's end as the probe would see it: the probe's times begin at the kill, as the spell does.
    back_by_probe_s = max(0.0, (up_s - down_s) - (spell["ended_secs"] - spell["began_secs"]))
    told = "never" if back_s is None else f"{back_s:.2f} s"
    return [
        *passes(trial),
        (f"outage: {outage_s:.2f} s, by the probe {up_s - down_s:.2f} s", abs(outage_s - (up_s - down_s)) <= 0.3),
        (
            f"back after the fault's end: {told}, by the probe {back_by_probe_s:.2f} s",
            back_s is not None and abs(back_s - back_by_probe_s) <= 0.3,
        ),
    ], was_late(trial)


# ── 4.15 ──────────────────────────────────────────────────────────────────────────────────────────────────────────────


def killed_command(words: tuple[str, ...]) -> Attempt:
    """4.15: within 5 s of a SIGKILL nothing is left of a command under faults of every layer."""
    rules = ("nft", "list", "ruleset"), ("iptables", "-S")
    before = [subprocess.run(rule, capture_output=True, text=True).stdout for rule in rules]
    with running(*words) as process:
        assert process.stdout is not None
        begun: set[str] = set()
        for line in process.stdout:
            record = json.loads(line)
            if record["type"] == "fault" and record["begins"]:
                begun.add(record["fault"]["kind"])
            if len(begun) == 5 or record["type"] == "trial":
                break
        left = Left.of(process.pid)
        process.send_signal(signal.SIGKILL)
        process.wait()
        killed_s = time.monotonic()
        found = left.found()
        while found and time.monotonic() < killed_s + GONE_S:
            time.sleep(0.05)
            found = left.found()
        took_s = time.monotonic() - killed_s
    after = [subprocess.run(rule, capture_output=True, text=True).stdout for rule in rules]
    return [
        (f"faults that had begun: {', '.join(sorted(begun))}", len(begun) == 5),
        (f"there were {left}", left.is_whole),
        (f"left {took_s:.2f} s after SIGKILL: {', '.join(found) or 'nothing'}", not found),
        ("the host's own rules are as before", before == after),
    ], False


@dataclass(frozen=True)
class Left:
    """All that a command has made on this host."""

    processes: dict[int, tuple[str, str]]
    """By number: the program, and the time of its start."""
    namespaces: frozenset[str]
    """Namespaces of networks and mounts that only these processes are in. Filters, queues and mounts end with them."""
    folders: frozenset[Path]

    @classmethod
    def of(cls, pid: int) -> Left:
        pids = below(pid)
        own = {namespace(os.getpid(), kind) for kind in ("net", "mnt")}
        names = {each: " ".join(words).strip() for each in pids if (words := words_of(each))}
        temporary = Path(tempfile.gettempdir())
        folders = set()
        for each in pids:
            with suppress(OSError):
                folders.add(Path(f"/proc/{each}/cwd").readlink())
        return cls(
            {each: (name, started(each)) for each, name in names.items()},
            frozenset({namespace(each, kind) for each in pids for kind in ("net", "mnt")} - own - {""}),
            frozenset(folder for folder in folders if temporary in folder.parents),
        )

    @property
    def is_whole(self) -> bool:
        """True when there was something of every kind."""
        programs = " ".join(name for name, _ in self.processes.values())
        wanted = ("redis-server", "keeper", "proxy", "caller")
        return all(word in programs for word in wanted) and len(self.namespaces) >= 4 and bool(self.folders)

    def found(self) -> list[str]:
        """Return what is there still."""
        there = [f"process {pid} {name[:60]}" for pid, (name, since) in self.processes.items() if started(pid) == since]
        spaces = {namespace(pid, kind) for pid in parents() for kind in ("net", "mnt")}
        there += sorted(self.namespaces & spaces)
        there += [str(folder) for folder in self.folders if folder.exists()]
        named = {f"lg-{pid}" for pid in self.processes}
        there += [f"interface {path.name}" for path in Path("/sys/class/net").iterdir() if path.name in named]
        there += [f"control group {path}" for name in named for path in Path("/sys/fs/cgroup").glob(f"*/{name}")]
        mounts = Path("/proc/self/mounts").read_text()
        return there + [f"mount of {folder}" for folder in self.folders if f" {folder} " in mounts]

    def __str__(self) -> str:
        spaces = f"{len(self.namespaces)} namespaces and {len(self.folders)} folders"
        return f"{len(self.processes)} processes, {spaces}"


# ── 4.16 ──────────────────────────────────────────────────────────────────────────────────────────────────────────────

ELEMENTS = ("ops/s", "errors", "servers", "breaker", "connections", "active", "idle", "failures in a row", "p50", "p99")
"""Words of the dashboard: its gauge and sparklines, its table of servers, its latencies."""


def in_terminal(columns: int, lines: int) -> Callable[[tuple[str, ...]], Attempt]:
    """4.16: the dashboard in a terminal of this size."""

    def run(words: tuple[str, ...]) -> Attempt:
        from terminals import ENTERED, LEFT, InTerminal
        from terminals import LOADGEN as COMMAND

        with InTerminal(COMMAND, "chaos", *words, *SEED, "--tui", columns=columns, lines=lines) as terminal:
            terminal.wait_for("phase: baseline")
            time.sleep(1.0)
            began_s, used_s = time.monotonic(), terminal.cpu_s()
            time.sleep(5.0)
            took_s, used_s = time.monotonic() - began_s, terminal.cpu_s() - used_s
            frames = sum(count for at_s, count in terminal.times if began_s <= at_s < began_s + took_s)
            terminal.wait_for("phase: fault")
            terminal.wait_for("open")
            missing = [word for word in ELEMENTS if word not in terminal.text]
            seen = len(terminal.text)
            terminal.resize(columns + 8, lines + 4)
            terminal.wait_for("q stop", seen)
            seen = len(terminal.text)
            terminal.type("n")
            terminal.wait_for("2 of 2", seen)
            terminal.type("q")
            status = terminal.finish()
        restored = terminal.modes_after == terminal.modes_before
        once = terminal.written.count(ENTERED) == terminal.written.count(LEFT) == 1
        summary = re.findall(r"^kill-1-of-3 +(\w+) +(CANNOT TELL|INTERRUPTED)", terminal.after, re.MULTILINE)
        findings = [
            (f"elements that are missing: {', '.join(missing) or 'none'}", not missing),
            (f"{frames / took_s:.1f} frames/s", 4.0 <= frames / took_s <= 6.0),
            (f"{100 * used_s / took_s:.0f} % of a core", used_s / took_s <= 0.10),
            ("a frame of the new size came, n went on to the next trial, and q ended it", status == 130),
            ("the terminal's modes and screen are as before", restored and once),
            (f"the summary came after: {', '.join(' '.join(each) for each in summary)}", len(summary) == 2),
        ]
        # A load of more than both CPUs keeps frames and readings of the clock from being on time.
        return findings, os.getloadavg()[0] > (os.cpu_count() or 1)

    return run


# ── 4.19 ──────────────────────────────────────────────────────────────────────────────────────────────────────────────


def as_nobody(scenario: str, *, runs: bool) -> Callable[[tuple[str, ...]], Attempt]:
    """4.19: without rights, faults of proxies and processes run, and those of the network name what is missing."""

    def run(words: tuple[str, ...]) -> Attempt:
        with tempfile.TemporaryDirectory(prefix="nobody-") as folder:
            os.chown(folder, NOBODY, NOBODY)
            user = ("setpriv", "--reuid", str(NOBODY), "--regid", str(NOBODY), "--clear-groups")
            # The interpreter and the repository may be in folders that only their owner may search.
            search = ("--inh-caps", "-all,+dac_read_search", "--ambient-caps", "-all,+dac_read_search")
            command = [*user, *search, *LOADGEN, "chaos", "--scenario", scenario, *words, *SEED, "--format", "json"]
            own = {**os.environ, "HOME": folder, "TMPDIR": folder, "PYTHONDONTWRITEBYTECODE": "1"}
            done = subprocess.run(command, capture_output=True, text=True, env=own, cwd=folder, timeout=300)
        if not runs:
            named = "netns" in done.stderr
            return [(f"exit status {done.returncode}: {done.stderr.strip()}", done.returncode == 3 and named)], False
        if not done.stdout:
            return [(f"exit status {done.returncode}: {done.stderr.strip()}", False)], False
        [trial] = json.loads(done.stdout)["results"]
        fired = check_of(trial, "fault fired")
        return [*passes(trial), (f"fault fired: {fired['found']}", fired["passed"] is True)], was_late(trial)

    return run


_SHORT = ("--duration", "3s", "--set", "rate=300", *phases(baseline="3s", recovery="9s"))
# Without a breaker the client's errors end when the server is back, and can be held against a probe's.
_KILL = ("--scenario", "kill-1-of-3", "--duration", "5s", "--set", "client.breaker=false", *phases(recovery="8s"))
_SHOWN = ("--scenario", "kill-1-of-3", "--client", "builtin,pymemcache", "--duration", "60s", *phases(baseline="8s"))

ROWS = (
    OutsideRow("4.13 outage by a probe", (*_KILL, "--set", "rate=300"), probed),
    OutsideRow("4.15 killed command", ("--scenario", str(EVERY_LAYER), "--client", "redis-py"), killed_command),
    OutsideRow("4.16 dashboard, 120×40", (*_SHOWN, "--set", "rate=200"), in_terminal(120, 40)),
    OutsideRow("4.16 dashboard, 80×24", (*_SHOWN, "--set", "rate=200"), in_terminal(80, 24)),
    OutsideRow("4.19 proxy as nobody", _SHORT, as_nobody("total-packet-drop", runs=True)),
    OutsideRow("4.19 process as nobody", _SHORT, as_nobody("kill-1-of-3", runs=True)),
    OutsideRow("4.19 network as nobody", _SHORT, as_nobody("packet-loss-5-pct", runs=False)),
)
