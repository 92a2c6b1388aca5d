"""The breaker does what gobreaker v2 does, by recorded traces and by a reference; and where it does more."""

from __future__ import annotations

import gzip
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import breaker_reference as reference
import pytest

from loadgen.client._breaker import Breaker, Permit
from loadgen.client.breaker import (
    DEFAULT_TIMEOUT_NS,
    BreakerSettings,
    Counts,
    Outcome,
    Ratio,
    Refusal,
    State,
    more_than_five_in_a_row,
)

MS = 1_000_000
S = 1_000 * MS
TRACES = Path(__file__).parent / "data" / "gobreaker_traces.txt.gz"

# The same as in data/gobreaker/traces_test.go.
SETTINGS = (
    BreakerSettings(),
    BreakerSettings(3, 30 * S, 10 * S, 5 * S, Ratio(10, 0.3)),
    BreakerSettings(2, 10 * S, 0, 3 * S, lambda counts: counts.consecutive_failures > 2),
    BreakerSettings(1, 7 * S, 2 * S, 1 * S, Ratio(4, 0.5)),
    BreakerSettings(5, 1 * S, 1 * S, 2 * S, lambda counts: counts.failures >= 3),
)
OUTCOMES = {"s": Outcome.SUCCESS, "f": Outcome.FAILURE, "x": Outcome.EXCLUDED}
REFUSALS = {Refusal.OPEN: "o", Refusal.TOO_MANY_PROBES: "t"}
PROBING = BreakerSettings(2, 0, 0, 5 * S, lambda counts: True, probe_timeout_ns=1 * S)


def numbers(counts: Counts) -> reference.Numbers:
    return (
        counts.requests,
        counts.successes,
        counts.failures,
        counts.exclusions,
        counts.consecutive_successes,
        counts.consecutive_failures,
    )


def replayed(steps: list[str], settings: BreakerSettings) -> Iterator[str]:
    """Do the steps of a trace, and yield each as it should be recorded: with its answer and its transitions."""
    now_ns = 0
    breaker = Breaker(settings, now_ns)
    permits: list[Permit] = []
    for step in steps:
        if step.startswith(">"):
            continue
        kind, _, told = step[0], step[0], step[1:]
        if kind == "+":
            now_ns += int(told) * MS
        elif kind == "b":
            permit = breaker.begin(now_ns)
            told = REFUSALS[permit] if isinstance(permit, Refusal) else "."
            permits += [permit] if isinstance(permit, Permit) else []
        elif kind == "?":
            # In gobreaker's order: the state moves on to the present, the counts are those after that.
            state = breaker.state(now_ns)
            told = f"{state.value}:{','.join(map(str, numbers(breaker.counts(now_ns))))}"
        else:
            breaker.end(permits[int(told)], OUTCOMES[kind], now_ns)
        yield kind + told
        for change in breaker.transitions:
            assert change.at_ns == now_ns
            yield f">{change.before.value}{change.after.value}"
        breaker.transitions.clear()


def recorded() -> list[list[str]]:
    return [line.split() for line in gzip.decompress(TRACES.read_bytes()).decode().splitlines()]


def test_every_trace_recorded_from_gobreaker_is_replayed_exactly() -> None:
    traces = recorded()
    assert len(traces) == 1600
    for number, *steps in traces:
        assert list(replayed(steps, SETTINGS[int(number)])) == steps
    # They reach every transition, refusal and kind of end, so that equality says something.
    seen = {(number, step if step[0] in "b>" else step[0]) for number, *steps in traces for step in steps}
    for number in "01234":
        assert {step for of, step in seen if of == number} == {*"+sfx?", "b.", "bo", "bt", ">02", ">21", ">12", ">10"}


def rules(settings: BreakerSettings) -> reference.Rules:
    return reference.resolved(
        settings.max_requests,
        settings.interval_ns,
        settings.bucket_period_ns,
        settings.timeout_ns,
        lambda counted: settings.trips(Counts(*counted)),
        DEFAULT_TIMEOUT_NS,
    )


PERIODS = (1, MS, 100 * MS, S - 1, S, S + 1, 2 * S, 2 * S + 1, 5 * S, 5 * S + 1, 10 * S, 31 * S, 60 * S, 61 * S)


def random_trace(seed: int, settings: BreakerSettings, steps: int) -> None:
    """Do random calls on the breaker and on the reference, and hold every answer and all counts against each other."""
    random_ = random.Random(seed)
    law = rules(settings)
    now_ns = seed
    breaker, world = Breaker(settings, now_ns), reference.World("closed", now_ns)
    open_calls: list[tuple[Permit, Any]] = []
    failing = random_.random()
    for _ in range(steps):
        draw = random_.random()
        if draw < 0.25:
            now_ns += random_.choice(PERIODS)
        elif draw < 0.6:
            permit = breaker.begin(now_ns)
            world, ticket = reference.begin(law, world, now_ns)
            if isinstance(permit, Refusal):
                assert REFUSALS[permit] == ticket
            else:
                assert ticket == (permit.generation, permit.age)
                open_calls.append((permit, ticket))
        elif open_calls:
            permit, ticket = open_calls.pop(random_.randrange(len(open_calls)))
            kind = random_.choices("xfs", (0.1, failing, 1 - failing))[0]
            breaker.end(permit, OUTCOMES[kind], now_ns)
            world = reference.end(law, world, ticket, kind, now_ns)
        if draw > 0.8 or draw < 0.05:
            world = reference.at(law, world, now_ns)
            assert str(breaker.state(now_ns)) == world.state
            assert numbers(breaker.counts(now_ns)) == reference.numbers(world)


