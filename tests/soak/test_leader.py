"""The leader of a soak, with an invented crew: loads last for no time, and end as a test says."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from runs import plan
from soaks import SERIES, asked

from loadgen.errors import ExitCode
from loadgen.events import Event
from loadgen.judge.judging import Judging
from loadgen.monitors.reading import Reading
from loadgen.phase import Phase
from loadgen.plan import Load
from loadgen.reason import Code
from loadgen.runner.failure import LoadFailure
from loadgen.runner.intervals import Interval
from loadgen.runner.load import Counted
from loadgen.runner.stop import Stop
from loadgen.signs import HostSigns, Signs, WorkerSigns
from loadgen.snapshot import ConnectionCounts, Snapshot, Tally
from loadgen.soak import folder
from loadgen.soak.asked import Asked, record
from loadgen.soak.ended import SoakEnded
from loadgen.soak.found import How
from loadgen.soak.leader import RATE_SHARE, Soak, Wanted
from loadgen.soak.replay import Replay
from loadgen.soak.side import Peer, together
from loadgen.soak.wear import Wear
from loadgen.units import NS_PER_S

CONNECTIONS = 4
RATE_PER_S = 100
CLOSED = Wanted(closed=True)
HERE = {"load.requests", "load.errors", "load.throughput", "load.p99", "proc.fds"}


def requests(seconds: float) -> Snapshot:
    count = round(seconds * RATE_PER_S)
    return Snapshot(tallies={"get": Tally(planned=count, ok=count)}, ok_in_time=count)


@dataclass
class Board:
    """One process, whose files are as many as a test says."""

    fds: Callable[[float], float] = lambda t_s: 22
    pid: Callable[[float], int] = lambda t_s: 1
    t_s: float = 0.0

    def news(self) -> list[Reading]:
        return [Reading("proc", 0, 0.0, {"fds": self.fds(self.t_s)}, f"pid {self.pid(self.t_s)}")]

    def evidence(self, monitor: str) -> Mapping[str, str]:
        return {}


@dataclass
class Crew:
    """Answers each request of each load. `at` is done when so many seconds of all loads have passed."""

    board: Board
    stop: Stop
    at: dict[float, Callable[[Crew], object]] = field(default_factory=dict)
    failure: LoadFailure = field(default_factory=LoadFailure)
    notes: tuple[()] = ()
    load: Load | None = None
    lengths_s: list[float] = field(default_factory=list)
    opened: int = 0
    passed_s: float = 0.0
    speed: float = 1.0
    """The share of the requests that it answers."""
    cuts: bool = False
    """The load under way ends now."""
    follows: Crew | None = None
    """Another one, which this one is never ahead of."""

    def __post_init__(self) -> None:
        self.connections = self

    @contextlib.contextmanager
    def at_work(self) -> Iterator[None]:
        yield

    def connect(self) -> None:
        self.opened += CONNECTIONS

    def prefill(self) -> None:
        """Nothing is read."""

    def open(self, *, fresh: bool) -> None:
        self.opened += CONNECTIONS if fresh else 0

    def pause(self, seconds: float) -> None:
        """Nothing passes while the load is paused."""

    def merged(self, phase: Phase) -> Snapshot:
        assert phase == Phase.PRECHECK
        return Snapshot(connections=ConnectionCounts(opened=self.opened))

    def may_pass(self, to_s: float, enough: Callable[[], bool]) -> bool:
        """Wait until the other one has passed a time; return False when the load ends before."""
        while self.follows is not None and self.follows.passed_s < to_s - 1e-9:
            if enough():
                # It has ended, perhaps after it was asked last.
                return self.follows.passed_s >= to_s - 1e-9
        return True

    def put_on(self, load: Load, *, interval_ended: Callable[[Interval], None], enough: Callable[[], bool]) -> Counted:
        self.load = load
        length_s, every_s = load.duration_ns / NS_PER_S, load.interval_ns / NS_PER_S
        done_s = 0.0
        for number in itertools.count(1):
            step_s = min(every_s, length_s - done_s)
            if not self.may_pass(self.passed_s + step_s, enough):
                break
            done_s += step_s
            self.passed_s += step_s
            self.board.t_s = self.passed_s
            interval_ended(Interval(Phase.MEASURE, number, round(step_s * NS_PER_S), requests(done_s * self.speed)))
            for when in [each for each in self.at if each <= self.passed_s]:
                self.at.pop(when)(self)
            ends = self.follows is None and enough()
            if self.stop.is_set or self.failure or ends or self.cuts or done_s >= length_s - 1e-9:
                break
        self.cuts = False
        self.lengths_s.append(round(done_s, 6))
        ended_early = self.stop.is_set or bool(self.failure)
        signs = (WorkerSigns(index=0, wall_ns=round(done_s * NS_PER_S)),)
        return Counted(
            {Phase.MEASURE: requests(done_s * self.speed)}, round(done_s * NS_PER_S), signs, ended_early=ended_early
        )


@dataclass
class Signal:
    """Says no-go when it is asked the given times, and remembers what it was told."""

    no_go: range
    asked: int = 0
    told: list[tuple[str, tuple[str, ...]]] = field(default_factory=list)

    def may_go(self) -> tuple[bool, str]:
        self.asked += 1
        return self.asked not in self.no_go, "the disk is full" if self.asked in self.no_go else ""

    def tell(self, state: str, wrong: Sequence[str], facts: Mapping[str, Any] | None = None) -> None:
        self.told.append((state, tuple(wrong)))


@dataclass
class Led:
    """A soak that was led, its crew, and its run folder."""

    ended: SoakEnded
    crew: Crew
    path: Path
    events: list[Event]

    @property
    def times_s(self) -> list[float]:
        return [row.t_s for row in folder.read(self.path).rows() if row.t_s > 0]

    def row(self, name: str) -> tuple[bool | None, str]:
        [found] = [row for row in self.ended.verdict.rows if row.name == name]
        return found.passed, found.found


def led(
    path: Path,
    of: Asked,
    wanted: Wanted = CLOSED,
    at: dict[float, Callable[[Crew], object]] | None = None,
    board: Board | None = None,
    go: Signal | None = None,
    beside: Board | None = None,
    at_beside: dict[float, Callable[[Crew], object]] | None = None,
    speed: float = 1.0,
) -> Led:
    """Lead a soak; where `beside` is given, beside a second server that it reads."""
    events: list[Event] = []
    board, stop = board or Board(), Stop()
    told: dict[str, Any] = {"board": board, "judging": Judging(), "stop": stop, "go": go}
    peer = None
    if beside is not None:
        peer = Peer(
            plan(1),
            of,
            events.append,
            open_folder=lambda began_s: folder.RunFolder(path / "against", {"started_s": began_s, **record(of)}),
            version="1",
            host="here",
            target="the other",
            **{**told, "board": beside, "go": None},
        )
        told |= {"peer": peer, "against": peer.journal}
    soak = Soak(
        plan(1),
        of,
        wanted,
        events.append,
        open_folder=lambda began_s: folder.RunFolder(path, {"started_s": began_s, **record(of)}),
        version="1",
        host="here",
        target="invented",
        **told,
    )
    crew: Any = Crew(board, stop, at or {})
    soak.crew = crew
    if peer is not None and beside is not None:
        theirs: Any = Crew(beside, stop, at_beside or {}, speed=speed, follows=crew)
        peer.crew = theirs
    ended = soak.ended(lambda rate: "invented")
    assert ended.folder == str(path)
    return Led(ended, crew, path, events)


def of(
    duration_s: float, checkpoint_s: float, *, settle_s: float = 4, every_s: float = 1, at_most_s: float = 0
) -> Asked:
    return asked(
        settle_s=settle_s,
        duration_s=duration_s,
        checkpoint_s=checkpoint_s,
        every_s=every_s,
        at_most_s=at_most_s,
        series={name: known for name, known in SERIES.items() if name in HERE},
        kinds={"proc": "proc"},
    )


def test_a_server_that_ends_fails_the_soak_which_keeps_what_it_counted(tmp_path: Path) -> None:
    crashed = led(
        tmp_path / "run",
        of(400, 100),
        at={304.0: lambda crew: crew.failure.ended_by(Code.SERVER_ENDED, "redis ended with status 1.")},
    )
    assert crashed.ended.end.how is How.CRASHED
    assert crashed.row("full duration") == (False, "5m of 400s: redis ended with status 1")
    assert crashed.row("no errors") == (True, "0 of 30,000 requests")
    assert crashed.ended.exit_code is ExitCode.NO
    kept = folder.read(crashed.path)
    assert kept.events[-1]["type"] == "end"
    assert kept.result is not None
    assert (kept.result["verdict"], kept.result["exit_status"]) == ("fail", 1)


def test_a_server_that_ends_while_the_soak_settles_fails_it(tmp_path: Path) -> None:
    crashed = led(
        tmp_path / "run",
        of(400, 100),
        at={2.0: lambda crew: crew.failure.ended_by(Code.SERVER_ENDED, "redis ended with status 1.")},
    )
    assert (crashed.ended.end.how, crashed.ended.end.t_s) == (How.CRASHED, 0)
    assert crashed.ended.exit_code is ExitCode.NO
    assert crashed.crew.lengths_s == [2]


def test_a_worker_that_dies_is_a_failure_of_loadgen(tmp_path: Path) -> None:
    failed = led(
        tmp_path / "run",
        of(400, 100),
        at={304.0: lambda crew: crew.failure.ended_by(Code.WORKER_DIED, "Worker 0 was killed by SIGKILL.")},
    )
    assert failed.ended.end.how is How.FAILED
    assert failed.ended.exit_code is ExitCode.COULD_NOT_RUN


def test_ctrl_c_ends_a_soak_with_a_verdict_on_what_there_is(tmp_path: Path) -> None:
    stopped = led(tmp_path / "run", of(400, 100), at={304.0: lambda crew: crew.stop.set()})
    assert stopped.ended.end.how is How.INTERRUPTED
    assert stopped.row("full duration") == (None, "5m of 400s: it was interrupted")
    assert len(stopped.ended.found.checkpoints) == 3
    assert stopped.ended.exit_code is ExitCode.CANNOT_TELL


def test_a_soak_that_cannot_be_told_is_extended_and_judged_again_as_it_was(tmp_path: Path) -> None:
    longer = led(tmp_path / "run", of(20, 6, at_most_s=100))
    assert [event["duration_s"] for event in folder.read(longer.path).events if event["type"] == "extended"] == [40]
    assert longer.ended.end.how is How.COMPLETE
    assert longer.row("full duration") == (True, "40s of 40s")
    # The end of what was asked for is a checkpoint, and others count on from there.
    assert [round(at.t_s) for at in longer.ended.found.checkpoints] == [6, 12, 18, 20, 26, 32, 38, 40]
    assert [at.number for at in longer.ended.found.checkpoints] == [*range(1, 9)]
    assert longer.ended.exit_code is ExitCode.YES
    again = Replay(folder.read(longer.path)).ended("1")
    assert again.verdict == longer.ended.verdict
    assert again.asked.schedule == longer.ended.asked.schedule


def test_a_soak_is_extended_to_its_most_at_the_longest_and_never_without_a_reason(tmp_path: Path) -> None:
    """Forty samples of noise never tell."""
    untold = led(
        tmp_path / "untold", of(20, 10, at_most_s=40), board=Board(lambda t_s: 1000 * (round(t_s) * 7919 % 13))
    )
    assert (untold.ended.end.t_s, untold.ended.exit_code) == (40, ExitCode.CANNOT_TELL)
    told = led(tmp_path / "told", of(200, 50, at_most_s=800))
    assert (told.ended.end.t_s, told.ended.exit_code) == (200, ExitCode.YES)


@pytest.mark.parametrize(
    ("times", "samples"),
    [
        pytest.param(of(25, 12.5, every_s=10), [10, 20, 25], id="the last interval is short"),
        pytest.param(of(26, 13, every_s=10), [10, 20, 26], id="the last interval is whole"),
        pytest.param(of(6, 3, every_s=1.5), [1.5, 3, 4.5, 6], id="no number of seconds"),
    ],
)
def test_samples_come_at_their_times_and_at_the_end(times: Asked, samples: list[float], tmp_path: Path) -> None:
    """So that the last checkpoint comes, and every request is in a sample."""
    soaked = led(tmp_path / "run", times)
    assert soaked.times_s == samples
    assert [at.number for at in soaked.ended.found.checkpoints][-1] == 2
    counted = soaked.ended.found.checkpoints[-1].reached["load.requests"].value
    assert counted == times.schedule.duration_s * RATE_PER_S


def test_connections_that_are_replaced_between_loads_are_openings(tmp_path: Path) -> None:
    worn = led(tmp_path / "run", replace(of(200, 50), wear=Wear(5)))
    assert worn.crew.lengths_s == [4, *[10.0] * 20]
    # At the beginning, and before each load but that of settling.
    openings = CONNECTIONS * (1 + 20)
    assert worn.row("connections reused")[1].endswith(f"(1 − {openings} openings / 20,000 requests)")
    steady = led(tmp_path / "steady", of(200, 50))
    assert f"1 − {CONNECTIONS} openings" in steady.row("connections reused")[1]


def test_signs_of_several_loads_are_judged_together() -> None:
    def signs(cpu_ns: int, steal_share: float | None) -> Signs:
        return Signs((WorkerSigns(index=0, wall_ns=100, cpu_ns=cpu_ns),), HostSigns(steal_share))

    both = together(together(Signs(), 0, signs(90, 0.04), 100), 100, signs(10, 0.0), 300)
    assert both.workers == (WorkerSigns(index=0, wall_ns=200, cpu_ns=100),)
    assert both.host.steal_share == pytest.approx(0.01)
    assert together(Signs(), 0, signs(1, None), 100).host.steal_share is None


def test_a_no_go_pauses_the_soak_whose_clock_stands_still(tmp_path: Path) -> None:
    """The signal is asked after each second of the soak."""
    paused = led(tmp_path / "run", of(200, 50), go=Signal(range(121, 125)))
    assert paused.crew.lengths_s == [4, 121, 79]
    assert paused.times_s == [float(second) for second in range(1, 201)]
    assert paused.ended.end.how is How.COMPLETE
    assert paused.row("full duration") == (True, "200s of 200s")
    assert paused.row("requests rise")[0]
    assert [at.t_s for at in paused.ended.found.checkpoints] == [50, 100, 150, 200]
    kinds = [event["type"] for event in folder.read(paused.path).events]
    assert kinds.index("pause") + 1 == kinds.index("resume")
    assert paused.ended.found.paused_s > 0
    assert paused.ended.exit_code is ExitCode.YES
    assert Replay(folder.read(paused.path)).ended("1").verdict == paused.ended.verdict


def test_a_no_go_ends_the_soak_where_that_is_asked_for(tmp_path: Path) -> None:
    stopped = led(tmp_path / "run", of(200, 50), Wanted(closed=True, stop_at_no_go=True), go=Signal(range(121, 10_000)))
    assert stopped.crew.lengths_s == [4, 121]
    assert (stopped.ended.end.how, stopped.ended.end.t_s) == (How.STOPPED, 121)
    assert stopped.row("full duration") == (None, "121s of 200s: no-go: the disk is full")
    assert len(stopped.ended.found.checkpoints) == 2
    assert stopped.ended.exit_code is ExitCode.CANNOT_TELL


def test_a_restart_fails_the_soak_is_a_no_go_to_others_and_cuts_the_series(tmp_path: Path) -> None:
    """A process that leaks 120 files a minute until it is restarted has a red growth before, and none after."""
    signal = Signal(range(0))

    def fds(t_s: float) -> float:
        return 22 if t_s >= 124 else 22 + 2 * t_s

    board = Board(fds, pid=lambda t_s: 1 + (t_s >= 124))
    restarted = led(tmp_path / "run", of(400, 100), board=board, go=signal)
    assert restarted.ended.end.how is How.COMPLETE
    passed, said = restarted.row("no restarts")
    assert (passed, said) == (False, "1, the first at 119s of proc: pid 1, then pid 2")
    assert restarted.ended.exit_code is ExitCode.NO
    [graded] = [each for each in restarted.ended.verdict.graded if each.column == "proc.fds"]
    assert graded.grown.segments == 2
    assert any("proc was restarted: pid 1, then pid 2" in wrong for _, wrong in signal.told)


def beside(path: Path) -> folder.KeptRun:
    return folder.read(path / "against")


def test_growth_that_another_server_has_too_is_none_and_a_leak_beyond_it_fails(tmp_path: Path) -> None:
    def alone(t_s: float) -> float:
        return 22 + round(t_s)

    def leaks(t_s: float) -> float:
        return 22 + round(2 * t_s)

    times = of(300, 60)
    assert led(tmp_path / "alone", times, board=Board(alone)).ended.exit_code is ExitCode.NO
    alike = led(tmp_path / "alike", times, board=Board(alone), beside=Board(alone))
    assert alike.ended.exit_code is ExitCode.YES
    leaking = led(tmp_path / "leaking", times, board=Board(leaks), beside=Board(alone))
    [graded] = [each for each in leaking.ended.verdict.graded if each.column == "proc.fds"]
    assert leaking.ended.exit_code is ExitCode.NO
    assert (graded.grown.slope or 0) * 60e9 == pytest.approx(60, rel=0.02)
    # The other server's run folder is whole, and has a verdict of its own.
    theirs = beside(leaking.path)
    assert [row.t_s for row in theirs.rows() if row.t_s > 0] == leaking.times_s
    assert theirs.result is not None
    assert theirs.result["end"]["how"] == "complete"
    again = Replay(folder.read(leaking.path), against=Replay(theirs).journal).ended("1")
    assert again.verdict == leaking.ended.verdict


def test_both_servers_get_the_same_loads(tmp_path: Path) -> None:
    """Replaced connections, a pause and an extension are of both."""
    theirs: list[Crew] = []
    times = replace(of(20, 10, at_most_s=40), wear=Wear(2))
    noise = Board(lambda t_s: 1000 * (round(t_s) * 7919 % 13))
    both = led(
        tmp_path / "run", times, board=noise, go=Signal(range(13, 15)),
        beside=Board(lambda t_s: 22), at_beside={2.0: theirs.append},
    )  # fmt: skip
    [other] = theirs
    assert other.lengths_s == both.crew.lengths_s
    assert other.opened == both.crew.opened
    assert sum(both.crew.lengths_s) == 44
    kinds = [event["type"] for event in beside(both.path).events]
    assert {"pause", "resume", "extended"} <= {*kinds}
    assert [row.t_s for row in beside(both.path).rows() if row.t_s > 0] == both.times_s


def test_after_a_pause_both_servers_have_one_clock(tmp_path: Path) -> None:
    """The load on the second server has ended two seconds before the no-go reached the first one's."""

    def cut(crew: Crew) -> None:
        crew.cuts = True

    both = led(tmp_path / "run", of(20, 10), go=Signal(range(13, 15)), beside=Board(), at_beside={15.0: cut})
    assert both.times_s == [float(second) for second in range(1, 21)]
    assert [row.t_s for row in beside(both.path).rows() if row.t_s > 0] == [
        second for second in both.times_s if second not in (12, 13)
    ]


