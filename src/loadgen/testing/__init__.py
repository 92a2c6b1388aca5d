"""Tests of users' own asyncio code in simulated worlds: docs/SIMULATE.md is the guide.

A scenario is a coroutine function that takes a `World`. `simulate` runs it from seeds and raises where it fails;
`loadgen simulate` does the same as a command, and `loadgen.testing.plugin` as a fixture of pytest.
"""

from __future__ import annotations

from loadgen.testing.simulation import SimulationFailed, StateNotReached, simulate
from loadgen.verify.scenario.settings import settings
from loadgen.verify.scenario.states import always, sometimes
from loadgen.verify.scenario.world import World

__all__ = ["SimulationFailed", "StateNotReached", "World", "always", "settings", "simulate", "sometimes"]
