"""Keys: every draw is inside the keyspace, as frequent as the distribution says, and the same for the same seed."""

from __future__ import annotations

from collections import Counter

import chi_square
import pytest

from loadgen.engine._keys import Keys, Zipf, create

EXPONENTS = (0.5, 0.99, 1.0, 1.2, 2.0)
COUNTS = (1, 2, 10, 1000, 10**6)
DRAWS = 200_000


def by_rank(keys: Zipf, draws: int) -> list[int]:
    """How often each rank was drawn, the most popular first."""
    counts = Counter(keys.drawn(draws))
    return [counts[keys.id_of_rank(rank)] for rank in range(keys.count)]


def zipf_weights(count: int, exponent: float) -> list[float]:
    return [rank**-exponent for rank in range(1, count + 1)]


@pytest.mark.parametrize("count", COUNTS)
def test_uniform_keys_are_equally_likely(count: int) -> None:
    drawn = Counter(Keys(count, 42).drawn(DRAWS))
    # As many bins as hold enough draws: neighbouring ids together, for a bias between parts of the keyspace.
    assert min(drawn) >= 0
    assert max(drawn) < count
    assert chi_square.fits([drawn[id] for id in range(count)], [1.0] * count)


@pytest.mark.parametrize("count", COUNTS)
@pytest.mark.parametrize("exponent", EXPONENTS)
def test_zipf_keys_are_drawn_as_often_as_their_rank_says(exponent: float, count: int) -> None:
    counts = by_rank(Zipf(count, 42, exponent, 7), DRAWS)
    assert sum(counts) == DRAWS
    assert chi_square.fits(counts, zipf_weights(count, exponent))


@pytest.mark.parametrize("exponent", EXPONENTS)
def test_the_zipf_test_would_see_another_exponent(exponent: float) -> None:
    counts = by_rank(Zipf(1000, 42, exponent, 7), DRAWS)
    assert not chi_square.fits(counts, zipf_weights(1000, exponent + 0.03))
    assert not chi_square.fits(counts, zipf_weights(1000, exponent - 0.03))


def test_the_uniform_test_would_see_a_lean() -> None:
    drawn = Counter(Keys(1000, 42).drawn(DRAWS))
    assert not chi_square.fits([drawn[id] for id in range(1000)], [1 + id / 10_000 for id in range(1000)])


@pytest.mark.parametrize("count", [*range(1, 70), 255, 256, 257, 1000, 1023, 1024, 1025, 4095, 4096, 4097, 65_537])
def test_ranks_are_scattered_over_ids_one_to_one(count: int) -> None:
    for layout_seed in (0, 1, 2**64 - 1):
        keys = Zipf(count, 0, 1.0, layout_seed)
        assert sorted(map(keys.id_of_rank, range(count))) == list(range(count))


def test_popular_keys_are_not_neighbours() -> None:
    keys = Zipf(10**6, 0, 1.0, 42)
    popular = sorted(map(keys.id_of_rank, range(1000)))
    # Of 1000 ids drawn at random, the smallest is below 1 % and every tenth of the keyspace has about 100.
    tenths = Counter(id * 10 // 10**6 for id in popular)
    assert chi_square.fits([tenths[tenth] for tenth in range(10)], [1.0] * 10)


def test_all_workers_of_a_run_agree_on_what_is_popular_and_two_runs_do_not() -> None:
    one, other, another_run = Zipf(1000, 1, 1.0, 42), Zipf(1000, 2, 1.0, 42), Zipf(1000, 1, 1.0, 43)
    ranks = range(1000)
    assert [one.id_of_rank(r) for r in ranks] == [other.id_of_rank(r) for r in ranks]
    assert [one.id_of_rank(r) for r in ranks] != [another_run.id_of_rank(r) for r in ranks]
    assert one.drawn(100) != other.drawn(100)


@pytest.mark.parametrize("distribution", ["uniform", "zipf"])
def test_the_same_seed_draws_the_same_keys(distribution: str) -> None:
    def drawn(seed: int) -> list[int]:
        return create(distribution, 10**6, seed, 0.99, 5).drawn(1000)

    assert drawn(1) == drawn(1)
    assert drawn(1) != drawn(2)


@pytest.mark.parametrize("distribution", ["uniform", "zipf"])
def test_the_largest_keyspace_is_drawn_from_over_its_whole_length(distribution: str) -> None:
    count = 2**63 - 1
    drawn = create(distribution, count, 1, 0.5, 5).drawn(10_000)
    assert min(drawn) >= 0
    assert max(drawn) < count
    tenths = Counter(id * 10 // count for id in drawn)
    assert chi_square.fits([tenths[tenth] for tenth in range(10)], [1.0] * 10)


def test_create_makes_what_the_config_calls_it() -> None:
    assert type(create("uniform", 10, 1, 0.99, 1)) is Keys
    assert type(create("zipf", 10, 1, 0.99, 1)) is Zipf


def test_there_is_no_empty_keyspace_no_flat_zipf_and_no_rank_past_the_last() -> None:
    with pytest.raises(ValueError, match="at least one key"):
        Keys(0, 1)
    with pytest.raises(ValueError, match="above 0"):
        Zipf(10, 1, 0.0, 1)
    with pytest.raises(IndexError, match="no rank 10"):
        Zipf(10, 1, 1.0, 1).id_of_rank(10)
