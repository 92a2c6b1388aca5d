"""Mutants of the queues: a step that is two, a lease or a fence that is not asked for, an end that comes too early.

Those of Redis are in the functions that stand for the scripts, and in the operations that call them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from loadgen.jobs.backoff import Backoff
from loadgen.jobs.consumer import Consumer
from loadgen.jobs.job import NewJob, Published, Settlement
from loadgen.jobs.redis.operations import Operation, Operations, _asked
from loadgen.jobs.redis.streams import StreamOperations
from loadgen.jobs.sqlite import storage, transactions
from loadgen.jobs.sqlite.rules import Now
from loadgen.verify.mutants.mutant import Mutant, Patch, Where
from loadgen.verify.reply import Reply
from loadgen.verify.world.redis.queues import _Lists, _Queue, _Stream

_claim, _settle, _sweep, _promote = _Queue.claim, _Queue.settle, _Queue.sweep, _Queue._promote
_stream_expired, _lists_expired = _Stream._expired, _Lists._expired
_publish = Operations.publish
_now = storage._now

MOST_DELIVERIES = b"1000000"
KEEP_MS = b"60000"


def _ends_at_claim(self: Any, words: Sequence[bytes]) -> Reply:
    """A job is done with when a worker has got it."""
    reply: Any = _claim(self, words)
    worker = words[0]
    for token, id, *_, fence in reply[1]:
        _settle(self, [worker, KEEP_MS, id, token, b"%d" % fence, b"success", b"null", b"0"])
    return reply  # type: ignore[no-any-return]


def _expires_at_once(self: Any, worker: bytes, lease_ms: int, cursor: bytes) -> Any:
    return _stream_expired(self, worker, 0, cursor)


def _takes_from_the_living(self: Any, worker: bytes, lease_ms: int, cursor: bytes) -> Any:
    return _lists_expired(self, worker, 0, cursor)


def _counts_no_deliveries(self: Any, words: Sequence[bytes]) -> Reply:
    return _sweep(self, [*words[:3], MOST_DELIVERIES, *words[4:]])


def _asks_no_fence(self: Any, words: Sequence[bytes]) -> Reply:
    """Whoever settles a job is taken to have it."""
    given = [*words]
    for at in range(2, len(words), 6):
        if (fence := self._call("HGET", self._job(words[at]), "f")) is not None:
            given[at + 2] = fence
    return _settle(self, given)


def _promotes_twice(self: Any) -> int:
    """A job that is due is moved, and taken out of the set by the next promotion only."""
    delayed = self._key(b"delayed")
    due = self._call("ZRANGEBYSCORE", delayed, "-inf", self._now, "LIMIT", 0, 1000)
    left = _promote(self)
    again = [id for id in due if self._call("HGET", self._job(id), "z") is None]
    for id in again:
        self._call("HSET", self._job(id), "z", "1")
        self._call("ZADD", delayed, self._now, id)
    return 0 if again else left


def _deletes_first(self: Operations, worker: str, settlements: Sequence[Settlement]) -> Operation[list[bool]]:
    """The entries are deleted by one command, and the jobs settled by the next one."""
    if settlements:
        yield from _asked([("XDEL", self._key("queue"), each.claim.token) for each in settlements])
    return (yield from Operations.settle(self, worker, settlements))


def _looks_before_it_writes(self: Operations, jobs: Sequence[NewJob]) -> Operation[list[Published]]:
    """The key is looked for by one command, and set by another."""
    keyed = [job for job in jobs if job.key]
    found = (yield from _asked([("GET", self._key(f"key:{job.key}")) for job in keyed])) if keyed else []
    earlier = {job.id: id for job, id in zip(keyed, found, strict=True) if id is not None}
    new = [replace(job, key="") for job in jobs if job.id not in earlier]
    stored = iter((yield from _publish(self, new)))
    if named := [job for job in keyed if job.id not in earlier]:
        yield from _asked([("SET", self._key(f"key:{job.key}"), job.id) for job in named])
    return [
        Published(earlier[job.id].decode(), deduplicated=True) if job.id in earlier else next(stored) for job in jobs
    ]


def _by_the_clock_of_the_day() -> Now:
    now = _now()
    return Now(now.unix_ms, now.unix_ms * 1_000_000)


def _row(name: str, breaks: str, kind: str, *patches: Patch) -> Mutant:
    return Mutant(name, breaks, Where.JOBS, kind, patches)


STREAMS, LISTS, SQLITE = "jobs_streams", "jobs_lists", "jobs_sqlite"

MUTANTS = (
    _row(
        "ack before execution",
        "a job has ended well for the queue when a worker has claimed it",
        STREAMS,
        (_Queue, "claim", _ends_at_claim),
    ),
    _row(
        "claim without lease",
        "a sweep takes every job that another has claimed",
        STREAMS,
        (_Stream, "_expired", _expires_at_once),
    ),
    _row(
        "reclaim ignores deliveries",
        "a job that was claimed too often is claimed again",
        STREAMS,
        (_Queue, "sweep", _counts_no_deliveries),
    ),
    _row(
        "ack not fenced",
        "an end is taken from a worker whose lease has gone to another",
        STREAMS,
        (_Queue, "settle", _asks_no_fence),
    ),
    _row(
        "XDEL before XACK",
        "an entry is deleted by a command of its own, before the job is settled",
        STREAMS,
        (StreamOperations, "settle", _deletes_first),
    ),
    _row(
        "no renewal",
        "a worker does not renew its leases",
        STREAMS,
        (Consumer, "_kept", lambda self: []),
    ),
    _row(
        "promoted twice",
        "a delayed job that is due is moved to the queue again by the next promotion",
        STREAMS,
        (_Queue, "_promote", _promotes_twice),
    ),
    _row(
        "key looked for, then set",
        "an idempotency key is read by one command, and written by another",
        LISTS,
        (Operations, "publish", _looks_before_it_writes),
    ),
    _row(
        "sweep of the living",
        "a sweep takes the lists of workers that live",
        LISTS,
        (_Lists, "_expired", _takes_from_the_living),
    ),
    _row(
        "no backoff",
        "a failed job is tried again at once",
        LISTS,
        (Backoff, "wait_ns", lambda self, failures, draw: 0),
    ),
    _row(
        "end without fence",
        "a row is found by its job alone, whoever has claimed it",
        SQLITE,
        (transactions, "_HELD", "WHERE number = ? AND id = ? AND (worker = ? OR 1) AND (fence = ? OR 1) AND queue = ?"),
    ),
    _row(
        "lease by the clock of the day",
        "leases are counted by a clock that jumps",
        SQLITE,
        (storage, "_now", _by_the_clock_of_the_day),
    ),
)
