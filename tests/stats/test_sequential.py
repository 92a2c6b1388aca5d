"""The rule of comparisons: when it looks, what it answers, and how often it errs in simulated suites."""

from __future__ import annotations

import importlib
import math
import random
import statistics
import subprocess
import sys
from collections.abc import Iterator
from itertools import product
from types import ModuleType

import pytest
from hypothesis import given
from hypothesis import strategies as st
from places import ROOT

from loadgen.stats.noise import noise
from loadgen.stats.rank_sum import RankSum
from loadgen.stats.sequential import Rule, Shift, Suite, false_alarms, judge, least_rounds, more_rounds
from loadgen.stats.signed_rank import SignedRank

BENCHMARK = ROOT / "benchmark"
GATE = Rule()
COMPARISON = Rule.within(20, 1, one_sided=False)
EIGHT = [0.001 * k for k in range(-4, 4)]


def around(shift: float, others: int = 0) -> SignedRank:
    """Eight differences about `shift`, so many of which are turned to the other side and made small.

    The p of a shift above 0 is then 1/256 for none, 2/256 for one, 5/256 for two: the ways in which no more of the
    ranks' sum is on the other side.
    """
    small = [-math.copysign(0.0001 * (k + 1), shift) for k in range(others)]
    return SignedRank([*small, *(shift + each for each in EIGHT[others:])])


def answer(found: SignedRank | RankSum, rule: Rule, threshold: float = 0.05) -> Shift:
    return judge({"p99": found}, {"p99": threshold}, rule)["p99"]


@pytest.fixture(scope="module")
def simulations() -> Iterator[ModuleType]:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(BENCHMARK)
        yield importlib.import_module("simulations")


# ── Looks ───────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("max_rounds", "metrics", "one_sided", "looks"),
    [
        (20, 1, True, (8, 14, 20)),
        (20, 3, True, (8, 14, 20)),
        (20, 6, False, (10, 15, 20)),
        (60, 1, True, (8, 34, 60)),
        (12, 3, True, (8, 10, 12)),
        (11, 3, True, (11,)),
        (8, 1, True, (8,)),
        (4, 1, True, (4,)),
    ],
)
def test_looks_fit_the_most_rounds_and_the_last_one_is_at_them(
    max_rounds: int, metrics: int, one_sided: bool, looks: tuple[int, ...]
) -> None:
    assert Rule.within(max_rounds, metrics, one_sided=one_sided).looks == looks


@given(st.integers(1, 60), st.integers(1, 24), st.booleans())
def test_every_look_can_find_a_difference_once_there_are_least_rounds(most: int, metrics: int, one_sided: bool) -> None:
    rule = Rule.within(most, metrics, one_sided=one_sided)
    for look in rule.looks:
        found = SignedRank([1.0 + k for k in range(look)])
        reached = rule.p(found) <= rule.alpha(look) / metrics
        assert reached == (most >= least_rounds(metrics, one_sided=one_sided))


def test_alpha_is_that_of_the_look_before() -> None:
    assert [GATE.alpha(rounds) for rounds in (3, 8, 13, 14, 19, 20, 40)] == [0.02, 0.02, 0.02, 0.02, 0.02, 0.03, 0.03]


@pytest.mark.parametrize(("looks", "alphas"), [((), ()), ((8, 8), (0.02, 0.02)), ((14, 8), (0.02, 0.02)), ((8,), ())])
def test_looks_that_do_not_rise_or_have_no_alpha_are_refused(looks: tuple[int, ...], alphas: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="looks rise"):
        Rule(looks, alphas)


# ── Answers ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("shift", "of_a_gate", "of_a_comparison"),
    [
        (0.10, Shift.WORSE, Shift.WORSE),
        (0.05, Shift.WORSE, Shift.WORSE),
        (0.04, Shift.SAME, Shift.SAME),
        (0.0, Shift.SAME, Shift.SAME),
        (-0.04, Shift.SAME, Shift.SAME),
        (-0.05, Shift.SAME, Shift.BETTER),
        (-0.10, Shift.SAME, Shift.BETTER),
    ],
)
def test_what_a_shift_is_called(shift: float, of_a_gate: Shift, of_a_comparison: Shift) -> None:
    assert answer(around(shift), GATE) is of_a_gate
    assert answer(around(shift), COMPARISON) is of_a_comparison


def spread_around(shift: float, step: float = 0.006) -> SignedRank:
    """Eight differences of which the interval is some 0.03 wide, and of which p is 1/256 where they are all above 0."""
    return SignedRank([shift + step * (k - 3.5) for k in range(8)])


