"""The server that a key belongs to, against hashlib's MD5 and against another implementation of ketama."""

from __future__ import annotations

from bisect import bisect_left
from hashlib import md5

import pytest
import uhashring
from hypothesis import given
from hypothesis import strategies as st

from loadgen.engine._ketama import Ketama


def names(servers: int) -> list[str]:
    return [f"10.0.0.{n}:6379" for n in range(1, servers + 1)]


def key_text(key: int, length: int) -> str:
    return f"{key:0{length}x}"[-length:]


class Reference:
    """The circle by hashlib: 40 digests of each server, four points from each."""

    def __init__(self, servers: list[str]) -> None:
        self.points = sorted(
            (int.from_bytes(digest[at : at + 4], "little"), server)
            for server, name in enumerate(servers)
            for digest in (md5(f"{name}-{n}".encode()).digest() for n in range(40))
            for at in range(0, 16, 4)
        )

    def owner(self, key: str) -> int:
        at = int.from_bytes(md5(key.encode()).digest()[:4], "little")
        return self.points[bisect_left(self.points, (at, -1)) % len(self.points)][1]


@pytest.mark.parametrize("servers", [2, 3, 5, 16])
def test_owners_are_those_of_a_circle_made_with_hashlib(servers: int) -> None:
    ketama, reference = Ketama(names(servers), 16, 10_000), Reference(names(servers))
    assert [ketama.owner_of(key) for key in range(10_000)] == [
        reference.owner(key_text(key, 16)) for key in range(10_000)
    ]


@given(st.integers(0, 2**63 - 1), st.integers(1, 300))
def test_keys_of_any_length_are_hashed_as_hashlib_does(key: int, length: int) -> None:
    # Lengths about 55 and 64 are where MD5's padding takes one block more.
    ketama, reference = Ketama(names(3), length, 1000), Reference(names(3))
    assert ketama.owner_of(key) == reference.owner(key_text(key, length))


@pytest.mark.parametrize("length", [2, 15, 16, 17, 55, 56, 57, 63, 64, 65, 119, 120, 128, 250, 65_536])
def test_keys_at_the_edges_of_md5s_blocks_are_hashed_right(length: int) -> None:
    ketama, reference = Ketama(names(3), length, 256), Reference(names(3))
    keys = range(256)
    assert [ketama.owner_of(key) for key in keys] == [reference.owner(key_text(key, length)) for key in keys]


def test_owners_are_those_of_uhashrings_ketama() -> None:
    ketama = Ketama(names(5), 16, 5000)
    ring = uhashring.HashRing(nodes=names(5), hash_fn="ketama")
    for key in range(5000):
        assert names(5)[ketama.owner_of(key)] == ring.get_node(key_text(key, 16))


def test_a_key_outside_the_table_has_the_owner_that_the_circle_says() -> None:
    small, large = Ketama(names(3), 16, 100), Ketama(names(3), 16, 10_000)
    assert [small.owner_of(key) for key in range(10_000)] == [large.owner_of(key) for key in range(10_000)]


@pytest.mark.parametrize("servers", [1, 2, 3, 10])
def test_shares_are_how_many_keys_each_server_owns_and_sum_to_one(servers: int) -> None:
    ketama = Ketama(names(servers), 16, 20_000)
    owners = [ketama.owner_of(key) for key in range(20_000)]
    assert ketama.shares(20_000) == [owners.count(server) / 20_000 for server in range(servers)]
    assert sum(ketama.shares(20_000)) == pytest.approx(1, abs=1e-12)
    # 160 points each make shares that differ by a tenth or so, and none is twice another's.
    assert max(ketama.shares(20_000)) < 2 * min(ketama.shares(20_000))


def test_shares_of_a_keyspace_too_large_to_count_are_near_those_of_a_sample() -> None:
    ketama = Ketama(names(3), 16, 2**20)
    sampled = ketama.shares(2**20)
    assert all(abs(a - b) < 0.01 for a, b in zip(Ketama(names(3), 16, 10_000).shares(10_000), sampled, strict=True))


@pytest.mark.parametrize("servers", [2, 4, 9])
def test_another_server_takes_its_share_and_moves_no_key_between_the_others(servers: int) -> None:
    keys = range(20_000)
    before, after = Ketama(names(servers), 16, len(keys)), Ketama(names(servers + 1), 16, len(keys))
    moved = [key for key in keys if before.owner_of(key) != after.owner_of(key)]
    assert {after.owner_of(key) for key in moved} == {servers}
    assert len(moved) / len(keys) == after.shares(len(keys))[servers]
    assert 0.5 < len(moved) / len(keys) * (servers + 1) < 2


def test_the_order_of_the_servers_moves_no_key() -> None:
    forth, back = Ketama(names(4), 16, 5000), Ketama(names(4)[::-1], 16, 5000)
    assert [forth.owner_of(key) for key in range(5000)] == [3 - back.owner_of(key) for key in range(5000)]


def test_a_server_that_would_own_no_key_is_named() -> None:
    with pytest.raises(ValueError, match=r"none of the 1 keys belongs to 10\.0\.0\.\d:6379"):
        Ketama(names(2), 16, 1)
