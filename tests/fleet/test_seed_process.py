"""A process that runs leased seeds, with the pipe to its agent played: what it reports, and when."""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace

import pytest
from planted_kinds import Reads

from loadgen.cli import campaigns, seed_process
from loadgen.cli.seed_process import SeedProcess
from loadgen.cli.verification import Job, Planned, Run
from loadgen.errors import TargetError, UsageError
from loadgen.fleet.leases import Lease
from loadgen.fleet.seed_messages import (
    Answer,
    Finish,
    Finished,
    Known,
    Order,
    Prepare,
    Ready,
    Reported,
    Shorten,
    Shortened,
    SourceFile,
    Take,
)
from loadgen.verify.case import Kind, Outcome, Verdict
from loadgen.verify.kinds import Emit, Opened, Suite
from loadgen.verify.tape import Tape

PASSED = Outcome(Verdict.PASS)
PREPARE = Prepare("planted", ("--seeds", "1000"), (), 1, process=3)


class Pipe:
    """The agent's end: `orders` are those that have come. When the process waits for more, the agent is gone."""

    def __init__(self) -> None:
        self.orders: deque[Order] = deque()
        self.said: list[Answer] = []

    def poll(self) -> bool:
        return bool(self.orders)

    def recv(self) -> Order:
        if not self.orders:
            raise EOFError
        return self.orders.popleft()

    def send(self, answer: Answer) -> None:
        self.said.append(answer)

    def of(self, kind: type[Answer]) -> list[Answer]:
        return [each for each in self.said if isinstance(each, kind)]

    def reports(self) -> list[tuple[int, int, int]]:
        return [(each.number, each.first, each.end) for each in self.said if isinstance(each, Reported)]


class Says:
    """A kind whose outcome is told by a function of its number of runs, from 1."""

    def __init__(self, name: str, of: Callable[[int], Outcome]) -> None:
        self.name = name
        self.of = of
        self.runs = 0

    def run(self, tape: Tape) -> Outcome:
        tape.below(10, "number")
        self.runs += 1
        return self.of(self.runs)


class Bench:
    def __init__(self, monkeypatch: pytest.MonkeyPatch, *kinds: Kind, step_ns: int = 1_000) -> None:
        self.pipe = Pipe()
        self.opened = 0
        names = tuple(kind.name for kind in kinds)

        @contextlib.contextmanager
        def opened(wanted: Sequence[str], options: Mapping[str, str], emit: Emit) -> Iterator[Opened]:
            self.opened += 1
            yield Opened([kind for kind in kinds if kind.name in wanted], "a store 1.0", notes=("no cluster",))

        suite = Suite("planted", names, opened)
        job = Job(suite, {}, (Run(names, range(1000)),))
        monkeypatch.setattr(campaigns, "planned_by", lambda verb, words: Planned("planted", [job]))
        ticks = iter(range(0, 1 << 60, step_ns))
        monkeypatch.setattr(seed_process, "time", SimpleNamespace(monotonic_ns=lambda: next(ticks)))

    def run(self, *orders: Order) -> list[tuple[int, int, int]]:
        """Carry out orders until the agent is gone; return the reports as lease, first and end."""
        self.pipe.orders.extend(orders)
        with pytest.raises(EOFError):
            SeedProcess(self.pipe, PREPARE).work()  # type: ignore[arg-type]
        return self.pipe.reports()


def failing_seed(monkeypatch: pytest.MonkeyPatch) -> int:
    """Return the first seed that fails of a kind with a planted bug."""
    bench = Bench(monkeypatch, Reads(bug="stale"))
    bench.run(Take(3, Lease(1, 0, 0, 50)))
    [found] = bench.pipe.of(Reported)
    assert isinstance(found, Reported)
    return found.findings.failures[0].seed


