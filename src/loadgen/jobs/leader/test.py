"""The leader of one test of jobs: it brings up the storage, workers and producers, and follows them by their ledger.

What became of jobs is a `Book`, and when faults come a `Course`: both are told the time, and tested without a process.
Here are the clock and the processes.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from loadgen.errors import LoadgenError, UsageError, WorkerError
from loadgen.events import Event, FaultBegan, FaultEnded
from loadgen.faults.disk.shared import SharedDisk
from loadgen.faults.fault import Fault
from loadgen.faults.report import FaultReport, Spell
from loadgen.faults.timeline import Step
from loadgen.host import machine
from loadgen.jobs import ledger
from loadgen.jobs.adapters.adapter import Adapter, Setup
from loadgen.jobs.adapters.catalogue import make_adapter
from loadgen.jobs.job import Inspection, State
from loadgen.jobs.leader import place, setup
from loadgen.jobs.leader.main_producer import READY
from loadgen.jobs.leader.named_queue import queue_of
from loadgen.jobs.leader.place import Place
from loadgen.jobs.leader.process import Process
from loadgen.jobs.leader.profiler import Profiler
from loadgen.jobs.leader.setup import ProducerSetup, QueueSetup, WorkerSetup
from loadgen.jobs.load import checks, remarks
from loadgen.jobs.load.account import Book
from loadgen.jobs.load.body import WORKER
from loadgen.jobs.load.course import Course, Turn
from loadgen.jobs.load.ended import Axis, Cost, JobsBegan, JobsEnded, JobsProgress, Operations, Stage, WorkerNoted
from loadgen.jobs.load.evidence import Evidence
from loadgen.jobs.load.plan import JobsPlan
from loadgen.jobs.storage import StorageError
from loadgen.jobs.url import RedisUrl, parse
from loadgen.reason import Code, Reason
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
"""The time in which workers must have ended after SIGTERM."""

TICK_S = 0.05
"""The time between two looks at the ledger."""

SAMPLE_S = 1.0
"""The time between two readings of memory and size, and between two reports of progress."""

LATE_S = 1.0
"""How long late ends are waited for after a worker was resumed."""

HELD = ("unacknowledged", "fetched", "running")
"""What adapters call jobs that a worker has taken and not acknowledged, in `Adapter.stats`."""

ENDED = ("finished", "entries")
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
        self._workers = _Workers(self._start_worker, self._note)
        self._producers: list[Process] = []
        self._start_ns = 0
        self._course = Course(plan.faults, plan.workers)
        self._spells: dict[int, list[Spell]] = {}
        self._effects: dict[int, int] = {}
        """By fault on the shared disk, how often it took effect."""
        self._dark: tuple[int, ...] = ()
        """The workers that a power cut has ended, and that are not started again yet."""
        self._in_flight_at_kills = 0
        self._meter = _Meter(where)
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
            if not plan.publishing.before_workers:
                self._workers.start(plan.workers)
            self._start_producers()
            self._await_producers()
            self._await_workers()
            server_before = self._where.usage()
            cut_short, why = self._follow()
            server = _since(server_before, self._where.usage())
            workers = self._workers.usage()
            self._profiler.end()
            self._stop_workers()
            faults = self._faults_ended()
            self._take()
            inspection, held, noted = self._inspected()
            operations = self._operations()
        account = self._book.account(time.monotonic_ns(), held=held)
        cost = self._meter.cost(server, workers, self._workers.gone_cpu_ns, inspection)
        evidence = Evidence(
            plan=plan,
            account=account,
            cost=cost,
            faults=faults,
            operations=operations,
            in_flight_at_kills=self._in_flight_at_kills,
            memory=tuple(self._meter.memory),
            cpus=len(os.sched_getaffinity(0)),
        )
        if not cut_short and not why and not account.counts.attempted and not operations:
            why = (Reason(Code.NOTHING_JUDGED, "no job was published", Severity.UNKNOWN),)
        judged = not cut_short and not why
        return JobsEnded(
            plan=plan,
            queue=queue,
            version=__version__,
            account=account,
            checks=checks.judged(evidence) if judged else (),
            faults=faults,
            cost=cost,
            operations=operations,
            in_flight_at_kills=self._in_flight_at_kills,
            censored_ns=max(account.unreclaimed_ns, default=None),
            reasons=why,
            profile=self._profiler.files,
            notes=(*noted, *self._profiler.notes, *(remarks.remarks(evidence) if judged else ())),
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
        if self._adapter is None:
            told = WorkerSetup(self._queue_setup, self._plan.concurrency, self._plan.renews, self._test.log_level)
            words = [sys.executable, "-P", "-m", "loadgen.jobs.leader.main_worker"]
            return Process(name, words, {**env, **setup.environment(told)}, log)
        command = self._adapter.worker_command(number)
        return Process(name, command.words, {**env, **command.env}, log, guarded=True)

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
        while missing := [number for number in self._workers.living if str(number) not in self._book.ready]:
            self._take()
            for number, process in self._workers.living.items():
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
        self._workers.go()
        if 1 in self._workers.living:
            self._profiler.begin("worker-1", self._workers.living[1].worker_pid)
        for producer in self._producers:
            producer.tell(str(self._start_ns))
        self._quiet_ns = self._start_ns
        progress = _Progress(self._plan, self._start_ns, self._expected)
        while True:
            self._take()
            now_ns = time.monotonic_ns()
            if self._plan.publishing.before_workers and not self._workers.living and not self._publishing():
                self._workers.start(self._plan.workers)
                self._await_workers()
                self._workers.go()
            self._carry_out(self._course.due(now_ns - self._start_ns, self._share()))
            self._look_after(now_ns)
            self._book.presume(now_ns - self._reclaimed_ns)
            if self._test.stop.is_set:
                return True, ()
            if self._is_over(now_ns):
                return False, self._failed_producers()
            if progress.is_due(now_ns):
                self._meter.read(now_ns - self._start_ns, self._workers.living, self._book)
                self._test.emit(progress.event(now_ns, self._book, publishing=self._publishing()))
            time.sleep(TICK_S)

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
            return not self._workers.were_paused or quiet_ns > LATE_S * NS_PER_S
        return quiet_ns > self._plan.patience_ns and not (self._publishing() and self._plan.publishing.rate_per_s)

    def _failed_producers(self) -> tuple[Reason, ...]:
        return tuple(
            Reason(Code.WORKER_DIED, f"{each.name} failed: {each.last_words()}", Severity.COULD_NOT_RUN)
            for each in self._producers
            if each.status() not in (None, 0)
        )

    def _look_after(self, now_ns: int) -> None:
        """Start workers again that have ended by themselves, as a supervisor would."""
        for number in self._workers.ended():
            self._take()
            in_flight = self._book.died(str(number), now_ns)
            self._workers.restart(number, f"ended by itself with {in_flight:,} jobs in flight, and was started again")
            self._quiet_ns = now_ns

    # ── Faults ────────────────────────────────────────────────────────────────────────────────────────────────────────

    def _carry_out(self, turns: Iterator[Turn]) -> None:
        for turn in turns:
            each = self._plan.faults[turn.number]
            if each.on_workers:
                self._on_worker(turn, each.fault)
            elif self._where.disk is not None:
                self._on_disk(turn, each.fault, self._where.disk)
            elif self._where.bench is not None:
                place_in_bench = sum(not before.on_workers for before in self._plan.faults[: turn.number])
                fault = self._where.bench.faults[place_in_bench]
                self._where.bench.operator.post(Step(0, place_in_bench, fault, turn.node, turn.begins))
        if self._where.bench is not None:
            for news in self._where.bench.operator.news():
                self._test.emit(news)
                self._quiet_ns = time.monotonic_ns()

    def _on_worker(self, turn: Turn, fault: Fault) -> None:
        spells = self._spells.setdefault(turn.number, [])
        now_ns = time.monotonic_ns()
        if turn.begins:
            if fault.kind == "kill":
                self._workers.kill(turn.node)
                self._take()
                in_flight = self._book.died(str(turn.node), now_ns)
                self._note(turn.node, f"killed (SIGKILL) with {in_flight:,} jobs in flight")
            else:
                self._workers.pause(turn.node)
                self._take()
                in_flight = self._book.in_flight(str(turn.node))
                self._note(turn.node, f"stopped (SIGSTOP) with {in_flight:,} jobs in flight")
            self._in_flight_at_kills += in_flight
            spells.append(Spell(turn.node, now_ns))
            return
        for place_in_list, spell in enumerate(spells):
            if spell.node == turn.node and spell.ended_ns is None:
                spells[place_in_list] = replace(spell, ended_ns=now_ns, effects=1)
        if fault.kind == "kill":
            self._workers.restart(turn.node, "started again")
        else:
            self._workers.resume(turn.node)
            self._note(turn.node, "resumed (SIGCONT)")

    def _on_disk(self, turn: Turn, fault: Fault, disk: SharedDisk) -> None:
        """Carry out a fault of the disk that the processes of the test share."""
        spells = self._spells.setdefault(turn.number, [])
        now_ns = time.monotonic_ns()
        self._quiet_ns = now_ns
        if fault.kind == "power_cut":
            if turn.begins:
                self._cut_power(disk, spells, fault)
            else:
                self._start_again()
        elif turn.begins:
            disk.fill(self._where.files)
            spells.append(Spell(1, now_ns))
        else:
            disk.free()
            self._effects[turn.number] = disk.refused
        if turn.begins:
            self._test.emit(FaultBegan(fault, 1, now_ns, time.time()))
        else:
            effects = self._effects.get(turn.number, 0)
            spells[-1] = replace(spells[-1], ended_ns=now_ns, effects=effects)
            self._test.emit(FaultEnded(fault, 1, now_ns, time.time(), effects))

    def _cut_power(self, disk: SharedDisk, spells: list[Spell], fault: Fault) -> None:
        """Kill all processes at once, and cut their files back to what was synced."""
        for producer in self._producers:
            producer.kill()
        killed = [*self._workers.living]
        for number in killed:
            self._workers.kill(number)
        self._take()
        at_ns = time.monotonic_ns()
        for number in killed:
            self._in_flight_at_kills += self._book.died(str(number), at_ns)
        lost = disk.cut(self._where.files)
        number = next(number for number, each in enumerate(self._plan.faults) if each.fault is fault)
        self._effects[number] = self._effects.get(number, 0) + lost.files
        spells.append(Spell(1, at_ns))
        self._dark = tuple(killed)

    def _start_again(self) -> None:
        """Start the processes that a power cut has ended; producers go on where they were."""
        for number in self._dark:
            self._workers.restart(number, "started again after the power cut")
        self._dark = ()
        for producer in self._producers:
            producer.close()
        self._start_producers(resumes=True)
        self._await_producers()
        for producer in self._producers:
            producer.tell(str(self._start_ns))

    def _faults_ended(self) -> tuple[FaultReport, ...]:
        """Return what each fault did, in the order of the plan; what was under way has ended."""
        of_bench = [*self._where.bench.operator.finish()] if self._where.bench is not None else []
        if self._where.bench is not None:
            for news in self._where.bench.operator.news():
                self._test.emit(news)
        reports = []
        for number, each in enumerate(self._plan.faults):
            spells = tuple(self._spells.get(number, ()))
            if self._where.disk is not None and not each.on_workers:
                reports.append(FaultReport(each.fault, spells, self._effects.get(number, 0)))
            elif each.on_workers:
                reports.append(
                    FaultReport(each.fault, tuple(replace(spell, effects=1) for spell in spells), len(spells))
                )
            else:
                reports.append(of_bench.pop(0))
        return tuple(reports)

    def _note(self, worker: int, words: str) -> None:
        t_s = (time.monotonic_ns() - self._start_ns) / NS_PER_S if self._start_ns else 0.0
        self._test.emit(WorkerNoted(str(worker), words, t_s))

    # ── The end ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def _stop_workers(self) -> None:
        """Have the workers end well, and kill those that do not."""
        for number in self._workers.stop(STOP_S):
            self._note(number, f"did not end within {span(round(STOP_S * NS_PER_S))} of SIGTERM, and was killed")

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
        for process in (*self._producers, *self._workers.living.values()):
            process.close()


class _Workers:
    """The workers of a test, by number."""

    def __init__(self, start: Callable[[int], Process], note: Callable[[int, str], None]) -> None:
        self._start = start
        self._note = note
        self.living: dict[int, Process] = {}
        self._killed: set[int] = set()
        self._paused: set[int] = set()
        self.were_paused = False
        self.gone_cpu_ns = 0
        """The CPU time of workers that were killed, as it was read last."""

    def start(self, count: int) -> None:
        for number in range(1, count + 1):
            self.living[number] = self._start(number)

    def go(self) -> None:
        for process in self.living.values():
            process.tell("go")

    def ended(self) -> list[int]:
        """Return the workers that have ended by themselves."""
        return [number for number, process in self.living.items() if process.status() is not None]

    def kill(self, number: int) -> None:
        process = self.living.pop(number, None)
        if process is not None:
            usage = process.usage()
            self.gone_cpu_ns += usage.cpu_ns if usage is not None else 0
            process.kill()
            process.close()
            self._killed.add(number)

    def restart(self, number: int, words: str) -> None:
        if number in self.living:
            self.living.pop(number).close()
        self.living[number] = self._start(number)
        self.living[number].tell("go")
        self._killed.discard(number)
        self._note(number, words)

    def pause(self, number: int) -> None:
        if number in self.living:
            self.living[number].pause()
            self._paused.add(number)
            self.were_paused = True

    def resume(self, number: int) -> None:
        if number in self.living:
            self.living[number].resume()
        self._paused.discard(number)

    def usage(self) -> dict[int, Usage]:
        """Return the use of each worker that lives."""
        return {number: found for number, each in self.living.items() if (found := each.usage()) is not None}

    def stop(self, timeout_s: float) -> Iterator[int]:
        """Have all workers end; yield those that had to be killed."""
        for number in [*self._paused]:
            self.resume(number)
        for process in self.living.values():
            process.begin_stop()
        until_s = time.monotonic() + timeout_s
        for number, process in self.living.items():
            if not process.await_end(max(0.0, until_s - time.monotonic())):
                process.kill()
                yield number


class _Meter:
    """What a queue takes, read once a second."""

    def __init__(self, where: Place) -> None:
        self._where = where
        self._before: int | None = None
        self._most: int | None = None
        self._pending: float | None = None
        self._rss_bytes = 0
        self.memory: list[tuple[float, float]] = []
        """Seconds, and the bytes of all workers that ran all the time."""
        self._first: dict[int, int] = {}

    def begin(self) -> None:
        self._before = self._where.used_bytes()

    def read(self, t_ns: int, workers: dict[int, Process], book: Book) -> None:
        """Take a reading."""
        used = self._where.used_bytes()
        if used is not None:
            self._most = max(used, self._most or 0)
            if self._before is not None and book.waiting >= _ENOUGH_PENDING:
                each = (used - self._before) / book.waiting
                # With more jobs, what does not belong to jobs is a smaller part.
                self._pending = each if self._pending is None else min(self._pending, each)
        total = 0
        for number, process in workers.items():
            usage = process.usage()
            if usage is not None:
                self._rss_bytes = max(self._rss_bytes, usage.rss_bytes)
                self._first.setdefault(number, process.pid)
                total += usage.rss_bytes * (self._first[number] == process.pid)
        self.memory.append((t_ns / NS_PER_S, float(total)))

    def cost(
        self, server: Usage | None, workers: dict[int, Usage], gone_cpu_ns: int, inspection: Inspection | None
    ) -> Cost:
        """Return what the queue cost."""
        after = self._where.used_bytes()
        cpu_ns = sum(usage.cpu_ns for usage in workers.values()) + gone_cpu_ns
        rss = max([self._rss_bytes, *(usage.rss_bytes for usage in workers.values())])
        return Cost(
            storage_cpu_s=server.cpu_ns / NS_PER_S if server is not None else None,
            workers_cpu_s=cpu_ns / NS_PER_S if workers else None,
            workers_rss_bytes=rss or None,
            pending_bytes_per_job=self._pending,
            bytes_before=self._before,
            bytes_most=max(self._most, after) if self._most is not None and after is not None else self._most or after,
            bytes_after=after,
            facts=inspection.facts if inspection is not None else {},
        )


_ENOUGH_PENDING = 100
"""With fewer jobs, what a storage takes for itself is not small beside them."""


class _Progress:
    """How far a test is, once a second."""

    def __init__(self, plan: JobsPlan, start_ns: int, expected: Callable[[], int]) -> None:
        self._start_ns = start_ns
        self._expected = expected
        self._next_ns = start_ns + round(SAMPLE_S * NS_PER_S)
        self._last_ns, self._last = start_ns, 0
        self._has_rate = bool(plan.publishing.rate_per_s)

    def is_due(self, now_ns: int) -> bool:
        return now_ns >= self._next_ns

    def event(self, now_ns: int, book: Book, *, publishing: bool) -> JobsProgress:
        """Return how far the test is, and begin the next second."""
        expected, elapsed_s = self._expected(), (now_ns - self._start_ns) / NS_PER_S
        rate = (book.ended - self._last) * NS_PER_S / (now_ns - self._last_ns)
        mean = book.ended / elapsed_s
        self._last_ns, self._last = now_ns, book.ended
        self._next_ns = now_ns + round(SAMPLE_S * NS_PER_S)
        return JobsProgress(
            Stage.PUBLISHING if publishing else Stage.EXECUTING,
            acknowledged=book.acknowledged,
            ended=book.ended,
            expected=expected,
            jobs_per_s=rate,
            left_s=(expected - book.ended) / mean if mean and expected else None,
            elapsed_s=elapsed_s,
        )


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


def _left(inspection: Inspection) -> str:
    """Return the jobs of a queue that have not ended well, in words; empty for none."""
    return ", ".join(f"{count:,} {state}" for state in _UNFINISHED if (count := inspection.counts.get(state, 0)))


def _since(before: Usage | None, after: Usage | None) -> Usage | None:
    return after - before if before is not None and after is not None else None
