"""Durations and sizes mean what the files of crucible and cachecannon mean by them, exactly."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadgen.units import MAX_DURATION_NS, format_duration, parse_duration, parse_size


@pytest.mark.parametrize(
    ("text", "ns"),
    [
        ("1ns", 1),
        ("1us", 1_000),
        ("500us", 500_000),
        ("1ms", 1_000_000),
        ("1s", 10**9),
        ("1sec", 10**9),
        ("2secs", 2 * 10**9),
        ("3", 3 * 10**9),
        ("1m", 60 * 10**9),
        ("1min", 60 * 10**9),
        ("5mins", 300 * 10**9),
        ("1h", 3600 * 10**9),
        ("1hr", 3600 * 10**9),
        ("2hrs", 7200 * 10**9),
        ("1hour", 3600 * 10**9),
        ("2hours", 7200 * 10**9),
        ("0s", 0),
        ("1.5s", 1_500_000_000),
        (" 10 ms ", 10_000_000),
        (10, 10 * 10**9),
        (0.1, 100_000_000),
        (1e-9, 1),
    ],
)
def test_every_duration_form_means_its_nanoseconds(text: str | float, ns: int) -> None:
    assert parse_duration(text) == ns


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
    [("64", 64), ("64B", 64), ("64KB", 64_000), ("64kB", 64_000), ("64KiB", 65_536), ("1MB", 10**6), ("1MiB", 2**20),
     ("1GB", 10**9), ("1GiB", 2**30), ("1.5KiB", 1536), (64, 64)],
)  # fmt: skip
def test_a_size_counts_in_thousands_unless_its_unit_is_binary(text: str | int, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "64K", "64kib", "-1", "0.3B", 1.5, -1, True, "64 bytes"])
def test_what_is_no_size_is_refused(text: str | float) -> None:
    with pytest.raises(ValueError, match="write a number and a unit"):
        parse_size(text)
