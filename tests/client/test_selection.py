"""Which node a key belongs to: held against other implementations, and against what the methods promise."""

from __future__ import annotations

from collections import Counter

import pytest
from uhashring import HashRing

from loadgen.client.selection import SELECTORS, Ketama, Rendezvous, jump, mix64, selector
from loadgen.engine._ketama import Ketama as CompiledKetama

NAMES = [f"10.0.0.{n}:11211" for n in range(1, 6)]
KEYS = [b"key:%d" % n for n in range(5_000)]

# Those of Guava's Hashing.consistentHash, an independent implementation of the same function.
JUMPS = {(10863919174838991, 11): 6, (2016238256797177309, 11): 3, (1673758223894951030, 11): 5}
JUMPS |= {(2, 100001): 80343, (2201, 100001): 22152, (2202, 100001): 15018}
JUMPS |= {(n, 100): bucket for n, bucket in enumerate((0, 55, 62, 8, 45, 59, 86, 97, 82, 59, 73, 37, 17, 56, 86, 21))}


def test_jump_hash_gives_the_published_buckets() -> None:
    assert {place: jump(*place) for place in JUMPS} == JUMPS


def test_ketama_gives_every_key_the_node_that_the_load_generator_gives_it() -> None:
    prefix, length = b"key:", 16
    compiled = CompiledKetama(NAMES, length, 3_000, prefix)
    ours = Ketama(NAMES)
    for number in range(3_000):
        assert ours.owner(prefix + b"%012x" % number) == compiled.owner_of(number)


def test_ketama_gives_every_key_the_node_that_uhashring_gives_it() -> None:
    ring = HashRing(NAMES, hash_fn="ketama")
    ours = Ketama(NAMES)
    assert [NAMES[ours.owner(key)] for key in KEYS] == [ring.get_node(key.decode()) for key in KEYS]


@pytest.mark.parametrize("name", SELECTORS)
def test_the_order_names_every_node_once_and_the_owner_first(name: str) -> None:
    chosen = selector(name, NAMES)
    for key in KEYS[:500]:
        order = chosen.order(key)
        assert sorted(order) == [0, 1, 2, 3, 4]
        assert order[0] == chosen.owner(key)


@pytest.mark.parametrize("name", SELECTORS)
def test_keys_are_spread_evenly_also_those_of_a_node_that_is_away(name: str) -> None:
    chosen = selector(name, NAMES)
    owned = Counter(chosen.owner(key) for key in KEYS)
    # Ketama's shares differ by the places of its points; the other two by chance only.
    least = 700 if name == "ketama" else 900
    assert least < min(owned.values()) <= max(owned.values()) < 2_000 - least
    second = Counter(chosen.order(key)[1] for key in KEYS if chosen.owner(key) == 0)
    assert set(second) == {1, 2, 3, 4}
    assert min(second.values()) > sum(second.values()) / 12


@pytest.mark.parametrize("name", SELECTORS)
def test_a_node_more_moves_keys_to_it_only(name: str) -> None:
    before, after = selector(name, NAMES[:4]), selector(name, NAMES)
    moved = [key for key in KEYS if before.owner(key) != after.owner(key)]
    assert {after.owner(key) for key in moved} == {4}
    assert 0.1 * len(KEYS) < len(moved) < 0.3 * len(KEYS)


def test_rendezvous_moves_no_key_between_the_nodes_that_stay() -> None:
    before, after = Rendezvous(NAMES), Rendezvous(NAMES[1:])
    for key in KEYS[:1_000]:
        if before.owner(key) != 0:
            assert after.owner(key) == before.owner(key) - 1


def test_the_mixer_is_splitmix() -> None:
    """The first numbers of SplitMix64 from seed 0, as published with its reference program."""
    state = [mix64((n * 0x9E3779B97F4A7C15) & ((1 << 64) - 1)) for n in range(3)]
    assert state == [0xE220A8397B1DCDAF, 0x6E789E6AA1B965F4, 0x06C45D188009454F]


def test_one_node_has_every_key() -> None:
    assert {selector(name, NAMES[:1]).owner(b"k") for name in SELECTORS} == {0}
