"""What a seed draws of a simulated case of queues: the queue, its workers, its producers, and their jobs. Values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from loadgen.jobs.backoff import Backoff, Growth
from loadgen.jobs.job import Terms
from loadgen.units import NS_PER_MS, NS_PER_S
from loadgen.verify.scenario.settings import MOST_FAULTS
from loadgen.verify.tape import OPERATION, Tape
from loadgen.verify.world.redis.append_only import ALWAYS, EVERYSEC

SQLITE, STREAMS, LISTS = "sqlite", "streams", "lists"

MOST_JOBS = 40
"""Of a case, however many operations are asked for."""
MOST_KEYS = 3


class Act(StrEnum):
    """What a job does when its work is done, the simplest first."""

    ENDS = "ends"
    FAILS_ONCE = "fails in its first attempt"
    FAILS = "fails in each attempt"
    GIVES_UP = "fails, and says that there is to be no other attempt"
    HANGS = "never ends"
    KILLS = "kills its worker"
    UNSTORABLE = "returns what cannot be stored"
    KILLS_ONCE = "kills its worker when it is delivered for the first time"


_ACTS = (
    (20, Act.ENDS),
    (4, Act.FAILS_ONCE),
    (2, Act.FAILS),
    (1, Act.GIVES_UP),
    (1, Act.HANGS),
    (1, Act.KILLS),
    (1, Act.UNSTORABLE),
    (1, Act.KILLS_ONCE),
)


class Weather(StrEnum):
    """What befalls hosts in the course of a case."""

    KILL_WORKER = "kill worker"
    PAUSE_WORKER = "pause worker"
    PAUSE_PRODUCER = "pause producer"
    JUMP = "jump"
    LOCK = "lock"
    """Another process has the file locked."""
    PAUSE_REDIS = "pause redis"
    PARTITION = "partition"
    CUT = "cut"
    SLOW = "slow"
    SILENCE = "silence"
    KILL_REDIS = "kill redis"
    POWER_CUT = "power cut"


_OF_WORKERS = (Weather.KILL_WORKER, Weather.KILL_WORKER, Weather.PAUSE_WORKER, Weather.PAUSE_WORKER)
_OF_REDIS = (
    *_OF_WORKERS, Weather.PAUSE_PRODUCER, Weather.PARTITION, Weather.PARTITION, Weather.CUT, Weather.SLOW,
    Weather.SILENCE, Weather.PAUSE_REDIS, Weather.KILL_REDIS, Weather.POWER_CUT, Weather.JUMP,
)  # fmt: skip
_OF_SQLITE = (*_OF_WORKERS, Weather.PAUSE_PRODUCER, Weather.JUMP, Weather.LOCK)


@dataclass(frozen=True, slots=True)
class Profile:
    """What the seeds of one kind are like."""

    name: str
    layout: str
    weather: tuple[Weather, ...]
    mean_faults: float = 3.0
    most_faults: int = MOST_FAULTS
    tick_ns: int = 0
    within_s: float = 5.0
    """The time in which faults begin."""
    workers: tuple[int, ...] = (2, 1, 3)


PROFILES = (
    Profile("jobs_streams", STREAMS, _OF_REDIS),
    Profile("jobs_lists", LISTS, _OF_REDIS),
    Profile("jobs_sqlite", SQLITE, _OF_SQLITE),
)


@dataclass(frozen=True, slots=True)
class PlannedJob:
    """One publish. Its place among all is its id."""

    id: str
    producer: int
    wait_s: float
    """What the producer waits before it."""
    work_s: float
    act: Act
    delay_s: float
    key: str
    """Empty: none."""

    def __str__(self) -> str:
        parts = [f"job {self.id}: {self.work_s:g} s of work, {self.act}"]
        parts += [f"after {self.delay_s:g} s"] * bool(self.delay_s) + [f"key {self.key}"] * bool(self.key)
        return ", ".join(parts)


@dataclass(frozen=True, slots=True)
class Plan:
    """All that is drawn before a case begins, but for its network and its weather."""

    layout: str
    lease_s: float
    sweep_s: float
    max_deliveries: int
    result_ttl_s: float
    timeout_s: float
    """The longest wait for an answer of Redis."""
    fsync: str
    workers: int
    concurrency: int
    producers: int
    terms: Terms
    jobs: Sequence[PlannedJob] = field(default_factory=tuple)

    @classmethod
    def drawn(cls, tape: Tape, profile: Profile, operations: int) -> Plan:
        backoff = Backoff(
            tape.choice((Growth.FIXED, Growth.LINEAR, Growth.EXPONENTIAL), "growth of the backoff"),
            tape.choice((100, 20, 500), "initial backoff, in ms") * NS_PER_MS,
            tape.choice((1000, 300), "longest backoff, in ms") * NS_PER_MS,
            tape.choice((0.0, 0.1, 0.5), "jitter of the backoff"),
        )
        lease_s = tape.choice((1.0, 2.0, 5.0), "lease")
        longest_s = tape.choice((2.0, 0.5, 3.0), "longest work, in leases") * lease_s
        workers = tape.choice(profile.workers, "workers")
        producers = tape.choice((1, 2), "producers")
        plan = {
            "layout": profile.layout,
            "lease_s": lease_s,
            "sweep_s": tape.choice((0.5, 0.2, 1.0), "time between sweeps"),
            "max_deliveries": tape.choice((5, 3, 2), "deliveries of a job at most"),
            "result_ttl_s": tape.choice((0.0, 3600.0), "time for which results are kept"),
            "timeout_s": tape.choice((5.0, 1.0), "timeout of Redis"),
            "fsync": tape.choice((ALWAYS, ALWAYS, EVERYSEC), "appendfsync"),
            "workers": workers,
            "concurrency": tape.choice((2, 1, 5), "concurrency"),
            "producers": producers,
            "terms": Terms(
                tape.choice((3, 1, 2), "attempts of a job"),
                round(tape.choice((3.0, 1.5), "timeout of a job, in leases") * lease_s * NS_PER_S),
                backoff,
            ),
        }
        jobs = tuple(
            _job(tape, f"1.{number}", producers, longest_s)
            for number in tape.several(OPERATION, min(operations, MOST_JOBS), min(operations, MOST_JOBS) / 2)
        )
        return cls(jobs=jobs, **plan)  # type: ignore[arg-type]

    def __str__(self) -> str:
        terms = self.terms
        backoff = terms.backoff
        on = {SQLITE: "SQLite", STREAMS: f"a stream of Redis, appendfsync {self.fsync}", LISTS: f"lists, {self.fsync}"}
        return (
            f"a queue on {on[self.layout]}: {self.workers} workers of {self.concurrency}, {self.producers} producers; "
            f"lease {self.lease_s:g} s, sweep {self.sweep_s:g} s, {self.max_deliveries} deliveries, results for "
            f"{self.result_ttl_s:g} s, timeout {self.timeout_s:g} s; {terms.max_attempts} attempts of "
            f"{terms.timeout_ns / NS_PER_S:g} s, {backoff.growth} backoff of {backoff.initial_ns / NS_PER_MS:g} to "
            f"{backoff.longest_ns / NS_PER_MS:g} ms ± {backoff.jitter:.0%}"
        )


def _job(tape: Tape, id: str, producers: int, longest_s: float) -> PlannedJob:
    key = tape.choice((0, 0, 0, 0, 0, *range(1, MOST_KEYS + 1)), "key")
    return PlannedJob(
        id,
        tape.below(producers, "producer"),
        tape.choice((0.0, 0.01, 0.1, 0.5), "wait before a publish"),
        round(tape.choice((0.01, 0.0, 0.1, 1.0), "work, in parts of the longest") * longest_s, 6),
        tape.weighted(_ACTS, "act"),
        tape.choice((0.0, 0.0, 0.0, 0.2, 1.0), "delay"),
        f"key {key}" if key else "",
    )
