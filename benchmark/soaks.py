"""Measure how often soaks of healthy servers fail, and whether planted leaks are found.

.venv/bin/python benchmark/soaks.py            40 soaks of ten minutes, ten at a time, as in `make soaks`: 45 minutes
.venv/bin/python benchmark/soaks.py --real     three long soaks and three of planted leaks, side by side: half an hour
.venv/bin/python benchmark/soaks.py --packed tests/soak/recorded    no soaks: those that were packed before

The soaks of healthy servers are half of redis-server and half of memcached, each with a server and a `loadgen soak` of
its own. They are packed (`run.json`, and `samples.ndjson` and `events.ndjson` compressed by xz), and the packed ones
are judged by `loadgen soak --replay`. At most 1 of 20 should fail.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import lzma
import re
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from processes import BenchmarkError
from servers import HOST, connected, read_exactly, resp, started

from loadgen.soak.folder import EVENTS, LOG, RESULT, RUN, SAMPLES

ROOT = Path(__file__).resolve().parent.parent
LOADGEN = [sys.executable, "-m", "loadgen"]
FOLDER = ROOT / "build/soaks"

RATES = (50, 100, 200, 300, 400)
CONNECTIONS = (5, 20, 50)
"""What soaks of healthy servers have in turn: numbers without a common divisor, so that all pairs come."""

MOST_RED = 0.05
"""The share of healthy servers that may fail."""

ANSWERED = {0: "pass", 1: "FAIL", 4: "can't tell"}
"""The exit statuses of a soak that was held."""

LEAK_EVERY_S = 1.0
FULL_MINUTES = 10.0
LONG_MINUTES = 30.0

Leak = Callable[[int], contextlib.AbstractContextManager[None]]
"""Leaks in the redis-server at a port, until it is left."""


@dataclass(frozen=True, slots=True)
class Soaked:
    """One soak: its name, its options, and the leak that is planted in its server."""

    name: str
    minutes: float
    options: tuple[str, ...]
    leak: Leak | None = None
    found: tuple[str, str] | None = None
    """The series that the leak is in, and its grade."""

    def held(self, folder: Path) -> int:
        """Hold the soak, as a user does, and return its exit status. Raises BenchmarkError when it could not run."""
        if self.leak is None:
            return self._run(folder)
        monitors = f'monitor=[{{kind="proc",server="{HOST}:{{port}}"}},{{kind="redis"}},{{kind="self"}}]'
        with started("redis", None, ("--enable-debug-command", "local")) as server, self.leak(server.port):
            return self._run(folder, "-p", str(server.port), "--set", monitors.replace("{port}", str(server.port)))

    def _run(self, folder: Path, *more: str) -> int:
        length = ["--duration", f"{round(self.minutes * 60)}s"]
        command = [*LOADGEN, "soak", *length, *self.options, *more, "--run-folder", str(folder / self.name)]
        done = subprocess.run(command, cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True, text=True)
        if done.returncode not in ANSWERED:
            raise BenchmarkError(f"{self.name} ended with {done.returncode}: {done.stderr.strip()[-1000:]}")
        return done.returncode


# ── Soaks of healthy servers ──────────────────────────────────────────────────────────────────────────────────────────


def healthy(runs: int, minutes: float) -> Iterator[Soaked]:
    """Yield soaks of healthy servers, redis-server and memcached in turn."""
    for number in range(runs):
        of = number // 2
        protocol, server = (("resp", "redis"), ("memcache", "memcached"))[number % 2]
        rate, connections = RATES[of % len(RATES)], CONNECTIONS[of % len(CONNECTIONS)]
        load = ("--protocol", protocol, "--rate", str(rate), "-c", str(connections))
        yield Soaked(f"{server}-{of + 1:02}", minutes, load)


def packed(run: Path, into: Path) -> int:
    """Pack what a replay of a run folder needs; return its size in bytes."""
    into.mkdir(parents=True, exist_ok=True)
    shutil.copy(run / RUN, into / RUN)
    for name in (SAMPLES, EVENTS):
        (into / f"{name}.xz").write_bytes(lzma.compress((run / name).read_bytes(), preset=9 | lzma.PRESET_EXTREME))
    return sum(file.stat().st_size for file in into.iterdir())


@dataclass(frozen=True, slots=True)
class Judged:
    """The judgement of one recorded soak."""

    name: str
    answer: str
    grades: dict[str, tuple[str, str]]
    """The best and the worst grade that the growth of a series may have, of each series that can fail the soak."""
    wrong: tuple[str, ...]
    """What did not pass: names of rows and series, with what was found."""


def judged(folder: Path) -> Judged:
    """Judge a run folder again. Raises BenchmarkError when it cannot be."""
    command = [*LOADGEN, "soak", "--replay", str(folder), "--format", "json"]
    done = subprocess.run(command, cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if done.returncode not in ANSWERED:
        raise BenchmarkError(f"the replay of {folder} ended with {done.returncode}: {done.stderr.strip()[-1000:]}")
    return judgement(folder.name, ANSWERED[done.returncode], json.loads(done.stdout)["judged"])


def judgement(name: str, answer: str, document: dict[str, Any]) -> Judged:
    """Return the judgement of the `judged` of a soak's result."""
    grades, wrong = {}, []
    for each in document["graded"]:
        if each["level"] != "must":
            continue
        grades[each["series"]] = (each["best"] or "?", each["worst"] or "?")
        if not each["passed"]:
            wrong.append(f"{each['series']}: {each['why'] or span(each['best'], each['worst'])}")
    wrong += [
        f"{row['name']}: {row['found']}" for row in document["rows"] if row["level"] == "must" and not row["passed"]
    ]
    return Judged(name, answer, grades, tuple(wrong))


