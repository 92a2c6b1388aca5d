"""The interface of storages: where the jobs of one queue are kept, and who has them.

A storage knows leases, fences and due times, and no function, no attempt's outcome and no loop of a worker. Every
method may raise StorageError. What was not answered may have happened: each may be called again with the same
arguments, and does nothing twice.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from loadgen.errors import LoadgenError
from loadgen.jobs.job import Claim, Finished, Inspection, JobRecord, NewJob, Published, Settlement, State, Swept
from loadgen.jobs.schedule import Schedule


class StorageError(LoadgenError):
    """A storage cannot do what it was asked: it is gone, full, locked, or not what it was taken for."""

    def __init__(self, words: str, *, is_lock: bool = False, is_passing: bool = True) -> None:
        super().__init__(words)
        self.is_lock = is_lock
        """True when another had the storage locked for too long ("database is locked")."""
        self.is_passing = is_passing
        """True when it makes sense to try again."""


class Storage(Protocol):
    """The jobs of one queue. A storage is used by one event loop, and by any number of its tasks at once."""

    async def open(self) -> None:
        """Connect, and make what the queue needs where it is not there. No other method is called before."""

    async def close(self) -> None:
        """Give back what the storage has open; claims of its workers stay claimed until their leases expire."""

    async def publish(self, jobs: Sequence[NewJob]) -> list[Published]:
        """Store jobs, as durably as the storage was asked to, and return the answer to each."""

    async def claim(self, worker: str, most: int, wait_s: float) -> list[Claim]:
        """Claim at most `most` jobs for one lease, and wait for the first for at most `wait_s`.

        A job is claimed within 50 ms of its due time while the worker whose settlement delayed it lives, else within
        the time between two sweeps.
        """

    async def renew(self, worker: str, claims: Sequence[Claim]) -> list[bool]:
        """Begin the leases of claimed jobs anew. False for a job that is not the worker's any more."""

    async def settle(self, worker: str, settlements: Sequence[Settlement]) -> list[bool]:
        """Take how jobs ended. False, and no effect, for a job whose fence is an old one.

        True, and no effect, for a settlement that was taken before, as long as the storage keeps the job.
        """

    async def sweep(self, worker: str, most: int) -> Swept:
        """Find expired leases: claim at most `most` of these jobs, and make dead letters of those claimed too often.

        Schedules are not its business.
        """

    async def finished(self, ids: Sequence[str]) -> dict[str, Finished]:
        """Return the ends of those of these jobs that have ended, as long as the storage keeps them."""

    async def find(self, job: str) -> JobRecord | None: ...

    async def cancel(self, job: str) -> bool:
        """Cancel a job that is PENDING or DELAYED; False for any other."""

    async def retry(self, job: str) -> bool:
        """Make a DEAD job PENDING, with attempts from 1 again; False for any other."""

    async def listed(self, state: State, most: int) -> list[JobRecord]:
        """Return jobs of a state, the oldest first."""

    async def inspect(self) -> Inspection: ...

    async def clear(self) -> None:
        """Remove the queue and everything in it."""

    # ── Schedules ─────────────────────────────────────────────────────────────────────────────────────────────────────

    async def add_schedule(self, schedule: Schedule) -> bool:
        """Store a schedule; False when there is one of its name, which stays as it is."""

    async def change_schedule(self, schedule: Schedule) -> bool:
        """Put a schedule in the place of the one with its name; False when there is none."""

    async def remove_schedule(self, name: str) -> bool: ...

    async def schedules(self) -> Mapping[str, Schedule]:
        """Return all schedules, by name."""

    async def fire(self, schedule: Schedule, job: NewJob, next_ms: int) -> bool:
        """Publish the job of a schedule's firing and set its next one, in one step.

        False, and no effect, when the stored `next_ms` is not the schedule's: another worker has fired it, or it was
        changed. This is what makes a firing happen once.
        """