def test_a_real_change_is_worse_only_where_the_threshold_is_not_ruled_out_and_is_nearer_than_no_change() -> None:
    # ln 1.05 is 0.0488, and half of the threshold ln 1.025 = 0.0247.
    for shift, called in ((0.05, Shift.WORSE), (0.04, Shift.WORSE), (0.03, Shift.SAME)):
        found = spread_around(shift)
        assert (GATE.p(found), answer(found, GATE)) == (1 / 256, called)
    # As real, as wide as to reach the threshold, and nearer to no change.
    nearer_to_none = SignedRank([0.001, 0.002, 0.003, 0.004, 0.005, 0.006, 0.09, 0.11])
    assert nearer_to_none.estimate < math.log(1.025) < math.log(1.05) < nearer_to_none.upper(0.95)
    assert answer(nearer_to_none, GATE) is Shift.UNCLEAR


def test_what_separates_worse_from_the_same_comes_nearer_to_the_threshold_with_the_rounds() -> None:
    def sixty(shift: float) -> SignedRank:
        return SignedRank([shift + 0.006 * (k % 8 - 3.5) + 1e-6 * k for k in range(60)])

    assert answer(spread_around(0.042), GATE) is Shift.WORSE
    assert answer(sixty(0.042), GATE) is Shift.SAME
    assert answer(sixty(0.05), GATE) is Shift.WORSE


def test_samples_without_pairs_are_judged_alike() -> None:
    a = [0.001 * k for k in range(8)]
    for shift, called in ((0.1, Shift.WORSE), (0.0, Shift.SAME), (-0.1, Shift.BETTER)):
        assert answer(RankSum(a, [shift + each for each in a]), COMPARISON) is called


def test_a_wide_spread_is_unclear() -> None:
    spread = SignedRank([-0.2, 0.21, -0.15, 0.16, -0.1, 0.11, 0.3, -0.31])
    assert answer(spread, GATE) is Shift.UNCLEAR
    assert answer(spread, COMPARISON) is Shift.UNCLEAR


def test_a_comparison_is_the_same_only_within_the_threshold_on_both_sides() -> None:
    # It may be much better or not: to a gate that is all one.
    perhaps_better = SignedRank([-0.2, -0.15, -0.1, -0.05, 0.001, 0.002, 0.003, 0.004])
    assert answer(perhaps_better, GATE) is Shift.SAME
    assert answer(perhaps_better, COMPARISON) is Shift.UNCLEAR


def test_the_threshold_is_a_share_of_what_is_worse_when_more() -> None:
    # ln 1.05 is 0.0488: a bound between it and 0.05 is not within the threshold.
    row = SignedRank([0.049, -0.049, 0.0489, -0.0489, 0.0491, -0.0491, 0.0492, 0.0493])
    assert 0.0488 < row.upper(0.95) < 0.05
    assert answer(row, GATE) is Shift.UNCLEAR
    assert answer(row, GATE, threshold=0.06) is Shift.SAME


def test_a_comparison_spends_alpha_on_both_sides() -> None:
    # With two on the other side, p is that of signs whose ranks sum to 3 at most: 5 in 256, and twice that both ways.
    found = around(0.1, others=2)
    assert GATE.p(found) == 5 / 256 < 0.02
    assert COMPARISON.p(found) == 10 / 256
    assert answer(found, GATE) is Shift.WORSE
    assert answer(found, COMPARISON) is Shift.UNCLEAR


def adjusted(ps: list[float]) -> list[float]:
    """Holm's adjusted p values, as textbooks define them."""
    order = sorted(range(len(ps)), key=ps.__getitem__)
    steps = [(len(ps) - step) * ps[place] for step, place in enumerate(order)]
    return [max(steps[: order.index(place) + 1]) for place in range(len(ps))]


@pytest.mark.parametrize("others", list(product(range(5), repeat=3)))
def test_metrics_share_alpha_as_holm_has_it(others: tuple[int, ...]) -> None:
    evidence = {str(place): around(0.1, count) for place, count in enumerate(others)}
    answers = judge(evidence, dict.fromkeys(evidence, 0.05), GATE)
    correct = adjusted([found.p_greater for found in evidence.values()])
    assert [answers[name] is Shift.WORSE for name in evidence] == [p <= 0.02 for p in correct]