def span(best: str, worst: str) -> str:
    return " to ".join(dict.fromkeys((best, worst)))


def table(found: Sequence[Judged]) -> list[str]:
    """Return the tables of verdicts and of grades, as Markdown."""
    kinds = list(dict.fromkeys(server(each.name) for each in found))
    of = {kind: [each for each in found if server(each.name) == kind] for kind in kinds}
    verdicts: list[Sequence[object]] = [("server", "soaks", *ANSWER_ORDER), ["---"] * 5]
    for kind, some in {**of, "all": found}.items():
        verdicts.append((kind, len(some), *counted([each.answer for each in some], ANSWER_ORDER)))
    grades: list[Sequence[object]] = [("series", "soaks", *GRADES), ["---"] * 8]
    for kind, some in of.items():
        for series in dict.fromkeys(series for each in some for series in each.grades):
            said = [grade(*each.grades[series]) for each in some if series in each.grades]
            grades.append((f"{series} of {kind}", len(said), *counted(said, GRADES)))
    return [*map(row, verdicts), "", *map(row, grades)]


def counted(said: Sequence[str], words: Sequence[str]) -> list[int]:
    counts = Counter(said)
    return [counts[word] for word in words]


def row(cells: Sequence[object]) -> str:
    return f"| {' | '.join(map(str, cells))} |"


ANSWER_ORDER = ("pass", "can't tell", "FAIL")
GRADES = ("below warn", "may be above warn", "above warn", "may be red", "red", "not known")


def grade(best: str, worst: str) -> str:
    """Return what the best and the worst grade that a growth may have say together."""
    match best, worst:
        case _, "bonus" | "target" | "over":
            return GRADES[0]
        case _, "warn":
            return GRADES[2 if best == "warn" else 1]
        case _, "red":
            return GRADES[4 if best == "red" else 3]
    return GRADES[5]


def server(name: str) -> str:
    return name.rpartition("-")[0]


# ── Real soaks ────────────────────────────────────────────────────────────────────────────────────────────────────────


