"""Whole comparisons on made-up rounds: when they end, what they answer, and what they refuse."""

from __future__ import annotations

import math
from collections.abc import Callable, Container, Sequence
from dataclasses import replace
from types import SimpleNamespace

import pytest
from constructed_rounds import USUAL, Constructed, Effects
from scipy import stats

from loadgen.compare.answers import Compared, GateAnswer
from loadgen.compare.candidate import Candidate
from loadgen.compare.contest import Contest
from loadgen.compare.metric import METRICS
from loadgen.compare.results import Stored
from loadgen.compare.round import Round, RoundEnded
from loadgen.compare.rounds import Contestant, Interrupted
from loadgen.compare.settings import ComparisonSettings
from loadgen.errors import TargetError, UsageError
from loadgen.events import Event
from loadgen.reason import Reason
from loadgen.stats.sequential import Shift

GATE = ComparisonSettings(thresholds={"throughput": 0.05, "p99": 0.10, "server_cpu": 0.05}, one_sided=True)
COMPARISON = ComparisonSettings(thresholds={"throughput": 0.05, "p99": 0.10, "rss": 0.05}, one_sided=False)

Told = list[Event]


def words(said: Sequence[Reason]) -> list[str]:
    return [one.words for one in said]


def contestants(count: int) -> list[Contestant]:
    plan = SimpleNamespace(history=None)
    return [Contestant(Candidate(f"server {n}", "server"), plan, None, None) for n in range(count)]  # type: ignore[arg-type]


def hold(
    settings: ComparisonSettings,
    *effects: Effects,
    sigma: float = 0.01,
    seed: int = 1,
    late: Container[int] = (),
    told: Told | None = None,
) -> list[Compared]:
    """The first candidate, as usual, against others that differ by these factors."""
    emit: Callable[[Event], None] = (told if told is not None else []).append
    contest = Contest(contestants(1 + len(effects)), settings, seed, emit)
    contest.rounds = Constructed([{}, *effects], sigma, seed, late)  # type: ignore[assignment]
    return contest.result()


def answers(compared: Compared) -> dict[str, Shift]:
    return {row.metric: row.answer for row in compared.rows}


def test_a_thing_held_against_itself_passes_at_the_first_look() -> None:
    told: Told = []
    [compared] = hold(GATE, {}, told=told)
    assert compared.verdict is GateAnswer.PASS
    assert set(answers(compared).values()) == {Shift.SAME}
    assert [event.round.number for event in told if isinstance(event, RoundEnded)] == list(range(1, 9))


@pytest.mark.parametrize(
    ("worse", "effects"),
    [("throughput", {"throughput": 1 / 1.06}), ("p99", {"p99": 1.13}), ("server_cpu", {"server_cpu": 1.06})],
)
def test_a_regression_of_any_metric_fails_a_gate_whichever_way_it_is_good(worse: str, effects: Effects) -> None:
    [compared] = hold(GATE, effects)
    assert compared.verdict is GateAnswer.FAIL
    assert answers(compared) == {name: Shift.WORSE if name == worse else Shift.SAME for name in GATE.thresholds}


def test_an_improvement_passes_a_gate() -> None:
    [compared] = hold(GATE, {"throughput": 1.2, "p99": 0.7, "server_cpu": 0.8})
    assert compared.verdict is GateAnswer.PASS


def test_a_comparison_says_better_worse_and_same_of_the_second_candidate() -> None:
    [compared] = hold(COMPARISON, {"throughput": 1.1, "p99": 1.3})
    assert answers(compared) == {"throughput": Shift.BETTER, "p99": Shift.WORSE, "rss": Shift.SAME}
    rows = {row.metric: row for row in compared.rows}
    for name, factor in (("throughput", 1.1), ("p99", 1.3), ("rss", 1.0)):
        row = rows[name]
        assert row.ci_low is not None
        assert row.ci_high is not None
        assert row.effect is not None
        assert row.ci_low <= row.effect <= row.ci_high
        assert row.effect == pytest.approx(factor - 1, abs=0.02)
        assert (row.a, row.b) == (pytest.approx(USUAL[name], rel=0.05), pytest.approx(factor * USUAL[name], rel=0.05))


