"""Check that a stopped generator makes a run invalid, and a stopped server does not: 20 runs for each kind of trouble.

.venv/bin/python benchmark/stills.py            all of it, as in `make stills`: some ten minutes, Linux
.venv/bin/python benchmark/stills.py --only quota --times 5

`stopped`      the workers are stopped for 60 or 80 ms of every 100, at 10,000 to 40,000 requests/s: invalid, "stopped"
`quota`        the generator has a CPU quota of a quarter (needs root and a `cpu` controller): invalid, "CPU quota"
`server`       the server is stopped for 80 ms of every 100: valid
`descheduled`  the load is twice what the server takes, and a real-time process takes the worker's CPU for 10 ms of
               every 100, while the server owes more than 10 ms of replies (needs root): valid

With root, workers and server are real-time processes on a CPU each, so that other programs of this machine do not stop
them as well. The accounts that are printed for each run show the stops that happened all the same.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import orjson

from loadgen import config
from loadgen.events import Result
from loadgen.plan import Plan
from loadgen.runner.run import Run
from loadgen.server_plan import builtin
from loadgen.target.server import ManagedServer
from loadgen.units import NS_PER_MS
from loadgen.worker.process import WorkerProcesses

EVERY_S = 0.1
LENGTH_S = 1.5
CPUS = sorted(os.sched_getaffinity(0))
GROUPS = Path("/sys/fs/cgroup")
QUOTA = 0.25

COMMON = (
    "general.warmup=0s",
    f"general.duration={LENGTH_S}s",
    "general.threads=1",
    "workload.keyspace.count=1000",
    "workload.commands.get=100",
    "workload.commands.set=0",
)
SHALLOW = ("connection.connections=2", "connection.pipeline_depth=1")
# 400 requests in flight, at 100 µs each: the server has 40 ms of work, and the pauses are of 10 ms.
SLOW, DEEP = ["--delay", "100us"], ("connection.connections=4", "connection.pipeline_depth=100")


@dataclass(frozen=True, slots=True)
class Found:
    """What one run said, beside what is right."""

    right: bool
    words: str


def quietly(pid: int, cpu: int, priority: int = 10) -> None:
    """Gives a process a CPU, and precedence on it, where that is allowed."""
    for thread in Path(f"/proc/{pid}/task").iterdir():
        with contextlib.suppress(OSError):
            os.sched_setaffinity(int(thread.name), {cpu})
            os.sched_setscheduler(int(thread.name), os.SCHED_FIFO, os.sched_param(priority))


@contextlib.contextmanager
def stopping(pids: Callable[[], list[int]], for_s: float, active: Callable[[], bool]) -> Iterator[None]:
    """Stops processes for so long in every 100 ms while the load runs."""

    def stop() -> None:
        while not active():
            time.sleep(0.002)
        while active():
            for what, how_long in ((signal.SIGSTOP, for_s), (signal.SIGCONT, EVERY_S - for_s)):
                for pid in pids():
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(pid, what)
                time.sleep(how_long)

    thread = threading.Thread(target=stop)
    thread.start()
    try:
        yield
    finally:
        thread.join()


def load(port: int, rate: int, pids: Callable[[Stirred], list[int]], for_s: float, *settings: str) -> Result:
    """A run on a server, with these processes stopped for so long in every 100 ms of it."""
    lines = [*COMMON, *settings, f'target.endpoints=["127.0.0.1:{port}"]', f"workload.rate_limit={rate}"]
    run = Stirred(config.resolve(config.load(None, lines)))
    with stopping(lambda: pids(run), for_s, run.is_loading):
        return run.result()


class Stirred(Run):
    """A run whose workers can be asked for."""

    loaded = False

    def __init__(self, told: Plan) -> None:
        self.processes = WorkerProcesses()
        super().__init__(told, lambda event: None, make_member=self.processes)

    def workers(self) -> list[int]:
        return [worker.pid for worker in self.processes.made]

    def is_loading(self) -> bool:
        """Whether the load runs; the workers get their CPU when it begins. True ever after is False."""
        loading = self.crew.phase in ("warmup", "measure")
        if loading and not self.loaded:
            self.loaded = True
            for pid in self.workers():
                quietly(pid, CPUS[-1])
        return loading


def accounts(result: Result) -> str:
    measured, pauses = result.measured, result.signs.workers[0].pauses
    response, ours = (h.quantile(0.99) / NS_PER_MS for h in (measured.latency(), measured.lag_ours))
    parts = (pauses.stopped_ns, pauses.queued_ns, pauses.busy_ns)
    stood = " + ".join(f"{part / NS_PER_MS:.0f}" for part in parts)
    return (
        f"{'valid' if result.valid else 'INVALID'}, p99 {response:.1f} ms, ours {ours:.1f} ms, "
        f"{measured.total.planned:,} planned; stopped + queued + busy {stood} ms"
    )


def names(result: Result, cause: str) -> bool:
    return not result.valid and any(cause in reason for reason in result.reasons)


def stopped(number: int) -> Found:
    rate, for_s = (10_000, 20_000, 40_000)[number % 3], (0.06, 0.08)[number // 3 % 2]
    with ManagedServer(builtin()) as server:
        quietly(server.pid, CPUS[0])
        result = load(server.port, rate, Stirred.workers, for_s, *SHALLOW)
    return Found(names(result, "was stopped for"), f"{rate}/s, {for_s * 1000:.0f} ms: {accounts(result)}")


def served_by_a_stopped_server(number: int) -> Found:
    rate = (2_000, 5_000, 10_000)[number % 3]
    with ManagedServer(builtin()) as server:
        quietly(server.pid, CPUS[0])
        result = load(server.port, rate, lambda run: [server.pid], 0.08, *SHALLOW)
    return Found(result.valid, f"{rate}/s: {accounts(result)}")


def descheduled(number: int) -> Found:
    with ManagedServer(builtin("resp", *SLOW)) as server:
        quietly(server.pid, CPUS[0])
        hog = subprocess.Popen([sys.executable, "-c", HOG])
        try:
            quietly(hog.pid, CPUS[-1], 20)
            result = load(server.port, 20_000, lambda run: [], 0.0, *DEEP)
        finally:
            hog.kill()
            hog.wait()
    held_ns = result.signs.workers[0].pauses.queued_ns
    return Found(result.valid and held_ns > 0, accounts(result))


HOG = """\
import time
while True:
    began = time.monotonic()
    while time.monotonic() - began < 0.01:
        pass
    time.sleep(0.09)
