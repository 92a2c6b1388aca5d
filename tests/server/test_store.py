"""The built-in server's store, against a slow plain model, and its bound, against the real memory of the process."""

from __future__ import annotations

import subprocess
import sys
from collections import OrderedDict

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loadgen.server._store import EVICTION_POLICIES, ITEM_OVERHEAD_BYTES, Store


class Model:
    """What Store promises, with one OrderedDict from the next to go to the last."""

    def __init__(self, max_bytes: int, eviction: str) -> None:
        self.max_bytes = max_bytes
        self.eviction = eviction
        self.items: OrderedDict[bytes, tuple[bytes, int]] = OrderedDict()
        self.evicted = 0

    def used_bytes(self) -> int:
        return sum(len(key) + len(value) + ITEM_OVERHEAD_BYTES for key, (value, _) in self.items.items())

    def expire(self, key: bytes, now_ms: int) -> None:
        if key in self.items and 0 < self.items[key][1] <= now_ms:
            del self.items[key]

    def get(self, key: bytes, now_ms: int) -> bytes | None:
        self.expire(key, now_ms)
        if key not in self.items:
            return None
        if self.eviction == "lru":
            self.items.move_to_end(key)
        return self.items[key][0]

    def set(self, key: bytes, value: bytes, expires_at_ms: int) -> bool:
        needed = len(key) + len(value) + ITEM_OVERHEAD_BYTES
        if needed > self.max_bytes:
            return False
        held = len(key) + len(self.items[key][0]) + ITEM_OVERHEAD_BYTES if key in self.items else 0
        if self.used_bytes() - held + needed > self.max_bytes:
            if self.eviction == "noeviction":
                return False
            while self.used_bytes() - held + needed > self.max_bytes:
                del self.items[next(other for other in self.items if other != key)]
                self.evicted += 1
        self.items[key] = (value, expires_at_ms)
        if self.eviction == "lru":
            self.items.move_to_end(key)
        return True

    def delete(self, key: bytes, now_ms: int) -> bool:
        self.expire(key, now_ms)
        return self.items.pop(key, None) is not None


KEYS = st.sampled_from([b"", b"a", b"b", b"c", b"d", b"key with \r\n in it"])
STEPS = st.one_of(
    st.tuples(st.just("get"), KEYS),
    st.tuples(st.just("set"), KEYS, st.integers(0, 900), st.sampled_from([0, 0, 0, 5, 50])),
    st.tuples(st.just("delete"), KEYS),
    st.tuples(st.just("clear")),
)


@pytest.mark.parametrize("eviction", EVICTION_POLICIES)
@given(steps=st.lists(STEPS, max_size=60), max_bytes=st.integers(1, 1500))
@settings(max_examples=300, deadline=None)
def test_store_does_what_the_model_does(eviction, steps, max_bytes):
    store, model = Store(max_bytes, eviction), Model(max_bytes, eviction)
    for now_ms, (step, *given_) in enumerate(steps):
        if step == "get":
            assert store.get(*given_, now_ms) == model.get(*given_, now_ms)
        elif step == "set":
            key, size, expires_at_ms = given_
            value = bytes(size)
            assert store.set(key, value, expires_at_ms=expires_at_ms) == model.set(key, value, expires_at_ms)
        elif step == "delete":
            assert store.delete(*given_, now_ms) == model.delete(*given_, now_ms)
        else:
            store.clear()
            model.items.clear()
        assert store.keys() == list(model.items)
        assert store.used_bytes == model.used_bytes() <= max_bytes
        assert store.evicted == model.evicted
        assert len(store) == len(model.items)
        assert store.items_with_expiry == sum(expires > 0 for _, expires in model.items.values())


def test_lru_keeps_what_is_read_and_fifo_does_not():
    kept = {}
    for eviction in ("lru", "fifo"):
        store = Store(3 * (ITEM_OVERHEAD_BYTES + 2), eviction)
        for key in (b"a", b"b", b"c"):
            store.set(key, b"x")
        store.get(b"a")
        store.set(b"d", b"x")
        kept[eviction] = set(store.keys())
    assert kept == {"lru": {b"a", b"c", b"d"}, "fifo": {b"b", b"c", b"d"}}


def test_an_overwrite_moves_an_item_to_the_end_only_in_lru():
    order = {}
    for eviction in ("lru", "fifo"):
        store = Store(10_000, eviction)
        for key in (b"a", b"b", b"a"):
            store.set(key, b"x")
        order[eviction] = store.keys()
    assert order == {"lru": [b"b", b"a"], "fifo": [b"a", b"b"]}


def test_a_refused_write_changes_nothing():
    store = Store(ITEM_OVERHEAD_BYTES + 10, "noeviction")
    assert store.set(b"a", b"123456789")
    assert not store.set(b"b", b"1")
    assert not store.set(b"a", b"1234567890")
    assert (store.keys(), store.get(b"a"), store.evicted) == ([b"a"], b"123456789", 0)


def test_an_item_larger_than_the_store_evicts_nothing():
    store = Store(10 * ITEM_OVERHEAD_BYTES, "lru")
    store.set(b"a", b"x")
    assert not store.set(b"b", bytes(10 * ITEM_OVERHEAD_BYTES))
    assert store.keys() == [b"a"]


@pytest.mark.parametrize("arguments", [(0, "lru"), (-1, "lru"), (100, "random")])
def test_a_store_refuses_a_bound_or_a_policy_that_makes_no_sense(arguments):
    with pytest.raises(ValueError, match="must be"):
        Store(*arguments)


MEASURE = """
import sys
from loadgen.server._store import Store

def resident():
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[1]) * 4096

size = int(sys.argv[1])
before = resident()
store = Store(64 << 20)
i = 0
while store.evicted < 2 * store.items + 10:
    store.set(b"%016x" % i, bytes(size))
    i += 1
print(resident() - before)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
@pytest.mark.parametrize("value_bytes", [1, 100, 1000, 10_000, 1_000_000])
def test_a_full_store_takes_the_memory_it_says(value_bytes):
    """Allocators round, dicts grow by powers of two: a quarter more is the bound that the accounting must keep."""
    measured = subprocess.run([sys.executable, "-c", MEASURE, str(value_bytes)], capture_output=True, check=True)
    assert int(measured.stdout) < (64 << 20) * 1.25
