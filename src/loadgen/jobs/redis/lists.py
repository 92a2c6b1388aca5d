"""The queue on lists, as it is often written by hand: a worker moves jobs to a list of its own.

Lists have no leases: when a job's began is in its hash, and a sweep looks at every job that any worker has. A move that
waits is no script, so a job may be in a worker's list without a lease, when the worker dies or the reply is lost right
then: the first sweep that finds it begins one.
"""

from __future__ import annotations

from collections.abc import Sequence

from loadgen.jobs.job import JobRecord
from loadgen.jobs.redis.command import Command, Reply
from loadgen.jobs.redis.operations import Operation, Operations
from loadgen.jobs.redis.scripts import LISTS
from loadgen.jobs.redis.storage import RedisStorage
from loadgen.jobs.url import RedisUrl


class ListOperations(Operations):
    """The operations of a queue on lists: new jobs come in at the left, and are taken from the right."""

    def wait(self, worker: str, most: int, wait_ms: int) -> Command:
        return (
            "BLMOVE", self._key("queue"), self._key(f"taken:{worker}"), "RIGHT", "LEFT", f"{wait_ms / 1000:.3f}",
        )  # fmt: skip

    def delivered(self, reply: Reply) -> list[tuple[bytes, bytes]]:
        return [] if reply is None else [(b"", reply)]

    def _pending(self, most: int) -> Operation[list[JobRecord]]:
        command = ("LRANGE", self._key("queue"), -most, -1)
        [ids] = yield [command]
        if not isinstance(ids, list):
            raise ids
        return (yield from self._records([id.decode() for id in reversed(ids)]))

    def _waiting(self) -> Sequence[Command]:
        return [("LLEN", self._key("queue"))]

    def _waiting_facts(self, replies: Sequence[Reply], running: int) -> tuple[int, dict[str, int]]:
        [length] = replies
        return length, {"list_length": length, "taken": running}


class Lists(RedisStorage):
    """The jobs of one queue on lists of Redis 6.2 or newer."""

    def __init__(
        self,
        url: RedisUrl,
        queue: str = "default",
        *,
        lease_ns: int,
        max_deliveries: int = 5,
        result_ttl_s: float = 3600.0,
        key_ttl_s: float = 86400.0,
        timeout_s: float = 5.0,
    ) -> None:
        """Make the storage of a queue, with the arguments of `Streams`."""
        operations = ListOperations(LISTS, queue, lease_ns, max_deliveries, result_ttl_s, key_ttl_s)
        super().__init__(url, operations, timeout_s)
