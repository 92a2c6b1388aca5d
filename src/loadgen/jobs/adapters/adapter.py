"""The interface of adapters: how a library publishes a job, which command starts one of its workers, what it counts."""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Protocol

from loadgen.errors import UsageError
from loadgen.jobs.job import DEFAULT_QUEUE, Terms
from loadgen.jobs.load.body import WORKER
from loadgen.jobs.load.work import Work
from loadgen.jobs.url import RedisUrl

SETUP = "LOADGEN_JOBS_ADAPTER"
"""The variable of the environment that has a worker's `Setup`, in JSON. It may have a password: it is never printed."""

JOB = "loadgen.job"
"""What libraries that name their functions call the job body."""

Setting = str | int | float | bool


@dataclass(frozen=True, slots=True)
class Command:
    """How a worker is started."""

    words: Sequence[str]
    """The program and its arguments."""
    env: Mapping[str, str] = field(default_factory=dict)
    """Variables beside those of this process; the ledger's (`jobs.ledger.VARIABLE`) is one of the latter."""


@dataclass(frozen=True, slots=True)
class Setup:
    """What an adapter and its workers are made with."""

    redis: RedisUrl
    terms: Terms
    """On which terms each job is executed; the adapter says in `remarks` what the library cannot do of it."""
    concurrency: int
    """How many jobs a worker executes at once."""
    lease_ns: int = 0
    """After what time a job of a worker that died is to be another's, as far as the library has such a setting; 0: by
    the library's own default."""
    settings: Mapping[str, Setting] = field(default_factory=dict)
    """Settings of the library, by its own names. They win over what follows from the other fields."""
    queue: str = DEFAULT_QUEUE

    def command(self, number: int, *words: str) -> Command:
        """Return the command of a worker that is told this setup, and its number, by variables."""
        return Command(words, {SETUP: json.dumps(asdict(self)), WORKER: str(number)})

    @staticmethod
    def told() -> Setup:
        """Return the setup that the environment of a worker has. Raises KeyError without one."""
        told = json.loads(os.environ[SETUP])
        return Setup(**{**told, "redis": RedisUrl(**told["redis"]), "terms": Terms.of(told["terms"])})


def seconds(length_ns: int) -> int:
    """Return a time in whole seconds, rounded up, for libraries that take no others."""
    return -(-length_ns // 1_000_000_000)


def check_settings(library: str, settings: Mapping[str, Setting], known: Collection[str]) -> None:
    """Raise UsageError for a setting that a library does not have."""
    for name in settings:
        if name not in known:
            raise UsageError(f"{library} has no setting {name}; those that can be set are {', '.join(sorted(known))}.")


class Adapter(Protocol):
    """One library. An adapter is made in the producer's process and in the leader's; its workers are told by `env`.

    Making one connects to nothing and publishes nothing. It may be used by any number of threads.
    """

    version: str
    """The library and its version, such as "rq 3.0.0"."""
    remarks: Sequence[str]
    """How the library differs from what was asked for, a clause each."""

    def enqueue(self, job: Work) -> str:
        """Publish a job, and return the library's id of it. Raises what the library raises."""

    def worker_command(self, number: int) -> Command:
        """Return the command of a worker, from 1. It executes `load.body`, and calls `say_ready`.

        The command is to lead a process group of its own. SIGTERM to its first process ends all of them, in the
        library's way with the jobs under way; SIGKILL to the group leaves none.
        """

    def stats(self) -> Mapping[str, int]:
        """Return what the library has of the queue by its own account: pending, running, failed …"""

    def close(self) -> None:
        """Close the connections."""