def test_a_lease_is_run_in_order_and_reported_when_it_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench(monkeypatch, Says("a", lambda run: PASSED), Says("b", lambda run: PASSED))
    assert bench.run(Take(3, Lease(1, 0, 10, 14)), Take(3, Lease(2, 0, 14, 15))) == [(1, 10, 14), (2, 14, 15)]
    ready, first, _ = bench.pipe.said
    assert isinstance(ready, Ready)
    assert isinstance(first, Reported)
    assert (ready.process, ready.identity) == (3, "a store 1.0")
    assert [(case.seed, case.kind) for case in first.findings.cases] == [(s, k) for s in range(10, 14) for k in "ab"]
    assert [note.words for note in first.findings.notes] == ["no cluster"]
    assert bench.opened == 1


def test_of_a_long_lease_what_has_ended_is_reported_on_the_way(monkeypatch: pytest.MonkeyPatch) -> None:
    # Each reading of the clock takes 40 ms.
    bench = Bench(monkeypatch, Says("a", lambda run: PASSED), step_ns=40_000_000)
    reports = bench.run(Take(3, Lease(1, 0, 0, 20)))
    assert len(reports) > 3
    assert [first for _, first, _ in reports] == [0, *(end for _, _, end in reports[:-1])]
    assert reports[-1][2] == 20


def test_each_seed_of_a_careful_lease_is_reported_before_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench(monkeypatch, Says("a", lambda run: PASSED))
    assert bench.run(Take(3, Lease(1, 0, 5, 8, careful=True))) == [(1, 5, 6), (1, 6, 7), (1, 7, 8)]


