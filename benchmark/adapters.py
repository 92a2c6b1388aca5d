"""What the queues of other libraries cost and do, each with its own workers: jobs/s, Redis commands, bytes, reclaims.

redis-server has one core, the workers another. All settings are the libraries' own, but for those of a row's name.
"""

from __future__ import annotations

import argparse
import contextlib
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import psutil
import redis
from servers import HOST, started
from table import number, table

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "support"))
from job_workers import JobWorkers, descendants

from loadgen.jobs.adapters.adapter import Adapter, Setting, Setup
from loadgen.jobs.adapters.catalogue import ROWS, make_adapter
from loadgen.jobs.job import Terms
from loadgen.jobs.ledger import Entry, What
from loadgen.jobs.load.work import Work
from loadgen.jobs.url import RedisUrl
from loadgen.units import NS_PER_S

CONCURRENCY = 10
STORED = 1000
"""Jobs that are published to see what memory they take."""
QUEUE_CPU, WORKER_CPU = 0, 1
HELD = "held"


@dataclass(frozen=True, slots=True)
class Subject:
    """A library with some settings."""

    name: str
    settings: tuple[tuple[str, Setting], ...] = ()
    lease_s: int = 0

    @property
    def words(self) -> str:
        lease = [f"lease {self.lease_s} s"] if self.lease_s else []
        return ", ".join([self.name, *lease, *(f"{name}={value}" for name, value in self.settings)])

    def adapter(self, port: int, concurrency: int, database: int = 0) -> Adapter:
        url = RedisUrl(HOST, port, database)
        return make_adapter(self.name, Setup(url, Terms(), concurrency, self.lease_s * NS_PER_S, dict(self.settings)))


INSTALLED = [row.name for row in ROWS if not row.missing]
QUICK_ARQ = Subject("arq", (("poll_delay", 0.01),))
OFTEN_CELERY = Subject("celery", (("unacked_restore_interval", 1),), 5)
OFTEN_RQ = Subject("rq", (("maintenance_interval", 5),))


@contextlib.contextmanager
def workers(adapter: Adapter) -> Iterator[JobWorkers]:
    prefix = ("taskset", "--cpu-list", str(WORKER_CPU))
    with tempfile.TemporaryDirectory(prefix="lg-") as folder, JobWorkers(adapter, Path(folder), prefix) as workers:
        yield workers
    adapter.close()


def memory(client: redis.Redis) -> int:
    return int(client.info("memory")["used_memory"])


def calls(client: redis.Redis) -> int:
    """Return the commands since the last reset, those of scripts among them, without our own."""
    stats = client.info("commandstats")
    return sum(row["calls"] for name, row in stats.items() if not name.startswith(("cmdstat_info", "cmdstat_config")))