def test_the_second_pass_of_a_comparison_turned_round_has_the_answers_turned_round() -> None:
    contest = Contest(contestants(2), COMPARISON, 1, lambda event: None)
    contest.rounds = Constructed([{"throughput": 1.1, "p99": 1.3}, {}], 0.01, 1)  # type: ignore[assignment]
    [compared] = contest.result()
    assert answers(compared) == {"throughput": Shift.WORSE, "p99": Shift.BETTER, "rss": Shift.SAME}


def test_effect_and_p_are_those_of_scipy_on_the_rounds_that_the_record_has() -> None:
    [compared] = hold(GATE, {"throughput": 0.97}, sigma=0.02, seed=3)
    before, after = compared.values
    differences = [math.log(a["throughput"] / b["throughput"]) for a, b in zip(before, after, strict=True)]
    row = compared.rows[0]
    assert row.rounds == len(differences)
    assert row.p == pytest.approx(stats.wilcoxon(differences, alternative="greater", method="exact").pvalue)
    walsh = sorted((x + y) / 2 for i, x in enumerate(differences) for y in differences[i:])
    assert row.effect == pytest.approx(math.exp(-float(stats.scoreatpercentile(walsh, 50))) - 1)


def test_noise_of_the_host_over_the_limit_is_refused_with_the_reason() -> None:
    [compared] = hold(GATE, {}, sigma=0.4)
    assert compared.verdict is GateAnswer.REFUSED
    assert "round to round" in compared.refused
    # The rounds that were left would not have been enough.
    assert compared.rows[0].rounds < 20


def test_a_comparison_goes_on_where_a_gate_refuses_and_says_how_many_more_rounds_it_would_take() -> None:
    [compared] = hold(COMPARISON, {}, sigma=0.4)
    assert not compared.refused
    unclear = [row for row in compared.rows if row.answer is Shift.UNCLEAR]
    assert unclear
    assert all(row.more_rounds is not None and row.more_rounds > 20 for row in unclear)
    assert all(row.rounds == 20 for row in unclear)


def test_no_more_rounds_are_run_than_allowed() -> None:
    told: Told = []
    hold(replace(GATE, max_rounds=6, noise=1.0), {}, sigma=0.2, told=told)
    assert len([event for event in told if isinstance(event, RoundEnded)]) == 6


def test_of_three_candidates_two_are_held_against_the_first() -> None:
    compared = hold(COMPARISON, {"throughput": 0.9}, {"throughput": 1.1})
    assert [each.a.name for each in compared] == ["server 0", "server 0"]
    assert [each.b.name for each in compared] == ["server 1", "server 2"]
    assert [answers(each)["throughput"] for each in compared] == [Shift.WORSE, Shift.BETTER]


def test_latency_of_a_generator_that_was_late_is_not_judged_and_throughput_is() -> None:
    [compared] = hold(GATE, {"throughput": 0.9, "p99": 2.0}, late=range(99))
    assert answers(compared)["p99"] is Shift.UNCLEAR
    assert next(row.why for row in compared.rows if row.metric == "p99") == "the generator ran late in 8 of 8 rounds"
    assert "the generator was late in round 8 (8 such warnings; the last is shown)" in words(compared.notes)
    assert answers(compared)["throughput"] is Shift.WORSE
    assert compared.verdict is GateAnswer.FAIL


def test_rounds_in_which_the_generator_ran_late_are_left_out_of_latency_and_of_nothing_else() -> None:
    gate = replace(GATE, thresholds={"throughput": 0.05, "p99": 0.1})
    [compared] = hold(gate, {"p99": 2.0}, late=(3,), sigma=0.005)
    rows = {row.metric: row for row in compared.rows}
    assert compared.verdict is GateAnswer.FAIL
    assert (rows["p99"].answer, rows["p99"].rounds) == (Shift.WORSE, 7)
    assert (rows["throughput"].answer, rows["throughput"].rounds) == (Shift.SAME, 8)
    assert "the generator was late in round 3" in words(compared.notes)
    assert "3 slices were measured again, because the host took a CPU away while they were measured" in words(
        compared.notes
    )


def test_a_metric_that_most_rounds_lack_is_not_waited_for_and_one_that_few_lack_is() -> None:
    # Of 7 rounds, differences of one sign have p = 1/128, which is more than a third of 2 %.
    for late, rounds in (((1, 3, 4, 6, 7), 8), ((1, 3, 4), 14)):
        told: Told = []
        hold(GATE, {"p99": 2.0}, late=late, told=told)
        assert len([event for event in told if isinstance(event, RoundEnded)]) == rounds


