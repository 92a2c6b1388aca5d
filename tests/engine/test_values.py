"""The bytes of values: they have the asked size, depend on the seed, and cannot be compressed."""

from __future__ import annotations

import zlib
from collections import Counter

import chi_square
import pytest

from loadgen.engine._values import Values

# Below, at and above where a value is no longer copied, and around the pool's size, where a value goes round it.
SIZES = (0, 1, 64, 4096, 4097, 16_383, 16_384, 65_536, 2**20 - 1, 2**20, 2**20 + 1, 3 * 2**20 + 7)


@pytest.mark.parametrize("size", SIZES)
def test_a_value_has_the_asked_size(size: int) -> None:
    values = Values(size, 1)
    assert values.value_bytes == size
    assert [len(values.drawn()) for _ in range(20)] == [size] * 20


@pytest.mark.parametrize("size", [64, 20_000])
def test_the_same_seed_makes_the_same_values_and_another_makes_others(size: int) -> None:
    def drawn(seed: int) -> list[bytes]:
        values = Values(size, seed)
        return [values.drawn() for _ in range(50)]

    assert drawn(1) == drawn(1)
    assert not set(drawn(1)) & set(drawn(2))


@pytest.mark.parametrize("size", [64, 20_000])
def test_values_differ_from_each_other(size: int) -> None:
    values = Values(size, 1)
    # Among slices of a pool two may begin at the same place; that many never do.
    assert len({values.drawn() for _ in range(100)}) > 90


def test_values_cannot_be_compressed() -> None:
    value = Values(500_000, 1).drawn()
    assert len(zlib.compress(value, 9)) >= len(value)
    counts = Counter(value)
    assert chi_square.fits([counts[byte] for byte in range(256)], [1.0] * 256)


def test_a_value_longer_than_the_pool_goes_round_it() -> None:
    value = Values(2**20 + 1000, 1).drawn()
    assert value[:1000] == value[2**20 :]
    assert value[:1000] != value[1000:2000]
