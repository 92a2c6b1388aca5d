"""Values say whose they are, and every change of a value is found."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadgen.trial.value import LONGEST_KEY, Damaged, Seal, least_length, read, sealed

KEYS = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=LONGEST_KEY)
SEALS = st.builds(
    Seal,
    key=KEYS,
    writer=st.integers(0, 2**16 - 1),
    sequence=st.integers(0, 2**64 - 1),
    written_ns=st.integers(0, 2**64 - 1),
    run=st.integers(0, 2**32 - 1),
)


@given(SEALS, st.integers(0, 2_000))
def test_a_value_says_all_that_was_sealed_in_it(seal: Seal, length: int) -> None:
    value = sealed(seal, length)
    assert read(value) == seal
    assert len(value) == max(length, least_length(seal.key))


@given(SEALS, st.integers(0, 300), st.data())
def test_a_changed_byte_is_found_wherever_it_is(seal: Seal, length: int, data: st.DataObject) -> None:
    value = bytearray(sealed(seal, length))
    value[data.draw(st.integers(0, len(value) - 1))] ^= data.draw(st.integers(1, 255))
    with pytest.raises(Damaged):
        read(bytes(value))


@given(SEALS, st.integers(0, 300), st.data())
def test_a_value_cut_short_or_run_on_is_found(seal: Seal, length: int, data: st.DataObject) -> None:
    value = sealed(seal, length)
    with pytest.raises(Damaged):
        read(value[: data.draw(st.integers(0, len(value) - 1))])
    with pytest.raises(Damaged, match="bytes of a value of"):
        read(value + data.draw(st.binary(min_size=1, max_size=9)))


def test_two_halves_of_two_values_of_one_key_are_found() -> None:
    one, other = (sealed(Seal("k", 1, sequence, 0, 0), 200) for sequence in (17, 18))
    with pytest.raises(Damaged, match="wrong checksum"):
        read(one[:100] + other[100:])


@pytest.mark.parametrize("text", [b"", b"17", b"x" * 200, "für".encode()])
def test_a_text_is_no_value(text: bytes) -> None:
    with pytest.raises(Damaged, match="no sealed value"):
        read(text)


def test_a_key_that_no_server_takes_is_refused() -> None:
    with pytest.raises(ValueError, match="longer than 250"):
        sealed(Seal("k" * 251, 1, 1, 1, 1), 64)