@contextlib.contextmanager
def descriptors(per_min: float, port: int) -> Iterator[None]:
    """A client that opens connections and keeps them."""
    kept: list[socket.socket] = []

    def one_more() -> None:
        kept.append(connected(port))
        kept[-1].sendall(resp(b"CLIENT", b"SETNAME", b"forgetful"))
        read_exactly(kept[-1], len(b"+OK\r\n"))

    with repeated(one_more, 60 / per_min):
        yield
    for each in kept:
        each.close()


@contextlib.contextmanager
def memory(bytes_per_min: float, port: int) -> Iterator[None]:
    """Memory of the server that is in no key and is never given back."""
    lost = b"x" * round(bytes_per_min / 60 * LEAK_EVERY_S)

    def lose() -> None:
        connection.sendall(resp(b"DEBUG", b"LEAK", lost))
        if (answer := read_exactly(connection, len(b"+OK\r\n"))) != b"+OK\r\n":
            raise BenchmarkError(f"redis-server leaks nothing: {answer!r}")

    with connected(port) as connection, repeated(lose, LEAK_EVERY_S):
        yield


@contextlib.contextmanager
def repeated(act: Callable[[], None], every_s: float) -> Iterator[None]:
    """Meanwhile, act on a schedule. What fails is raised at the end."""
    ended, failures = threading.Event(), []

    def work() -> None:
        due_s = time.monotonic()
        try:
            while not ended.wait(max(0.0, due_s - time.monotonic())):
                act()
                due_s += every_s
        except (OSError, BenchmarkError) as error:
            failures.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
    if failures:
        raise BenchmarkError(f"the leak came to an end: {failures[0]}")


def real(minutes: float) -> tuple[Soaked, ...]:
    """Long soaks of each server, and leaks planted in redis-server."""
    load = ("--rate", "300")
    longer = minutes * LONG_MINUTES / FULL_MINUTES
    return (
        Soaked("redis", longer, load),
        Soaked("memcached", minutes, ("--protocol", "memcache", *load)),
        Soaked("built-in", minutes, ("--embedded", *load)),
        Soaked("leak-40-connections-a-minute", minutes, load, partial(descriptors, 40), ("proc.fds", "red")),
        Soaked("leak-20-connections-a-minute", minutes, load, partial(descriptors, 20), ("proc.fds", "warn")),
        Soaked("leak-3MB-a-minute", minutes, load, partial(memory, 3e6), ("redis.used_memory", "red")),
    )


def told(soaked: Soaked, folder: Path) -> bool:
    """Print the first and the last checkpoint of a soak, its growth and its reports; return True for what it should be.

    Raises BenchmarkError when there is no report.
    """
    log = (folder / LOG).read_text("utf-8").splitlines()
    checkpoints = [line for line in log if re.match(r"\[\d+/\d+\] ", line)]
    lines = [*(line for line in log if line.startswith("Baseline: ")), *checkpoints[:1], *checkpoints[1:][-1:]]
    result = json.loads((folder / RESULT).read_bytes())
    found = judgement(folder.name, result["verdict"], result["judged"])
    lines.append(f"{found.answer}: " + ("; ".join(found.wrong) or "every must passed"))
    for each in result["judged"]["graded"]:
        if each["level"] == "must" and each["low_per_min"] is not None:
            who = f", {each['named']}" if each["named"] else ""
            growth = f"{each['low_per_min']:.4g} to {each['high_per_min']:.4g}/min"
            lines.append(f"  {each['series']} {growth}: {span(each['best'], each['worst'])}{who}")
    if soaked.found is None:
        right = found.answer != "fail"
    else:
        series, planted = soaked.found
        right = found.grades[series] == (planted, planted)
        lines.append(f"  {series} should be {planted}: {'it is' if right else 'it is not'}")
    for template in TEMPLATES:
        command = [*LOADGEN, "report", str(folder), "--template", template]
        done = subprocess.run(command, cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True, text=True)
        if done.returncode:
            raise BenchmarkError(f"the report of {folder} ended with {done.returncode}: {done.stderr.strip()}")
        lines.append(f"  {(folder / template).relative_to(ROOT)}")
    print("\n".join(["", soaked.name, *lines]), flush=True)
    return right


