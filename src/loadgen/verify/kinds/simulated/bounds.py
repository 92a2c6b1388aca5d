"""The bounds that a spec file sets to what a simulated case draws: its clients, and the number and kinds of its faults.

Without options a kind draws as it is. This file reads options that are text; it knows no file.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

from loadgen.errors import UsageError
from loadgen.escape import printable
from loadgen.units import NS_PER_MS
from loadgen.verify.kinds.simulated.client_plan import Profile
from loadgen.verify.kinds.simulated.cluster_changes import DIES, PAUSES, RESTARTS
from loadgen.verify.kinds.simulated.cluster_operations import ClusterKind
from loadgen.verify.kinds.simulated.engine_operations import EngineKind
from loadgen.verify.kinds.simulated.fleet_plan import Fault
from loadgen.verify.kinds.simulated.fleet_plan import Profile as FleetProfile
from loadgen.verify.kinds.simulated.jobs_plan import SQLITE, Weather
from loadgen.verify.kinds.simulated.jobs_plan import Profile as JobsProfile
from loadgen.verify.scenario.settings import KILL, PAUSE, POWER_CUT, Settings

MOST_FAULTS = 1000
"""Of a case, whatever its rate: each is a part of the tape."""
LEAST_FAULTS = 16
LONGEST_TICK_MS = 1000
"""A tick must be short beside the time in which faults begin."""


class Faults(NamedTuple):
    """The simulated faults of a word: of the engine's servers, of a cluster's nodes, of the client's servers, of a
    simulated Redis, of queues and of agents.

    A queue in a file of SQLite has no server: its workers are killed.
    """

    engine: str
    cluster: str
    client: str
    redis: str
    jobs: Weather
    fleet: Fault


WORDS = {
    "crash": Faults("server is killed", DIES, KILL, KILL, Weather.KILL_REDIS, Fault.AGENT_KILLED),
    "crash_mid_write": Faults("server is killed", DIES, KILL, KILL, Weather.KILL_REDIS, Fault.AGENT_KILLED),
    "power_cut": Faults("server loses power", RESTARTS, KILL, POWER_CUT, Weather.POWER_CUT, Fault.POWER_LOST),
    "slow_fsync": Faults("server pauses", PAUSES, PAUSE, PAUSE, Weather.PAUSE_REDIS, Fault.AGENT_STOPPED),
}
"""The words of a spec file that a simulated world has a fault for. A server of one thread that waits for fsync pauses;
the servers of the client's worlds have no disk, and keep what they have when they lose power."""

