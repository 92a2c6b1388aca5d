"""A comparison as commands and the library run it, on rounds whose values are made up: what is checked before the first
round, and what comes out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from constructed_rounds import Constructed

from loadgen.compare import contest
from loadgen.compare.answers import Compared, GateAnswer, NoiseFound
from loadgen.compare.candidate import Candidate
from loadgen.compare.comparison import Comparison
from loadgen.compare.results import Stored
from loadgen.compare.round import RoundEnded
from loadgen.compare.rounds import Contestant
from loadgen.compare.settings import ComparisonSettings
from loadgen.compare.shape import Shape
from loadgen.errors import UsageError
from loadgen.events import Event

GATE = ComparisonSettings(thresholds={"throughput": 0.05, "p99": 0.10}, one_sided=True)


def live(name: str, **shape: Any) -> Contestant:
    return Contestant(Candidate(name, "server", shape=Shape(**shape)), None, None, None)  # type: ignore[arg-type]


def stored(rate_per_s: float = 0.0, **shape: Any) -> Stored:
    rounds = Constructed([{}], 0.01, 7)
    values = tuple(rounds.next().values[0] for _ in range(8))
    return Stored(Candidate("last week", "results", shape=Shape(**shape)), values, rate_per_s)


@pytest.fixture
def made_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """No server is started: the throughput of a candidate called slow is a tenth of the usual."""

    def rounds(found: Sequence[Contestant], settings: ComparisonSettings, seed: int, *_: object, **__: object) -> Any:
        effects = [{"throughput": 0.1} if each.candidate.name == "slow" else {} for each in found]
        return Constructed(effects, 0.01, seed)

    monkeypatch.setattr(contest, "Rounds", rounds)


@pytest.mark.usefixtures("made_up")
def test_the_answers_are_returned_and_are_the_last_events() -> None:
    told: list[Event] = []
    same, worse = ended = Comparison([live("a"), live("b"), live("slow")], GATE, 1).run(told.append)
    assert told[-2:] == ended
    assert any(isinstance(event, RoundEnded) for event in told)
    assert not any(isinstance(event, Compared) for event in told[:-2])
    assert (same.verdict, worse.verdict) == (GateAnswer.PASS, GateAnswer.FAIL)


@pytest.mark.usefixtures("made_up")
def test_the_noise_of_a_candidate_is_returned_and_is_the_last_event() -> None:
    told: list[Event] = []
    noise = Comparison([live("a"), live("a")], GATE, 1).run_noise(told.append)
    assert isinstance(noise, NoiseFound)
    assert told[-1] is noise
    assert noise.rounds == GATE.max_rounds


def test_candidates_of_one_name_are_numbered() -> None:
    found = Comparison([live("a"), live("b"), live("a"), live("a")], GATE, 1).found
    assert [each.candidate.name for each in found] == ["a", "b", "a (2)", "a (3)"]


@pytest.mark.parametrize("turned", [False, True])
def test_a_stored_result_of_another_load_is_no_candidate(turned: bool) -> None:
    both = [stored(conns=9), live("now", conns=8)]
    with pytest.raises(UsageError, match=r"last week was measured under another load than now \(conns 9, not 8\)"):
        Comparison(both[::-1] if turned else both, GATE, 1)


def test_live_candidates_may_have_different_loads() -> None:
    Comparison([live("a", conns=8), live("b", conns=9)], GATE, 1)


def test_the_rate_of_a_stored_result_is_that_of_the_rounds() -> None:
    assert Comparison([stored(5000.0), live("now")], GATE, 1).settings.rate_per_s == 5000
    assert Comparison([stored(5000.0), live("now")], replace(GATE, rate_per_s=5000), 1).settings.rate_per_s == 5000
    assert Comparison([stored(), live("now")], replace(GATE, rate_per_s=400), 1).settings.rate_per_s == 400


@pytest.mark.parametrize(
    ("found", "rate_per_s"),
    [([stored(5000.0), live("now")], 400), ([stored(5000.0), stored(400.0)], 0)],
    ids=["given", "of another result"],
)
def test_a_stored_result_at_another_rate_is_no_candidate(found: list[Contestant | Stored], rate_per_s: float) -> None:
    with pytest.raises(UsageError, match=r"latency is compared at one rate"):
        Comparison(found, replace(GATE, rate_per_s=rate_per_s), 1)


def test_so_few_rounds_that_no_difference_can_be_found_are_refused_before_the_first() -> None:
    with pytest.raises(UsageError, match=r"5 rounds cannot tell a difference in 2 metrics from chance"):
        Comparison([live("a"), live("b")], replace(GATE, max_rounds=5), 1)
