"""The weather of a simulated case of queues: what befalls its hosts, drawn from the tape, and noted with its times.

What a law allows depends on the weather: a job is executed again where its worker was killed, and not because it is
Tuesday.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

from loadgen.units import NS_PER_MS, NS_PER_S
from loadgen.verify.kinds.simulated.jobs_plan import SQLITE, Plan, Profile, Weather
from loadgen.verify.scenario.redis import Redis
from loadgen.verify.scenario.settings import whole_ticks
from loadgen.verify.scenario.world import World, net_of
from loadgen.verify.tape import FAULT

REDIS = "redis"
_DOWN_S = 0.01
LONGEST_JUMP_S = 60.0
_UNTIL_NEVER_NS = 1 << 62


@dataclass(frozen=True, slots=True)
class Spell:
    """One fault: what it was, whom it met, and from when to when."""

    weather: Weather
    hosts: tuple[str, ...]
    from_ns: int
    until_ns: int

    def meets(self, host: str, from_ns: int, until_ns: int) -> bool:
        """Return True when a host was under it at some time of a span."""
        return host in self.hosts and self.from_ns <= until_ns and from_ns <= self.until_ns


@dataclass(frozen=True, slots=True)
class Drawn:
    """A fault as the tape has it. Who is its victim is decided when it begins."""

    weather: Weather
    at_ns: int
    length_ns: int
    victim: int
    amount: int


def drawn(world: World, profile: Profile, plan: Plan) -> list[Drawn]:
    """Draw the weather of a case."""
    tape, spells = world.draw, []
    kinds = profile.weather
    if tape.chance(0.2, "workers are killed, and nothing else") and Weather.KILL_WORKER in kinds:
        kinds = (Weather.KILL_WORKER,)
    if not kinds:
        return []
    for _ in tape.several(FAULT, profile.most_faults, profile.mean_faults):
        kind = tape.choice(kinds, "kind of fault")
        at_ns = tape.below(round(profile.within_s * 1000), "beginning of a fault, in ms") * NS_PER_MS
        scale_s = tape.choice((0.1, 0.5, 1.5, 3.5), "length of a fault, in leases") * plan.lease_s
        length_ns = round((1 + tape.below(1000, "length of a fault")) / 1000 * scale_s * NS_PER_S)
        victim, amount = tape.below(1 << 16, "victim of a fault"), tape.below(1 << 16, "strength of a fault")
        ticks = profile.tick_ns
        spells.append(Drawn(kind, whole_ticks(at_ns, ticks), whole_ticks(length_ns, ticks), victim, amount))
    return spells


class Sky:
    """Begins the weather, and remembers it."""

    def __init__(
        self,
        world: World,
        plan: Plan,
        path: str,
        workers: Sequence[str],
        producers: Sequence[str],
        kill_worker: Callable[[str, int], None],
        lives: Callable[[str], bool],
    ) -> None:
        """`kill_worker` kills the process of a worker's host, which is down for a time in ns."""
        self.spells: list[Spell] = []
        self._world = world
        self._net = net_of(world)
        self._began_ns = self._net.world.now_ns
        self.server: Redis | None = None if plan.layout == SQLITE else world.redis(REDIS, fsync=plan.fsync)
        self._path = path
        self._workers = workers
        self._producers = producers
        self._kill_worker = kill_worker
        self._lives = lives

    @property
    def _serves(self) -> bool:
        """True when the server runs."""
        return self.server is not None and self.server.runs

    def come(self, spells: Sequence[Drawn]) -> None:
        """Have each fault begin at its time."""
        for each in spells:
            self._net.world.at(self._began_ns + each.at_ns, partial(self._begin, each))

    def over_ns(self) -> int:
        """Return the time at which the last of the faults so far ends."""
        return max((spell.until_ns for spell in self.spells if spell.until_ns < _UNTIL_NEVER_NS), default=0)

    def killed(self, host: str, down_ns: int) -> None:
        """Note that a worker's process was killed."""
        self._note(Weather.KILL_WORKER, (host,), down_ns)
        self._say(f"the worker on {host} is killed")

    def _note(self, weather: Weather, hosts: Sequence[str], length_ns: int) -> None:
        now_ns = self._net.world.now_ns
        self.spells.append(Spell(weather, tuple(hosts), now_ns, now_ns + length_ns))

    def _say(self, words: str) -> None:
        self._world.begun.append(f"{self._world.now_s:.6f} s  {words}")

    def _begin(self, drawn: Drawn) -> None:
        faults, weather, length_ns = self._world.faults, drawn.weather, drawn.length_ns
        length_s = length_ns / NS_PER_S
        living = [host for host in self._workers if self._lives(host)]
        everybody = [*living, *self._producers]
        if weather is Weather.KILL_WORKER:
            if living:
                self._kill_worker(living[drawn.victim % len(living)], max(length_ns, round(_DOWN_S * NS_PER_S)))
            return
        hosts: Sequence[str]
        match weather:
            case Weather.PAUSE_WORKER:
                hosts = [living[drawn.victim % len(living)]] if living else []
                for host in hosts:
                    faults.pause(host, length_s)
            case Weather.PAUSE_PRODUCER:
                hosts = [self._producers[drawn.victim % len(self._producers)]]
                faults.pause(hosts[0], length_s)
            case Weather.JUMP:
                hosts = self._jump(drawn)
            case Weather.LOCK:
                hosts = everybody
                self._lock(length_ns)
            case Weather.PAUSE_REDIS:
                hosts = [REDIS] if self._serves else []
                for host in hosts:
                    faults.pause(host, length_s)
            case Weather.KILL_REDIS:
                hosts = [REDIS]
                faults.kill(REDIS, max(length_s, _DOWN_S))
            case Weather.POWER_CUT:
                hosts = [REDIS] if self._serves else []
                for host in hosts:
                    faults.power_cut(host, max(length_s, _DOWN_S))
            case Weather.SILENCE:
                hosts = [REDIS] if self._serves else []
                for host in hosts:
                    faults.silence(host, length_s)
            case _:
                hosts = self._on_the_way(drawn, everybody)
        if hosts:
            self._note(weather, hosts, length_ns)

    def _on_the_way(self, drawn: Drawn, everybody: Sequence[str]) -> Sequence[str]:
        """Begin a fault of the network between a host and Redis."""
        faults, length_s = self._world.faults, drawn.length_ns / NS_PER_S
        host = [*everybody, REDIS][drawn.victim % (len(everybody) + 1)]
        if host == REDIS and not self._serves:
            return ()
        match drawn.weather:
            case Weather.CUT:
                faults.cut(host)
            case Weather.SLOW:
                faults.slow(host, (1 + drawn.amount % 500) / 1000, length_s)
            case _:
                host = everybody[drawn.victim % len(everybody)]
                one, other = (host, REDIS) if drawn.amount & 2 else (REDIS, host)
                faults.partition(one, other, length_s, both=bool(drawn.amount & 1))
        return (host,)

    def _jump(self, drawn: Drawn) -> Sequence[str]:
        """Set the clock of the day: of one host, or of the one host that all processes share a file on."""
        by_ns = round((drawn.amount / (1 << 15) - 1.0) * LONGEST_JUMP_S * NS_PER_S)
        hosts = [*self._workers, *self._producers]
        if self.server is not None:
            hosts = [[REDIS, *hosts][drawn.victim % (1 + len(hosts))]]
        for host in hosts:
            self._net.found(host).machine.shift_unix_time(by_ns)
        self._world.begun.append(
            f"{self._world.now_s:.6f} s  the clock of {' '.join(hosts)} jumps by {by_ns / 1e9:g} s"
        )
        return hosts

    def _lock(self, length_ns: int) -> None:
        """Have another process hold the lock of the file for a while."""
        other = sqlite3.connect(self._path, timeout=0.0, isolation_level=None)
        with suppress(sqlite3.Error):
            other.execute("BEGIN IMMEDIATE")
        self._say(f"the file is locked for {length_ns / NS_PER_MS:g} ms")
        self._net.world.at(self._net.world.now_ns + length_ns, other.close)


def tasks_left() -> list[str]:
    """Return the names of the tasks that are not done, but for the one that asks."""
    current = asyncio.current_task()
    return sorted(task.get_name() for task in asyncio.all_tasks() if task is not current)
