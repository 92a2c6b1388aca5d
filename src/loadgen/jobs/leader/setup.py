"""What the processes of a test are told: JSON in a variable of the environment, as argument lists are public."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, field
from typing import Any

from loadgen.jobs.job import Terms
from loadgen.jobs.load.plan import Chains, Kind, Publishing, Scheduling
from loadgen.jobs.load.work import Act

VARIABLE = "LOADGEN_JOBS_SETUP"


@dataclass(frozen=True, slots=True)
class QueueSetup:
    """The queue that a process opens."""

    storage: str
    """The URL, with its password."""
    name: str
    layout: str
    durability: str
    lease_ns: int
    sweep_ns: int
    max_deliveries: int
    result_ttl_ns: int


@dataclass(frozen=True, slots=True)
class WorkerSetup:
    """A worker of ours."""

    queue: QueueSetup
    concurrency: int
    renews: bool = True
    log_level: str = ""


@dataclass(frozen=True, slots=True)
class ProducerSetup:
    """One producer."""

    queue: QueueSetup
    number: int
    """From 0."""
    terms: Terms
    publishing: Publishing
    chains: Chains | None = None
    scheduling: Scheduling | None = None
    adapter: str = ""
    """The library, where the queue is not ours."""
    concurrency: int = 1
    """Jobs that one worker executes at once, for adapters."""
    settings: dict[str, Any] = field(default_factory=dict)
    seed: int = 0
    log_level: str = ""
    resumes: bool = False
    """True: what the ledger says was attempted is not published again."""


def environment(setup: WorkerSetup | ProducerSetup) -> dict[str, str]:
    """Return the variables of a process with this setup."""
    return {VARIABLE: json.dumps(asdict(setup))}


def worker_setup() -> WorkerSetup:
    """Return the setup of this worker."""
    told = json.loads(os.environ[VARIABLE])
    return WorkerSetup(**{**told, "queue": QueueSetup(**told["queue"])})


def producer_setup() -> ProducerSetup:
    """Return the setup of this producer."""
    told = json.loads(os.environ[VARIABLE])
    told["queue"] = QueueSetup(**told["queue"])
    told["terms"] = Terms.of(told["terms"])
    kinds = tuple(Kind(**{**kind, "act": Act(kind["act"])}) for kind in told["publishing"]["kinds"])
    told["publishing"] = Publishing(**{**told["publishing"], "kinds": kinds})
    told["chains"] = Chains(**told["chains"]) if told["chains"] else None
    told["scheduling"] = Scheduling(**told["scheduling"]) if told["scheduling"] else None
    return ProducerSetup(**told)
