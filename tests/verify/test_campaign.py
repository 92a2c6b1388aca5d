"""Campaigns, in invented time: failures are found, told apart, shrunk and kept."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from itertools import count

import pytest
from planted_kinds import Reads, Says

from loadgen.errors import ExitCode, OutputError
from loadgen.events import Event, Progress
from loadgen.reason import Code
from loadgen.verify import account
from loadgen.verify.artifact import Artifact, Origin
from loadgen.verify.campaign import Batch, Campaign, Limits
from loadgen.verify.case import Kind, Outcome, Verdict
from loadgen.verify.ended import CampaignEnded, CaseEnded, FailureFound
from loadgen.verify.replay import Replayed
from loadgen.verify.tape import Tape

PASSED = Outcome(Verdict.PASS)


class Bench:
    """A campaign with a clock that goes on by 1 ms with each reading, and what it emitted and kept."""

    def __init__(self, limits: Limits | None = None, keep: Callable[[Artifact], str] | None = None) -> None:
        ticks = count(0, 1_000_000)
        self.events: list[Event] = []
        self.kept: list[Artifact] = []
        self.campaign = Campaign(
            "planted",
            Origin("0.1.0"),
            100,
            emit=self.events.append,
            clock_ns=lambda: next(ticks),
            replay=lambda batch, kind, seed: f"loadgen replay --seed {seed} --test {kind}",
            keep=keep or self.keep,
            limits=limits or Limits(),
        )

    def keep(self, artifact: Artifact) -> str:
        self.kept.append(artifact)
        return f"failures/{artifact.kind}-{artifact.seed}.json"

    def run(self, *kinds: Kind, seeds: Sequence[int] = range(100)) -> CampaignEnded:
        self.campaign.run(Batch("planted", kinds, seeds, {"ops": "100"}, "store 1.0"))
        return self.campaign.ended()


@pytest.mark.parametrize(("bug", "shrunk"), [("stale", [(3, 0)]), ("lost", [(2, 1), (3, 1)])])
def test_a_planted_bug_is_found_once_for_each_way_it_shows_and_shrunk(bug: str, shrunk: list[tuple[int, int]]) -> None:
    """A lost write shows as no value or as an old one. `shrunk` is the operations and faults of each failure."""
    bench = Bench()
    ended = bench.run(Reads(bug=bug))
    assert ended.counts[Verdict.FAIL] > 20
    assert sorted((len(each.outcome.operations), len(each.outcome.faults)) for each in ended.failures) == shrunk
    assert all(each.drawn_operations > len(each.outcome.operations) and each.reproduced for each in ended.failures)
    failed = [(case.seed, case.fingerprint) for case in ended.cases if case.verdict is Verdict.FAIL]
    assert sorted((seed, each.outcome.fingerprint) for each in ended.failures for seed in each.seeds) == failed
    assert ended.exit_code is ExitCode.NO


def test_what_is_kept_fails_again_in_the_same_way() -> None:
    bench = Bench()
    bench.run(Reads(bug="lost"))
    assert len(bench.kept) == 2
    for kept in bench.kept:
        drawn = Tape.seeded(kept.kind, kept.seed)
        Reads(bug="lost").run(drawn)
        assert drawn.recording() == kept.tape
        again = Reads(bug="lost").run(Tape.repeating(kept.shrunk.draws))
        assert (again.operations, again.faults) == (kept.operations, kept.faults)
        assert (again.fingerprint, again.trace) == (kept.fingerprint, kept.trace)


def test_without_the_bug_every_case_passes() -> None:
    ended = Bench().run(Reads())
    assert (ended.counts, ended.failures, ended.exit_code) == ({Verdict.PASS: 100}, (), ExitCode.YES)


def test_every_seed_is_run_with_every_kind_in_order() -> None:
    ended = Bench().run(Says("a", PASSED), Says("b", PASSED), seeds=range(3, 6))
    assert [(case.seed, case.kind) for case in ended.cases] == [(s, k) for s in (3, 4, 5) for k in "ab"]
    assert (ended.total, ended.seeds) == (6, 3)


def test_a_seed_of_several_batches_counts_once() -> None:
    bench = Bench()
    bench.run(Says("a", PASSED), seeds=range(3))
    ended = bench.run(Says("b", PASSED), seeds=range(5))
    assert (ended.total, ended.seeds) == (8, 5)


def test_failures_are_told_apart_by_kind_and_fingerprint() -> None:
    def said(number: int) -> Outcome:
        return Outcome(Verdict.FAIL, "it holds", f"found {number}" if number % 2 else f'expected "{number}"')

    ended = Bench().run(Says("a", said), Says("b", said))
    assert Counter((each.kind, each.outcome.fingerprint) for each in ended.failures) == {
        (kind, f"it holds: {shape}"): 1 for kind in "ab" for shape in ("found #", "expected …")
    }
    assert sum(len(each.seeds) for each in ended.failures) == 200


def test_a_failure_that_does_not_come_again_is_reported_as_it_was() -> None:
    outcomes = iter([Outcome(Verdict.FAIL, "it holds", "found 1", ("GET a",)), PASSED])
    bench = Bench()
    ended = bench.run(Says("flaky", lambda number: next(outcomes, PASSED)), seeds=[1])
    [failure] = ended.failures
    assert not failure.reproduced
    assert failure.outcome.operations == ("GET a",)
    assert not bench.kept[0].reproduced
    assert bench.kept[0].tape == bench.kept[0].shrunk
    assert ended.exit_code is ExitCode.NO


def test_another_failure_on_the_way_is_not_taken_for_the_same() -> None:
    """Of two bugs, the one that a seed met is the one that is shrunk."""

    def said(number: int) -> Outcome:
        return Outcome(Verdict.FAIL, "it holds", "large" if number > 100 else "small") if number else PASSED

    bench = Bench()
    ended = bench.run(Says("two", said))
    large = next(each for each in bench.kept if each.message == "large")
    assert large.shrunk.values == (101,)
    assert len(ended.failures) == 2


def test_shrinking_is_bounded_by_runs_and_by_time() -> None:
    kind = Reads(bug="stale")
    Bench(Limits(shrink_runs=10)).run(kind, seeds=range(20))
    assert kind.runs == 20 + 1 + 10
    kind = Reads(bug="stale")
    Bench(Limits(shrink_ns=50_000_000)).run(kind, seeds=range(20))
    assert 20 < kind.runs < 80


def test_of_many_cases_that_passed_the_others_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(account, "MOST_PASSED", 5)
    ended = Bench().run(Reads(bug="stale"))
    kept = Counter(case.verdict for case in ended.cases)
    assert kept[Verdict.PASS] == 5
    assert kept[Verdict.FAIL] == ended.counts[Verdict.FAIL] > 20
    assert ended.total == 100


def test_an_interrupt_keeps_what_there_is() -> None:
    ended = Bench().run(Says("a", PASSED), Says("b", interrupts_at(5)), seeds=range(100))
    assert ended.interrupted
    assert ended.exit_code is ExitCode.INTERRUPTED
    assert (ended.seeds, ended.total) == (4, 9)


def interrupts_at(run: int) -> Callable[[int], Outcome]:
    runs = count(1)

    def said(number: int) -> Outcome:
        if next(runs) == run:
            raise KeyboardInterrupt
        return PASSED

    return said


def test_an_interrupt_while_shrinking_keeps_the_failure_as_far_as_it_is() -> None:
    class Interrupted(Reads):
        def run(self, tape: Tape) -> Outcome:
            if self.runs == 30:
                raise KeyboardInterrupt
            return super().run(tape)

    bench = Bench()
    ended = bench.run(Interrupted(bug="stale"))
    assert ended.interrupted
    [failure] = ended.failures
    assert failure.reproduced
    assert 3 <= len(failure.outcome.operations) < failure.drawn_operations
    assert len(bench.kept) == 1


def test_a_subject_that_is_gone_ends_the_campaign() -> None:
    bench = Bench()
    assert not bench.campaign.run(Batch("planted", [Reads(bug="crash")], range(100)))
    ended = bench.campaign.ended()
    assert [reason.words for reason in ended.reasons] == ["the store has ended"]
    assert ended.exit_code is ExitCode.COULD_NOT_RUN


def test_an_artifact_that_cannot_be_written_is_a_note() -> None:
    def full(artifact: Artifact) -> str:
        raise OutputError("the disk is full")

    ended = Bench(keep=full).run(Reads(bug="stale"))
    assert [(note.code, note.words) for note in ended.notes] == [(Code.NO_ARTIFACT, "the disk is full")]
    assert ended.failures[0].artifact == ""
    assert ended.exit_code is ExitCode.NO


def test_an_output_that_cannot_be_written_ends_the_command() -> None:
    bench = Bench()

    def emit(event: Event) -> None:
        raise OutputError("closed")

    bench.campaign._emit = emit
    with pytest.raises(OutputError):
        bench.run(Says("a", PASSED))


@pytest.mark.parametrize(
    ("verdicts", "status"),
    [
        ([Verdict.PASS, Verdict.SKIPPED], ExitCode.YES),
        ([Verdict.SKIPPED], ExitCode.CANNOT_TELL),
        ([Verdict.PASS, Verdict.UNTOLD], ExitCode.CANNOT_TELL),
        ([Verdict.UNTOLD, Verdict.FAIL], ExitCode.NO),
    ],
)
def test_the_exit_status_follows_from_the_verdicts(verdicts: list[Verdict], status: ExitCode) -> None:
    kinds = [Says(f"kind {number}", Outcome(verdict, "i", "m")) for number, verdict in enumerate(verdicts)]
    assert Bench().run(*kinds, seeds=[0]).exit_code is status


def test_an_output_that_is_gone_ends_a_replay_as_it_ends_a_run() -> None:
    def gone() -> Replayed:
        raise OutputError("closed")

    bench = Bench()
    bench.run(Reads(bug="lost"))
    with pytest.raises(OutputError):
        bench.campaign.replay(Batch("planted", [], []), bench.kept[0], "a.json", gone)


def test_states_that_no_case_reached_fail_a_campaign_that_judges_them() -> None:
    def said(number: int) -> Outcome:
        return Outcome(Verdict.PASS, sometimes={"even": int(number % 2 == 0), "above all": int(number >= 1000)})

    assert Bench().run(Says("a", said)).exit_code is ExitCode.YES
    ended = Bench(Limits(judges_states=True)).run(Says("a", said))
    assert [reason.words for reason in ended.reasons] == ["no case reached the state: above all"]
    assert ended.sometimes["even"] > 20
    assert ended.exit_code is ExitCode.NO


def test_progress_says_seeds_and_runs_of_shrinking() -> None:
    bench = Bench()
    bench.run(Reads(bug="lost"))
    told = {(event.phase, event.unit) for event in bench.events if isinstance(event, Progress)}
    assert told == {("planted", "seeds"), ("shrink", "runs")}
    seeds = [event for event in bench.events if isinstance(event, Progress) and event.unit == "seeds"]
    assert {event.total for event in seeds} == {100}
    assert [event.done for event in seeds] == sorted({event.done for event in seeds})


def test_a_failure_is_emitted_after_its_case() -> None:
    bench = Bench()
    bench.run(Reads(bug="stale"))
    said = [event for event in bench.events if isinstance(event, CaseEnded | FailureFound)]
    place = next(place for place, event in enumerate(said) if isinstance(event, FailureFound))
    before = said[place - 1]
    assert isinstance(before, CaseEnded)
    assert (before.verdict, before.replay) == (
        Verdict.FAIL,
        f"loadgen replay --seed {before.seed} --test set_get_roundtrip",
    )
