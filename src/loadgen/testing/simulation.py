"""A campaign of one scenario from a program or a test: `simulate` returns, or raises with all that a failure needs."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from loadgen.events import Event
from loadgen.verify import artifact
from loadgen.verify.artifact import Artifact, Origin
from loadgen.verify.campaign import LIMITS, Batch, Campaign
from loadgen.verify.ended import FailureFound
from loadgen.verify.scenario.run import Scenario, ScenarioKind
from loadgen.verify.scenario.settings import STATES_FROM
from loadgen.verify.world.seal import sealed
from loadgen.version import __version__

MOST_STEPS = 30
"""The last commands of a failure that are shown."""


class SimulationFailed(AssertionError):
    """A scenario fails with some seed."""

    def __init__(self, failure: FailureFound) -> None:
        super().__init__(_words(failure))
        self.failure = failure
        """The first failure, shrunk."""

    @property
    def seed(self) -> int:
        """The seed with which the scenario failed."""
        return self.failure.seed


class StateNotReached(AssertionError):
    """No seed reached a state of `sometimes`: that the scenario passed says little."""

    def __init__(self, states: Sequence[str]) -> None:
        super().__init__(f"no seed reached the state: {', '.join(states)}")
        self.states = states


def simulate(
    scenario: Scenario,
    *,
    seeds: int = 100,
    seed: int = 0,
    name: str = "",
    artifacts: str | Path | None = None,
    shrink_runs: int = LIMITS.shrink_runs,
) -> Mapping[str, int]:
    """Run a scenario with some seeds, from `seed` on; return how often each state of `sometimes` was reached.

    `name` is `module:function` where it is not the function's own; seeds mean the same runs as long as it stays. With
    `artifacts`, a folder, each failure's artifact is written there. A failure is shrunk by `shrink_runs` runs at most.
    Raises SimulationFailed for the first failure, StateNotReached for a state that none of 100 or more seeds reached,
    and RuntimeError inside of a running event loop.
    """
    name = name or f"{scenario.__module__}:{scenario.__qualname__}"
    found: list[FailureFound] = []

    def emit(event: Event) -> None:
        if isinstance(event, FailureFound):
            found.append(event)

    def keep(each: Artifact) -> str:
        return "" if artifacts is None else str(artifact.written(each, Path(artifacts)))

    kind = ScenarioKind(name, scenario)
    campaign = Campaign(
        "simulate",
        Origin(__version__),
        seeds,
        emit=emit,
        clock_ns=time.monotonic_ns,
        replay=lambda batch, kind, seed: f"loadgen replay --seed {seed} --test {kind}",
        keep=None if artifacts is None else keep,
        limits=replace(LIMITS, shrink_runs=shrink_runs),
    )
    with sealed():
        kind.warm_up()
        for each in range(seed, seed + seeds):
            campaign.run(Batch("simulate", [kind], [each], identity="a simulated world"))
            if found:
                raise SimulationFailed(found[0])
    reached = campaign.ended().sometimes
    missed = [state for state, count in reached.items() if not count]
    if missed and seeds >= STATES_FROM:
        raise StateNotReached(missed)
    return reached


def _words(failure: FailureFound) -> str:
    """Return a failure as lines of text."""
    outcome = failure.outcome
    left_out = len(outcome.operations) - MOST_STEPS
    steps = [f"… {left_out} before"] * (left_out > 0) + [*outcome.operations[-MOST_STEPS:]]
    return "\n".join(
        [
            f"seed {failure.seed} of {failure.kind} fails",
            f"invariant  {outcome.invariant}",
            f"found      {outcome.message}",
            *(f"fault      {words}" for words in outcome.faults),
            *(f"step       {words}" for words in steps),
            f"replay     {failure.replay}",
            *[f"artifact   {failure.artifact}"] * bool(failure.artifact),
        ]
    )
