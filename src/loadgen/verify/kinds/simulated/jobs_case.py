"""A simulated case of queues: the shipping queue, workers and storages on hosts of a world, from first publish to end.

Each worker is a process on a host of its own: it is killed, and started again as another process of another name, as a
supervisor does. When the weather is over and the queue is empty, the workers are stopped, and `jobs_laws` judges what
the ledger and the calls of storages say.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from typing import Any, cast

from loadgen.jobs.job import State
from loadgen.jobs.ledger import Entry
from loadgen.jobs.queue import Queue
from loadgen.jobs.redis.lists import Lists
from loadgen.jobs.redis.streams import Streams
from loadgen.jobs.sqlite.storage import Durability, Sqlite
from loadgen.jobs.storage import Storage, StorageError
from loadgen.jobs.url import RedisUrl, SqliteUrl
from loadgen.jobs.worker import Attempt, NoRetry
from loadgen.units import NS_PER_S
from loadgen.verify.kinds.simulated import jobs_laws
from loadgen.verify.kinds.simulated.jobs_laws import Seen
from loadgen.verify.kinds.simulated.jobs_plan import SQLITE, STREAMS, Act, Plan, PlannedJob, Profile, Weather
from loadgen.verify.kinds.simulated.jobs_watch import Process, Watch, WatchedLedger, WatchedStorage
from loadgen.verify.kinds.simulated.jobs_weather import LONGEST_JUMP_S, REDIS, Sky, drawn, tasks_left
from loadgen.verify.scenario.states import always, sometimes
from loadgen.verify.scenario.world import World, net_of
from loadgen.verify.world.policy import BY_PRIORITIES

QUEUE = "q"
FUNCTION = "work"

ENDS = "every job ends within a bound"
STOPS = "a worker that is told to stop ends"
PUBLISHES = "every publish ends within a bound"

PATIENCE_S = 900.0
"""From the end of the weather to that of the last job: beyond jumps of clocks, and all executions one by one."""
SILENCE_S = 60.0
"""The longest time without an entry in the ledger, beside jumps of clocks: some leases, works and timeouts."""
_LOOK_S = 0.25
"""The time between two looks for the end."""
_AGAIN_S = 0.1
"""The time after which a process is started again that could not open its storage."""
_GRACE_S = 60.0
_KILLED_DOWN_NS = NS_PER_S // 10
"""The time for which a worker is down that a job has killed."""


class Failed(Exception):
    """The failure that a job was asked for."""


class Case:
    """One run of a case. `path` is that of a file of SQLite that is not there yet."""

    def __init__(self, profile: Profile, operations: int, path: str) -> None:
        self._profile = profile
        self._operations = operations
        self._path = path
        self.plan: Plan | None = None
        self.watch: Watch | None = None
        self.began_ns = 0

    async def scenario(self, world: World) -> None:
        """Run the case in a world, as a scenario does."""
        for state in jobs_laws.states(self._profile.layout):
            sometimes(state, False)
        sometimes(BY_PRIORITIES, net_of(world).world.window_ns)
        self.plan = plan = Plan.drawn(world.draw, self._profile, self._operations)
        self.began_ns = net_of(world).world.now_ns
        run = Run(world, plan, self._path)
        self.watch = run.watch
        run.sky.come(drawn(world, self._profile, plan))
        await run.to_the_end()

    def lines(self) -> tuple[str, ...]:
        """Return the case as text to read: its plan, its jobs, and its ledger."""
        if self.plan is None or self.watch is None:
            return ()
        words = [str(self.plan), *map(str, self.plan.jobs)]
        for entry in self.watch.entries:
            at_ns = entry.t_ns if isinstance(entry, Entry) else entry.ended_ns
            words.append(f"{(at_ns - self.began_ns) / NS_PER_S:.6f} s  {_told(entry)}")
        return tuple(words)


def _told(entry: Entry | Process) -> str:
    if isinstance(entry, Process):
        return f"{entry.name} is killed"
    parts = [entry.worker, entry.what, f"job {entry.job}" * bool(entry.job)]
    parts += [f"attempt {entry.attempt}, fence {entry.fence}"] * bool(entry.fence) + [entry.words[:100]]
    return " ".join(filter(None, parts))


class Run:
    """The hosts of a case, and what is left to do on them."""

    def __init__(self, world: World, plan: Plan, path: str) -> None:
        self.world = world
        self.net = net_of(world)
        self.plan = plan
        self.watch = Watch(lambda: self.net.world.now_ns)
        self._path = path
        self._workers = [f"w{number}" for number in range(1, plan.workers + 1)]
        self._producers = [f"p{number}" for number in range(1, plan.producers + 1)]
        self._processes: dict[str, _Worker] = {}
        """By host, the newest process of its worker."""
        self._down_ns: dict[str, int] = {}
        self._deliveries: Counter[str] = Counter()
        """By job, its executions."""
        self._is_over = False
        for host in [*self._workers, *self._producers]:
            world.host(host)
        self.sky = Sky(world, plan, path, self._workers, self._producers, self._kill, self._lives)
        self._server = self.sky.server

    # ── The course ────────────────────────────────────────────────────────────────────────────────────────────────────

    async def to_the_end(self) -> None:
        """Publish, work, wait for the end of the weather and of the jobs, stop, and judge."""
        supervisors = [asyncio.ensure_future(self._supervise(host)) for host in self._workers]
        producers = [
            self.world.host(host).run(self._publish(host, [job for job in self.plan.jobs if job.producer == number]))
            for number, host in enumerate(self._producers)
        ]
        published, late = await asyncio.wait(producers, timeout=PATIENCE_S)
        always(not late, PUBLISHES, f"{len(late)} producers do not end")
        for task in published:
            task.result()
        # A fault may begin at any time in which faults begin.
        while self.net.world.now_ns < self.sky.over_ns() or self.world.now_s < 5.0:
            await asyncio.sleep(_LOOK_S)
        process = self.watch.process("reader", "scenario")
        reader = self._storage(process)
        await self._open(reader)
        await self._emptied(reader)
        self._is_over = True
        await self._stop(supervisors)
        await self._judge(reader)

    async def _emptied(self, reader: Storage) -> None:
        """Wait until no job is left to do.

        An empty queue is not taken at its word while the ledger lacks ends: these may be stored without an answer.
        """
        until_s, empty_s = self.world.now_s + PATIENCE_S, 0.0
        jumps = sum(spell.weather is Weather.JUMP for spell in self.sky.spells)
        silence_s = SILENCE_S + jumps * LONGEST_JUMP_S
        quiet_s = 2 * (self.plan.lease_s + self.plan.sweep_s) + self.plan.timeout_s
        while True:
            jobs_laws.judge_newest(self.plan, self.watch)
            counts: dict[State, int] = {}
            with suppress(StorageError):
                counts = dict((await reader.inspect()).counts)
            left = {state: counts.get(state, 0) for state in (State.PENDING, State.DELAYED, State.RUNNING)}
            if not counts or any(left.values()):
                empty_s = 0.0
            elif not jobs_laws.unended(self.watch) or empty_s >= quiet_s:
                return
            else:
                empty_s += _LOOK_S
            words = ", ".join(f"{count} {state}" for state, count in left.items() if count)
            waits = self.world.now_s < until_s and self.watch.silent_s() < silence_s
            always(waits, ENDS, f"stuck {sum(left.values())}: {words}, and nothing happens any more")
            await asyncio.sleep(_LOOK_S)

    async def _stop(self, supervisors: Sequence[asyncio.Future[None]]) -> None:
        for process in self._processes.values():
            process.stop()
        _, late = await asyncio.wait(supervisors, timeout=_GRACE_S)
        always(not late, STOPS, f"{len(late)} workers have not ended after {_GRACE_S:g} s")
        for supervisor in supervisors:
            supervisor.result()

    async def _judge(self, reader: Storage) -> None:
        dead = {job.id for job in await reader.listed(State.DEAD, len(self.plan.jobs) + 1)}
        seen = Seen(self.plan, self.watch, self.sky.spells, self.net.link, self.net.world.now_ns, dead)
        jobs_laws.judge(seen)
        await self._left_over(reader)
        await reader.close()
        for host in [*self._workers, *self._producers, "scenario"]:
            found = self.net.found(host)
            streams = self.net.open_streams(found) if found.alive else 0
            always(not streams, STOPS, f"{host} has {streams} open streams")
        living = [name for name in tasks_left() if not name.startswith(("main", "scenario"))]
        killed = sum(process.killed for process in self.watch.processes.values())
        always(killed or not living, STOPS, f"tasks are left: {', '.join(living)}")
        text = [f"{entry.what} {entry.job} {entry.t_ns} {entry.worker} {entry.attempt} {entry.fence} {entry.due_ns}"
                for entry in self.watch.entries if isinstance(entry, Entry)]  # fmt: skip
        self.net.world.note_text("\n".join(text).encode())

    async def _left_over(self, reader: Storage) -> None:
        """Require that nothing is left of jobs that have ended, where results are not kept."""
        if not self.plan.result_ttl_s:
            # Redis knows a job that has ended for some time, in which a call may be repeated.
            await asyncio.sleep(jobs_laws.KNOWN_S + self.plan.lease_s)
            await reader.sweep("reader", 0)
        inspection = await reader.inspect()
        jobs_laws.judge_rest(self.plan, inspection, await self._keys(reader))

    async def _keys(self, reader: Any) -> list[str]:
        """Return the keys of Redis that are left."""
        if self._server is None:
            return []
        [keys] = await reader._replies([("KEYS", "*")])
        return sorted(key.decode() for key in keys)

    # ── Producers ─────────────────────────────────────────────────────────────────────────────────────────────────────

    async def _publish(self, host: str, jobs: Sequence[PlannedJob]) -> None:
        process = self.watch.process(host, host)
        queue = self._queue(process)
        while True:
            try:
                await queue.open()
                break
            except StorageError as error:
                always(error.is_passing, PUBLISHES, error)
                await asyncio.sleep(_AGAIN_S)
        publishes = []
        for job in jobs:
            await asyncio.sleep(job.wait_s)
            publishes.append(asyncio.ensure_future(self._enqueue(queue, job)))
        await asyncio.gather(*publishes)
        await queue.stop()
        self.watch.ended(process, killed=False)

    async def _enqueue(self, queue: Queue, job: PlannedJob) -> None:
        data = {"id": job.id, "work_s": job.work_s, "act": job.act}
        # A publish that fails is in the ledger.
        with suppress(StorageError):
            await queue.enqueue(
                FUNCTION, data, key=job.key, delay_s=job.delay_s, job=job.id, terms=self.plan.terms
            )  # fmt: skip

    # ── Workers ───────────────────────────────────────────────────────────────────────────────────────────────────────

    async def _supervise(self, host: str) -> None:
        """Start a worker on a host, and start it again when it has ended."""
        number = 0
        while not self._is_over:
            number += 1
            process = self.watch.process(f"{host}.{number}", host)
            worker = self._processes[host] = _Worker(process, self._queue(process), partial(self._body, host))
            task = self.world.host(host).run(worker.run())
            killed = asyncio.ensure_future(worker.killed.wait())
            await asyncio.wait({task, killed}, return_when=asyncio.FIRST_COMPLETED)
            killed.cancel()
            if worker.killed.is_set():
                await asyncio.sleep(self._down_ns.pop(host, _KILLED_DOWN_NS) / NS_PER_S)
                continue
            self.watch.ended(process, killed=False)
            task.result()
            if not self._is_over:
                await asyncio.sleep(_AGAIN_S)

    def _lives(self, host: str) -> bool:
        worker = self._processes.get(host)
        return worker is not None and not worker.killed.is_set() and self.net.found(host).alive

    def _kill(self, host: str, down_ns: int) -> None:
        worker = self._processes.get(host)
        if worker is None or not self._lives(host) or self._is_over:
            return
        self._down_ns[host] = down_ns
        self.watch.ended(worker.process, killed=True)
        self.sky.killed(host, down_ns)
        self.net.kill(self.net.found(host))
        worker.killed.set()

    async def _body(self, host: str, data: Any, attempt: Attempt) -> object:
        """Do the work of a job."""
        self._deliveries[attempt.id] += 1
        if data["work_s"]:
            await asyncio.sleep(data["work_s"])
        match data["act"]:
            case Act.FAILS_ONCE if attempt.number == 1:
                raise Failed("asked to fail")
            case Act.FAILS:
                raise Failed("asked to fail")
            case Act.GIVES_UP:
                raise NoRetry("asked to give up")
            case Act.KILLS:
                await self._die(host)
            case Act.KILLS_ONCE if self._deliveries[attempt.id] == 1:
                await self._die(host)
            case Act.HANGS:
                await asyncio.Event().wait()
            case Act.UNSTORABLE:
                return object()
        return data["id"]

    async def _die(self, host: str) -> None:
        # At the end of this turn of the host: nothing of it runs afterwards.
        self.net.world.at(self.net.world.now_ns, partial(self._kill, host, _KILLED_DOWN_NS))
        await asyncio.Event().wait()

    # ── Storages ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def _queue(self, process: Process) -> Queue:
        return Queue(
            self._storage(process),
            name=QUEUE,
            concurrency=self.plan.concurrency,
            lease_s=self.plan.lease_s,
            sweep_s=self.plan.sweep_s,
            auto_start=False,
            worker=process.name,
            ledger=WatchedLedger(self.watch, process),
        )

    def _storage(self, process: Process) -> Storage:
        plan = self.plan
        lease_ns = round(plan.lease_s * NS_PER_S)
        storage: Storage
        if plan.layout == SQLITE:
            storage = Sqlite(
                SqliteUrl(self._path),
                QUEUE,
                lease_ns=lease_ns,
                max_deliveries=plan.max_deliveries,
                result_ttl_s=plan.result_ttl_s,
                durability=Durability.NORMAL,
                # A wait for a lock would be one in real time.
                busy_timeout_ns=0,
            )
        else:
            made = Streams if plan.layout == STREAMS else Lists
            storage = made(
                RedisUrl(REDIS, 6379),
                QUEUE,
                lease_ns=lease_ns,
                max_deliveries=plan.max_deliveries,
                result_ttl_s=plan.result_ttl_s,
                timeout_s=plan.timeout_s,
            )
        return cast(Storage, WatchedStorage(storage, self.watch, process))

    async def _open(self, storage: Storage) -> None:
        while True:
            try:
                await storage.open()
                return
            except StorageError:
                await asyncio.sleep(_AGAIN_S)


class _Worker:
    """One process of a worker."""

    def __init__(self, process: Process, queue: Queue, body: Any) -> None:
        self.process = process
        self.killed = asyncio.Event()
        self._queue = queue
        self._stopping = asyncio.Event()
        queue.durable(FUNCTION, body)

    def stop(self) -> None:
        """Have the worker end well."""
        self._stopping.set()

    async def run(self) -> None:
        """Work until it is stopped, or until the storage fails."""
        try:
            await self._queue.start()
        except StorageError:
            return
        working = self._queue._working
        assert working is not None
        waiting = asyncio.ensure_future(self._queue.wait())
        stopping = asyncio.ensure_future(self._stopping.wait())
        await asyncio.wait({waiting, stopping}, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        await self._queue.stop(_GRACE_S)
        always(not working.cancelled(), STOPS, f"{self.process.name} is cancelled {_GRACE_S:g} s after it was stopped")
        with suppress(StorageError):
            await waiting
