"""The plan of a test of jobs: a frozen value, every number resolved. No I/O. Times are in ns."""

from __future__ import annotations

from dataclasses import dataclass, field

from loadgen.faults.fault import Fault
from loadgen.jobs.job import Terms
from loadgen.jobs.load.work import Act
from loadgen.judge.check import Check
from loadgen.monitors.plan import MonitorPlan
from loadgen.units import NS_PER_S

OURS = ("sqlite", "streams", "lists")
"""The adapters that are queues of our own."""

LIBRARIES = ("rq", "celery", "arq", "taskiq", "dramatiq")
"""The adapters of libraries, each with workers of its own. All of them are on Redis."""

HOST, SERVER = MonitorPlan("host", "host"), MonitorPlan("redis", "redis")
"""The monitors of a test whose file names none: the second one where the queue is in Redis."""

FAIR_JOBS = 200
"""A worker's fair share of jobs from which on shares are judged: below it, chance alone may differ by a fifth."""


@dataclass(frozen=True, slots=True)
class Kind:
    """Jobs that are alike."""

    jobs: int
    work_ns: int = 10 * 1_000_000
    busy: bool = False
    """True: the work takes CPU time; False: it waits."""
    fail_p: float = 0.0
    act: Act = Act.WORK
    payload_bytes: int = 0
    """The least length of a payload."""


@dataclass(frozen=True, slots=True)
class Publishing:
    """How jobs are published."""

    kinds: tuple[Kind, ...] = ()
    """All of them are published in turns, evenly mixed."""
    producers: int = 1
    """Processes that publish."""
    concurrency: int = 10
    """Publishes under way at once in each producer."""
    batch: int = 1
    """Jobs in one publish, where the storage is one of ours."""
    rate_per_s: float = 0.0
    """Intended publishes per second, over all producers; 0: each as soon as there is room."""
    submissions: int = 1
    """How often each job is submitted, with the same idempotency key; 1: once, without a key."""
    bursts: int = 1
    """Bursts in which the jobs are published, as many in each."""
    pause_ns: int = 0
    """The time from the beginning of one burst to that of the next."""
    before_workers: bool = False
    """True: all jobs are published before the first worker starts."""

    @property
    def jobs(self) -> int:
        return sum(kind.jobs for kind in self.kinds)


@dataclass(frozen=True, slots=True)
class Chains:
    """Workflows of several steps: each step is published when the one before it has ended well, with its value."""

    workflows: int
    steps: int = 3
    work_ns: int = 20 * 1_000_000
    concurrency: int = 250
    """Workflows under way at once."""


@dataclass(frozen=True, slots=True)
class Scheduling:
    """Operations on schedules."""

    schedules: int
    attempts: int = 1
    """How often each is created, under the same name."""
    updates: int = 0
    """How often each is changed."""
    operations: int = 0
    """How often each is paused or resumed, in turns. Each is listed once at any rate."""
    removes: bool = True
    """True: each is removed in the end."""
    cron: str = "*/5 * * * *"
    zone: str = "UTC"
    fires_ns: int = 0
    """How long the schedules run after they were created; 0: their firings are not waited for."""
    concurrency: int = 10


@dataclass(frozen=True, slots=True)
class QueueSettings:
    """Settings of the queue."""

    lease_ns: int = 5 * NS_PER_S
    """0 for a library: as it is by default."""
    sweep_ns: int = NS_PER_S
    max_deliveries: int = 5
    durability: str = ""
    """SQLite: full or normal. Redis that loadgen starts: always, everysec or none. Empty: full, and none."""
    result_ttl_ns: int = 60 * NS_PER_S
    """How long results are kept; 0: not at all."""


@dataclass(frozen=True, slots=True)
class JobFault:
    """A fault over the workers, or over what the queue is kept in."""

    fault: Fault
    """Its nodes are the workers, from 1, or the one server."""
    on_workers: bool
    at_share: float | None = None
    """The share of jobs that have ended at its beginning; None: the fault's own time counts, from the start."""


@dataclass(frozen=True, slots=True)
class JobsPlan:
    """One test of jobs."""

    name: str
    title: str
    """What is tested, in a sentence."""
    adapter: str = "sqlite"
    """One of OURS or of LIBRARIES."""
    storage: str = ""
    """The URL of the storage, with its password; empty: one of our own is made and removed again."""
    queue_name: str = "loadgen"
    queue: QueueSettings = field(default_factory=QueueSettings)
    terms: Terms = field(default_factory=Terms)
    publishing: Publishing = field(default_factory=Publishing)
    chains: Chains | None = None
    scheduling: Scheduling | None = None
    workers: int = 1
    concurrency: int = 6
    """Jobs that one worker executes at once."""
    namespaces: tuple[str, ...] = ()
    """The network namespaces of this machine in which workers are, by turns: worker 1 in the first. Empty: here."""
    patience_ns: int = 30 * NS_PER_S
    """The time without any event after which jobs that have not ended are given up."""
    renews: bool = True
    """False: workers do not renew their leases."""
    faults: tuple[JobFault, ...] = ()
    checks: tuple[Check, ...] = ()
    monitors: tuple[MonitorPlan, ...] = ()
    """What is read beside the test; by default its storage is the server under load."""
    shows_monitors: bool = False
    """True where the file or one of its checks asks for monitors; else only logs and records have what they read."""
    settings: tuple[tuple[str, str | int | float | bool], ...] = ()
    """Settings of a library, by its own names."""
    upstream: str = ""
    """The name of the same test in upstream's suite; empty where there is none."""
    baseline_per_s: float | None = None
    """Jobs per second of the test before this one that checks compare it with; None where there was none."""
    seed: int = 0

    @property
    def is_ours(self) -> bool:
        """True for a queue of our own."""
        return self.adapter in OURS

    def namespace(self, worker: int) -> str:
        """Return the network namespace of a worker, from 1; empty for one that is here."""
        return self.namespaces[(worker - 1) % len(self.namespaces)] if self.namespaces else ""

    @property
    def jobs(self) -> int:
        """The jobs that are to end, each step of a workflow among them; firings of schedules are not known before."""
        return self.publishing.jobs + (self.chains.workflows * self.chains.steps if self.chains else 0)
