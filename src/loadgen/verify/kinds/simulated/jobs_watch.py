"""What a simulated case of queues sees of its storages and its ledger: each call with its times, and each entry.

The storage that ships carries a call out; what stands before it writes down when it was asked for and answered.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from loadgen.jobs.job import Claim, NewJob, Published, Settlement, Swept
from loadgen.jobs.ledger import Entry
from loadgen.jobs.storage import Storage
from loadgen.units import NS_PER_S

T = TypeVar("T")

NEVER_NS = 1 << 62


@dataclass(slots=True)
class Called:
    """One call of a storage."""

    operation: str
    worker: str
    """The worker's process; empty for a producer."""
    jobs: Sequence[Any]
    """What was asked: jobs, claims or settlements."""
    asked_ns: int
    answered_ns: int = NEVER_NS
    """NEVER_NS: the process was killed before."""
    answer: Any = None
    """None for a call that failed, or had no answer."""

    @property
    def took_ns(self) -> int:
        return self.answered_ns - self.asked_ns


@dataclass(slots=True)
class Process:
    """One process of a worker or of a producer."""

    name: str
    host: str
    began_ns: int
    ended_ns: int = NEVER_NS
    """When it was killed, or has ended."""
    killed: bool = False


@dataclass(slots=True)
class Watch:
    """All that a case saw, in the order of time."""

    now_ns: Callable[[], int]
    entries: list[Entry | Process] = field(default_factory=list)
    """The ledger; a process stands where it was killed."""
    calls: list[Called] = field(default_factory=list)
    processes: dict[str, Process] = field(default_factory=dict)

    def process(self, name: str, host: str) -> Process:
        """Note that a process has begun."""
        self.processes[name] = made = Process(name, host, self.now_ns())
        return made

    def silent_s(self) -> float:
        """Return the time since the last entry of the ledger."""
        last = self.entries[-1] if self.entries else None
        last_ns = 0 if last is None else last.ended_ns if isinstance(last, Process) else last.t_ns
        return (self.now_ns() - last_ns) / NS_PER_S

    def ended(self, process: Process, *, killed: bool) -> None:
        """Note that a process has ended. It writes no more from then on."""
        process.ended_ns, process.killed = self.now_ns(), killed
        if killed:
            self.entries.append(process)


class WatchedLedger:
    """A ledger in memory, of one process."""

    def __init__(self, watch: Watch, process: Process) -> None:
        self._watch = watch
        self._process = process

    def write(self, *entries: Entry) -> None:
        """Keep entries, unless the process was killed: what is left of its tasks is taken apart then."""
        if not self._process.killed:
            self._watch.entries += entries


class WatchedStorage:
    """A storage whose calls are noted. What is not noted is the storage's own."""

    def __init__(self, storage: Storage, watch: Watch, process: Process) -> None:
        self._storage = storage
        self._watch = watch
        self._process = process

    def __getattr__(self, name: str) -> Any:
        return getattr(self._storage, name)

    async def publish(self, jobs: Sequence[NewJob]) -> list[Published]:
        return await self._noted("publish", jobs, self._storage.publish(jobs))

    async def claim(self, worker: str, most: int, wait_s: float) -> list[Claim]:
        return await self._noted("claim", (), self._storage.claim(worker, most, wait_s))

    async def renew(self, worker: str, claims: Sequence[Claim]) -> list[bool]:
        return await self._noted("renew", claims, self._storage.renew(worker, claims))

    async def settle(self, worker: str, settlements: Sequence[Settlement]) -> list[bool]:
        return await self._noted("settle", settlements, self._storage.settle(worker, settlements))

    async def sweep(self, worker: str, most: int) -> Swept:
        return await self._noted("sweep", (), self._storage.sweep(worker, most))

    async def _noted(self, operation: str, jobs: Sequence[Any], call: Awaitable[T]) -> T:
        called = Called(operation, self._process.name, jobs, self._watch.now_ns())
        self._watch.calls.append(called)
        try:
            answer = await call
        except BaseException:
            called.answered_ns = self._watch.now_ns()
            raise
        called.answered_ns, called.answer = self._watch.now_ns(), answer
        return answer
