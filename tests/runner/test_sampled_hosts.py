"""The parts of machines in each interval, from the reports that the interval is made of."""

from __future__ import annotations

from constructed_events import counted, good, plan

from loadgen.events import MOST_SAMPLED, Event, Sample
from loadgen.judge.judging import Judging
from loadgen.phase import Phase
from loadgen.runner.crew import Crew
from loadgen.runner.intervals import Interval
from loadgen.runner.member import Share
from loadgen.runner.run import Run
from loadgen.runner.seat import Seat
from loadgen.snapshot import Snapshot
from loadgen.units import NS_PER_S


class Silent:
    """A member that is never told anything here."""

    def tell(self, message: object) -> None:
        raise AssertionError

    def fileno(self) -> int:
        raise AssertionError

    def hear(self) -> object:
        raise AssertionError

    def end(self) -> None:
        raise AssertionError


def sampled(names: list[str], *so_far: dict[int, Snapshot], phases: tuple[Phase, ...] = ()) -> list[Sample]:
    """The samples of a run on these machines, whose members have counted so much at the end of each interval."""
    told: list[Event] = []
    run = Run(plan(), told.append, judging=Judging())
    seats = [Seat(Silent(), n, Share((n,), f"Agent {name}", name), lambda: 0) for n, name in enumerate(names)]  # type: ignore[arg-type]
    assert isinstance(run.crew, Crew)
    run.crew.seats = seats
    for number, parts in enumerate(so_far, 1):
        phase = phases[number - 1] if phases else Phase.MEASURE
        run.sample(Interval(phase, number, NS_PER_S, sum(parts.values(), Snapshot()), parts))
    return [event for event in told if isinstance(event, Sample)]


ONE, TWO, MORE = counted(good(40, 10), 1), counted(good(30, 20), 2), counted(good(80, 20), 3)


def test_the_parts_are_those_of_the_interval_and_add_up_to_it() -> None:
    first, second = sampled(["db1", "db2"], {0: ONE, 1: TWO}, {0: ONE + MORE, 1: TWO})
    assert {name: part.total.planned for name, part in first.hosts.items()} == {"db1": 50, "db2": 50}
    assert {name: part.total.planned for name, part in second.hosts.items()} == {"db1": 100, "db2": 0}
    for each in (first, second):
        merged = sum(each.hosts.values(), Snapshot())
        assert merged.total == each.interval.total
        assert merged.latency().to_bytes() == each.interval.latency().to_bytes()


def test_each_phase_begins_at_nothing() -> None:
    _, measured = sampled(["db1"], {0: MORE}, {0: ONE}, phases=(Phase.WARMUP, Phase.MEASURE))
    assert measured.hosts["db1"].total.planned == 50


def test_there_are_none_without_agents_and_of_more_agents_than_are_shown() -> None:
    [here] = sampled([""], {0: ONE})
    assert here.hosts == {}
    names = [f"db{n}" for n in range(MOST_SAMPLED + 1)]
    [many] = sampled(names, dict.fromkeys(range(len(names)), ONE))
    assert many.hosts == {}
    assert many.interval.total.planned == 50 * len(names)
