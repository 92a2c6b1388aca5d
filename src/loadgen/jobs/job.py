"""Jobs as frozen values: what is published, what a worker has claimed, and how an attempt ended. No I/O.

A job is *published* by a program, *claimed* by a worker for the length of a lease, *executed*, and *settled*: it ended
well, is tried again later, or is dead. Each claim has a *fence*, a number that grows with every claim of the job: a
worker whose lease has gone to another has an old one, and what it says of the job is refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from loadgen.jobs.backoff import Backoff, Growth
from loadgen.units import NS_PER_S

DEFAULT_QUEUE = "default"


class State(StrEnum):
    """Where a job is."""

    PENDING = "pending"
    DELAYED = "delayed"
    """It waits for its time: published for later, or failed and to be tried again."""
    RUNNING = "running"
    SUCCESS = "success"
    DEAD = "dead"
    """It has failed for good, or was claimed too often without an end."""
    CANCELLED = "cancelled"


FINISHED = frozenset({State.SUCCESS, State.DEAD, State.CANCELLED})


@dataclass(frozen=True, slots=True)
class Terms:
    """On which terms a job is executed."""

    max_attempts: int = 3
    """The attempts that may fail; the job is dead after the last."""
    timeout_ns: int = 30 * NS_PER_S
    """The longest that one attempt may take; 0: for ever."""
    backoff: Backoff = field(default_factory=Backoff)

    @staticmethod
    def of(told: Mapping[str, Any]) -> Terms:
        """Return the terms of which `dataclasses.asdict` made a dict."""
        backoff = told["backoff"]
        return Terms(**{**told, "backoff": Backoff(**{**backoff, "growth": Growth(backoff["growth"])})})


@dataclass(frozen=True, slots=True)
class NewJob:
    """A job to be published."""

    id: str
    """Made by who publishes: a publish that is repeated, as its answer was lost, makes no second job."""
    name: str
    """Which function executes it."""
    payload: bytes
    """The argument, in JSON."""
    terms: Terms = field(default_factory=Terms)
    due_ms: int = 0
    """The Unix time in ms before which the job is not executed; 0: at once."""
    key: str = ""
    """The idempotency key: a job with an earlier one's key is not published, and has its id. Empty: none."""


@dataclass(frozen=True, slots=True)
class Published:
    """The answer to a publish: the job is stored, as durably as the storage says."""

    id: str
    """The id of the job, or of the earlier job with the same key."""
    deduplicated: bool = False
    """True when there was a job with this key, or with this id, already."""


@dataclass(frozen=True, slots=True)
class Claim:
    """A job that a worker has claimed."""

    id: str
    name: str
    payload: bytes
    terms: Terms
    attempt: int
    """From 1: one more than the attempts that have failed."""
    delivery: int
    """From 1: how often the job was claimed since the last settlement, this time included."""
    fence: int
    """Greater than in each earlier claim of the job."""
    token: bytes = b""
    """What the storage needs to find the job again, such as the id of a stream's entry."""


@dataclass(frozen=True, slots=True)
class Succeeded:
    """An attempt ended well."""

    value: bytes
    """What the function returned, in JSON."""


@dataclass(frozen=True, slots=True)
class TryAgain:
    """An attempt failed, and there is to be another."""

    error: str
    wait_ms: int
    """The time until the next attempt, counted from the settlement."""


@dataclass(frozen=True, slots=True)
class Died:
    """An attempt failed, and there is to be none after it."""

    error: str


Ending = Succeeded | TryAgain | Died


@dataclass(frozen=True, slots=True)
class Settlement:
    """How the execution of a claimed job ended, as its worker tells the storage."""

    claim: Claim
    ending: Ending


@dataclass(frozen=True, slots=True)
class Swept:
    """What a sweep over the leases came to."""

    claims: tuple[Claim, ...] = ()
    """Jobs with an expired lease that the sweeping worker has claimed, and executes now."""
    reclaimed: tuple[str, ...] = ()
    """The ids of all jobs whose lease had expired and that are executed again, those of `claims` among them."""
    dead: tuple[str, ...] = ()
    """The ids of jobs that are dead letters now, as they were claimed too often without a settlement."""


@dataclass(frozen=True, slots=True)
class Finished:
    """A job's end."""

    state: State
    """SUCCESS, DEAD or CANCELLED."""
    value: bytes = b""
    """What the function returned, in JSON; for a SUCCESS only."""
    error: str = ""


@dataclass(frozen=True, slots=True)
class JobRecord:
    """A job as a storage has it."""

    id: str
    name: str
    state: State
    attempt: int
    """The attempts that were begun and settled, and the one under way."""
    payload: bytes = b""
    error: str = ""
    """The error of the last failed attempt."""
    worker: str = ""
    """Who has the job; empty for a job that is not RUNNING."""
    age_s: float = 0.0
    """The time since the job was published; for a RUNNING job since it was claimed."""


@dataclass(frozen=True, slots=True)
class Inspection:
    """The state of a queue, in its own words."""

    counts: Mapping[State, int]
    oldest_s: float | None
    """The time since the oldest PENDING job was published; None without one."""
    facts: Mapping[str, int]
    """What else this storage has to say, by name: stream_length, pending_entries, file_bytes, wal_bytes …"""
    running: tuple[JobRecord, ...] = ()
    """RUNNING jobs, the one that was claimed first before the others."""
    workers: Mapping[str, float] = field(default_factory=dict)
    """By worker, the seconds since it was last heard of, where the storage knows."""
