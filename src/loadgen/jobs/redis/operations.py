"""The operations of a queue on Redis, as generators: each yields commands, and is sent their replies. No I/O, no clock.

    operation = queue.publish(jobs)
    commands = next(operation)
    operation.send(replies)     # more commands, or StopIteration with the answer

A reply that is an error is raised as it is, as Refused. Commands that are yielded together may go out together, in
their order. What differs between a stream and lists is in `streams` and `lists`.
"""

from __future__ import annotations

import json
from collections.abc import Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, TypeAlias, TypeVar

from loadgen.jobs.backoff import Backoff, Growth
from loadgen.jobs.job import (
    Claim,
    Finished,
    Inspection,
    JobRecord,
    NewJob,
    Published,
    Settlement,
    State,
    Succeeded,
    Swept,
    Terms,
    TryAgain,
)
from loadgen.jobs.redis.command import Command, Refused, Reply, Word
from loadgen.jobs.redis.scripts import Script
from loadgen.jobs.schedule import Schedule
from loadgen.units import NS_PER_MS

R = TypeVar("R")
Operation: TypeAlias = Generator[Sequence[Command], Sequence[Reply], R]

_JOBS_A_SCRIPT = 1000
"""The most jobs that one script publishes or settles. Redis does nothing else meanwhile: some 10 ms."""
_JOBS_SHOWN = 1000
"""The most RUNNING jobs of an inspection, and the jobs that are looked at together."""
_LEASES_REMEMBERED = 10
_LEAST_REMEMBERED_MS = 60_000
"""A worker is forgotten when it was silent for so many leases, and for so long."""

_RECORD = ("n", "s", "a", "p", "e", "w", "b", "c")
"""The fields of a job's hash that make a record."""


@dataclass(frozen=True, slots=True)
class Claimed:
    """The answer to a claim."""

    claims: list[Claim]
    due_ms: int
    """The time until the first DELAYED job is due; -1 without one."""