OPTIONS = {"clients": "", "fault-rate": "", "faults": "", "tick-ms": ""}
"""The options, none of which is set without a spec file."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a case may draw."""

    clients: int | None = None
    """The most connections or callers; None as the kind has it."""
    mean_faults: float | None = None
    """None as the kind has it."""
    words: tuple[str, ...] = ()
    """Of WORDS; empty for the kind's own faults."""
    tick_ns: int = 0
    """Faults begin and end at multiples of it, counted from the start; 0: at any time."""

    @classmethod
    def read(cls, options: Mapping[str, str], operations: int) -> Bounds:
        """Return the bounds of a suite's options, for cases of so many operations. Raises UsageError."""
        given = {**OPTIONS, **options}
        words = tuple(filter(None, given["faults"].split(",")))
        for word in words:
            if word not in WORDS:
                raise UsageError(f"--faults: {printable(word, 40)} is no simulated fault; name {', '.join(WORDS)}.")
        rate = _number(given, "fault-rate", 0, 1)
        tick_ms = _number(given, "tick-ms", 1, LONGEST_TICK_MS, whole=True)
        clients = _number(given, "clients", 1, 10**12, whole=True)
        return cls(
            None if clients is None else int(clients),
            None if rate is None else rate * operations,
            words,
            0 if tick_ms is None else int(tick_ms) * NS_PER_MS,
        )

    @property
    def most_faults(self) -> int:
        return min(MOST_FAULTS, max(LEAST_FAULTS, round(3 * (self.mean_faults or 0))))

    def engine(self, kind: EngineKind) -> EngineKind:
        """Return a kind of the engine within the bounds."""
        if self.clients is not None:
            shape = kind.shape
            servers = min(shape.servers, self.clients)
            connections = tuple(dict.fromkeys(min(each, self.clients // servers) for each in shape.connections))
            kind = replace(kind, shape=replace(shape, servers=servers, connections=connections))
        if self.words:
            faults = tuple(dict.fromkeys(WORDS[word].engine for word in self.words))
            kind = replace(kind, faults=faults, planted=False)
        if self.mean_faults is not None:
            faults = kind.faults if self.mean_faults else ()
            kind = replace(kind, faults=faults, means=(self.mean_faults,), most_faults=self.most_faults)
        return replace(kind, tick_ns=self.tick_ns)

    def cluster(self, kind: ClusterKind) -> ClusterKind:
        """Return a kind of a changing cluster within the bounds: its changes are faults."""
        if self.clients is not None:
            kind = replace(kind, connections=tuple(dict.fromkeys(min(each, self.clients) for each in kind.connections)))
        if self.words:
            kind = replace(kind, changes=tuple(dict.fromkeys(WORDS[word].cluster for word in self.words)))
        if self.mean_faults is not None:
            kind = replace(kind, means=(self.mean_faults,), most_changes=self.most_faults)
        return replace(kind, tick_ns=self.tick_ns)

    def client(self, profile: Profile) -> Profile:
        """Return a profile of the client within the bounds."""
        if self.clients is not None:
            most = self.clients
            profile = replace(profile, callers=tuple(dict.fromkeys(min(each, most) for each in profile.callers)))
        if self.words:
            profile = replace(profile, faults=tuple(dict.fromkeys(WORDS[word].client for word in self.words)))
        if self.mean_faults is not None:
            faults = profile.faults if self.mean_faults else ()
            profile = replace(profile, faults=faults, mean_faults=self.mean_faults, most_faults=self.most_faults)
        return replace(profile, tick_ns=self.tick_ns)

    def jobs(self, profile: JobsProfile) -> JobsProfile:
        """Return a profile of queues within the bounds: clients are its workers."""
        if self.clients is not None:
            profile = replace(
                profile, workers=tuple(dict.fromkeys(min(each, self.clients) for each in profile.workers))
            )
        if self.words:
            has_server = profile.layout != SQLITE
            weather = (WORDS[word].jobs if has_server else Weather.KILL_WORKER for word in self.words)
            profile = replace(profile, weather=tuple(dict.fromkeys(weather)))
        if self.mean_faults is not None:
            weather_ = profile.weather if self.mean_faults else ()
            profile = replace(profile, weather=weather_, mean_faults=self.mean_faults, most_faults=self.most_faults)
        return replace(profile, tick_ns=self.tick_ns)

    def fleet(self, profile: FleetProfile) -> FleetProfile:
        """Return a profile of agents within the bounds: clients are agents."""
        if self.clients is not None:
            profile = replace(profile, agents=min(profile.agents, self.clients))
        if self.words:
            profile = replace(profile, faults=tuple(dict.fromkeys(WORDS[word].fleet for word in self.words)))
        if self.mean_faults is not None:
            most = self.most_faults if self.mean_faults else 0
            profile = replace(profile, mean_faults=self.mean_faults, most_faults=most)
        return replace(profile, tick_ns=self.tick_ns or profile.tick_ns)

    def redis(self, settings: Settings) -> Settings:
        """Return the settings of a simulated Redis within the bounds."""
        faults = tuple(dict.fromkeys(WORDS[word].redis for word in self.words)) or settings.faults
        if self.mean_faults is not None:
            faults = faults if self.mean_faults else ()
            settings = replace(settings, mean_faults=self.mean_faults, most_faults=self.most_faults)
        return replace(settings, faults=faults, tick_ns=self.tick_ns)


def _number(given: Mapping[str, str], name: str, least: int, most: int, *, whole: bool = False) -> float | None:
    text = given[name]
    if not text:
        return None
    try:
        number = int(text) if whole else float(text)
    except ValueError:
        number = -1
    if not least <= number <= most:
        kind = "a whole number" if whole else "a number"
        raise UsageError(f'--{name}: "{printable(text, 40)}" is not {kind} from {least} to {most}.')
    return number
