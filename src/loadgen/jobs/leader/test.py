"""The leader of one test of jobs: it brings up the storage, workers and producers, and follows them by their ledger.

What became of jobs is a `Book`, and when faults come a `Course`: both are told the time, and tested without a process.
Here are the clock and the processes.
"""

from __future__ import annotations

import asyncio
import json
import math
import os
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from loadgen.errors import LoadgenError, UsageError, WorkerError
from loadgen.events import Event, FaultBegan, FaultEnded, Monitored
from loadgen.host import machine, namespaces
from loadgen.jobs import ledger
from loadgen.jobs.adapters.adapter import Adapter, Setup
from loadgen.jobs.adapters.catalogue import make_adapter
from loadgen.jobs.job import Inspection, State
from loadgen.jobs.leader import place, setup
from loadgen.jobs.leader.faulting import Faults
from loadgen.jobs.leader.main_producer import READY
from loadgen.jobs.leader.meter import Meter
from loadgen.jobs.leader.named_queue import queue_of
from loadgen.jobs.leader.place import Place
from loadgen.jobs.leader.process import Process
from loadgen.jobs.leader.profiler import Profiler
from loadgen.jobs.leader.progress import Rate
from loadgen.jobs.leader.setup import ProducerSetup, QueueSetup, WorkerSetup
from loadgen.jobs.leader.workers import Workers
from loadgen.jobs.load import checks, remarks
from loadgen.jobs.load.body import WORKER
from loadgen.jobs.load.book import Book
from loadgen.jobs.load.course import Course
from loadgen.jobs.load.ended import Axis, JobsBegan, JobsEnded, JobsProgress, Operations, Stage, WorkerNoted
from loadgen.jobs.load.evidence import Evidence
from loadgen.jobs.load.plan import JobsPlan
from loadgen.jobs.storage import StorageError
from loadgen.jobs.url import RedisUrl, parse
from loadgen.monitors.reading import Reading
from loadgen.reason import Code, Reason
from loadgen.runner import beside
from loadgen.runner.beside import Beside
from loadgen.runner.stop import Stop
from loadgen.severity import Severity
from loadgen.units import NS_PER_S, span
from loadgen.usage import Usage
from loadgen.version import __version__

START_S = 60.0
"""The time in which all processes must have said that they are ready."""

START_AHEAD_NS = 50_000_000
"""The time from the order to begin to the beginning, so that all producers have the order by then."""

STOP_S = 10.0
TROUBLED_STOP_S = 2.0
"""The time in which workers must have ended after SIGTERM, and the same where the storage fails."""

TICK_S = 0.05
"""The time between two looks at the ledger."""

LATE_S = 1.0
"""How long late ends are waited for after a worker was resumed."""

HELD = ("unacknowledged", "fetched", "running")
"""What adapters call jobs that a worker has taken and not acknowledged, in `Adapter.stats`."""

ENDED = ("finished", "entries", "results")
"""What they call jobs that have ended, and are no reason to refuse a queue."""

_UNFINISHED = (State.PENDING, State.DELAYED, State.RUNNING, State.DEAD)


@dataclass(slots=True)
class JobsTest:
    """One test of jobs, in the thread that calls `ended`. It catches no signal: `stop` ends it."""

    plan: JobsPlan
    emit: Callable[[Event], None]
    stop: Stop
    number: int = 1
    """Of several tests of one command, from 1."""
    of: int = 1
    axis: Axis | None = None
    """In what the tests of the command differ; None for a single test."""
    profile: str = ""
    log_level: str = ""

    def ended(self) -> JobsEnded:
        """Carry out the test, and return its end, which is emitted too.

        A test that could not be carried out has the reason in its end. Raises UsageError for a plan that contradicts
        itself, and for a library that is not installed.
        """
        plan = self.plan
        book = Book(
            fenced=plan.is_ours,
            max_attempts=plan.terms.max_attempts,
            backoff=plan.terms.backoff,
            from_begin=plan.publishing.before_workers,
        )
        try:
            with place.folder() as folder, place.made(plan, folder, self.emit) as where:
                end = _Led(self, book, folder, where).end()
        except UsageError:
            raise
        except LoadgenError as error:
            why = Reason(Code.COULD_NOT_RUN, str(error).removesuffix("."), Severity.COULD_NOT_RUN)
            account = book.account(time.monotonic_ns())
            end = JobsEnded(plan, plan.adapter, __version__, account, reasons=(why,), host=machine.fingerprint())
        self.emit(end)
        return end


