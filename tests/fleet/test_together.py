"""What several workers report, as the reports of one member: the sums, whatever the order in which they come."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from loadgen.engine._histogram import Histogram
from loadgen.fleet.together import Together
from loadgen.phase import COUNTED, Phase
from loadgen.plan import Load
from loadgen.signs import WorkerSigns
from loadgen.snapshot import NodeCounts, Snapshot, Tally
from loadgen.worker.messages import (
    ClockReading,
    Connected,
    Drained,
    Greeting,
    IntervalEnded,
    Message,
    Moment,
    Progressed,
    PutOn,
    Stale,
    Written,
)

WORKERS = 3
INTERVALS = 4
MOMENTS = 5
FINAL = {phase: 9 if phase == Phase.PREFILL else INTERVALS for phase in COUNTED}


def counted(worker: int, number: int) -> Snapshot:
    """A worker's counts up to an interval, different for each."""
    hits = 10**worker * number
    return Snapshot(tallies={"get": Tally(planned=hits, hits=hits)})


def total(snapshot: Snapshot) -> int:
    return snapshot.total.planned


def script(worker: int) -> list[Message]:
    """What one worker says from its greeting to its drain."""
    prefill = [Progressed(phase=Phase.PREFILL, snapshot=counted(worker, n), down=(0,)) for n in range(1, 1 + worker)]
    loaded: list[Message] = []
    for number in range(1, INTERVALS + 1):
        loaded.append(
            IntervalEnded(phase=Phase.MEASURE, snapshot=counted(worker, number), number=number, length_ns=100)
        )
    for number in range(1, MOMENTS + 1):
        loaded.insert(number, Moment(number, {"a": NodeCounts(ok=worker + 1)}))
    finals = {phase: counted(worker, FINAL[phase]) for phase in COUNTED}
    return [
        Greeting(100 + worker),
        Connected(phase=Phase.PRECHECK, snapshot=Snapshot(), down=(worker,), examples={"refused": str(worker)}),
        *prefill,
        Written(phase=Phase.PREFILL, snapshot=counted(worker, 9)),
        *loaded,
        Stale(),
        Drained(
            phase=Phase.MEASURE,
            snapshot=counted(worker, INTERVALS),
            finals=finals,
            signs=(WorkerSigns(worker),),
            moment=Moment(MOMENTS + 1, {"a": NodeCounts(ok=100)}),
            window_end_ns=1000 + worker,
        ),
    ]


ORDERS = st.permutations([worker for worker in range(WORKERS) for _ in script(worker)])


@given(ORDERS)
def test_reports_are_complete_once_and_are_the_sums(order: list[int]) -> None:
    together = Together(range(10, 10 + WORKERS))
    together.told(PutOn(Load(0, 1, 1), 0))
    left = {worker: script(worker) for worker in range(WORKERS)}
    said: list[Message] = []
    for worker in order:
        said += together.said(worker, left[worker].pop(0))
    kinds = [type(message) for message in said]
    for kind, times in {
        Greeting: 1,
        Connected: 1,
        Written: 1,
        Drained: 1,
        IntervalEnded: INTERVALS,
        Stale: WORKERS,
    }.items():
        assert kinds.count(kind) == times, kind
    assert kinds.count(Moment) == MOMENTS
    assert [m.number for m in said if isinstance(m, IntervalEnded)] == list(range(1, INTERVALS + 1))
    for message in said:
        match message:
            case Greeting(clock_ns):
                assert clock_ns == 100 + WORKERS - 1
            case Connected():
                assert message.down == (sum(range(WORKERS)),)
                assert message.examples == {"refused": "0"}
            case Written():
                assert total(message.snapshot) == 9 * 111
            case IntervalEnded():
                assert total(message.snapshot) == message.number * 111
            case Moment():
                assert message.nodes["a"].ok == sum(range(1, WORKERS + 1))
            case Drained():
                finals = {phase: total(final) for phase, final in message.finals.items()}
                assert finals == {phase: number * 111 for phase, number in FINAL.items()}
                assert [signs.index for signs in message.signs] == list(range(WORKERS))
                assert message.window_end_ns == 1000 + WORKERS - 1
                assert message.moment is not None
                assert message.moment.nodes["a"].ok == 100 * WORKERS


def test_a_worker_that_drains_early_holds_up_no_interval() -> None:
    together = Together((0, 1))
    together.told(PutOn(Load(0, 1, 1), 0))
    [_, *_, early] = script(0)
    assert list(together.said(0, early)) == []
    [ended] = together.said(1, IntervalEnded(phase=Phase.MEASURE, snapshot=counted(1, 1), number=1, length_ns=100))
    assert isinstance(ended, IntervalEnded)
    assert total(ended.snapshot) == INTERVALS + 10


def test_a_second_load_begins_anew() -> None:
    together = Together((0,))
    for _ in range(2):
        together.told(PutOn(Load(0, 1, 1), 0))
        [drained] = together.said(0, script(0)[-1])
        assert isinstance(drained, Drained)
        assert total(drained.finals[Phase.MEASURE]) == INTERVALS


def test_clock_readings_are_the_latest() -> None:
    together = Together((0, 1))
    assert list(together.said(1, ClockReading(8))) == []
    assert list(together.said(0, ClockReading(5))) == [ClockReading(8)]


@given(st.lists(st.lists(st.integers(1, 10**9), max_size=30), min_size=2, max_size=4))
def test_merged_histograms_are_those_of_all_values_bit_for_bit(values: list[list[int]]) -> None:
    def recorded(some: list[int]) -> Histogram:
        histogram = Histogram()
        for value in some:
            histogram.record(value)
        return histogram

    merged = sum((Snapshot(response={"get": recorded(some)}) for some in values), Snapshot())
    whole = recorded([value for some in values for value in some])
    assert merged.response["get"].to_bytes() == whole.to_bytes()