def test_a_gate_whose_latency_cannot_be_judged_does_not_pass() -> None:
    [compared] = hold(GATE, {}, late=range(99))
    assert compared.verdict is GateAnswer.INCONCLUSIVE


def test_what_is_unclear_has_the_p_that_would_have_been_needed_and_what_is_clear_has_none() -> None:
    [compared] = hold(replace(GATE, noise=9.0), {"throughput": 0.5}, sigma=0.3, seed=4)
    rows = {row.metric: row for row in compared.rows}
    assert rows["throughput"].level is None
    unclear = [row for row in compared.rows if row.answer is Shift.UNCLEAR]
    assert unclear
    # One of three has been found, and the last look has 3 %.
    assert {row.level for row in unclear} == {0.03 / 2}


def test_an_answer_took_as_long_as_the_rounds_that_it_rests_on() -> None:
    [compared] = hold(GATE, {"throughput": 0.85, "p99": 1.03}, sigma=0.07, seed=2)
    rows = {row.metric: row for row in compared.rows}
    assert rows["throughput"].took_s == 2.0 * rows["throughput"].rounds == 16.0
    assert max(row.took_s for row in compared.rows) > 16.0


def test_a_gate_passes_when_the_interval_excludes_the_regression_however_noisy_the_host() -> None:
    [compared] = hold(GATE, {"throughput": 3.0, "p99": 0.2, "server_cpu": 0.3}, sigma=0.4)
    assert all(row.noise is not None and row.noise > GATE.noise * row.threshold / 0.05 for row in compared.rows)
    assert compared.verdict is GateAnswer.PASS
    assert compared.refused == ""


def test_rounds_too_few_for_an_answer_are_refused_before_anything_runs() -> None:
    for settings, least in ((GATE, 6), (COMPARISON, 7)):
        with pytest.raises(UsageError, match=rf"5 rounds cannot tell .* allow {least} at least \(--rounds {least}\)"):
            Contest(contestants(2), replace(settings, max_rounds=5), 1, lambda event: None)
        Contest(contestants(2), replace(settings, max_rounds=least), 1, lambda event: None)


class Ending(Constructed):
    """Ends in the third round."""

    def __init__(self, error: BaseException) -> None:
        super().__init__([{}, {}], 0.01, 1)
        self.error = error

    def next(self) -> Round:
        if self.number == 2:
            raise self.error
        return super().next()


@pytest.mark.parametrize("error", [Interrupted(), KeyboardInterrupt()])
def test_an_interrupted_comparison_says_what_its_rounds_came_to(error: BaseException) -> None:
    contest = Contest(contestants(2), GATE, 1, lambda event: None)
    contest.rounds = Ending(error)  # type: ignore[assignment]
    [compared] = contest.result()
    assert compared.interrupted
    assert {row.rounds for row in compared.rows} == {2}
    assert set(answers(compared).values()) == {Shift.UNCLEAR}


def test_a_candidate_that_dies_ends_the_comparison_with_the_reason() -> None:
    contest = Contest(contestants(2), GATE, 1, lambda event: None)
    contest.rounds = Ending(TargetError("server 1 was killed by SIGSEGV"))  # type: ignore[assignment]
    [compared] = contest.result()
    assert compared.failure == "server 1 was killed by SIGSEGV"
    assert compared.verdict is GateAnswer.ERROR


# ── Stored results ──────────────────────────────────────────────────────────────────────────────────────────────────


def stored(count: int, effects: Effects, sigma: float = 0.01, seed: int = 7) -> Stored:
    rounds = Constructed([effects], sigma, seed)
    return Stored(Candidate("last week", "results"), tuple(rounds.next().values[0] for _ in range(count)))


def against(baseline: Stored, effects: Effects, settings: ComparisonSettings = GATE) -> Compared:
    contest = Contest([baseline, *contestants(1)], settings, 1, lambda event: None)
    contest.rounds = Constructed([effects], 0.01, 1)  # type: ignore[assignment]
    [compared] = contest.result()
    return compared


