"""Actions at offsets of a load's phases: when they are due, and that a real run does them at that time."""

from __future__ import annotations

import os
import signal
import time

import pytest
from faulty_server import FaultyServer, polite
from hypothesis import given
from hypothesis import strategies as st
from real_servers import RealServer
from runs import judging, plan

from loadgen.events import Event, Sample
from loadgen.phase import Phase
from loadgen.runner.run import Run
from loadgen.runner.timeline import At, Timeline
from loadgen.units import NS_PER_MS, NS_PER_S

BEGINS_NS = {Phase.WARMUP: 1000, Phase.MEASURE: 5000}


def nothing() -> None:
    pass


@given(st.lists(st.tuples(st.sampled_from([*BEGINS_NS]), st.integers(0, 10_000))), st.lists(st.integers(0, 20_000)))
def test_each_action_is_given_out_once_in_order_and_never_early(
    times: list[tuple[Phase, int]], asked_ns: list[int]
) -> None:
    actions = [At(phase, offset_ns, nothing) for phase, offset_ns in times]
    timeline = Timeline(actions, BEGINS_NS)
    given_out: list[At] = []
    for now_ns in [*sorted(asked_ns), 100_000]:
        due = timeline.due(now_ns)
        assert all(BEGINS_NS[action.phase] + action.offset_ns <= now_ns for action in due)
        assert timeline.next_ns is None or timeline.next_ns > now_ns
        given_out += due
    assert timeline.next_ns is None
    assert given_out == sorted(actions, key=lambda action: BEGINS_NS[action.phase] + action.offset_ns)


def test_an_action_in_a_phase_that_a_load_does_not_have_is_refused() -> None:
    with pytest.raises(ValueError, match="in the prefill phase of a load: it can be in warmup or measure"):
        Timeline([At(Phase.PREFILL, 0, nothing)], BEGINS_NS)


def test_a_server_that_is_paused_at_an_offset_answers_nothing_from_then_on_until_it_goes_on() -> None:
    samples: list[Sample] = []

    def emit(event: Event) -> None:
        if isinstance(event, Sample) and event.phase == Phase.MEASURE:
            samples.append(event)

    with RealServer.redis() as server:
        timeline = (
            At(Phase.MEASURE, 600 * NS_PER_MS, lambda: os.kill(server.pid, signal.SIGCONT)),
            At(Phase.MEASURE, 200 * NS_PER_MS, lambda: os.kill(server.pid, signal.SIGSTOP)),
        )
        told = plan(server.port, "general.duration=1s", "general.interval=100ms", "workload.rate_limit=2000")
        result = Run(told, emit, timeline=timeline, judging=judging()).result()
    assert result.unaccounted == 0
    answered = [sample.interval.total.answered for sample in samples]
    assert len(answered) == 10
    # The interval in which the server is stopped may still have answers, the three after it have none.
    assert answered[1] > 0
    assert answered[3:6] == [0, 0, 0]
    assert sum(answered[6:]) > 500
    assert result.measured.latency().max >= 350 * NS_PER_MS


def test_an_action_is_done_by_the_leader_at_its_time_and_not_after_the_load() -> None:
    done_ns: dict[str, int] = {}
    begun_ns: dict[str, int] = {}

    def emit(event: Event) -> None:
        if (phase := getattr(event, "phase", "")) not in begun_ns:
            begun_ns[phase] = time.monotonic_ns()

    def note(name: str) -> None:
        done_ns[name] = time.monotonic_ns()

    timeline = [
        At(Phase.WARMUP, 0, lambda: note("warmup")),
        At(Phase.MEASURE, 300 * NS_PER_MS, lambda: note("measure")),
        At(Phase.MEASURE, 600 * NS_PER_S, lambda: note("never")),
    ]
    with FaultyServer(polite()) as server:
        told = plan(server.port, "general.warmup=200ms", "general.duration=500ms")
        Run(told, emit, timeline=timeline, judging=judging()).result()
    assert [*done_ns] == ["warmup", "measure"]
    # The measure window begins no earlier than it is said to, but for the report that is waited for.
    assert done_ns["warmup"] < begun_ns["measure"]
    assert done_ns["measure"] - done_ns["warmup"] > 400 * NS_PER_MS
    assert done_ns["measure"] < begun_ns["drain"]
