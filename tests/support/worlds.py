"""Scenarios run in worlds without drawn faults, for tests of what is in a world."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from loadgen.verify.scenario.run import Ran, ran
from loadgen.verify.scenario.settings import Settings
from loadgen.verify.scenario.world import World
from loadgen.verify.tape import Tape
from loadgen.verify.world.seal import sealed

CALM = Settings(faults=())


def run(scenario: Callable[[World], Awaitable[object]], seed: int | None = None, settings: Settings = CALM) -> Ran:
    """Run a scenario; with a seed on drawn links, without on the simplest: 50 µs each way."""
    tape = Tape.of(()) if seed is None else Tape.seeded("test", seed)
    with sealed():
        return ran(scenario, tape, settings)


def passes(scenario: Callable[[World], Awaitable[object]], seed: int | None = None, **options: Any) -> Ran:
    """Run a scenario that must end without a finding."""
    found = run(scenario, seed, **options)
    assert found.finding is None, found.finding
    return found