class _Led:
    """A test whose storage is there."""

    def __init__(self, test: JobsTest, book: Book, folder: Path, where: Place) -> None:
        self._test = test
        self._plan = plan = test.plan
        self._book = book
        self._folder = folder
        self._where = where
        self._ledger = folder / "ledger"
        self._ledger.touch()
        self._tail = ledger.Tail(self._ledger)
        self._queue_setup = QueueSetup(
            storage=where.url,
            name=plan.queue_name,
            layout=plan.adapter if plan.adapter in ("streams", "lists") else "streams",
            durability=plan.queue.durability if plan.adapter == "sqlite" else "",
            lease_ns=plan.queue.lease_ns,
            sweep_ns=plan.queue.sweep_ns,
            max_deliveries=plan.queue.max_deliveries,
            result_ttl_ns=plan.queue.result_ttl_ns,
        )
        self._adapter = self._made_adapter()
        self.workers = Workers(self._start_worker, self.note)
        self._producers: list[Process] = []
        self._start_ns = 0
        self._course = Course(plan.faults, plan.workers)
        self._news: list[FaultBegan | FaultEnded] = []
        """What faults on the storage have done, until it is emitted."""
        self._faults = Faults(plan.faults, where, self, self._news.append)
        self._beside: Beside | None = None
        self._readings: list[Reading] = []
        """Those of monitors while the test was under way."""
        self._over_ns: float = math.inf
        """The end of the time in which readings of monitors count."""
        self._dark: tuple[int, ...] = ()
        """The workers that a power cut has ended, and that are not started again yet."""
        self._in_the_dark = 0
        """Jobs that were in flight when a power cut ended the workers."""
        self._meter = Meter(where)
        self._reclaimed_ns = plan.queue.lease_ns + 2 * plan.queue.sweep_ns + round(LATE_S * NS_PER_S)
        """The time after the death of a worker in which its jobs have begun again."""
        self._profiler = Profiler(test.profile, Path.cwd())
        self._quiet_ns = 0
        """Since when nothing has happened."""

    def end(self) -> JobsEnded:
        """Lead the test to its end."""
        self._check_empty()
        plan, test = self._plan, self._test
        library = self._adapter.version if self._adapter is not None else plan.adapter
        queue = f"{library} on {self._where.name}"
        test.emit(JobsBegan(plan, queue, __version__, test.number, test.of, test.axis))
        with ExitStack() as stack:
            stack.callback(self._close)
            self._test.emit(self._at(Stage.STARTING))
            if not plan.publishing.before_workers:
                self.workers.start(plan.workers)
            self._start_producers()
            self._await_producers()
            self._await_workers()
            server_before = self._where.usage()
            board = stack.enter_context(beside.opened(plan.monitors, self._where.target, self._where.server))
            self._beside = Beside(board, self._is_under_way) if board is not None else None
            cut_short, why = self._follow()
            self._over_ns = time.monotonic_ns()
            used = _since(server_before, self._where.usage())
            workers = self.workers.usage()
            self._profiler.end()
            self._stop_workers()
            faults = self._faults.ended()
            self._tell()
            monitors = self._beside.reports() if self._beside is not None else ()
            self._take()
            inspection, held, noted = self._inspected()
            operations = self._operations()
        server = self._where.server
        if server_end := server.exit_report() if server is not None else "":
            noted = (*noted, Reason(Code.SERVER_ENDED, server_end.removesuffix(".")))
        account = self._book.account(time.monotonic_ns(), held=held)
        in_flight = self._faults.in_flight_at_kills + self._in_the_dark
        cost = self._meter.cost(used, workers, self.workers.gone_cpu_ns, inspection)
        evidence = Evidence(
            plan=plan,
            account=account,
            cost=cost,
            faults=faults,
            operations=operations,
            in_flight_at_kills=in_flight,
            memory=tuple(self._meter.memory),
            storage=tuple(self._meter.storage),
            monitors=monitors,
            readings=tuple(self._readings),
            cpus=len(os.sched_getaffinity(0)),
        )
        if not cut_short and not why and not account.counts.attempted and not operations:
            why = (Reason(Code.NOTHING_JUDGED, "no job was published", Severity.UNKNOWN),)
        why = (*why, *damaged(self._tail))
        judged = not cut_short and not why
        silent = beside.notes(monitors) if plan.shows_monitors else ()
        return JobsEnded(
            plan=plan,
            queue=queue,
            version=__version__,
            account=account,
            checks=checks.judged(evidence) if judged else (),
            faults=faults,
            cost=cost,
            monitors=monitors,
            operations=operations,
            in_flight_at_kills=in_flight,
            censored_ns=max(account.unreclaimed_ns, default=None),
            reasons=why,
            profile=self._profiler.files,
            notes=(*noted, *self._profiler.notes, *silent, *(remarks.remarks(evidence) if judged else ())),
            host=machine.fingerprint(),
            interrupted=cut_short,
        )

    # ── The start ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def _made_adapter(self) -> Adapter | None:
        plan = self._plan
        if plan.is_ours:
            return None
        where = parse(self._where.url)
        assert isinstance(where, RedisUrl), "an adapter's queue is in Redis"
        made = Setup(where, plan.terms, plan.concurrency, plan.queue.lease_ns, dict(plan.settings))
        return make_adapter(plan.adapter, made)

    def _check_empty(self) -> None:
        """Refuse a queue that has jobs. Raises UsageError for one, StorageError when the storage does not answer."""
        if self._where.is_ours:
            return
        plan = self._plan
        if self._adapter is not None:
            stats = self._adapter.stats().items()
            there = ", ".join(f"{count:,} {name}" for name, count in stats if count and name not in ENDED)
        else:
            inspection = asyncio.run(_inspect(self._queue_setup, clears=False))
            there = _left(inspection)
            if not there:
                asyncio.run(_inspect(self._queue_setup, clears=True))
        if there:
            raise LoadgenError(
                f"The queue {plan.queue_name} in {parse(plan.storage)} is not empty ({there}): its jobs would be "
                "counted as the test's. Let a worker finish them, or name another queue by --queue."
            )

    @property
    def _environment(self) -> dict[str, str]:
        """The variables that every process of the test has."""
        disk = self._where.disk
        return {ledger.VARIABLE: str(self._ledger), **(disk.env if disk is not None else {})}

    def _start_worker(self, number: int) -> Process:
        env = {**self._environment, WORKER: str(number)}
        log = self._folder / f"worker-{number}.log"
        name = f"Worker {number}"
        inside = namespaces.inside(self._plan.namespace(number))
        if self._adapter is None:
            told = WorkerSetup(self._queue_setup, self._plan.concurrency, self._plan.renews, self._test.log_level)
            words = [*inside, sys.executable, "-P", "-m", "loadgen.jobs.leader.main_worker"]
            return Process(name, words, {**env, **setup.environment(told)}, log)
        command = self._adapter.worker_command(number)
        return Process(name, [*inside, *command.words], {**env, **command.env}, log, guarded=True)

    def _start_producers(self, *, resumes: bool = False) -> None:
        plan = self._plan
        self._producers = []
        for number in range(plan.publishing.producers):
            told = ProducerSetup(
                queue=self._queue_setup,
                number=number,
                terms=plan.terms,
                publishing=plan.publishing,
                chains=plan.chains,
                scheduling=plan.scheduling,
                adapter="" if plan.is_ours else plan.adapter,
                concurrency=plan.concurrency,
                settings=dict(plan.settings),
                seed=plan.seed,
                log_level=self._test.log_level,
                resumes=resumes,
            )
            words = [sys.executable, "-P", "-m", "loadgen.jobs.leader.main_producer"]
            env = {**self._environment, **setup.environment(told)}
            log = self._folder / f"producer-{number + 1}.log"
            self._producers.append(Process(f"Producer {number + 1}", words, env, log))

    def _await_producers(self) -> None:
        """Wait until all producers are ready. Raises WorkerError when one has ended."""
        for producer in self._producers:
            if producer.said.readline().decode().strip() != READY:
                producer.await_end(STOP_S)
                raise WorkerError(f"{producer.name} could not start: {producer.last_words() or 'it said nothing'}")

    def _await_workers(self) -> None:
        """Wait until all workers are ready. Raises WorkerError when one has ended, or takes too long."""
        until_ns = time.monotonic_ns() + round(START_S * NS_PER_S)
        while missing := [number for number in self.workers.living if str(number) not in self._book.ready]:
            self._take()
            for number, process in self.workers.living.items():
                if process.status() is not None:
                    words = process.last_words() or f"exit status {process.status()}"
                    raise WorkerError(f"Worker {number} could not start: {words}")
            if time.monotonic_ns() >= until_ns:
                raise WorkerError(f"Worker {missing[0]} was not ready within {START_S:.0f} s.")
            if self._test.stop.is_set:
                return
            time.sleep(TICK_S)

    # ── The test ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def _follow(self) -> tuple[bool, tuple[Reason, ...]]:
        """Follow the test to its end; return whether somebody ended it, and why it has no answer."""
        self._start_ns = time.monotonic_ns() + START_AHEAD_NS
        self._meter.begin()
        self.workers.go()
        if 1 in self.workers.living:
            self._profiler.begin("worker-1", self.workers.living[1].worker_pid)
        for producer in self._producers:
            producer.tell(str(self._start_ns))
        self._quiet_ns = self._start_ns
        progress = Rate(self._start_ns, self._expected)
        while True:
            self._take()
            now_ns = time.monotonic_ns()
            if self._plan.publishing.before_workers and not self.workers.living and not self._publishing():
                self.workers.start(self._plan.workers)
                self._await_workers()
                self.workers.go()
            if self._faults.carry_out(self._course.due(now_ns - self._start_ns, self._share())):
                self._quiet_ns = time.monotonic_ns()
            self._tell()
            self._look_after(now_ns)
            self._book.presume(now_ns - self._reclaimed_ns)
            if self._test.stop.is_set:
                return True, ()
            if self._is_over(now_ns):
                return False, self._failed_producers()
            self._meter.read_storage(now_ns, self._book)
            if progress.is_due(now_ns):
                self._meter.read_workers(now_ns - self._start_ns, self.workers.living)
                self._test.emit(progress.event(now_ns, self._book, publishing=self._publishing()))
            time.sleep(TICK_S)

    def _tell(self) -> None:
        """Emit what faults on the storage have done and what monitors have read, in the order of time."""
        read = [*self._beside.news()] if self._beside is not None else []
        news, self._news[:] = sorted([*self._news, *read], key=lambda each: each.at_ns), []
        for each in news:
            if isinstance(each, Monitored) and self._is_under_way(each.at_ns):
                self._readings.append(each.reading)
            self._test.emit(each)

    def _is_under_way(self, at_ns: int) -> bool:
        return at_ns <= self._over_ns

    def _at(self, stage: Stage) -> JobsProgress:
        """Return that the test begins or ends."""
        elapsed_s = (time.monotonic_ns() - self._start_ns) / NS_PER_S if self._start_ns else 0.0
        book = self._book
        return JobsProgress(stage, book.acknowledged, book.ended, self._expected(), 0.0, None, elapsed_s)

    def _take(self) -> None:
        if self._book.take(self._tail.news()):
            self._quiet_ns = time.monotonic_ns()

    def _publishing(self) -> bool:
        return bool(self._dark) or any(producer.status() is None for producer in self._producers)

    def _expected(self) -> int:
        """Return the jobs that are to end, as far as is known."""
        return max(self._plan.jobs, self._book.acknowledged) if self._publishing() else self._book.acknowledged

    def _share(self) -> float:
        expected = self._expected()
        return self._book.ended / expected if expected else 0.0

    def _is_over(self, now_ns: int) -> bool:
        if self._course.is_under_way:
            self._quiet_ns = now_ns
            return False
        quiet_ns = now_ns - self._quiet_ns
        if not self._publishing() and not self._book.waiting:
            # What a resumed worker says too late comes after all jobs have ended.
            return not self.workers.were_paused or quiet_ns > LATE_S * NS_PER_S
        # A slow schedule makes no progress for a while, and is waited for as long as nothing fails.
        waits = self._publishing() and self._plan.publishing.rate_per_s and not self._book.is_troubled
        return quiet_ns > self._plan.patience_ns and not waits

    def _failed_producers(self) -> tuple[Reason, ...]:
        return tuple(
            Reason(Code.WORKER_DIED, f"{each.name} failed: {each.last_words()}", Severity.COULD_NOT_RUN)
            for each in self._producers
            if each.status() not in (None, 0)
        )

    def _look_after(self, now_ns: int) -> None:
        """Start workers again that have ended by themselves, as a supervisor would."""
        for number in self.workers.ended():
            self._take()
            in_flight = self._book.died(str(number), now_ns)
            self.workers.restart(number, f"ended by itself with {in_flight:,} jobs in flight, and was started again")
            self._quiet_ns = now_ns

    # ── Faults ────────────────────────────────────────────────────────────────────────────────────────────────────────

    def on_death(self, worker: int) -> int:
        self._take()
        return self._book.died(str(worker), time.monotonic_ns())

    def on_pause(self, worker: int) -> int:
        self._take()
        return self._book.in_flight(str(worker))

    def kill_all(self) -> None:
        for producer in self._producers:
            producer.kill()
        self._dark = tuple(self.workers.living)
        for number in self._dark:
            self.workers.kill(number)
        for number in self._dark:
            self._in_the_dark += self.on_death(number)

    def start_again(self) -> None:
        for number in self._dark:
            self.workers.restart(number, "started again after the power cut")
        self._dark = ()
        for producer in self._producers:
            producer.close()
        self._start_producers(resumes=True)
        self._await_producers()
        for producer in self._producers:
            producer.tell(str(self._start_ns))

    def note(self, worker: int, words: str) -> None:
        self._tell()
        t_s = (time.monotonic_ns() - self._start_ns) / NS_PER_S if self._start_ns else 0.0
        self._test.emit(WorkerNoted(str(worker), words, t_s))

    # ── The end ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def _stop_workers(self) -> None:
        """Have the workers end well, and kill those that do not."""
        # What the storage does not take now it will not take soon.
        self._test.emit(self._at(Stage.STOPPING))
        timeout_s = TROUBLED_STOP_S if self._book.is_troubled else STOP_S
        for number in self.workers.stop(timeout_s):
            self.note(number, f"did not end within {span(round(timeout_s * NS_PER_S))} of SIGTERM, and was killed")

    def _inspected(self) -> tuple[Inspection | None, int, tuple[Reason, ...]]:
        """Return what the queue says of itself, the jobs that it says a worker has, and remarks; and leave it empty."""
        plan = self._plan
        if self._adapter is not None:
            notes = tuple(
                Reason(Code.CONFIGURATION, f"{self._adapter.version}: {words}") for words in self._adapter.remarks
            )
            try:
                stats = dict(self._adapter.stats())
            except Exception as error:
                words = f"{plan.adapter} does not say what its queue has: {type(error).__name__}: {error}"
                return None, 0, (*notes, Reason(Code.CONFIGURATION, words))
            return Inspection({}, None, stats), sum(stats.get(name, 0) for name in HELD), notes
        clears = not self._where.is_ours and not self._book.waiting
        try:
            inspection = asyncio.run(_inspect(self._queue_setup, clears=clears))
        except StorageError as error:
            words = f"the queue does not say what it has: {str(error).removesuffix('.')}"
            return None, 0, (Reason(Code.CONFIGURATION, words),)
        if left := _left(inspection):
            words = f"the queue {plan.queue_name} in {parse(self._where.url)} was left as it is, with {left}"
            return inspection, 0, (Reason(Code.CONFIGURATION, words),) * (not self._where.is_ours)
        return inspection, 0, ()

    def _operations(self) -> tuple[Operations, ...]:
        found: list[Operations] = []
        for producer in self._producers:
            if producer.await_end(0.0):
                line = producer.said.readline()
                found.extend(Operations(**each) for each in (json.loads(line) if line.strip() else []))
        return tuple(found)

    def _close(self) -> None:
        self._profiler.end()
        for process in (*self._producers, *self.workers.living.values()):
            process.close()


async def _inspect(told: QueueSetup, *, clears: bool) -> Inspection:
    """Return the state of a queue of ours. `clears`: remove it where it has no jobs but such as ended well."""
    queue = queue_of(told)
    await queue.open()
    try:
        inspection = await queue.inspect()
        if clears and not _left(inspection):
            await queue.clear()
        return inspection
    finally:
        await queue.stop()


def damaged(tail: ledger.Tail) -> tuple[Reason, ...]:
    """Return why a test proves nothing whose ledger cannot be read whole."""
    if not tail.damaged:
        return ()
    lines = f"{tail.damaged:,} line{'s' * (tail.damaged > 1)} of the ledger"
    return (Reason(Code.UNACCOUNTED, f"{lines} cannot be read: was its disk full?", Severity.INVALID),)


def _left(inspection: Inspection) -> str:
    """Return the jobs of a queue that have not ended well, in words; empty for none."""
    return ", ".join(f"{count:,} {state}" for state in _UNFINISHED if (count := inspection.counts.get(state, 0)))


def _since(before: Usage | None, after: Usage | None) -> Usage | None:
    return after - before if before is not None and after is not None else None
