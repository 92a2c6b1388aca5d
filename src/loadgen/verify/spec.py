"""The specification of what verification runs, as values: invariants, faults, scenarios, the oracle's groups, the
simulation, and written cases. `loadgen.config.spec_file` reads one. No I/O.

The tables and keys are those of redlite-dst's dst-spec.yaml; a written case is one of redlite's sdks/oracle/spec.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, TypeAlias

from loadgen.protocol import Wire
from loadgen.verify.expectation import Expectation
from loadgen.verify.step import Command

CATEGORIES = ("data_integrity", "persistence", "expiration")
SEVERITIES = ("low", "medium", "high", "critical")
PARTS = ("smoke", "properties", "chaos", "stress", "soak")
"""The scenarios, which have the names of the verbs that run them."""


STORES, DELETES = "SET", "DEL"
"""The commands that cases of chaos write with."""
LEAST_WRITES, MOST_WRITES = 3, 1_000_000
"""The bounds of the number of writes of a case of chaos: there are some before, during and after a fault."""


class Expected(StrEnum):
    """What a test of chaos expects of a server, beside that its acknowledged writes survive."""

    ERROR_RETURNED = "error_returned"
    """While the fault lasts, a client is told: a write or a save is answered with an error, or the server ends."""
    CORRUPTION_DETECTED = "corruption_detected"
    """The server says in its log that its file is damaged, or does not start."""
    CONSISTENT_AFTER_RESTART = "consistent_after_restart"
    """The server starts again."""
    EVENTUAL_COMPLETION = "eventual_completion"
    """After the fault, the server takes every write: new ones, and those that it did not acknowledge."""


@dataclass(frozen=True, slots=True)
class Invariant:
    """Something that must hold whatever happens: a property by its name."""

    name: str
    description: str
    category: str
    """One of CATEGORIES."""


@dataclass(frozen=True, slots=True)
class FaultKind:
    """A fault that servers are to survive."""

    name: str
    description: str
    severity: str
    """One of SEVERITIES."""
    recovery: str = ""
    """How a server is to behave."""


@dataclass(frozen=True, slots=True)
class ScenarioTest:
    """A test of a scenario."""

    name: str
    invariants: tuple[str, ...] = ()
    faults: tuple[str, ...] = ()
    operations: tuple[str, ...] = ()
    """The only commands that are drawn; empty for all of each invariant."""
    most_operations: int | None = None
    """Of chaos, the most writes of a case."""
    persistence: tuple[str, ...] = ()
    """Of chaos, the ways of keeping data that are run; empty for all that the faults are ones of."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """The other keys, such as connections of stress, as they are written."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """What one verb runs."""

    description: str = ""
    default_seeds: int | None = None
    tests: tuple[ScenarioTest, ...] = ()


@dataclass(frozen=True, slots=True)
class CommandGroup:
    """A group of commands that the oracle compares."""

    commands: tuple[str, ...] = ()
    """The only commands that are drawn; empty for all of the group."""
    test_cases: int | None = None
    """The number of cases."""


@dataclass(frozen=True, slots=True)
class Oracle:
    """What the oracle compares by default."""

    description: str = ""
    reference: str = ""
    """The server whose replies are right, as a word; empty for what is installed."""
    command_groups: Mapping[str, CommandGroup] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SimulatedScenario:
    """A scenario of the simulation."""

    name: str
    description: str = ""
    fault_rate: float = 0.0
    """The mean number of faults for each operation."""
    faults: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Simulation:
    """The simulation's parameters."""

    description: str = ""
    default_config: Mapping[str, int] = field(default_factory=dict)
    """Seeds, operations_per_seed, clients and tick_ms."""
    scenarios: tuple[SimulatedScenario, ...] = ()


# ── Written cases ─────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Future:
    """A word that is a Unix time, so long after the moment at which the case runs."""

    after: int
    per_s: int
    """1 for a time in seconds, 1000 for one in ms."""

    def at(self, now_ns: int) -> bytes:
        return b"%d" % (now_ns * self.per_s // 1_000_000_000 + self.after)


Word: TypeAlias = bytes | Future


@dataclass(frozen=True, slots=True)
class Operation:
    """A command of a case, and what its reply is to be."""

    words: tuple[Word, ...]
    """The command's name first. Of memcache, a single word may be a whole line, which is sent as it is."""
    expect: Expectation | None = None
    """None where any reply but an error will do; of two servers, both must then answer alike."""
    connection: int = 0
    wait_ms: int = 0
    """The time for which nothing is sent after the reply."""

    def command(self, now_ns: int) -> Command:
        """Return the command of a case that runs at a Unix time."""
        return tuple(word if isinstance(word, bytes) else word.at(now_ns) for word in self.words)


@dataclass(frozen=True, slots=True)
class WrittenCase:
    """A written case: operations that are carried out in order, on keys that are not there at the beginning."""

    name: str
    operations: tuple[Operation, ...]
    description: str = ""
    wire: Wire = Wire.RESP


@dataclass(frozen=True, slots=True)
class Spec:
    """A specification."""

    source: str = ""
    """The file; empty for the one that comes with loadgen."""
    hash: str = ""
    """A hash of the file's text."""
    version: str = "1.0"
    invariants: tuple[Invariant, ...] = ()
    faults: tuple[FaultKind, ...] = ()
    scenarios: Mapping[str, Scenario] = field(default_factory=dict)
    """By a name of PARTS."""
    oracle: Oracle = Oracle()
    simulation: Simulation = Simulation()
    cases: tuple[WrittenCase, ...] = ()

    def tests(self, part: str) -> tuple[ScenarioTest, ...]:
        """Return the tests of a scenario; none where the file does not have it."""
        return self.scenarios[part].tests if part in self.scenarios else ()

    def seeds(self, part: str, otherwise: int) -> int:
        """Return the number of seeds of a scenario by default."""
        seeds = self.scenarios[part].default_seeds if part in self.scenarios else None
        return otherwise if seeds is None else seeds
