"""Workloads: commands follow their weights, keys are the right server's, and the same seed gives the same requests."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable

import chi_square
import pytest

from loadgen.engine._ketama import Ketama
from loadgen.engine._keys import Keys, Zipf
from loadgen.engine._slots import Slots
from loadgen.engine._workload import Draws, Mix

COMMANDS = ("get", "set", "delete")
DRAWS = 100_000
ONE = ["127.0.0.1:6379"]
THREE = ["10.0.0.1:6379", "10.0.0.2:6379", "10.0.0.3:6379"]


def workload(
    weights: tuple[int, int, int] | None,
    *,
    seed: int = 1,
    keys: Keys | None = None,
    names: list[str] = ONE,
    server: int = 0,
) -> Mix:
    named = list(zip(COMMANDS, weights, strict=True)) if weights else [("ping", 1)]
    return Mix(named, Draws(keys or Keys(1000, seed), Ketama(names, 16, 1000)), server, seed)


def commands(work: Mix, draws: int = DRAWS) -> list[str]:
    return [command for command, _ in work.drawn(draws)]


@pytest.mark.parametrize(
    "weights",
    [(80, 20, 0), (1, 1, 1), (16, 3, 1), (1, 0, 1), (0, 1, 1), (98, 1, 1), (10**15, 3 * 10**15, 0), (1, 10**18, 1)],
)
def test_the_mix_is_as_the_weights_say(weights: tuple[int, int, int]) -> None:
    counts = Counter(commands(workload(weights)))
    assert all(counts[command] == 0 for command, weight in zip(COMMANDS, weights, strict=True) if weight == 0)
    expected = [(counts[command], weight) for command, weight in zip(COMMANDS, weights, strict=True) if weight]
    assert chi_square.fits(*zip(*expected, strict=True))


def test_the_mix_test_would_see_other_weights() -> None:
    counts = Counter(commands(workload((80, 20, 0))))
    assert not chi_square.fits([counts["get"], counts["set"]], [81, 19])


def test_of_n_requests_the_share_of_each_command_is_within_four_sigmas() -> None:
    counts = Counter(commands(workload((7, 2, 1), seed=42)))
    for command, share in zip(COMMANDS, (0.7, 0.2, 0.1), strict=True):
        assert abs(counts[command] - DRAWS * share) <= 4 * math.sqrt(DRAWS * share * (1 - share))


@pytest.mark.parametrize(
    ("weights", "only"), [((1, 0, 0), "get"), ((0, 5, 0), "set"), ((0, 0, 3), "delete"), (None, "ping")]
)
def test_a_mix_of_one_command_is_that_command_only(weights: tuple[int, int, int] | None, only: str) -> None:
    assert set(commands(workload(weights))) == {only}


def test_the_same_seed_sends_the_same_requests_and_another_sends_others() -> None:
    assert workload((8, 1, 1)).drawn(1000) == workload((8, 1, 1)).drawn(1000)
    assert workload((8, 1, 1)).drawn(1000) != workload((8, 1, 1), seed=2).drawn(1000)


@pytest.mark.parametrize("keys", [Keys, lambda count, seed: Zipf(count, seed, 1.0, 7)], ids=["uniform", "zipf"])
@pytest.mark.parametrize("names", [ONE, THREE], ids=["one server", "three"])
def test_requests_do_not_depend_on_how_many_are_drawn_at_once(
    keys: Callable[[int, int], Keys], names: list[str]
) -> None:
    one_by_one, at_once = (workload((80, 20, 0), keys=keys(1000, 1), names=names) for _ in range(2))
    assert [one_by_one.drawn(1)[0] for _ in range(700)] == at_once.drawn(200) + at_once.drawn(500)


def test_keys_and_commands_are_independent_streams() -> None:
    """Another mix draws the same keys, another distribution the same commands."""
    mixed, skewed = workload((8, 1, 1)), workload((8, 1, 1), keys=Zipf(1000, 1, 1.0, 1))
    reads = workload((1, 0, 0))
    assert [key for _, key in mixed.drawn(1000)] == [key for _, key in reads.drawn(1000)]
    assert commands(skewed, 1000) == commands(workload((8, 1, 1)), 1000)


def test_a_command_says_nothing_about_the_key() -> None:
    counts = Counter((command, key // 100) for command, key in workload((1, 1, 1)).drawn(DRAWS))
    assert len(counts) == 30
    assert chi_square.fits([counts[cell] for cell in sorted(counts)], [1.0] * 30)


def test_only_keys_of_its_server_are_drawn_and_all_of_them() -> None:
    ketama = Ketama(THREE, 16, 1000)
    for server in range(3):
        drawn = {key for _, key in workload((1, 1, 0), names=THREE, server=server).drawn(DRAWS)}
        assert drawn == {key for key in range(1000) if ketama.owner_of(key) == server}


def test_lanes_share_the_draws_of_keys_and_each_key_is_drawn_once() -> None:
    ketama = Ketama(THREE, 16, 1000)
    draws = Draws(Keys(1000, 1), ketama)
    lanes = [Mix((("get", 1),), draws, lane, 1) for lane in range(3)]
    taken = [[key for _, key in lane.drawn(100)] for lane in lanes]
    drawn = Keys(1000, 1).drawn(1000)
    assert taken == [[key for key in drawn if ketama.owner_of(key) == lane][:100] for lane in range(3)]


def test_a_lane_that_takes_no_keys_holds_up_no_other() -> None:
    ketama = Ketama(THREE, 16, 1000)
    lane = Mix((("get", 1),), Draws(Keys(1000, 1), ketama), 1, 1)
    own = [key for key in Keys(1000, 1).drawn(40_000) if ketama.owner_of(key) == 1]
    assert [key for _, key in lane.drawn(10_000)] == own[:10_000]


@pytest.mark.parametrize("weights", [(0, 0, 0), (1, -1, 5)])
def test_weights_that_are_none_are_refused(weights: tuple[int, int, int]) -> None:
    with pytest.raises(ValueError, match="weights"):
        workload(weights)


def test_a_lane_that_has_lost_every_key_takes_keys_of_others() -> None:
    """A schedule's requests are due whoever has the keys: their node names it. Otherwise draws would go on for ever."""
    slots = Slots(16, b"", 2, [(0, 16_383, 0)])
    draws = Draws(Keys(1000, 1), slots)
    lost, heir = (Mix((("get", 1),), draws, lane, 1) for lane in (1, 0))
    assert len({key for _, key in lost.drawn(100)}) > 50
    assert len({key for _, key in heir.drawn(100)}) > 50


def test_counters_are_ids_modulo_their_number() -> None:
    draws = Draws(Keys(1000, 1), Ketama(ONE, 16, 1000))
    drawn = Mix((("get", 1), ("incr", 1)), draws, 0, 1, None, 7).drawn(2000)
    assert {key for command, key in drawn if command == "incr"} == set(range(7))
    assert len({key for command, key in drawn if command == "get"}) > 500