"""


def under_a_quota(number: int) -> Found:
    rate = (20_000, 30_000, 40_000)[number % 3]
    with ManagedServer(builtin()) as server, quota() as group:
        quietly(server.pid, CPUS[0])
        settings = [*COMMON, *SHALLOW, f'target.endpoints=["127.0.0.1:{server.port}"]', f"workload.rate_limit={rate}"]
        command = [sys.executable, "-m", "loadgen", "--format", "json", *(w for s in settings for w in ("--set", s))]
        enter = ["sh", "-c", 'echo $$ > "$0/cgroup.procs" && exec "$@"', str(group)]
        done = subprocess.run([*enter, *command], capture_output=True, timeout=120, check=False)
    result = orjson.loads(done.stdout.splitlines()[-1])
    reasons, worker = result["verdict"]["reasons"], result["signs"]["workers"][0]
    lag = result["lag"]["ours"]["p99_ns"]
    return Found(
        done.returncode == 4 and any("CPU quota of" in reason for reason in reasons),
        f"{rate}/s: exit {done.returncode}, ours p99 {lag / NS_PER_MS:.1f} ms, waited {worker['queue_share']:.0%}, "
        f"used up {worker['throttled']} times",
    )


@contextlib.contextmanager
def quota() -> Iterator[Path]:
    """A control group with a quota, of whichever version this machine has; nothing but the quota holds it up."""
    name, period_us = f"loadgen-stills-{os.getpid()}", 100_000
    quota_us = int(QUOTA * period_us)
    old = (GROUPS / "cpu/cpu.shares").exists()
    group = GROUPS / "cpu" / name if old else GROUPS / name
    if not old:
        (GROUPS / "cgroup.subtree_control").write_text("+cpu")
    group.mkdir()
    try:
        if old:
            (group / "cpu.cfs_period_us").write_text(str(period_us))
            (group / "cpu.cfs_quota_us").write_text(str(quota_us))
            (group / "cpu.shares").write_text("262144")
        else:
            (group / "cpu.max").write_text(f"{quota_us} {period_us}")
            (group / "cpu.weight").write_text("10000")
        yield group
    finally:
        group.rmdir()


KINDS = {
    "stopped": stopped,
    "quota": under_a_quota,
    "server": served_by_a_stopped_server,
    "descheduled": descheduled,
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=KINDS, help="one kind of trouble")
    parser.add_argument("--times", type=int, default=20, help="runs of each (20)")
    options = parser.parse_args()
    wrong = 0
    for kind in [options.only] if options.only else KINDS:
        right = 0
        for number in range(options.times):
            try:
                found = KINDS[kind](number)
            except OSError as error:
                print(f"{kind}: not to be had here: {error}", flush=True)
                break
            right += found.right
            print(f"{kind} {number + 1}: {'right' if found.right else 'WRONG'}: {found.words}", flush=True)
        print(f"{kind}: {right} of {options.times} right", flush=True)
        wrong += options.times - right
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
