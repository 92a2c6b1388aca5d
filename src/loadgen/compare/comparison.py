"""A comparison of candidates, from their check before the first round to the events of its answers.

`contest` runs the rounds and finds the answers. This file knows neither the configuration nor outputs.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import replace

from loadgen.compare.answers import Compared, NoiseFound
from loadgen.compare.candidate import Candidate
from loadgen.compare.contest import Contest, rule_for
from loadgen.compare.results import Stored
from loadgen.compare.rounds import Contestant
from loadgen.compare.settings import ComparisonSettings
from loadgen.compare.shape import Shape
from loadgen.errors import UsageError
from loadgen.events import Event
from loadgen.judge.verdict import VerdictLimits
from loadgen.monitors.plan import MonitorPlan
from loadgen.plan import Plan
from loadgen.reason import Reason
from loadgen.runner.stop import NEVER, Stop
from loadgen.server_plan import ServerPlan
from loadgen.target.servers import servers_of


class Comparison:
    """The first candidate and the others, which can be compared with it.

    Raises UsageError when the candidates were measured under different loads or at different rates, or when so few
    rounds cannot find a difference. Candidates of the same name are numbered.
    """

    def __init__(
        self,
        found: Sequence[Contestant | Stored],
        settings: ComparisonSettings,
        seed: int,
        notes: Sequence[Reason] = (),
    ) -> None:
        self.found = _with_distinct_names(found)
        _check_loads(self.found)
        rule_for(settings, len(found) - 1, live=any(isinstance(each, Contestant) for each in found))
        self.settings = _at_stored_rate(settings, self.found)
        self.seed = seed
        self.notes = notes

    def run(self, emit: Callable[[Event], None], *, stop: Stop = NEVER) -> list[Compared]:
        """Run the rounds, and return the answers, one Compared for each candidate after the first.

        `emit` receives progress, rounds and at last the answers. When `stop` is set, the answers are those of the
        rounds that had ended.
        """
        ended = self._contest(emit, stop).result()
        for compared in ended:
            emit(compared)
        return ended

    def run_noise(self, emit: Callable[[Event], None], *, stop: Stop = NEVER) -> NoiseFound:
        """Run all rounds of two candidates that are the same, and return how much they differ. `emit` as in `run`."""
        noise = self._contest(emit, stop).noise_of_itself()
        emit(noise)
        return noise

    def _contest(self, emit: Callable[[Event], None], stop: Stop) -> Contest:
        return Contest(self.found, self.settings, self.seed, emit, self.notes, stop=stop)


def contestant(
    plan: Plan, server: ServerPlan | None, limits: VerdictLimits, monitors: tuple[MonitorPlan, ...]
) -> Contestant:
    """Return the candidate that runs under `plan`: `server`, started for each round, or else the plan's endpoints.

    `monitors` read beside it.
    """
    shape = Shape.of(plan)
    if server is None:
        candidate = Candidate(",".join(map(str, plan.target.endpoints)), "endpoint", shape=shape)
    else:
        candidate = Candidate(server.name, "server", shape=shape)
    return Contestant(candidate, plan, servers_of(plan.target, server), limits, monitors)


def _check_loads(found: Sequence[Contestant | Stored]) -> None:
    """Raise UsageError when a stored result says that its load was not that of the others."""
    for one, other in itertools.permutations(found, 2):
        a, b = one.candidate, other.candidate
        if isinstance(one, Stored) and (different := a.shape.differences(b.shape)):
            raise UsageError(
                f"{a.name} was measured under another load than {b.name} ({'; '.join(different)}): take its results "
                "anew, or give the CONFIG the same."
            )


def _at_stored_rate(settings: ComparisonSettings, found: Sequence[Contestant | Stored]) -> ComparisonSettings:
    """Return the settings with the rate of stored results. Raises UsageError when the rates differ."""
    for each in found:
        if not isinstance(each, Stored) or not each.rate_per_s:
            continue
        if settings.rate_per_s not in (0, each.rate_per_s):
            raise UsageError(
                f"{each.candidate.name} was measured at {each.rate_per_s:g}/s and not at {settings.rate_per_s:g}/s: "
                "latency is compared at one rate."
            )
        settings = replace(settings, rate_per_s=each.rate_per_s)
    return settings


def _with_distinct_names(found: Sequence[Contestant | Stored]) -> list[Contestant | Stored]:
    """Return the candidates with different names: of equal names, the later ones are numbered."""
    seen: dict[str, int] = {}
    renamed: list[Contestant | Stored] = []
    for each in found:
        name = each.candidate.name
        seen[name] = seen.get(name, 0) + 1
        if seen[name] > 1:
            each = replace(each, candidate=replace(each.candidate, name=f"{name} ({seen[name]})"))
        renamed.append(each)
    return renamed
