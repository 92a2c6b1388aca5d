"""A load of the engine in a world: an Engine with a Plan on one host, led from its first connection to its last reply.

This leads an engine as `worker.main` does, without a pipe and without the intervals.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from loadgen.engine._engine import Engine
from loadgen.engine._history import History
from loadgen.phase import COUNTED, Phase
from loadgen.plan import Plan
from loadgen.units import NS_PER_S
from loadgen.verify.world._accounts import Accounts
from loadgen.verify.world._backoff import Backoff
from loadgen.verify.world._ground import Ground
from loadgen.verify.world._network import Host


class Unfinished(Exception):
    """A mode of the engine did not end by its time."""


@dataclass(frozen=True, slots=True)
class Ran:
    """What an engine counted, once it has ended."""

    tallies: Mapping[str, Mapping[str, Mapping[str, int]]]
    """By phase and command, the fields of `snapshot.Tally`."""
    errors: Mapping[str, int]
    """Error replies by class, over all phases."""
    connections: Mapping[str, int]
    """The fields of `snapshot.ConnectionCounts`."""
    failures: Mapping[str, int]
    """Failed attempts and lost connections, by reason."""
    redirects: Mapping[str, int]
    """By their kinds, over all phases, and in `redirected` the requests that had any."""
    examples: Mapping[str, str] = field(default_factory=dict)
    """The first failure of each reason, in words."""

    def total(self, name: str) -> int:
        """Return the sum of a field of the tallies."""
        return sum(tally[name] for commands in self.tallies.values() for tally in commands.values())

    def of(self, phase: Phase, name: str) -> int:
        """Return the sum of a field over the commands of a phase."""
        return sum(tally[name] for tally in self.tallies[phase].values())

    @property
    def unaccounted(self) -> int:
        """Return how many planned requests have no end; 0, or a request was lost from the counts."""
        ends = ("ok", "errors", "timeouts", "lost", "corrupt", "unfinished")
        return self.total("planned") - sum(self.total(end) for end in ends)

    def sent(self) -> dict[str, int]:
        """Return the requests whose last byte went to the network, by command."""
        found: dict[str, int] = {}
        for commands in self.tallies.values():
            for command, tally in commands.items():
                found[command] = found.get(command, 0) + tally["planned"] - tally["unsent"]
        return {command: count for command, count in found.items() if count}


class EngineLoad:
    """An engine on a host. Each step returns when the engine has ended it, and raises Unfinished after its time.

    Raises BrokenInvariant too, as the engine's accounts and its waits between attempts to connect are held after every
    event.
    """

    def __init__(
        self, host: Host, plan: Plan, history: History | None = None, stale: Callable[[], object] | None = None
    ) -> None:
        """`stale` is called when the engine wants a later topology of its cluster."""
        self._ground = Ground(host)
        self._ended: list[str] = []
        self._world = self._ground.world
        self._plan = plan
        world, ended = self._world, self._ended

        def heard(event: str) -> None:
            if event == "stale":
                if stale is not None:
                    stale()
                return
            ended.append(event)
            world.stop()

        # Not a method: the engine must not refer to who refers to it, as a campaign makes thousands.
        self.engine = Engine(plan, 0, heard, self._ground, self._ground.net, history)
        self.accounts = Accounts(self.engine, self._ground)
        self.backoff = Backoff(self.engine, self._ground, plan.wire.longest_backoff_ns)
        self._world.hold(self.accounts)
        self._world.hold(self.backoff)

    @property
    def now_ns(self) -> int:
        return self._world.now_ns

    def connect(self, until_ns: int) -> None:
        """Open the plan's connections; those that fail are opened again during the load."""
        self.engine.connect()
        self._await("connected", until_ns)

    def write_keys(self, until_ns: int) -> None:
        """Write every key of the plan once."""
        self.engine.write_keys()
        self._await("written", until_ns)

    def load(self, until_ns: int) -> None:
        """Put on the plan's load, and drain it."""
        load = self._plan.load
        profile = [(s.length_ns, s.from_per_s, s.to_per_s, s.period_ns) for s in load.profile]
        self.engine.load(self.now_ns, load.warmup_ns, load.window_ns, profile, load.requests)
        self._await("drained", until_ns)

    def close(self) -> Ran:
        """Close the engine's connections, and return its accounts, which are those of a worker's last report."""
        self.engine.close()
        counts = {phase: self.engine.counts(phase) for phase in COUNTED}
        return Ran(
            {phase: found["tallies"] for phase, found in counts.items()},
            _summed(phase["errors"] for phase in counts.values()),
            self.engine.connection_counts(),
            self.engine.failure_counts(),
            _summed(phase["redirects"] for phase in counts.values()),
            self.engine.failure_examples(),
        )

    def _await(self, event: str, until_ns: int) -> None:
        self._ended.clear()
        if self._world.run(until_ns) or self._ended != [event]:
            late = f"after {(until_ns - self.now_ns) / NS_PER_S:g} s" if until_ns > self.now_ns else "by its time"
            raise Unfinished(f"the engine was not {event} {late}")


def _summed(parts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    found: dict[str, int] = {}
    for part in parts:
        for kind, count in part.items():
            found[kind] = found.get(kind, 0) + count
    return found
