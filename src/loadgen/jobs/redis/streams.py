"""The queue on a stream: one consumer group, whose pending entries are the leases."""

from __future__ import annotations

from collections.abc import Sequence

from loadgen.jobs.job import JobRecord, State
from loadgen.jobs.redis.command import Command, Reply
from loadgen.jobs.redis.operations import Operation, Operations
from loadgen.jobs.redis.scripts import STREAM
from loadgen.jobs.redis.storage import RedisStorage
from loadgen.jobs.url import RedisUrl

_PAGE = 200
"""The entries of the stream that are looked at together."""


class StreamOperations(Operations):
    """The operations of a queue on a stream. The entry of a job stays in the stream until the job is settled."""

    def wait(self, worker: str, most: int, wait_ms: int) -> Command:
        queue = self._key("queue")
        return ("XREADGROUP", "GROUP", "workers", worker, "COUNT", most, "BLOCK", wait_ms, "STREAMS", queue, ">")

    def delivered(self, reply: Reply) -> list[tuple[bytes, bytes]]:
        return [] if reply is None else [(token, fields[1]) for token, fields in reply[0][1]]

    def _pending(self, most: int) -> Operation[list[JobRecord]]:
        found: list[JobRecord] = []
        after = "-"
        while True:
            # Before the PENDING ones are the RUNNING ones.
            command = ("XRANGE", self._key("queue"), after, "+", "COUNT", _PAGE)
            [replies] = yield [command]
            if not isinstance(replies, list):
                raise replies
            records = yield from self._records([fields[1].decode() for _, fields in replies])
            found += [record for record in records if record.state is State.PENDING]
            if len(found) >= most or len(replies) < _PAGE:
                return found[:most]
            after = f"({replies[-1][0].decode()}"

    def _waiting(self) -> Sequence[Command]:
        return [("XLEN", self._key("queue"))]

    def _waiting_facts(self, replies: Sequence[Reply], running: int) -> tuple[int, dict[str, int]]:
        [length] = replies
        return max(0, length - running), {"stream_length": length, "pending_entries": running}


class Streams(RedisStorage):
    """The jobs of one queue on a stream of Redis 6.2 or newer."""

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
        """Make the storage of a queue, which connects when it is opened.

        `lease_ns` is the time after which a job is another's when its worker does not renew its claim. A job that was
        claimed `max_deliveries` times without a settlement is dead. `result_ttl_s` is how long a job is known that has
        ended well or was cancelled, but one lease at least, in which a repeated call must find it: a publish that is
        repeated later than that makes the job anew. `key_ttl_s` is how long idempotency keys are. `timeout_s` is the
        longest wait for an answer of the server.
        """
        operations = StreamOperations(STREAM, queue, lease_ns, max_deliveries, result_ttl_s, key_ttl_s)
        super().__init__(url, operations, timeout_s)
