"""The suite of `simulate`: loadgen's own code in simulated worlds. No server is started, and no clock is read."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from loadgen.errors import UsageError
from loadgen.escape import printable
from loadgen.verify.kinds.simulated.bounds import OPTIONS, Bounds
from loadgen.verify.kinds.simulated.client_kinds import PROFILES, ClientKind
from loadgen.verify.kinds.simulated.client_plan import Profile
from loadgen.verify.kinds.simulated.cluster_operations import (
    CLUSTER_KINDS,
    MOST_OF_CLUSTER,
    ClusterKind,
    ClusterOperations,
)
from loadgen.verify.kinds.simulated.durable_redis import MOST_OPERATIONS as MOST_OF_REDIS
from loadgen.verify.kinds.simulated.durable_redis import DurableRedis
from loadgen.verify.kinds.simulated.engine_operations import (
    ENGINE_KINDS,
    MOST_OPERATIONS,
    EngineKind,
    EngineOperations,
)
from loadgen.verify.kinds.simulated.fleet_kinds import FleetKind
from loadgen.verify.kinds.simulated.fleet_plan import PROFILE as FLEETS
from loadgen.verify.kinds.simulated.jobs_kinds import JobsKind
from loadgen.verify.kinds.simulated.jobs_plan import MOST_JOBS
from loadgen.verify.kinds.simulated.jobs_plan import PROFILES as QUEUES
from loadgen.verify.kinds.simulated.jobs_plan import Profile as JobsProfile
from loadgen.verify.kinds.simulated.twice import Logged, Twice
from loadgen.verify.kinds.suite import Emit, Opened, Suite
from loadgen.verify.mutants.registry import planted
from loadgen.verify.scenario.run import settled
from loadgen.verify.world.seal import sealed

ENGINE, CLIENT, REDIS, JOBS, FLEET = "engine", "client", "redis", "jobs", "fleet"


@dataclass(frozen=True, slots=True)
class Row:
    """A kind: its name is its subject and its test, `engine_crash_recovery`."""

    subject: str
    """Whose code is simulated."""
    name: str
    made: Callable[[int, Bounds], Logged]
    """Makes the kind of so many operations."""
    most_operations: int = MOST_OPERATIONS

    @property
    def test(self) -> str:
        """The test, which names the kinds of all subjects."""
        return self.name.removeprefix(f"{self.subject}_")


def _engine(kind: EngineKind, operations: int, bounds: Bounds) -> Logged:
    return EngineOperations(operations, bounds.engine(kind))


def _cluster(kind: ClusterKind, operations: int, bounds: Bounds) -> Logged:
    return ClusterOperations(operations, bounds.cluster(kind))


def _client(profile: Profile, operations: int, bounds: Bounds) -> Logged:
    return ClientKind(bounds.client(profile), operations)


def _jobs(profile: JobsProfile, operations: int, bounds: Bounds) -> Logged:
    return JobsKind(bounds.jobs(profile), operations)


def _fleet(operations: int, bounds: Bounds) -> Logged:
    return FleetKind(bounds.fleet(FLEETS), operations)


ROWS = (
    *(Row(ENGINE, kind.name, partial(_engine, kind)) for kind in ENGINE_KINDS),
    *(Row(ENGINE, kind.name, partial(_cluster, kind), MOST_OF_CLUSTER) for kind in CLUSTER_KINDS),
    *(Row(CLIENT, profile.name, partial(_client, profile)) for profile in PROFILES),
    Row(REDIS, DurableRedis.name, DurableRedis, MOST_OF_REDIS),
    *(Row(JOBS, profile.name, partial(_jobs, profile), MOST_JOBS) for profile in QUEUES),
    Row(FLEET, FLEETS.name, _fleet, FLEETS.agents),
)
"""Every kind. Each of its cases is run twice."""

SUBJECTS = tuple(dict.fromkeys(row.subject for row in ROWS))

OPERATIONS = 10_000
"""Of each case, by default."""

STATES_FROM = 1000
"""The seeds from which a state that none of them reached fails a campaign of all kinds of a subject."""
STATES_FROM_OPERATIONS = 300
"""The operations of a case from which faults find enough of them to reach all states."""


def of_subject(subject: str) -> tuple[str, ...]:
    """Return the names of a subject's kinds."""
    return tuple(row.name for row in ROWS if row.subject == subject)


def judges_states(seeds: int, operations: str) -> bool:
    """Return whether a campaign is large enough to reach all states. Raises UsageError."""
    return seeds >= STATES_FROM and _count(operations) >= STATES_FROM_OPERATIONS


@contextlib.contextmanager
def _opened(kinds: Sequence[str], options: Mapping[str, str], emit: Emit) -> Iterator[Opened]:
    operations = _count(options["ops"])
    rows = {row.name: row for row in ROWS}
    with sealed(), settled(), planted() as mutant:
        identity = f"a simulated world with the mutant '{mutant}'" if mutant else "a simulated world"
        yield Opened([Twice(_made(rows[name], operations, options)) for name in kinds], identity)


def _made(row: Row, operations: int, options: Mapping[str, str]) -> Logged:
    return row.made(operations, Bounds.read(options, min(operations, row.most_operations)))


def _count(text: str) -> int:
    """Return the number of operations that an option names. Raises UsageError."""
    if not (text.isascii() and text.isdecimal() and len(text) <= 7 and 1 <= int(text) <= MOST_OPERATIONS):
        raise UsageError(f'--ops: "{printable(text, 40)}" is not a whole number from 1 to {MOST_OPERATIONS}.')
    return int(text)


SUITE = Suite(
    "simulate",
    tuple(row.name for row in ROWS),
    _opened,
    {"ops": str(OPERATIONS), **OPTIONS},
    {row.test: tuple(other.name for other in ROWS if other.test == row.test) for row in ROWS},
)