def test_a_metric_without_evidence_is_unclear_and_keeps_its_part_of_alpha() -> None:
    thresholds = dict.fromkeys(("throughput", "p99"), 0.05)
    almost = around(0.1, others=2)  # p = 5/256 = 0.0195: enough for one metric, not for the first of two
    assert answer(almost, GATE) is Shift.WORSE
    assert judge({"p99": almost}, thresholds, GATE) == {"throughput": Shift.UNCLEAR, "p99": Shift.UNCLEAR}


def test_what_is_not_judged_has_no_answer_and_takes_no_alpha() -> None:
    almost = around(0.1, others=2)
    assert judge({"rss": around(0.0), "p99": almost}, {"p99": 0.05}, GATE) == {"p99": Shift.WORSE}


@pytest.mark.parametrize("said", [Shift.WORSE, Shift.SAME, Shift.BETTER])
def test_what_is_decided_stays_decided(said: Shift) -> None:
    for shift in (0.1, 0.0, -0.1):
        assert judge({"p99": around(shift)}, {"p99": 0.05}, COMPARISON, {"p99": said}) == {"p99": said}


def test_what_was_unclear_is_asked_again() -> None:
    assert judge({"p99": around(0.1)}, {"p99": 0.05}, GATE, {"p99": Shift.UNCLEAR}) == {"p99": Shift.WORSE}


def test_a_difference_that_was_found_leaves_its_alpha_to_the_others_and_the_same_does_not() -> None:
    thresholds = dict.fromkeys(("throughput", "p99"), 0.05)
    evidence = {"throughput": around(0.0), "p99": around(0.1, others=2)}
    for said, then in ((Shift.WORSE, Shift.WORSE), (Shift.SAME, Shift.UNCLEAR)):
        assert judge(evidence, thresholds, GATE, {"throughput": said})["p99"] is then


# ── Suites ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_suite_is_judged_at_its_looks_only_and_ends_with_its_answers() -> None:
    suite = Suite({"p99": 0.05}, GATE)
    for rounds in range(1, 9):
        assert (suite.finished, suite.answers) == (False, {"p99": Shift.UNCLEAR})
        suite.add({"p99": 0.1 + 0.001 * rounds})
    assert (suite.finished, suite.answers, suite.rounds) == (True, {"p99": Shift.WORSE}, 8)


def test_a_suite_without_an_answer_ends_at_the_last_look() -> None:
    suite, chance = Suite({"p99": 0.05}, GATE), random.Random(1)
    while not suite.finished:
        suite.add({"p99": chance.gauss(0.03, 0.3)})
    assert (suite.rounds, suite.answers) == (20, {"p99": Shift.UNCLEAR})


def test_a_suite_does_not_wait_for_a_metric_that_no_round_has() -> None:
    suite = Suite({"p99": 0.05, "rss": 0.05}, GATE)
    while not suite.finished:
        suite.add({"p99": 0.0})
    assert (suite.rounds, suite.answers) == (8, {"p99": Shift.SAME, "rss": Shift.UNCLEAR})


def test_a_suite_waits_for_a_metric_that_some_rounds_have() -> None:
    suite = Suite({"p99": 0.05, "rss": 0.05}, GATE)
    while not suite.finished:
        suite.add({"p99": 0.0, "rss": 0.0} if suite.rounds % 2 else {"p99": 0.0})
    assert (suite.rounds, set(suite.answers.values())) == (14, {Shift.SAME})
    assert suite.grounds["rss"].rounds == 7


def test_a_noisy_metric_is_given_up_where_the_rounds_left_cannot_answer_it_and_not_before() -> None:
    rule = Rule.within(20, 1, one_sided=True, most_noise=1.6)
    for sigma, hopeless in ((0.30, True), (0.07, False)):
        suite = Suite({"p99": 0.05}, rule)
        while not suite.finished:
            suite.add({"p99": (-1) ** suite.rounds * sigma / 1.4826})
        assert (suite.given_up, suite.rounds) == ({"p99"} if hopeless else set(), 8)


def test_noise_keeps_no_metric_from_its_answer() -> None:
    rule = Rule.within(20, 1, one_sided=True, most_noise=1.6)
    for better, said in ((-0.5, Shift.SAME), (0.5, Shift.WORSE)):
        suite = Suite({"p99": 0.05}, rule)
        while not suite.finished:
            suite.add({"p99": better + (-1) ** suite.rounds * 0.2})
        assert suite.grounds["p99"].spread > 1.6 * 0.05
        assert (suite.answers, suite.given_up) == ({"p99": said}, set())


