"""The slots of keys, against the CRC of whole keys and examples of the cluster specification."""

from binascii import crc_hqx

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadgen.engine._slots import BySlot, Slots


def reference(key: bytes) -> int:
    """Return a key's slot, as the specification's own example of a hash tag computes it."""
    start = key.find(b"{")
    if start >= 0:
        end = key.find(b"}", start + 1)
        if end >= 0 and end != start + 1:
            key = key[start + 1 : end]
    return crc_hqx(key, 0) % 16384


def test_the_crc_is_that_of_the_specification() -> None:
    assert crc_hqx(b"123456789", 0) == 0x31C3


@given(
    prefix=st.sampled_from([b"", b"user:", b"{tag}", b"{}", b"{open", b"a{b}c", b"}{x}{y}"]),
    length=st.integers(1, 40),
    key=st.integers(0, 2**64 - 1),
)
def test_a_key_has_the_slot_of_the_specification(prefix: bytes, length: int, key: int) -> None:
    key %= 16 ** min(length, 16)
    slots = Slots(len(prefix) + length, prefix, 1)
    assert slots.slot_of(key) == reference(prefix + b"%0*x" % (length, key))


def test_owners_follow_ranges_and_a_copy_keeps_them() -> None:
    slots = Slots(16, b"", 3, [(0, 5460, 0), (5461, 10922, 1), (10923, 16383, 2)])
    expected = [0] * 5461 + [1] * 5462 + [2] * 5461
    assert slots.owned() == expected
    assert slots.copy().owned() == expected
    assert [slots.owner_of(key) for key in range(1000)] == [expected[slots.slot_of(key)] for key in range(1000)]


@pytest.mark.parametrize("count", [1, 100, 50_000])
def test_the_keys_of_each_slot_are_counted(count: int) -> None:
    slots = Slots(16, b"", 1)
    shares = BySlot(slots).shares(count)
    assert sum(shares) == pytest.approx(1)
    assert shares[slots.slot_of(0)] >= 1 / count