@pytest.mark.parametrize("number", range(len(SETTINGS)))
def test_random_calls_have_the_answers_of_the_reference(number: int) -> None:
    for seed in range(2_000):
        try:
            random_trace(seed, SETTINGS[number], 32)
        except AssertionError as error:
            raise AssertionError(f"settings {number}, seed {seed}") from error


@pytest.mark.parametrize("number", range(len(SETTINGS)))
def test_the_reference_has_the_answers_that_gobreaker_gave(number: int) -> None:
    """Otherwise the reference and the breaker could be wrong in the same way."""
    law = rules(SETTINGS[number])
    for steps in [steps for of, *steps in recorded() if of == str(number)][:100]:
        now, world, tickets = 0, reference.World("closed", 0), []
        for step in steps:
            kind, told = step[0], step[1:]
            if kind == "+":
                now += int(told) * MS
            elif kind == "b":
                world, ticket = reference.begin(law, world, now)
                assert told == (ticket if isinstance(ticket, str) else ".")
                tickets += [ticket] if told == "." else []
            elif kind == "?":
                world = reference.at(law, world, now)
                assert f"{['closed', 'half-open', 'open'].index(world.state)}" == told[0]
                assert ",".join(map(str, reference.numbers(world))) == told[2:]
            elif kind in "sfx":
                world = reference.end(law, world, tickets[int(told)], kind, now)


def opened(settings: BreakerSettings = PROBING) -> Breaker:
    breaker = Breaker(settings, 0)
    permit = breaker.begin(0)
    assert isinstance(permit, Permit)
    breaker.end(permit, Outcome.FAILURE, 0)
    assert breaker.state(0) is State.OPEN
    return breaker


def test_a_probe_that_never_ends_does_not_block_the_half_open_state() -> None:
    breaker = opened()
    hung = [breaker.begin(5 * S + 1) for _ in range(2)]
    assert all(isinstance(permit, Permit) for permit in hung)
    assert breaker.begin(6 * S) is Refusal.TOO_MANY_PROBES
    assert breaker.state(6 * S + 1) is State.HALF_OPEN
    assert breaker.state(6 * S + 2) is State.OPEN
    assert isinstance(breaker.begin(11 * S + 3), Permit)
    # The outcomes of the probes that were given up change nothing.
    for permit in hung:
        assert isinstance(permit, Permit)
        breaker.end(permit, Outcome.FAILURE, 11 * S + 4)
    assert breaker.state(11 * S + 4) is State.HALF_OPEN


def test_a_probe_that_ends_in_time_is_not_held_against_a_later_one() -> None:
    breaker = opened()
    first, second = breaker.begin(5 * S + 1), breaker.begin(5 * S + 900 * MS)
    assert isinstance(first, Permit)
    assert isinstance(second, Permit)
    breaker.end(first, Outcome.SUCCESS, 5 * S + 950 * MS)
    assert breaker.state(6 * S + 500 * MS) is State.HALF_OPEN
    breaker.end(second, Outcome.SUCCESS, 6 * S + 500 * MS)
    assert breaker.state(6 * S + 500 * MS) is State.CLOSED


def test_without_a_probe_timeout_hung_probes_block_for_ever_as_upstream() -> None:
    breaker = opened(BreakerSettings(1, 0, 0, 5 * S, lambda counts: True))
    assert isinstance(breaker.begin(6 * S), Permit)
    assert breaker.begin(10**6 * S) is Refusal.TOO_MANY_PROBES


def test_counts_are_never_older_than_the_question() -> None:
    breaker = Breaker(SETTINGS[2], 0)
    permit = breaker.begin(0)
    assert isinstance(permit, Permit)
    breaker.end(permit, Outcome.FAILURE, 0)
    assert breaker.counts(10 * S) == Counts(requests=1, failures=1, consecutive_failures=1)
    assert breaker.counts(10 * S + 1) == Counts()


def test_calls_under_way_dilute_the_ratio() -> None:
    """Twenty calls hang, and a share of 0.3 fails: the sixth failure opens."""
    breaker = Breaker(SETTINGS[1], 0)
    permits = [breaker.begin(0) for _ in range(20)]
    for failures, permit in enumerate(permits[:6], start=1):
        assert breaker.state(1) is State.CLOSED
        assert isinstance(permit, Permit)
        breaker.end(permit, Outcome.FAILURE, failures)
    assert breaker.state(6) is State.OPEN


def test_the_default_opens_at_the_sixth_failure_in_a_row() -> None:
    assert [more_than_five_in_a_row(Counts(consecutive_failures=n)) for n in (5, 6)] == [False, True]
