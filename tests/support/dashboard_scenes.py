"""Scenes of the dashboard: events of a trial and of a load with invented numbers, up to a moment in the middle of them.

`python tests/support/dashboard_scenes.py` draws the picture of the README, docs/dashboard.svg.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from constructed_events import START_S, plan, sample
from constructed_events import counted as counts_of_load
from constructed_trials import MS, PLAN, TICK, S, state

from loadgen.events import Configured, Event, FaultBegan, FaultEnded, PhaseBegan, Sample
from loadgen.faults.fault import Fault, Layer
from loadgen.output.tui.app import Page
from loadgen.output.tui.dashboard import Dashboard
from loadgen.plan import Segment
from loadgen.snapshot import Backlog, Tally
from loadgen.trial.ended import ChaosBegan, TrialBegan, TrialPhaseBegan, TrialSample
from loadgen.trial.observed import Counts, Histogram, Observed, Transition
from loadgen.trial.plan import Phases, TrialPlan

OUTAGE = Fault("down", Layer.PROXY, on=(1,), for_ns=15 * S)
NODE_FAILURE = replace(
    PLAN,
    scenario="single-node-failure",
    title="Node 1 of 3 refuses connections for 15 s, and accepts them again.",
    phases=Phases(2 * S, 10 * S, 15 * S, 10 * S),
    faults=(OUTAGE,),
)
BASELINE, FAULT, RECOVERY, END = 2 * S, 12 * S, 27 * S, 37 * S

RATE_PER_S = 12_000


def trial(until_ns: int = 24 * S, seed: int = 7) -> list[Event]:
    """A trial whose node 1 is down from 12 s to 27 s, as far as it has come at a time."""
    drawn = random.Random(seed)
    others = tuple(replace(NODE_FAILURE, scenario=name) for name in ("latency", "brief-packet-drop"))
    events: list[tuple[int, Event]] = [
        (0, ChaosBegan((NODE_FAILURE, *others), wall_s=START_S)),
        (0, TrialBegan(NODE_FAILURE, 1, START_S)),
        (0, TrialPhaseBegan("settle", 2 * S, START_S)),
        (BASELINE, TrialPhaseBegan("baseline", 10 * S, at(BASELINE))),
        (FAULT, TrialPhaseBegan("fault", 15 * S, at(FAULT))),
        (FAULT, FaultBegan(OUTAGE, 1, FAULT, at(FAULT) + 0.004)),
        (RECOVERY, FaultEnded(OUTAGE, 1, RECOVERY, at(RECOVERY) + 0.003, 1412)),
        (RECOVERY, TrialPhaseBegan("recovery", 10 * S, at(RECOVERY))),
    ]
    for begin in range(0, END, TICK):
        observed = interval(begin, drawn, NODE_FAILURE)
        phase = next(
            n
            for b, n in ((RECOVERY, "recovery"), (FAULT, "fault"), (BASELINE, "baseline"), (0, "settle"))
            if begin >= b
        )
        events.append((begin + TICK, TrialSample(phase, observed, at(begin + TICK))))
    # A sample that ends when something begins is told first.
    events.sort(key=lambda each: (each[0], not isinstance(each[1], TrialSample)))
    return [event for when, event in events if when <= until_ns]


def at(ns: int) -> float:
    return START_S + ns / S


def interval(begin: int, drawn: random.Random, plan: TrialPlan) -> Observed:
    """Operations on node 1 fail while it is down, and are refused at once when its breaker is open."""
    down = FAULT <= begin < RECOVERY
    trips, heals = FAULT + 2 * TICK, RECOVERY + 3 * TICK
    is_open = trips <= begin < heals
    nodes, states = {}, {}
    for number in (1, 2, 3):
        many = int(RATE_PER_S / 3 * TICK / S * drawn.uniform(0.95, 1.05))
        if begin < BASELINE:
            many = many * begin // BASELINE
        errors = {}
        if number == 1 and (down or is_open):
            errors = {"breaker_open": many} if is_open else {"refused": many // 4}
        latency = Histogram()
        for _ in range(0 if errors else 40):
            latency.record_many(int(420_000 * drawn.lognormvariate(0, 0.35)), max(1, many // 40))
        ok = 0 if errors else latency.count
        nodes[number] = Counts(begun=many, ok=ok, errors=errors, latency=latency)
        active = 0 if errors else drawn.randint(4, 9)
        total = 0 if errors else 12
        states[number] = state(
            breaker="open" if number == 1 and is_open else "closed",
            consecutive_failures=min(900, (begin - FAULT) // (20 * MS)) if errors and number == 1 and down else 0,
            total=total,
            active=active,
            idle=total - active,
        )
    transitions = tuple(
        Transition(when, 1, before, after)
        for when, before, after in (
            (trips - 110 * MS, "closed", "open"),
            (trips + 10 * S - 110 * MS, "open", "half-open"),
            (trips + 10 * S - 105 * MS, "half-open", "open"),
            (heals - 150 * MS, "open", "half-open"),
            (heals - 140 * MS, "half-open", "closed"),
        )
        if begin <= when < begin + TICK
    )
    return Observed(
        from_ns=begin,
        to_ns=begin + TICK,
        nodes=nodes,
        states=states,
        transitions=transitions,
        under_way=drawn.randint(90, 100),
    )


def load(until_s: int = 34, seed: int = 3) -> list[Event]:
    """A load at a rate, of which 34 s of 60 have been measured; in the 20th second its server stands still."""
    drawn = random.Random(seed)
    the_plan = plan(rate_per_s=50_000.0, profile=(Segment(60 * S, 50_000.0, 50_000.0),))
    the_plan = replace(the_plan, load=replace(the_plan.load, duration_ns=60 * S, warmup_ns=2 * S))
    events: list[Event] = [Configured(the_plan, "0.1.0", server="redis 7.0.15", wall_s=START_S)]
    for name, when in (("connect", 0.0), ("precheck", 0.1), ("prefill", 0.2), ("warmup", 3.0)):
        events.append(PhaseBegan(name, START_S + when))
    for second in range(-2, until_s):
        if not second:
            events.append(PhaseBegan("measure", START_S + 5))
        events.append(second_of_load(second, drawn))
    return events


def second_of_load(second: int, drawn: random.Random) -> Sample:
    slow = second in (20, 21)
    many = int(50_000 * drawn.uniform(0.985, 1.015) * (0.4 if slow else 1))
    get, timeouts = many * 4 // 5, 900 if slow else 0
    tallies = {
        "get": Tally(
            planned=get + timeouts, ok=get, hits=get * 97 // 100, misses=get - get * 97 // 100, timeouts=timeouts
        ),
        "set": Tally(planned=many - get, ok=many - get, hits=many - get),
    }
    latency = Histogram()
    for _ in range(60):
        latency.record_many(int((900_000 if slow else 90_000) * drawn.lognormvariate(0, 0.5)), many // 60)
    snapshot = replace(
        counts_of_load({}, 1),
        tallies=tallies,
        response={"get": latency},
        cpu_ns=S // 5,
        backlog=Backlog(120 if slow else 0, 40 * MS if slow else 0),
    )
    made = sample(second, snapshot, "warmup" if second < 0 else "measure")
    return replace(made, offered=50_000)


SCENES: dict[str, tuple[Callable[[], list[Event]], float]] = {
    "chaos": (trial, START_S + 24.1),
    "run": (load, START_S + 39.3),
}
"""Each scene's events, and the Unix time at which it is looked at."""


async def picture(scene: str, columns: int, lines: int) -> str:
    """Return a scene as SVG."""
    events, now_s = SCENES[scene]
    page = Page(Dashboard(skip=(lambda: None) if scene == "chaos" else None), color=True, now_s=lambda: now_s)
    page.model.began_s = START_S - 1.2
    async with page.run_test(size=(columns, lines)) as pilot:
        for event in events():
            page.tell(event)
        page.draw()
        await pilot.pause()
        return page.export_screenshot(title=f"loadgen {scene}")


PICTURE = Path(__file__).parents[2] / "docs" / "dashboard.svg"
SHOWN = ("chaos", 90, 26)
"""The scene of PICTURE, and its size."""

if __name__ == "__main__":
    PICTURE.write_text(asyncio.run(picture(*SHOWN)))