def test_a_stored_baseline_is_judged_as_independent_samples_and_said_to_be_weaker() -> None:
    same, worse = against(stored(8, {}), {}), against(stored(8, {}), {"throughput": 0.9})
    assert (same.verdict, worse.verdict) == (GateAnswer.PASS, GateAnswer.FAIL)
    assert not same.paired
    assert any("stored" in note for note in words(same.notes))
    before, after = worse.values
    p = stats.mannwhitneyu(
        [-math.log(values["throughput"]) for values in after],
        [-math.log(values["throughput"]) for values in before],
        alternative="greater",
        method="exact",
    ).pvalue
    assert worse.rows[0].p == pytest.approx(p)


def test_two_stored_results_are_compared_without_a_round() -> None:
    contest = Contest([stored(8, {}), stored(8, {"rss": 2.0}, seed=8)], COMPARISON, 1, lambda event: None)
    [compared] = contest.result()
    assert answers(compared)["rss"] is Shift.WORSE
    assert answers(compared)["throughput"] is Shift.SAME


def test_a_single_stored_result_is_no_ground_to_judge_on() -> None:
    compared = against(stored(1, {}), {"throughput": 0.5})
    assert compared.verdict is GateAnswer.INCONCLUSIVE
    assert any("1 and 20 runs are too few" in note for note in words(compared.notes))
    assert not any("too few" in note for note in words(against(stored(8, {}), {}).notes))


def test_a_metric_that_one_side_lacks_is_unclear_and_says_so() -> None:
    bare = replace(stored(8, {}), values=tuple({"throughput": 1e5 + n} for n in range(8)))
    compared = against(bare, {})
    assert answers(compared)["p99"] is Shift.UNCLEAR
    assert "p99 response time was not measured on both sides" in next(
        row.why for row in compared.rows if row.metric == "p99"
    )


# ── --aa ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_thing_compared_with_itself_gives_the_noise_that_was_put_in_and_few_false_alarms() -> None:
    contest = Contest(contestants(2), replace(GATE, max_rounds=60), 1, lambda event: None)
    contest.rounds = Constructed([{}, {}], 0.03, 5)  # type: ignore[assignment]
    found = contest.noise_of_itself()
    assert found.rounds == 60
    assert set(found.noise) == set(GATE.thresholds)
    assert all(sigma == pytest.approx(0.03, rel=0.4) for sigma in found.noise.values())
    assert set(found.false_alarms) == {*GATE.thresholds, "any"}
    assert found.false_alarms["any"] <= 0.08


def test_every_metric_has_a_loop_or_is_of_both() -> None:
    assert {metric.loop for metric in METRICS.values()} == {"closed", "open", ""}


def test_a_regression_is_red_though_another_metric_is_too_noisy_to_judge() -> None:
    class Noisy(Constructed):
        def values(self, effects: Effects) -> dict[str, float]:
            values = super().values(effects)
            return {**values, "p99": values["p99"] * math.exp(self.random.gauss(0, 0.5))}

    verdicts = []
    for effects in ({"throughput": 0.93}, {}):
        contest = Contest(contestants(2), GATE, 1, lambda event: None)
        contest.rounds = Noisy([{}, effects], 0.01, 1)  # type: ignore[assignment]
        [compared] = contest.result()
        verdicts.append(compared.verdict)
        assert answers(compared)["p99"] is Shift.UNCLEAR
        assert "p99 response differs from round to round" in compared.refused
    assert verdicts == [GateAnswer.FAIL, GateAnswer.REFUSED]


def test_a_regression_far_beyond_the_noise_is_red_however_noisy_the_host() -> None:
    [compared] = hold(GATE, {"throughput": 0.6}, sigma=0.13)
    assert compared.rows[0].noise is not None
    assert compared.rows[0].noise > GATE.noise
    assert answers(compared)["throughput"] is Shift.WORSE
    assert compared.verdict is GateAnswer.FAIL


def test_what_an_early_look_decided_is_shown_with_the_rounds_of_that_look() -> None:
    [compared] = hold(GATE, {"throughput": 0.85, "p99": 1.025}, sigma=0.08, seed=2)
    rows = {row.metric: row for row in compared.rows}
    assert rows["throughput"].answer is Shift.WORSE
    assert rows["throughput"].rounds == 8
    assert max(row.rounds for row in compared.rows) > 8


def test_a_stored_result_of_another_machine_is_said_to_be_one() -> None:
    elsewhere = replace(stored(8, {}), candidate=Candidate("last week", "results", host="another: 64 × CPU"))
    assert any("another machine" in note for note in words(against(elsewhere, {}).notes))
    assert not any("another machine" in note for note in words(against(stored(8, {}), {}).notes))