def pss_mb(processes: list[int]) -> float:
    """Return the memory of processes, a shared page counted once."""
    kib = 0
    for process in processes:
        with contextlib.suppress(OSError):
            rollup = Path(f"/proc/{process}/smaps_rollup").read_text()
            kib += next(int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Pss:"))
    return kib / 1024


def cpu_s(processes: list[int]) -> float:
    """Return the CPU time of processes, and of those of their children that have ended."""
    found = 0.0
    for process in processes:
        with contextlib.suppress(psutil.Error):
            times = psutil.Process(process).cpu_times()
            found += times.user + times.system + times.children_user + times.children_system
    return found


def server_cpu_s(client: redis.Redis) -> float:
    cpu = client.info("cpu")
    return cpu["used_cpu_user"] + cpu["used_cpu_sys"]


def throughput(subject: Subject, port: int, no_ops: int, sleeps: int) -> list[str]:
    """Return the row of one worker."""
    client = redis.Redis(HOST, port)
    client.flushall()
    adapter = subject.adapter(port, CONCURRENCY)
    adapter.enqueue(Work("first", 0))  # What the queue itself takes is no job's.
    before = memory(client)
    for job in range(STORED):
        adapter.enqueue(Work(f"stored{job}", 0))
    bytes_each = (memory(client) - before) / STORED
    client.flushall()
    adapter.close()

    adapter = subject.adapter(port, CONCURRENCY)
    client.config_resetstat()
    began = time.monotonic()
    for job in range(no_ops):
        adapter.enqueue(Work(str(job), 0))
    published_per_s = no_ops / (time.monotonic() - began)
    publish_calls = calls(client) / no_ops
    with workers(adapter) as running:
        client.config_resetstat()
        cpu_before = server_cpu_s(client)
        running.start(1)
        rate = measured(running, no_ops)
        work_calls = calls(client) / no_ops
        server_ms = (server_cpu_s(client) - cpu_before) / no_ops * 1000
        own = descendants(running.running[1].pid)
        cpu_before = cpu_s(own)
        for job in range(no_ops):
            adapter.enqueue(Work(f"again{job}", 0))
        measured(running, no_ops, "again")
        worker_ms = (cpu_s(own) - cpu_before) / no_ops * 1000
        for job in range(sleeps):
            adapter.enqueue(Work(f"sleep{job}", 10_000_000))
        sleep_rate = measured(running, sleeps, "sleep")
        processes = descendants(running.running[1].pid)
        held = f"{pss_mb(processes):.0f}"
    client.close()
    return [
        subject.words,
        number(published_per_s),
        number(rate),
        number(sleep_rate),
        number(worker_ms),
        number(server_ms),
        f"{publish_calls:.1f} + {work_calls:.1f}",
        f"{bytes_each:.0f}",
        f"{held} ({len(processes)})",
    ]


def measured(running: JobWorkers, count: int, prefix: str = "") -> float:
    """Return the jobs/s from the first begin to the last end."""

    def mine(entries: list[Entry]) -> list[Entry]:
        return [entry for entry in entries if entry.job.startswith(prefix)]

    last = count + (running.seen.count(What.END) if prefix else 0)
    if not running.wait(lambda seen: seen.count(What.END) >= last, 600.0):
        raise SystemExit(f"{running.adapter.version} did not execute all of the jobs: {running.words()}")
    begins, ends = mine(running.seen.of(What.BEGIN)), mine(running.seen.of(What.END))
    assert len(begins) == len(ends) == count, "a job was executed twice"
    return count / ((max(e.t_ns for e in ends) - min(e.t_ns for e in begins)) / 1e9)


def reclaim(subject: Subject, port: int, database: int, rate_per_s: float, patience_s: float, found: list[str]) -> None:
    """Kill one of two workers that holds a job, and fill in the row: when the job began again."""
    adapter = subject.adapter(port, 1, database)
    with workers(adapter) as running:
        running.start(1)
        adapter.enqueue(Work(HELD, 3600 * NS_PER_S))
        if not running.wait(lambda seen: seen.count(What.BEGIN) == 1):
            raise SystemExit(running.words())
        running.start(2)
        running.kill(1)
        killed = time.monotonic()
        sent, again = 0, False
        while not again and (left := killed + patience_s - time.monotonic()) > 0:
            if rate_per_s:
                adapter.enqueue(Work(str(sent), 0))
                sent += 1
            pause = min(left, 1 / rate_per_s if rate_per_s else left)
            again = running.wait(lambda seen: len([e for e in seen.of(What.BEGIN) if e.job == HELD]) == 2, pause)
        words = f"> {patience_s:g} s"
        if again:
            begin = [entry for entry in running.seen.of(What.BEGIN) if entry.job == HELD][1]
            words = f"{begin.t_ns / 1e9 - killed:.1f} s"
    found += [subject.words, f"{rate_per_s:g}", words]


def reclaims(port: int, patience_s: float, with_leases: bool) -> list[list[str]]:
    """Return the rows of all libraries, which wait at the same time."""
    subjects = [Subject(name) for name in INSTALLED]
    if with_leases:
        subjects = [replace(subject, lease_s=5) for subject in subjects]
        subjects += [subject for subject in (OFTEN_CELERY, OFTEN_RQ) if subject.name in INSTALLED]
    redis.Redis(HOST, port).flushall()
    rows: list[list[str]] = []
    threads = []
    for subject in subjects:
        for rate_per_s in (0.0, 10.0):
            rows.append([])
            given = (subject, port, len(threads), rate_per_s, patience_s, rows[-1])
            threads.append(threading.Thread(target=reclaim, args=given))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--only", choices=INSTALLED, help="one library")
    parser.add_argument("--no-ops", type=int, default=2000, metavar="N")
    parser.add_argument("--sleeps", type=int, default=1000, metavar="N", help="jobs of 10 ms")
    parser.add_argument("--patience", type=float, default=30.0, metavar="SECONDS", help="for a killed worker's job")
    parser.add_argument("--leases", action="store_true", help="reclaims with leases of 5 s, not the own defaults")
    parser.add_argument("--part", choices=("throughput", "reclaims"), help="one table")
    given = parser.parse_args()
    if given.only:
        INSTALLED[:] = [given.only]
    subjects = [Subject(name) for name in INSTALLED] + ([QUICK_ARQ] if "arq" in INSTALLED else [])
    head = ("", "published/s", "no-ops/s", "10 ms/s", "worker", "redis", "commands", "bytes", "MB (processes)")
    with started("redis", QUEUE_CPU, ["--databases", "32"]) as server:
        if given.part != "reclaims":
            rows = [throughput(subject, server.port, given.no_ops, given.sleeps) for subject in subjects]
            title = (
                f"One worker at concurrency {CONCURRENCY}: jobs/s; CPU time in ms and Redis commands (to publish + to "
                "execute) of a no-op;\nbytes in Redis of a job that waits; PSS of the worker"
            )
            print(table(title, head, rows), end="\n\n", flush=True)
        if given.part != "throughput":
            rows = reclaims(server.port, given.patience, given.leases)
            title = "From the SIGKILL of one of two workers to the next begin of its job"
            print(table(title, ("", "other jobs/s", "reclaimed after"), rows))


if __name__ == "__main__":
    main()
