"""The interface of adapters: how a library publishes a job, which command starts one of its workers, what it counts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from loadgen.jobs.job import Terms
from loadgen.jobs.load.work import Work
from loadgen.jobs.url import RedisUrl


@dataclass(frozen=True, slots=True)
class Command:
    """How a worker is started."""

    words: Sequence[str]
    """The program and its arguments."""
    env: Mapping[str, str] = field(default_factory=dict)
    """Variables beside those of this process."""


@dataclass(frozen=True, slots=True)
class Setup:
    """What an adapter is made with."""

    redis: RedisUrl
    terms: Terms
    """On which terms each job is executed; the adapter says in `remarks` what the library cannot do of it."""
    concurrency: int
    """How many jobs a worker executes at once."""
    lease_ns: int
    """After what time a job of a worker that died is to be another's, as far as the library has such a setting."""
    settings: Mapping[str, str | int | float | bool] = field(default_factory=dict)
    """Settings of the library, by its own names."""


class Adapter(Protocol):
    """One library. An adapter is made in the producer's process and in the leader's; its workers are told by `env`."""

    version: str
    """The library and its version, such as "rq 3.0.0"."""
    remarks: Sequence[str]
    """How the library differs from what was asked for, a clause each."""

    def enqueue(self, job: Work) -> str:
        """Publish a job, and return the library's id of it. Raises what the library raises."""

    def worker_command(self, number: int) -> Command:
        """Return the command of a worker, from 1. It executes `load.body`, and calls `say_ready`."""

    def stats(self) -> Mapping[str, int]:
        """Return what the library has of the queue by its own account: pending, running, failed …"""