def test_the_level_is_alpha_shared_among_the_metrics_that_have_no_shift_yet() -> None:
    suite = Suite({"p99": 0.05, "rss": 0.05, "p50": 0.05}, Rule.within(20, 3, one_sided=True))
    assert suite.level == 0.02 / 3
    for k in range(8):
        suite.add({"p99": 0.1 + 0.001 * k, "rss": 0.2 * (-1) ** k, "p50": 0.21 * (-1) ** k})
    assert suite.answers["p99"] is Shift.WORSE
    assert suite.level == 0.02 / 2


# ── Noise, and what it takes ────────────────────────────────────────────────────────────────────────────────────────


def test_noise_is_sigma_and_a_few_spoilt_rounds_do_not_count() -> None:
    chance = random.Random(4)
    quiet = [chance.gauss(0.01, 0.04) for _ in range(2000)]
    assert noise(quiet) == pytest.approx(0.04, rel=0.05)
    spoilt = [each + (chance.choice((-0.2, 0.2)) if chance.random() < 0.1 else 0) for each in quiet]
    assert statistics.stdev(spoilt) > 0.07
    assert noise(spoilt) == pytest.approx(0.04, rel=0.2)


def row_with(sigma: float, shift: float, rounds: int) -> SignedRank:
    """Differences on either side of `shift`, whose noise is sigma."""
    return SignedRank([shift + (-1) ** k * sigma / 1.4826 for k in range(rounds)])


def test_without_a_shift_more_rounds_are_those_of_the_normal_formula() -> None:
    in_all = ((1.6449 + 1.2816) * 0.08 / math.log(1.05)) ** 2
    found = row_with(0.08, 0.0, 8)
    assert found.spread == pytest.approx(0.08)
    assert more_rounds(found, 0.05, GATE) == math.ceil(in_all) - 8 == 16


def test_a_shift_between_the_bounds_takes_more_rounds_than_none_or_a_large_one() -> None:
    none, between, large = (more_rounds(row_with(0.08, shift, 8), 0.05, GATE) for shift in (0.0, 0.03, 0.1))
    assert none is not None
    assert between is not None
    assert large is not None
    assert between > none > large >= 1


def test_what_is_better_takes_a_comparison_no_fewer_rounds_than_what_is_worse() -> None:
    better, worse = (more_rounds(row_with(0.2, shift, 8), 0.05, COMPARISON) for shift in (-0.03, 0.03))
    assert better == worse
    assert more_rounds(row_with(0.2, -0.03, 8), 0.05, GATE) < better


def test_more_rounds_of_samples_without_pairs_are_from_the_noise_of_both() -> None:
    row = [0.05 * (-1) ** k for k in range(8)]
    found = RankSum(row, row)
    assert found.spread == pytest.approx(math.sqrt(2) * noise(row))
    assert more_rounds(found, 0.05, GATE) == math.ceil(((1.6449 + 1.2816) * found.spread / math.log(1.05)) ** 2) - 8


def test_two_rounds_say_nothing_of_how_many_more() -> None:
    assert more_rounds(SignedRank([0.1, -0.1]), 0.05, GATE) is None
    assert more_rounds(SignedRank([0.0, 0.0, 0.0]), 0.05, GATE) == 1


# ── How often it errs ───────────────────────────────────────────────────────────────────────────────────────────────


def noisy_rounds(sigma: float, metrics: str, seed: int = 3) -> list[dict[str, float]]:
    chance = random.Random(seed)
    return [{name: chance.gauss(0, sigma) for name in metrics} for _ in range(40)]


def test_false_alarms_are_rare_in_rounds_of_one_thing_held_against_itself() -> None:
    alarms = false_alarms(noisy_rounds(0.06, "abc"), dict.fromkeys("abc", 0.05), Rule.within(20, 3, one_sided=True), 7)
    assert list(alarms) == ["a", "b", "c", "any"]
    assert max(alarms["a"], alarms["b"], alarms["c"]) < alarms["any"] <= 0.05


def test_false_alarms_do_not_hang_on_which_of_two_was_called_b() -> None:
    # The rounds as they are lean to one side; their signs are thrown anew.
    leaning = [{"a": 0.03 + each["a"]} for each in noisy_rounds(0.02, "a")]
    assert false_alarms(leaning, {"a": 0.05}, GATE, 7)["any"] <= 0.06