def test_the_rate_that_settling_finds_is_that_of_the_slower_server(tmp_path: Path) -> None:
    found = led(tmp_path / "run", of(20, 10), Wanted(), beside=Board(), speed=0.5)
    assert found.crew.load is not None
    assert found.crew.load.rate_per_s == pytest.approx(RATE_SHARE * RATE_PER_S / 2)


def test_a_soak_goes_on_without_a_second_server_that_has_ended(tmp_path: Path) -> None:
    left = led(
        tmp_path / "run",
        of(400, 100),
        beside=Board(),
        at_beside={104.0: lambda crew: crew.failure.ended_by(Code.SERVER_ENDED, "the other ended with status 1.")},
    )
    assert left.ended.end.how is How.COMPLETE
    assert left.crew.lengths_s == [4, 400]
    assert any("the other ended early, and the soak went on without it" in note.words for note in left.ended.notes)
    [graded] = [each for each in left.ended.verdict.graded if each.column == "proc.fds"]
    assert "one series has 25% of the other's length" in graded.grown.why
    assert left.ended.exit_code is ExitCode.CANNOT_TELL
    assert beside(left.path).events[-1]["how"] == "crashed"


def test_the_second_server_s_load_ends_with_that_of_the_first(tmp_path: Path) -> None:
    crashed = led(
        tmp_path / "run",
        of(1_000, 100),
        beside=Board(),
        at={304.0: lambda crew: crew.failure.ended_by(Code.SERVER_ENDED, "redis ended with status 1.")},
    )
    assert crashed.ended.exit_code is ExitCode.NO
    end = beside(crashed.path).events[-1]
    assert (end["how"], end["why"]) == ("stopped", "the soak of invented ended")
