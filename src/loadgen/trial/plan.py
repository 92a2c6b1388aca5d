"""The plan of a trial, as frozen values: the client, the traffic of its callers, and the phases. No I/O.

Times are int nanoseconds, sizes are bytes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from loadgen.faults.fault import Fault
from loadgen.judge.check import Check
from loadgen.monitors.plan import MonitorPlan
from loadgen.plan import Endpoint

OPERATIONS = ("get", "set", "delete", "increment", "get_many")
"""The operations of an adapter, in the order of outputs."""


TOLERANCE_NS = 100_000_000
"""The time after its deadline at which an operation is overdue: the client has to notice the deadline."""

P99_FLOOR_NS = 10_000_000
"""A p99 up to this length is never a failure: caller, proxy and server share CPUs, and each may wait for the turns of
the others, which are milliseconds long."""


@dataclass(frozen=True, slots=True)
class ClientPlan:
    """A client on trial."""

    name: str
    """The name in outputs and in `--client`: `builtin`, `pymemcache` …, or `module:factory`."""
    factory: str
    """`module:function`, a factory as `trial.adapters` describes it."""
    options: Mapping[str, str | int | float | bool] = field(default_factory=dict)
    """Keyword arguments of the factory besides `nodes` and `timeout_s`."""


@dataclass(frozen=True, slots=True)
class Traffic:
    """What the callers of a client do: a workload, resolved to numbers."""

    name: str
    """The name in `--workload`."""
    weights: Mapping[str, int]
    """The weight of each operation of `OPERATIONS`."""
    shape: str = "constant"
    """`constant`, `burst`, `ramp`, `stampede` or `long-tail`."""
    rate_per_s: float = 0.0
    """Operations that fall due per second, over all callers; 0: a closed loop, each caller calls again at once."""
    peak_per_s: float = 0.0
    """The highest rate of a burst or a ramp."""
    period_ns: int = 0
    """The time between bursts, or between expiries of the stampede's key."""
    shared_keys: int = 1_000
    own_keys: int = 0
    """Keys that only one caller uses, for each caller."""
    hot_keys: int = 0
    hot_share: float = 0.0
    """The share of operations that go to a hot key."""
    batch: tuple[int, int] = (1, 1)
    """The least and the most keys of a `get_many`."""
    value_bytes: tuple[int, int] = (64, 64)
    """The least and the most length of a value, its seal included (`trial.value`)."""
    ttl_s: tuple[int, int] = (0, 0)
    """The least and the most time to live of a value; 0: for ever."""
    slow_share: float = 0.0
    """The share of operations of a long tail, each a `get_many` of `batch[1]` keys or a value of `value_bytes[1]`."""


@dataclass(frozen=True, slots=True)
class CallerPlan:
    """What one caller process receives."""

    client: ClientPlan
    nodes: tuple[Endpoint, ...]
    protocol: str
    """`memcache` or `resp`."""
    traffic: Traffic
    concurrency: int
    """Operations under way at once in this process, at most: tasks or threads."""
    timeout_ns: int
    """The deadline of an operation, passed to the factory as `timeout_s`."""
    seed: int
    writer: int
    """The number of the caller process, which its values carry: from 1 to `writers`."""
    writers: int
    """The number of caller processes."""
    run: int = 0
    """The number of the run, which no earlier run on the same servers had: the seed, and with it every key, may be the
    same. Less than 2^32."""
    board: int | None = None
    """The descriptor of the memory of the board (`trial.board`); None: the processes have none."""
    history: str = ""
    """The file, which is there, to which the process writes a record of each operation; empty: none."""
    backend: Endpoint | None = None
    """The backend (`trial.backend`) that a caller asks for a value that the cache did not have; None where the
    workload loads none."""
    namespace: str = ""
    """The network namespace of this machine in which the process is; empty: here."""
    report_ns: int = 200_000_000
    """The time between reports."""
    tolerance_ns: int = TOLERANCE_NS
    """The time after its deadline at which an operation is overdue."""
    close_ns: int = 5_000_000_000
    """The time in which the client must have closed."""


@dataclass(frozen=True, slots=True)
class Phases:
    """The lengths of a scenario's phases."""

    settle_ns: int
    """The connections open and the keys are written; nothing is judged."""
    baseline_ns: int
    fault_ns: int
    recovery_ns: int


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of a trial's checks."""

    recovery_ns: int = 10_000_000_000
    """The longest from the end of the last fault until every node is back in the baseline's interval."""
    refusal_ns: int = 50_000_000
    """The longest p99 of refusals while a node is down. A refusal waits for no server, but for its turn in the client's
    own process."""
    healthy: float = 0.9
    """The least share of the baseline's rate that nodes without a fault keep, and its inverse for their p99."""
    unread_ns: int = 200_000_000
    """The longest that the client's statistics may be unreadable."""


@dataclass(frozen=True, slots=True)
class TrialPlan:
    """One scenario with one client."""

    scenario: str
    title: str
    """What happens, in a sentence."""
    client: ClientPlan
    protocol: str
    nodes: int
    traffic: Traffic
    phases: Phases
    concurrency: int
    timeout_ns: int
    seed: int
    faults: tuple[Fault, ...] = ()
    """Their times count from the start of the fault phase."""
    groups: int = 1
    """Groups of callers, each with proxies of its own where a fault splits them."""
    expects: tuple[str, ...] = ()
    """The classes of errors that the scenario expects (`trial.observed.ERRORS`)."""
    limits: Limits = field(default_factory=Limits)
    checks: tuple[Check, ...] = ()
    """The scenario's own checks, besides those that every trial has."""
    monitors: tuple[MonitorPlan, ...] = ()
    """What is read beside the callers."""
    namespaces: tuple[str, ...] = ()
    """The network namespaces of this machine in which caller processes are, by turns, one process for each group.
    Empty: here."""

    def namespace(self, writer: int) -> str:
        """Return the network namespace of a caller process, from 1; empty for one that is here."""
        return self.namespaces[(writer - 1) % len(self.namespaces)] if self.namespaces else ""

    @property
    def recovery_limit_ns(self) -> int:
        return self.limits.recovery_ns
