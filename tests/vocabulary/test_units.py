"""Durations and sizes mean what crucible's and cachecannon's files mean by them; and the spelling of numbers."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadgen.units import MAX_DURATION_NS, format_duration, parse_duration, parse_size, percent, percent_beside, span


@pytest.mark.parametrize(
    ("text", "ns"),
    [
        ("1ns", 1),
        ("1us", 1_000),
        ("1ms", 1_000_000),
        ("1s", 10**9),
        ("3", 3 * 10**9),
        ("1m", 60 * 10**9),
        ("1h", 3600 * 10**9),
        ("1.5s", 1_500_000_000),
        (" 10 ms ", 10_000_000),
        (10, 10 * 10**9),
        (0.1, 100_000_000),
        (1e-9, 1),
    ],
)
def test_every_duration_form_means_its_nanoseconds(text: str | float, ns: int) -> None:
    assert parse_duration(text) == ns


@pytest.mark.parametrize("spellings", [" s sec secs", "m min mins", "h hr hrs hour hours"])
def test_every_spelling_of_a_unit_means_the_same(spellings: str) -> None:
    assert len({parse_duration(f"2.5{unit}") for unit in spellings.split(" ")}) == 1


@pytest.mark.parametrize(
    "text",
    ["", "s", "5x", "-1s", "1s2s", "1,5s", "1e3s", "5S", "5M", "٣s", "1.s", "0.1ns", -1, -0.5, float("nan"),
     float("inf"), True, None, [1], "9" * 5000, pytest.param(10**5000, id="huge"), "101" + "0" * 12 + "h"],
)  # fmt: skip
def test_what_is_no_duration_is_refused_in_one_short_sentence(text: object) -> None:
    with pytest.raises(ValueError, match=r"write a number and a unit") as refusal:
        parse_duration(text)  # type: ignore[arg-type]
    assert "\n" not in str(refusal.value)
    assert len(str(refusal.value)) < 200


@given(st.integers(0, MAX_DURATION_NS))
def test_a_written_duration_is_read_back_exactly(ns: int) -> None:
    assert parse_duration(format_duration(ns)) == ns


def test_a_duration_is_written_in_its_largest_whole_unit() -> None:
    assert [format_duration(ns) for ns in (0, 1, 1_500, 10**9, 90 * 10**9, 3600 * 10**9)] == [
        "0s", "1ns", "1500ns", "1s", "90s", "1h"
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "size"),
    [("64", 64), ("64B", 64), ("64KB", 64_000), ("64KiB", 65_536), ("64kb", 65_536), ("1.5KiB", 1536), (64, 64)],
)
def test_a_size_counts_in_thousands_unless_its_unit_is_binary(text: str | int, size: int) -> None:
    assert parse_size(text) == size


def test_each_letter_of_a_size_is_a_thousand_or_1024_times_the_one_before() -> None:
    assert [parse_size(f"1{letter}B") for letter in "KMG"] == [1000, 1000**2, 1000**3]
    assert [parse_size(f"1{letter}iB") for letter in "KMG"] == [1024, 1024**2, 1024**3]


@pytest.mark.parametrize("text", ["", "64K", "64kib", "-1", "0.3B", 1.5, -1, True, "64 bytes"])
def test_what_is_no_size_is_refused(text: str | float) -> None:
    with pytest.raises(ValueError, match="write a number and a unit"):
        parse_size(text)


@pytest.mark.parametrize(
    ("share", "limit", "shown"),
    [
        (0.526512, 0.01, ("52.65 %", "1 %")),
        (0.0100001, 0.01, ("1.00001 %", "1 %")),
        (0.00125, 0.00125, ("0.125 %", "0.125 %")),
        (0.0000004, 0.0, ("0.00004 %", "0 %")),
        (0.000004, 0.001, ("0.0004 %", "0.1 %")),
    ],
)
def test_a_share_beside_its_limit_has_the_digits_that_tell_on_which_side_it_is(
    share: float, limit: float, shown: tuple[str, str]
) -> None:
    assert percent_beside(share, limit) == shown


@given(st.floats(0, 1), st.integers(0, 1_000_000))
def test_a_share_never_looks_as_if_it_were_on_the_other_side_of_its_limit(share: float, millionths: int) -> None:
    limit = millionths / 1_000_000
    words = percent_beside(share, limit)
    left, right = (float(each.removesuffix(" %")) for each in words)
    if abs(share - limit) > 1e-12:
        assert (left > right, left < right) == (share > limit, share < limit), words


@given(st.floats(0, 1), st.integers(0, 1_000_000))
def test_a_share_beside_its_limit_is_within_half_a_unit_of_its_last_place(share: float, millionths: int) -> None:
    shown, limit = (each.removesuffix(" %") for each in percent_beside(share, millionths / 1_000_000))
    decimals = max(2, len(shown.partition(".")[2]))
    assert abs(float(shown) - 100 * share) <= 0.5001 * 10**-decimals
    assert float(limit) == pytest.approx(millionths / 10_000, abs=1e-12)


def read_back(words: str) -> int:
    return parse_duration(words.replace("µ", "u"))


@pytest.mark.parametrize(
    ("ns", "words"),
    [(0, "0 ns"), (999, "999 ns"), (999_600, "1 ms"), (9_200_000, "9.2 ms"), (1_234_000_000_000, "1234 s")],
)
def test_a_span_has_three_digits(ns: int, words: str) -> None:
    assert span(ns) == words


@given(st.integers(0, 999 * 10**9), st.integers(0, 999 * 10**9))
def test_a_span_is_within_half_a_unit_of_its_third_digit_and_keeps_the_order(one: int, other: int) -> None:
    less, more = sorted((one, other))
    assert read_back(span(less)) <= read_back(span(more))
    assert abs(read_back(span(one)) - one) <= 10 ** max(0, len(str(one)) - 3) / 2
    assert len(span(one)) <= len("1.23 ms")


@pytest.mark.parametrize(("share", "words"), [(0.0033, "0.33 %"), (0.0996, "10 %"), (12.0, "1200 %")])
def test_a_percentage_has_two_digits(share: float, words: str) -> None:
    assert percent(share) == words


@given(st.floats(1e-6, 100), st.floats(1e-6, 100))
def test_a_percentage_is_within_half_a_unit_of_its_second_digit_and_keeps_the_order(one: float, other: float) -> None:
    less, more = (float(percent(share).removesuffix(" %")) for share in sorted((one, other)))
    assert less <= more
    shown = float(percent(one).removesuffix(" %"))
    assert abs(shown - 100 * one) <= 0.5001 * 10.0 ** (math.floor(math.log10(100 * one)) - 1)