def test_false_alarms_draw_whole_rounds() -> None:
    # A metric that is another one by a second name is never the only one to alarm.
    rounds = [{**each, "b": each["a"]} for each in noisy_rounds(0.06, "a")]
    alarms = false_alarms(rounds, dict.fromkeys("ab", 0.05), Rule.within(20, 2, one_sided=True), 7)
    assert alarms["a"] == alarms["b"] == alarms["any"] > 0


def test_false_alarms_of_a_comparison_are_those_on_either_side() -> None:
    rounds = noisy_rounds(0.06, "a")
    counted = 0
    chance = random.Random(7)
    for _ in range(1000):
        suite = Suite({"a": 0.05}, COMPARISON)
        while not suite.finished:
            drawn, sign = chance.choice(rounds), chance.choice((-1, 1))
            suite.add({"a": sign * drawn["a"]})
        counted += suite.answers["a"] in (Shift.BETTER, Shift.WORSE)
    assert false_alarms(rounds, {"a": 0.05}, COMPARISON, 7)["any"] == counted / 1000 > 0


def test_a_seed_gives_the_same_false_alarms_again() -> None:
    rounds, thresholds = noisy_rounds(0.06, "ab"), dict.fromkeys("ab", 0.05)
    once, again, other = (false_alarms(rounds, thresholds, GATE, seed, suites=300) for seed in (1, 1, 2))
    assert once == again != other


def test_no_rounds_have_no_false_alarms_to_tell_of() -> None:
    with pytest.raises(ValueError, match="there are none"):
        false_alarms([], {"a": 0.05}, GATE, 1)


# How many suites are simulated, and by how much a share of them may be off: two standard errors where they are few.
@pytest.mark.parametrize(("suites", "off"), [(200, 0.03), pytest.param(1000, 0.0, marks=pytest.mark.law)])
@pytest.mark.parametrize(("metrics", "one_sided"), [(1, True), (3, True), (6, False)])
def test_a_thing_held_against_itself_differs_in_one_suite_of_twenty_at_most(
    simulations: ModuleType, metrics: int, one_sided: bool, suites: int, off: float
) -> None:
    rule = Rule.within(20, metrics, one_sided=one_sided)
    for kind in simulations.NOISES:
        same = simulations.simulate(kind, [0.0] * metrics, rule, suites=suites, seed=1)
        assert same.found <= 0.05 + off, (kind, same)
        if kind.sigma <= 0.04 and not kind.spiked:
            assert same.unclear <= 0.1 + off, (kind, same)


@pytest.mark.parametrize(("suites", "off"), [(400, 0.03), pytest.param(3000, 0.0, marks=pytest.mark.law)])
@pytest.mark.parametrize("shifts", [[0.05], [0.05, 0.05, 0.05], [0.05, 0.0, 0.0]], ids=["one", "all", "one of three"])
def test_a_gate_catches_the_threshold_in_9_suites_of_10_where_noise_is_four(
    simulations: ModuleType, shifts: list[float], suites: int, off: float
) -> None:
    rule = Rule.within(20, len(shifts), one_sided=True)
    caught = simulations.simulate(simulations.Noise(0.04), shifts, rule, suites=suites, seed=3)
    assert caught.caught >= 0.9 - off, caught


def test_simulated_noise_has_the_sigma_and_the_correlation_that_it_says(simulations: ModuleType) -> None:
    for kind in simulations.NOISES[:4]:
        chance = random.Random(9)
        drawn = [kind.draw(chance, 2) for _ in range(40_000)]
        first, second = zip(*drawn, strict=True)
        assert statistics.pstdev(first) == pytest.approx(kind.sigma, rel=0.1)
        assert statistics.correlation(first, second) == pytest.approx(0.5, abs=0.1)


def test_the_simulations_print_a_line_for_each_noise_of_each_rule() -> None:
    command = [sys.executable, BENCHMARK / "simulations.py", "--suites", "5"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    for kind in ("normal 2%", "normal 4%", "normal 6%", "t₃ 6%", "normal 4%, spiked", "normal 6%, spiked"):
        assert sum(line.startswith(f"{kind}  ") for line in lines) == 3
    assert max(map(len, lines)) <= 100


def test_how_often_a_gate_is_red_grows_from_none_to_all_about_the_threshold(simulations: ModuleType) -> None:
    rule = Rule.within(20, 1, one_sided=True)
    red = [
        simulations.simulate(simulations.Noise(0.02), [shift], rule, suites=300, seed=5).caught
        for shift in (0.0, 0.01, 0.02, 0.05, 0.07)
    ]
    assert red == sorted(red)
    assert red[2] <= 0.1
    assert red[3] >= 0.9
    assert red[4] == 1
