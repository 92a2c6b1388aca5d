"""The leader of a campaign of seeds, with machines in invented time: what is run, found, lost, and said at the end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import pytest
from seed_machines import INVARIANT, KIND, S_NS, SeedMachine, failure, study

from loadgen.errors import ExitCode, InternalError, OutputError
from loadgen.events import Event, Progress
from loadgen.fleet.seed_crew import FINISH_NS, Joined, SeedCrew
from loadgen.fleet.seed_messages import Prepare, Ready, Reported, Unable
from loadgen.fleet.study import Part, Study
from loadgen.reason import Code
from loadgen.verify.account import Findings
from loadgen.verify.artifact import Artifact
from loadgen.verify.case import Verdict
from loadgen.verify.ended import CampaignBegan, CampaignEnded, CaseEnded, FailureFound

Failing = Callable[[int], FailureFound | None]


def replay(part: Part, seed: int) -> str:
    return f"loadgen replay --seed {seed} --test {part.kinds[0]}"


class Bench:
    """A crew and its machines. Time goes on by 0.25 s with each step."""

    def __init__(
        self,
        of: Study,
        rates: dict[str, float],
        failing: Failing = lambda seed: None,
        deadly: frozenset[int] = frozenset(),
        keep: Callable[[Artifact], str] | None = None,
    ) -> None:
        self.machines = {name: SeedMachine(of, per_s, failing, deadly) for name, per_s in rates.items()}
        self.events: list[Event] = []
        self.kept: list[Artifact] = []
        self.now_ns = 0
        joined = [Joined(name, f"{name}.example", 2) for name in rates]
        self.crew = SeedCrew(of, joined, 0, emit=self.events.append, keep=keep or self.keep, replay=replay)

    def keep(self, artifact: Artifact) -> str:
        self.kept.append(artifact)
        return f"failures/{artifact.kind}-{artifact.seed}.json"

    def deliver(self) -> None:
        """Pass on orders and answers until there are none."""
        while True:
            for name, order in self.crew.orders():
                if name in self.machines:
                    self.machines[name].tell(order)
            answers = [(name, each.answers.popleft()) for name, each in self.machines.items() if each.answers]
            if not answers:
                return
            for name, answer in answers:
                self.crew.said(name, answer, self.now_ns)

    def step(self) -> None:
        self.now_ns += S_NS // 4
        for machine in self.machines.values():
            machine.work()
        self.deliver()
        self.crew.tick(self.now_ns)
        self.deliver()

    def lose(self, name: str, words: str = "said nothing for 2.5 s, and is given up") -> None:
        del self.machines[name]
        self.crew.lost(name, words, self.now_ns)

    def run(self, each: Callable[[], None] = lambda: None) -> CampaignEnded:
        self.deliver()
        for _ in range(10_000):
            if self.crew.is_over:
                return self.crew.ended(self.now_ns)
            each()
            self.step()
        raise AssertionError("the campaign does not end")

    def emitted(self, kind: type[Event]) -> list[Event]:
        return [event for event in self.events if isinstance(event, kind)]


def seeds_of(ended: CampaignEnded) -> Counter[int]:
    return Counter(case.seed for case in ended.cases)


def each_hundredth(seed: int) -> FailureFound | None:
    return failure(seed, steps=3 + seed // 100 % 7) if seed % 100 == 57 else None


def beyond(last: int) -> Failing:
    return lambda seed: failure(seed) if seed > last else None


def test_the_result_is_that_of_one_campaign_in_the_order_of_seeds() -> None:
    bench = Bench(study(1000, first=5), {"a": 100, "b": 30})
    ended = bench.run()
    assert [case.seed for case in ended.cases] == [*range(5, 1005)]
    assert (ended.seeds, ended.total, ended.exit_code) == (1000, 1000, ExitCode.YES)
    assert (ended.virtual_ns, ended.sometimes) == (10_000, {"a breaker is open": 1000})
    assert (ended.identity, ended.reasons, ended.notes) == ("a planted store", (), ())
    [began] = bench.emitted(CampaignBegan)
    assert isinstance(began, CampaignBegan)
    assert (began.suite, began.seeds, began.kinds, began.options) == ("planted", 1000, (KIND,), {"ops": "100"})
    assert len(bench.emitted(CaseEnded)) == 1000


def test_each_machine_has_a_row_with_its_seeds_and_their_rate() -> None:
    ended = Bench(study(2000), {"a": 100, "b": 30}).run()
    a, b = ended.machines
    assert (a.name, a.host, a.processes, a.lost) == ("a", "a.example", 1, "")
    assert a.seeds + b.seeds == 2000
    assert (a.seeds_per_s, b.seeds_per_s) == (pytest.approx(100, rel=0.1), pytest.approx(30, rel=0.1))


def test_a_machine_runs_as_many_processes_as_it_has_cpus_where_nobody_says_otherwise() -> None:
    by_default, given = study(10), study(10)
    object.__setattr__(by_default, "processes", 0)
    object.__setattr__(given, "processes", 3)
    for of, cpus, processes in ((by_default, 2.0, 2), (by_default, 0.25, 1), (given, 2.0, 3)):
        crew = SeedCrew(
            of, [Joined("a", "a", cpus)], 0, emit=lambda event: None, keep=lambda artifact: "", replay=replay
        )
        [(_, order)] = crew.orders()
        assert isinstance(order, Prepare)
        assert order.processes == processes


def test_a_failure_that_several_machines_find_is_one_with_its_smallest_case() -> None:
    bench = Bench(study(1000), {"a": 100, "b": 90}, each_hundredth)
    ended = bench.run()
    assert ended.counts[Verdict.FAIL] == 10
    [found] = ended.failures
    assert found.seeds == tuple(range(57, 1000, 100))
    assert found.artifact == f"failures/{KIND}-{found.seed}.json"
    # It is said once. Whoever had begun to shrink it before the other was told has shrunk it, too.
    assert len(bench.emitted(FailureFound)) == 1
    shrunk = [seed for machine in bench.machines.values() for seed in machine.shrunk]
    assert 1 <= len(shrunk) <= 2
    sizes = {seed: 3 + seed // 100 % 7 for seed in shrunk}
    assert len(found.outcome.operations) == min(sizes.values())
    assert ended.exit_code is ExitCode.NO


def test_a_machine_is_told_of_a_failure_that_another_has_found_and_does_not_shrink_it() -> None:
    bench = Bench(study(2000), {"a": 100, "b": 100}, each_hundredth)
    late = bench.machines["b"]
    late.failing = lambda seed: each_hundredth(seed) if bench.emitted(FailureFound) else None
    ended = bench.run()
    assert late.shrunk == []
    [found] = ended.failures
    assert any(seed in late.ran for seed in found.seeds)


def test_a_smaller_case_of_a_known_failure_takes_its_place_and_is_kept() -> None:
    of = study(100)
    bench = Bench(of, {"a": 1, "b": 1})
    bench.deliver()
    for machine, steps in zip(bench.machines.values(), (9, 4), strict=True):
        machine.failing = lambda seed, steps=steps: failure(seed, steps=steps) if seed < 4 else None
        machine.per_s = 100
        machine.work(1)
    bench.deliver()
    bench.run()
    ended = bench.crew.ended(bench.now_ns)
    [found] = ended.failures
    assert len(found.outcome.operations) == 4
    assert [len(each.operations) for each in bench.kept] == [9, 4]
    assert len(bench.emitted(FailureFound)) == 1


def test_different_failures_are_told_apart() -> None:
    def either(seed: int) -> FailureFound | None:
        return failure(seed, "it went down" if seed % 2 else "it stood still") if seed % 50 in (3, 4) else None

    ended = Bench(study(500), {"a": 100, "b": 100}, either).run()
    assert {each.outcome.fingerprint: len(each.seeds) for each in ended.failures} == {
        f"{INVARIANT}: it went down": 10,
        f"{INVARIANT}: it stood still": 10,
    }


def test_the_first_failure_ends_the_campaign_and_says_how_far_it_came() -> None:
    bench = Bench(study(5000, keep_going=False), {"a": 100, "b": 100}, beyond(300))
    ended = bench.run()
    assert 0 < ended.seeds < 2000
    assert ended.seeds == len(seeds_of(ended))
    assert ended.exit_code is ExitCode.NO
    [note] = ended.notes
    assert note.words == (
        f"ended at the first failure: {ended.seeds:,} of 5,000 seeds were run; --keep-going runs all of them"
    )


def test_a_seed_that_never_ends_does_not_keep_a_campaign_that_has_ended() -> None:
    bench = Bench(study(1000, keep_going=False), {"a": 100, "b": 100}, beyond(90))
    bench.deliver()
    bench.machines["b"].per_s = 0.0

    class Stuck(SeedMachine):
        def work(self, s: float = 0.25) -> None:
            """Never answer."""

    bench.machines["b"].__class__ = Stuck
    ended = bench.run()
    assert ended.exit_code is ExitCode.NO
    assert FINISH_NS <= bench.now_ns <= FINISH_NS + 60 * S_NS


def test_a_time_ends_the_campaign_as_it_does_on_one_machine() -> None:
    bench = Bench(study(1 << 40, duration_ns=20 * S_NS), {"a": 100, "b": 100})
    ended = bench.run()
    assert ended.seeds == pytest.approx(4000, rel=0.1)
    assert (ended.exit_code, ended.notes) == (ExitCode.YES, ())
    assert bench.now_ns <= 21 * S_NS


def test_the_time_of_a_campaign_begins_when_the_first_machine_is_ready() -> None:
    bench = Bench(study(1 << 40, duration_ns=20 * S_NS), {"a": 100})
    bench.now_ns = 30 * S_NS
    bench.crew.tick(bench.now_ns)
    assert not bench.crew.is_over
    ended = bench.run()
    assert ended.seeds == pytest.approx(2000, rel=0.1)
    assert ended.took_ns == pytest.approx(20 * S_NS, rel=0.1)


def test_what_a_lost_machine_had_not_reported_is_run_by_others() -> None:
    bench = Bench(study(2000), {"a": 100, "b": 100, "c": 100})

    def lose_b() -> None:
        if bench.now_ns == 4 * S_NS and "b" in bench.machines:
            bench.lose("b")

    ended = bench.run(lose_b)
    assert seeds_of(ended) == Counter(range(2000))
    assert ended.exit_code is ExitCode.YES
    lost = next(each for each in ended.machines if each.name == "b")
    assert lost.lost == "said nothing for 2.5 s, and is given up"
    assert lost.leased_again > 0
    [note] = ended.notes
    assert note.code is Code.MACHINE_LOST
    assert note.words == (
        f"b said nothing for 2.5 s, and is given up: it had run {lost.seeds:,} seeds, and {lost.leased_again:,} that "
        "it had not reported were leased again"
    )


def test_a_machine_that_was_given_up_is_not_listened_to_any_more() -> None:
    bench = Bench(study(500), {"a": 100, "b": 100})
    bench.deliver()
    for _ in range(4):
        bench.step()
    late = bench.machines["b"]
    late.work()
    bench.crew.lost("b", "said nothing for 2.5 s, and is given up", bench.now_ns)
    ended = bench.run()
    assert late.ran
    assert seeds_of(ended) == Counter(range(500))
    assert len(bench.emitted(CaseEnded)) == 500


def test_a_machine_that_was_given_up_before_it_was_ready_is_given_nothing() -> None:
    of = study(300)
    bench = Bench(of, {"a": 100, "b": 100})
    late = bench.machines["b"]
    bench.crew.lost("b", "said nothing for 2.5 s, and is given up", 0)
    bench.deliver()
    ended = bench.run()
    assert not late.ran
    assert seeds_of(ended) == Counter(range(300))


def test_without_any_machine_the_campaign_could_not_be_run_and_says_how_far_it_came() -> None:
    bench = Bench(study(5000), {"a": 100, "b": 100})

    def lose_both() -> None:
        if bench.now_ns == 5 * S_NS:
            bench.lose("a", "was killed by SIGKILL")
            bench.lose("b", "lost its connection (Connection reset by peer)")

    ended = bench.run(lose_both)
    assert ended.exit_code is ExitCode.COULD_NOT_RUN
    [reason] = ended.reasons
    assert reason.words == (
        "no machine is left: a was killed by SIGKILL; b lost its connection (Connection reset by peer); "
        f"{ended.seeds:,} of 5,000 seeds were run"
    )
    assert ended.seeds == len(ended.cases) > 0


def test_a_machine_that_becomes_slow_does_not_hold_up_the_others() -> None:
    bench = Bench(study(4000), {"a": 100, "b": 100})

    def slow() -> None:
        if bench.now_ns == 8 * S_NS:
            bench.machines["b"].per_s = 0.5

    ended = bench.run(slow)
    assert seeds_of(ended) == Counter(range(4000))
    assert bench.now_ns < 60 * S_NS


def test_a_seed_that_ends_every_process_is_left_out_and_named() -> None:
    bench = Bench(study(1000), {"a": 100, "b": 100}, deadly=frozenset({700}))
    ended = bench.run()
    assert seeds_of(ended) == Counter({*range(1000)} - {700})
    assert ended.exit_code is ExitCode.COULD_NOT_RUN
    [reason] = ended.reasons
    last = reason.words.partition("the last on ")[2][0]
    assert reason.words == (
        f"seed 700 is left out, as each process that ran it has ended, the last on {last}: it was killed by SIGSEGV; "
        f"here it is run by `loadgen replay --seed 700 --test {KIND}`"
    )
    assert {note.code for note in ended.notes} == {Code.PROCESS_ENDED}


def test_a_report_of_seeds_that_a_machine_does_not_have_is_not_counted_and_ends_its_part() -> None:
    bench = Bench(study(300), {"a": 100, "b": 100})
    bench.deliver()
    bench.step()
    twice = Findings((CaseEnded(KIND, 0, Verdict.PASS, 1),))
    bench.crew.said("b", Reported(0, 1, 0, 1, twice), bench.now_ns)
    ended = bench.run()
    assert seeds_of(ended) == Counter(range(300))
    [b] = [each for each in ended.machines if each.name == "b"]
    assert b.lost == "reports seeds 0 to 0 of lease 1, which it does not hold"


def test_a_machine_that_reads_the_command_line_otherwise_is_not_used() -> None:
    bench = Bench(study(300), {"a": 100, "b": 100})
    bench.machines["b"].digest = study(301).digest
    ended = bench.run()
    assert seeds_of(ended) == Counter(range(300))
    [b] = [each for each in ended.machines if each.name == "b"]
    assert b.lost.startswith("reads the command line as other seeds or tests")


def test_why_no_machine_can_begin_is_said() -> None:
    bench = Bench(study(300), {"a": 100, "b": 100})
    for name in ("a", "b"):
        bench.machines[name].answers.append(Unable("redis-server is not installed."))
        bench.machines[name].tell = lambda order: None  # type: ignore[method-assign]
    bench.deliver()
    assert bench.crew.is_over
    assert not bench.crew.has_begun
    assert bench.crew.why == (
        "no machine is left: a cannot run this: redis-server is not installed; b cannot run this: redis-server is not "
        "installed; 0 of 300 seeds were run"
    )


def test_an_internal_error_of_a_machine_is_one_here() -> None:
    bench = Bench(study(300), {"a": 100})
    with pytest.raises(InternalError, match="on a: KeyError: 'x'") as raised:
        bench.crew.said("a", Unable("KeyError: 'x'", "Traceback …"), 0)
    assert raised.value.traceback == "Traceback …"


def test_an_interrupt_leaves_what_was_reported() -> None:
    bench = Bench(study(5000), {"a": 100, "b": 100})
    bench.deliver()
    for _ in range(8):
        bench.step()
    bench.crew.interrupt()
    ended = bench.crew.ended(bench.now_ns)
    assert ended.interrupted
    assert ended.exit_code is ExitCode.INTERRUPTED
    assert ended.seeds == len(ended.cases) > 0


def test_a_failure_whose_artifact_cannot_be_written_is_there_all_the_same() -> None:
    def full(artifact: Artifact) -> str:
        raise OutputError("the artifact could not be written to failures: No space left on device")

    ended = Bench(study(200), {"a": 100}, each_hundredth, keep=full).run()
    [found] = ended.failures
    assert found.artifact == ""
    assert [note.code for note in ended.notes] == [Code.NO_ARTIFACT]


def test_progress_has_what_is_left_and_what_each_machine_does() -> None:
    bench = Bench(study(4000), {"a": 100, "b": 300})
    bench.deliver()
    for _ in range(24):
        bench.step()
    last = bench.emitted(Progress)[-1]
    assert isinstance(last, Progress)
    assert (last.phase, last.total, last.unit) == ("planted", 4000, "seeds")
    assert last.per_s == {"a": pytest.approx(100, rel=0.1), "b": pytest.approx(300, rel=0.1)}
    assert last.left_ns == pytest.approx((4000 - last.done) / 400 * S_NS, rel=0.15)


def test_states_are_judged_when_all_seeds_were_run_only() -> None:
    of = study(100)
    object.__setattr__(of, "judges_states", True)

    def run(*, whole: bool) -> CampaignEnded:
        bench = Bench(of, {"a": 100})
        machine = bench.machines["a"]
        run = machine.run
        machine.run = lambda seed: (Findings(run(seed)[0].cases, sometimes={"a leader is lost": 0}), ())  # type: ignore[method-assign]
        if whole:
            return bench.run()
        bench.deliver()
        bench.step()
        return bench.crew.ended(bench.now_ns)

    assert [each.code for each in run(whole=True).reasons] == [Code.STATE_NOT_REACHED]
    assert not run(whole=False).reasons


def test_a_process_that_is_not_there_cannot_speak() -> None:
    bench = Bench(study(300), {"a": 100, "b": 100})
    bench.deliver()
    bench.crew.said("b", Reported(7, 1, 0, 1, Findings()), 0)
    ended = bench.run()
    [b] = [each for each in ended.machines if each.name == "b"]
    assert b.lost == "speaks of its process 7, which is not there"
    assert seeds_of(ended) == Counter(range(300))


def test_a_second_ready_of_one_process_is_refused() -> None:
    of = study(300)
    bench = Bench(of, {"a": 100, "b": 100})
    bench.deliver()
    bench.crew.said("b", Ready(0, of.digest, ""), 0)
    assert next(each for each in bench.run().machines if each.name == "b").lost