TEMPLATES = ("report.md", "soak.md")


# ── All of them ───────────────────────────────────────────────────────────────────────────────────────────────────────


def hold(soaks: Sequence[Soaked], folder: Path, at_once: int) -> list[str]:
    """Hold all soaks, so many at a time, and say how each ended. Return what could not be held, in sentences."""
    for each in soaks:
        shutil.rmtree(folder / each.name, ignore_errors=True)
    failures: list[str] = []

    def one(soaked: Soaked) -> None:
        try:
            said = ANSWERED[soaked.held(folder)]
        except (BenchmarkError, OSError) as error:
            failures.append(f"{soaked.name}: {error}")
            said = str(error)
        print(f"{time.strftime('%H:%M:%S')} {soaked.name}: {said}", flush=True)

    with ThreadPoolExecutor(at_once) as pool:
        list(pool.map(one, soaks))
    return failures


def replayed(folder: Path) -> list[Judged]:
    """Judge all packed soaks. Raises BenchmarkError when one cannot be judged, or there is none."""
    runs = sorted(each.parent for each in folder.glob(f"*/{RUN}"))
    if not runs:
        raise BenchmarkError(f"{folder} has no soaks")
    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(judged, runs))


def judge(folder: Path) -> int:
    """Judge all packed soaks, and print the tables; return the exit status."""
    found = replayed(folder)
    print("\n".join(table(found)))
    for each in found:
        if each.wrong:
            print(f"{each.name}: {each.answer}: {'; '.join(each.wrong)}")
    failed = sum(each.answer == "FAIL" for each in found)
    red = sum(any(best == "red" for best, _ in each.grades.values()) for each in found)
    size = sum(file.stat().st_size for file in folder.glob("*/*"))
    print(f"\n{failed} of {len(found)} healthy servers fail, {red} for a growth; {size / 1e6:.2f} MB", flush=True)
    return int(failed > MOST_RED * len(found))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--real", action="store_true", help="long soaks and planted leaks instead of the recorded ones")
    parser.add_argument("--packed", type=Path, metavar="FOLDER", help="judge the soaks that are packed in this folder")
    parser.add_argument("--only", default="", metavar="REGEX", help="those soaks whose names match")
    parser.add_argument("--runs", type=int, default=40, metavar="N", help="soaks of healthy servers (default: 40)")
    parser.add_argument("--at-once", type=int, default=10, metavar="N", help="soaks at a time (default: 10)")
    parser.add_argument("--minutes", type=float, default=FULL_MINUTES, metavar="N", help="of each (default: 10)")
    options = parser.parse_args()
    try:
        if options.packed is not None:
            return judge(options.packed)
        if options.real:
            soaks = [each for each in real(options.minutes) if re.search(options.only, each.name)]
            failures = hold(soaks, FOLDER / "real", len(soaks))
            held = [each for each in soaks if (FOLDER / "real" / each.name / RESULT).exists()]
            right = [told(each, FOLDER / "real" / each.name) for each in held]
            return 3 if failures else int(not all(right))
        every = [*healthy(options.runs, options.minutes)]
        soaks = [each for each in every if re.search(options.only, each.name)]
        failures = hold(soaks, FOLDER / "recorded", options.at_once)
        into = FOLDER / "packed"
        shutil.rmtree(into, ignore_errors=True)
        for each in every:
            if (FOLDER / "recorded" / each.name / RESULT).exists():
                packed(FOLDER / "recorded" / each.name, into / each.name)
        return 3 if failures else judge(into)
    except BenchmarkError as error:
        print(error, file=sys.stderr)
        return 3


if __name__ == "__main__":
    sys.exit(main())