def test_a_failure_comes_with_its_artifact_once(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench(monkeypatch, Reads(bug="stale"))
    bench.run(Take(3, Lease(1, 0, 0, 50)))
    [report] = bench.pipe.of(Reported)
    assert isinstance(report, Reported)
    failed = [case for case in report.findings.cases if case.verdict is Verdict.FAIL]
    assert len(failed) > 5
    [failure], [artifact] = report.findings.failures, report.artifacts
    assert artifact.fingerprint == failure.outcome.fingerprint
    assert len(artifact.operations) < failure.drawn_operations
    assert type(failure.outcome.sometimes) is dict


def test_a_failure_that_is_known_elsewhere_is_counted_and_not_shrunk(monkeypatch: pytest.MonkeyPatch) -> None:
    first = Bench(monkeypatch, Reads(bug="stale"))
    first.run(Take(3, Lease(1, 0, 0, 50)))
    [found] = first.pipe.of(Reported)
    assert isinstance(found, Reported)
    fingerprint = found.findings.failures[0].outcome.fingerprint
    kind = Reads(bug="stale")
    second = Bench(monkeypatch, kind)
    second.run(Known(kind.name, fingerprint), Take(3, Lease(1, 0, 0, 50)))
    [report] = second.pipe.of(Reported)
    assert isinstance(report, Reported)
    assert (report.findings.failures, report.artifacts, kind.runs) == ((), (), 50)
    assert any(case.verdict is Verdict.FAIL for case in report.findings.cases)


def test_a_lease_is_shortened_to_where_it_was_asked_or_to_where_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    def say(run: int) -> Outcome:
        if run == 3:
            bench.pipe.orders += [Shorten(3, 1, 6), Shorten(3, 2, 100), Shorten(3, 9, 1)]
        return PASSED

    bench = Bench(monkeypatch, Says("a", say))
    reports = bench.run(Take(3, Lease(1, 0, 0, 100)), Take(3, Lease(2, 0, 100, 200)))
    assert reports == [(1, 0, 6)]
    assert bench.pipe.of(Shortened) == [Shortened(3, 1, 6), Shortened(3, 2, 100)]


def test_a_lease_that_is_beyond_its_new_end_ends_at_once_and_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    def say(run: int) -> Outcome:
        if run == 3:
            bench.pipe.orders.append(Shorten(3, 1, 1))
        return PASSED

    bench = Bench(monkeypatch, Says("a", say))
    assert bench.run(Take(3, Lease(1, 0, 0, 100))) == [(1, 0, 3)]
    # The report comes before the answer: what it has run is then its own.
    assert [type(each) for each in bench.pipe.said] == [Ready, Reported, Shortened]
    assert bench.pipe.said[-1] == Shortened(3, 1, 3)


def test_to_finish_is_to_report_what_has_ended_and_to_run_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    def say(run: int) -> Outcome:
        if run == 4:
            bench.pipe.orders.append(Finish())
        return PASSED

    bench = Bench(monkeypatch, Says("a", say))
    assert bench.run(Take(3, Lease(1, 0, 0, 100))) == [(1, 0, 4)]
    assert bench.pipe.said[-1] == Finished(3)
    assert len(bench.pipe.of(Finished)) == 1


def test_a_failure_that_is_being_shrunk_is_finished_in_a_hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    seed = failing_seed(monkeypatch)

    # Each reading of the clock takes 10 ms: what is to be done is looked for each 100 ms, also while it shrinks.
    def run(*, hurries: bool) -> tuple[int, list[tuple[int, int, int]]]:
        kind = Reads(bug="stale")
        bench = Bench(monkeypatch, kind, step_ns=10_000_000)
        whole = kind.run

        def counted(tape: Tape) -> Outcome:
            if kind.runs == 9 and hurries:
                bench.pipe.orders.append(Finish())
            return whole(tape)

        kind.run = counted  # type: ignore[method-assign]
        reports = bench.run(Take(3, Lease(1, 0, seed, seed + 1)))
        return kind.runs, reports

    (slowly, whole), (quickly, cut) = run(hurries=False), run(hurries=True)
    assert whole == cut == [(1, seed, seed + 1)]
    assert quickly < slowly


def test_the_seed_that_is_being_shrunk_stays_in_its_lease(monkeypatch: pytest.MonkeyPatch) -> None:
    seed, kind = failing_seed(monkeypatch), Reads(bug="stale")
    bench = Bench(monkeypatch, kind, step_ns=10_000_000)
    whole = kind.run

    def counted(tape: Tape) -> Outcome:
        if kind.runs == 9:
            bench.pipe.orders.append(Shorten(3, 1, seed))
        return whole(tape)

    kind.run = counted  # type: ignore[method-assign]
    assert bench.run(Take(3, Lease(1, 0, seed, seed + 9))) == [(1, seed, seed + 1)]
    assert bench.pipe.of(Shortened) == [Shortened(3, 1, seed + 1)]


def test_when_a_subject_is_gone_only_whole_seeds_are_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(run: int) -> Outcome:
        if run == 4:
            raise TargetError("the store has ended")
        return PASSED

    bench = Bench(monkeypatch, Says("a", lambda run: PASSED), Says("b", gone))
    bench.pipe.orders.append(Take(3, Lease(1, 0, 0, 100)))
    with pytest.raises(TargetError):
        SeedProcess(bench.pipe, PREPARE).work()  # type: ignore[arg-type]
    assert bench.pipe.reports() == [(1, 0, 3)]
    [report] = bench.pipe.of(Reported)
    assert isinstance(report, Reported)
    # The first kind of the fourth seed has run, and is run again by whoever gets it.
    assert [case.seed for case in report.findings.cases] == [0, 0, 1, 1, 2, 2]


@pytest.mark.parametrize(
    ("path", "said"),
    [("spec.toml", "is another file than on the machine that leads"), ("no.toml", "there is no no.toml")],
)
def test_a_file_that_is_not_as_where_it_is_led_is_refused(
    path: str, said: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("spec.toml").write_text("here\n")
    Bench(monkeypatch, Says("a", lambda run: PASSED))
    prepare = Prepare("planted", (), (SourceFile(path, "0" * 32),), 1)
    with pytest.raises(UsageError, match=said):
        SeedProcess(Pipe(), prepare)  # type: ignore[arg-type]