class Operations:
    """What can be done with one queue. Subclasses say how its jobs wait."""

    def __init__(
        self,
        scripts: Mapping[str, Script],
        queue: str,
        lease_ns: int,
        max_deliveries: int,
        result_ttl_s: float,
        key_ttl_s: float,
    ) -> None:
        self._scripts = scripts
        self.prefix = f"loadgen:{{{queue}}}:"
        self.texts = {script.sha1: script.text for script in scripts.values()}
        """The texts of the scripts, by the name that EVALSHA gives."""
        self._lease_ms = max(1, lease_ns // NS_PER_MS)
        self._max_deliveries = max_deliveries
        # A job that has ended is known for one lease at least, in which a call may be repeated as its answer was lost.
        self._keep_ms = max(round(result_ttl_s * 1000), self._lease_ms)
        self._key_ms = max(round(key_ttl_s * 1000), 1)

    def _run(self, operation: str, *arguments: Word) -> Command:
        return ("EVALSHA", self._scripts[operation].sha1, 1, self.prefix, *arguments)

    def _key(self, name: str) -> str:
        return self.prefix + name

    # ── The life of a job ─────────────────────────────────────────────────────────────────────────────────────────────

    def open(self) -> Operation[None]:
        """Make what the queue needs."""
        yield from _asked([("EXISTS", self._key("queue"))])

    def publish(self, jobs: Sequence[NewJob]) -> Operation[list[Published]]:
        if not jobs:
            return []
        replies = yield from _asked([
            self._run("publish", self._key_ms, *(word for job in part for word in _words_of(job)))
            for part in _parts(jobs)
        ])  # fmt: skip
        return [Published(id.decode(), bool(known)) for reply in replies for id, known in reply]

    def claim(self, worker: str, most: int, delivered: Sequence[tuple[bytes, bytes]] = ()) -> Operation[Claimed]:
        """Claim jobs, of which a read that waited has brought some. Without a worker, jobs that are due are moved."""
        [(due_ms, claims)] = yield from _asked([
            self._run("claim", worker, most, *(word for each in delivered for word in each))
        ])  # fmt: skip
        return Claimed(_claims(claims), due_ms)

    def wait(self, worker: str, most: int, wait_ms: int) -> Command:
        """Return the command that waits for jobs."""
        raise NotImplementedError

    def delivered(self, reply: Reply) -> list[tuple[bytes, bytes]]:
        """Return the token and the id of each job that a read has brought."""
        raise NotImplementedError

    def renew(self, worker: str, claims: Sequence[Claim]) -> Operation[list[bool]]:
        if not claims:
            return []
        [replies] = yield from _asked([
            self._run("renew", worker, *(word for each in claims for word in (each.id, each.token, each.fence)))
        ])  # fmt: skip
        return [reply == 1 for reply in replies]

    def settle(self, worker: str, settlements: Sequence[Settlement]) -> Operation[list[bool]]:
        if not settlements:
            return []
        replies = yield from _asked([
            self._run("settle", worker, self._keep_ms, *(word for each in part for word in _words_of_end(each)))
            for part in _parts(settlements)
        ])  # fmt: skip
        return [each == 1 for reply in replies for each in reply]

    def sweep(self, worker: str, most: int) -> Operation[tuple[Swept, int]]:
        """Return what the sweep came to, and the time until the first DELAYED job is due, as `Claimed.due_ms`."""
        claims: list[Claim] = []
        reclaimed: list[str] = []
        dead: list[str] = []
        cursor = b"0-0"
        forget_ms = max(_LEASES_REMEMBERED * self._lease_ms, _LEAST_REMEMBERED_MS)
        while True:
            [(due_ms, cursor, some, again, died)] = yield from _asked([
                self._run(
                    "sweep",
                    worker, most - len(claims), self._lease_ms, self._max_deliveries, cursor, forget_ms, self._keep_ms,
                )
            ])  # fmt: skip
            claims += _claims(some)
            reclaimed += [each.decode() for each in again]
            dead += [each.decode() for each in died]
            if cursor == b"0-0":
                return Swept(tuple(claims), tuple(reclaimed), tuple(dead)), due_ms

    def finished(self, ids: Sequence[str]) -> Operation[dict[str, Finished]]:
        ends = {}
        for part in _parts(ids):
            replies = yield from _asked([("HMGET", self._key(f"job:{id}"), "s", "v", "e") for id in part])
            for id, (state, value, error) in zip(part, replies, strict=True):
                match state:
                    case b"success":
                        ends[id] = Finished(State.SUCCESS, value or b"")
                    case b"dead" | b"cancelled":
                        ends[id] = Finished(State(state.decode()), error=_text(error))
        return ends

    def cancel(self, job: str) -> Operation[bool]:
        [reply] = yield from _asked([self._run("cancel", job, self._keep_ms)])
        return bool(reply)

    def retry(self, job: str) -> Operation[bool]:
        [reply] = yield from _asked([self._run("retry", job)])
        return bool(reply)

    # ── What there is ─────────────────────────────────────────────────────────────────────────────────────────────────

    def find(self, job: str) -> Operation[JobRecord | None]:
        records = yield from self._records([job])
        return records[0] if records else None

    def _records(self, ids: Sequence[str]) -> Operation[list[JobRecord]]:
        """Return the records of those of these jobs that there are."""
        clock, *hashes = yield from _asked([("TIME",), *[("HMGET", self._key(f"job:{id}"), *_RECORD) for id in ids]])
        now_ms = _ms(clock)
        return [_record(id, fields, now_ms) for id, fields in zip(ids, hashes, strict=True) if fields[1] is not None]

    def listed(self, state: State, most: int) -> Operation[list[JobRecord]]:
        if state is State.PENDING:
            return (yield from self._pending(most))
        [ids] = yield from _asked([("ZRANGE", self._key(state), 0, most - 1)])
        records = yield from self._records([id.decode() for id in ids])
        # The two commands are no one step.
        return [record for record in records if record.state is state]

    def _pending(self, most: int) -> Operation[list[JobRecord]]:
        """Return the PENDING jobs that have waited longest."""
        raise NotImplementedError

    def _waiting(self) -> Sequence[Command]:
        """Return the commands that `_waiting_facts` needs the replies of."""
        raise NotImplementedError

    def _waiting_facts(self, replies: Sequence[Reply], running: int) -> tuple[int, dict[str, int]]:
        """Return the number of PENDING jobs, and what there is to say of how they wait."""
        raise NotImplementedError

    def inspect(self) -> Operation[Inspection]:
        ended = (State.DELAYED, State.RUNNING, State.SUCCESS, State.DEAD, State.CANCELLED)
        waiting = self._waiting()
        clock, heard, running, *replies = yield from _asked([
            ("TIME",),
            ("ZRANGE", self._key("workers"), 0, -1, "WITHSCORES"),
            ("ZRANGE", self._key("running"), 0, _JOBS_SHOWN - 1),
            *[("ZCARD", self._key(state)) for state in ended],
            *waiting,
        ])  # fmt: skip
        counts = dict(zip(ended, replies, strict=False))
        pending, facts = self._waiting_facts(replies[len(ended) :], counts[State.RUNNING])
        oldest = yield from self._pending(1)
        records = yield from self._records([id.decode() for id in running])
        now_ms = _ms(clock)
        return Inspection(
            {State.PENDING: pending, **counts},
            oldest[0].age_s if oldest else None,
            facts,
            tuple(record for record in records if record.state is State.RUNNING),
            {
                worker.decode(): max(0.0, (now_ms - float(at)) / 1000)
                for worker, at in zip(heard[::2], heard[1::2], strict=True)
            },
        )

    def clear(self) -> Operation[None]:
        pattern = "".join(f"\\{char}" if char in "*?[]\\^" else char for char in self.prefix) + "*"
        cursor: Word = 0
        while True:
            [(cursor, keys)] = yield from _asked([("SCAN", cursor, "MATCH", pattern, "COUNT", 1000)])
            if keys:
                yield from _asked([("UNLINK", *keys)])
            if int(cursor) == 0:
                return

    # ── Schedules ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def add_schedule(self, schedule: Schedule) -> Operation[bool]:
        command = ("HSETNX", self._key("schedules"), schedule.name, _stored(schedule))
        [reply] = yield from _asked([command])
        return bool(reply)

    def change_schedule(self, schedule: Schedule) -> Operation[bool]:
        [reply] = yield from _asked([self._run("change", schedule.name, _stored(schedule))])
        return bool(reply)

    def remove_schedule(self, name: str) -> Operation[bool]:
        [reply] = yield from _asked([("HDEL", self._key("schedules"), name)])
        return bool(reply)

    def schedules(self) -> Operation[dict[str, Schedule]]:
        [reply] = yield from _asked([("HGETALL", self._key("schedules"))])
        names = [name.decode() for name in reply[::2]]
        return {name: _schedule(name, text) for name, text in sorted(zip(names, reply[1::2], strict=True))}

    def fire(self, schedule: Schedule, job: NewJob, next_ms: int) -> Operation[bool]:
        after = replace(schedule, next_ms=next_ms)
        [reply] = yield from _asked([
            self._run("fire", schedule.name, _stored(schedule), _stored(after), self._key_ms, *_words_of(job))
        ])  # fmt: skip
        return bool(reply)


def _asked(commands: Sequence[Command]) -> Operation[Sequence[Reply]]:
    """Have commands carried out, and return their replies. Raises the first that is an error."""
    replies = yield commands
    for reply in replies:
        if isinstance(reply, Refused):
            raise reply
    return replies


def _parts(jobs: Sequence[R]) -> Iterable[Sequence[R]]:
    return (jobs[at : at + _JOBS_A_SCRIPT] for at in range(0, len(jobs), _JOBS_A_SCRIPT))


# ── Jobs as words ─────────────────────────────────────────────────────────────────────────────────────────────────────


def _words_of(job: NewJob) -> tuple[Word, ...]:
    return job.id, job.name, job.payload, _terms_text(job.terms), job.due_ms, job.key


def _words_of_end(settlement: Settlement) -> tuple[Word, ...]:
    claim = settlement.claim
    match settlement.ending:
        case Succeeded(value):
            return claim.id, claim.token, claim.fence, "success", value, 0
        case TryAgain(error, wait_ms):
            return claim.id, claim.token, claim.fence, "again", error, wait_ms
        case died:
            return claim.id, claim.token, claim.fence, "dead", died.error, 0


def _claims(replies: Sequence[Any]) -> list[Claim]:
    return [
        Claim(id.decode(), name.decode(), payload, _terms(terms), failed + 1, delivery, fence, token)
        for token, id, name, payload, terms, failed, delivery, fence in replies
    ]


@lru_cache(256)
def _terms_text(terms: Terms) -> str:
    backoff = terms.backoff
    return (
        f"{terms.max_attempts} {terms.timeout_ns} {backoff.growth} {backoff.initial_ns} {backoff.longest_ns} "
        f"{backoff.jitter!r}"
    )


@lru_cache(256)
def _terms(text: bytes) -> Terms:
    attempts, timeout_ns, growth, initial_ns, longest_ns, jitter = text.decode().split(" ")
    backoff = Backoff(Growth(growth), int(initial_ns), int(longest_ns), float(jitter))
    return Terms(int(attempts), int(timeout_ns), backoff)


def _record(id: str, fields: Sequence[bytes | None], now_ms: int) -> JobRecord:
    name, state, failed, payload, error, worker, published, claimed = fields
    is_running = state == b"running"
    since = claimed if is_running else published
    return JobRecord(
        id,
        _text(name),
        State(_text(state)),
        int(failed or 0) + is_running,
        payload or b"",
        _text(error),
        _text(worker),
        max(0.0, (now_ms - int(since or now_ms)) / 1000),
    )


def _text(field: bytes | None) -> str:
    return "" if field is None else field.decode()


def _ms(clock: Sequence[bytes]) -> int:
    """Return the Unix time in ms of TIME's reply."""
    return int(clock[0]) * 1000 + int(clock[1]) // 1000


def _stored(schedule: Schedule) -> str:
    """Return a schedule as it is stored: equal schedules as equal texts, which is how `fire` knows a changed one."""
    return json.dumps(
        [
            schedule.cron,
            schedule.zone,
            schedule.job,
            schedule.payload.decode("latin-1"),
            schedule.next_ms,
            _terms_text(schedule.terms),
            schedule.is_paused,
        ]
    )


def _schedule(name: str, text: bytes) -> Schedule:
    cron, zone, job, payload, next_ms, terms, is_paused = json.loads(text)
    return Schedule(name, cron, zone, job, payload.encode("latin-1"), next_ms, _terms(terms.encode()), is_paused)
