"""gobreaker v2's rules once more, as pure functions of immutable values: a reference for the breaker.

Written from the description of the rules, in another style than `loadgen.client._breaker`: a generation keeps the
outcomes by age, and counts are sums over the ages in the window, made anew each time. Only the lengths of runs
(consecutive successes and failures) are carried along, as they do not follow from sums.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

Numbers = tuple[int, int, int, int, int, int]
"""Requests, successes, failures, exclusions, consecutive successes, consecutive failures."""


class Rules(NamedTuple):
    """Settings with every default resolved. Times are of any one unit."""

    probes: int
    window: int
    """The number of ages in the window."""
    period: int
    """The length of an age; 0: the generation has one age only."""
    lifetime: int
    """How long a closed generation lasts; 0: until the breaker opens."""
    rest: int
    """How long the breaker stays open."""
    trips: Callable[[Numbers], bool]


class Age(NamedTuple):
    """What belongs to one age: requests begun in it, and how those ended."""

    begun: int = 0
    successes: int = 0
    failures: int = 0
    exclusions: int = 0
    run_of_successes: int = 0
    run_of_failures: int = 0

    def ended(self, outcome: str) -> Age:
        if outcome == "s":
            return self._replace(
                successes=self.successes + 1, run_of_successes=self.run_of_successes + 1, run_of_failures=0
            )
        if outcome == "f":
            return self._replace(
                failures=self.failures + 1, run_of_failures=self.run_of_failures + 1, run_of_successes=0
            )
        return self._replace(exclusions=self.exclusions + 1)


class World(NamedTuple):
    """A breaker."""

    state: str
    """`closed`, `half-open` or `open`."""
    since: int
    generation: int = 1
    age: int = 0
    ages: Mapping[int, Age] = {}
    runs: tuple[int, int] = (0, 0)


def resolved(
    probes: int, interval: int, period: int, timeout: int, trips: Callable[[Numbers], bool], default_timeout: int
) -> Rules:
    rest = timeout if timeout > 0 else default_timeout
    if interval <= 0:
        return Rules(probes or 1, 1, 0, 0, rest, trips)
    window = (interval + period - 1) // period if period > 0 else 1
    if window == 1:
        return Rules(probes or 1, 1, 0, period if period > 0 else interval, rest, trips)
    return Rules(probes or 1, window, period, 0, rest, trips)


def begun_anew(world: World, state: str, now: int) -> World:
    return World(state, now, world.generation + 1)


def at(rules: Rules, world: World, now: int) -> World:
    """The breaker after the passage of time."""
    passed = now - world.since
    if world.state == "open" and passed > rules.rest:
        return begun_anew(world, "half-open", now)
    if world.state == "closed" and rules.lifetime and passed > rules.lifetime:
        return begun_anew(world, "closed", now)
    if world.state == "closed" and rules.period:
        return aged(rules, world, passed // rules.period)
    return world


def aged(rules: Rules, world: World, age: int) -> World:
    if age - world.age >= rules.window:
        return world._replace(age=age, ages={}, runs=(0, 0))
    while world.age < age:
        world = one_older(rules, world)
    return world


def one_older(rules: Rules, world: World) -> World:
    """One age later: the oldest age leaves, and with it its part of a run that fills the window."""
    leaving = world.age + 1 - rules.window
    oldest = world.ages.get(leaving, Age())
    rest = {age: counted for age, counted in world.ages.items() if leaving < age}
    runs = (
        shorter(world.runs[0], oldest.run_of_successes, sum(a.successes for a in rest.values())),
        shorter(world.runs[1], oldest.run_of_failures, sum(a.failures for a in rest.values())),
    )
    return world._replace(age=world.age + 1, ages=rest, runs=runs)


def shorter(run: int, of_oldest: int, of_others: int) -> int:
    return max(run - of_oldest, 0) if run == of_oldest + of_others else run


def numbers(world: World) -> Numbers:
    ages = world.ages.values()
    return (
        sum(a.begun for a in ages),
        sum(a.successes for a in ages),
        sum(a.failures for a in ages),
        sum(a.exclusions for a in ages),
        *world.runs,
    )


def begin(rules: Rules, world: World, now: int) -> tuple[World, Any]:
    """Return the breaker after a call asked to begin, and its ticket, or `o` or `t` for a refusal."""
    world = at(rules, world, now)
    if world.state == "open":
        return world, "o"
    counted = numbers(world)
    if world.state == "half-open" and counted[0] - counted[3] >= rules.probes:
        return world, "t"
    here = world.ages.get(world.age, Age())
    ages = {**world.ages, world.age: here._replace(begun=here.begun + 1)}
    return world._replace(ages=ages), (world.generation, world.age)


def end(rules: Rules, world: World, ticket: tuple[int, int], outcome: str, now: int) -> World:
    """Return the breaker after a call ended with outcome `s`, `f` or `x`."""
    world = at(rules, world, now)
    generation, age = ticket
    if generation != world.generation:
        return world
    if world.state == "half-open" and outcome == "f":
        return begun_anew(world, "open", now)
    if world.age - age < rules.window:
        successes, failures = world.runs
        runs = {"s": (successes + 1, 0), "f": (0, failures + 1), "x": world.runs}[outcome]
        ages = {**world.ages, age: world.ages.get(age, Age()).ended(outcome)}
        world = world._replace(ages=ages, runs=runs)
    if world.state == "half-open":
        return begun_anew(world, "closed", now) if outcome == "s" and world.runs[0] >= rules.probes else world
    return begun_anew(world, "open", now) if outcome == "f" and rules.trips(numbers(world)) else world
