"""The seed bank: upstream's file and ours are read, every problem is found at once, and what is added is read back."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from planted_kinds import PLANTED

from loadgen.errors import ConfigError, UsageError
from loadgen.verify import bank, kinds
from loadgen.verify.bank import Entry

SUITES = {PLANTED.name: PLANTED}

UPSTREAM = """\
# Regression seeds: SEED TEST_TYPE DESCRIPTION
# one per line

42 planted Found during initial development
  # indented
12345 set_get_roundtrip   two  blanks: and = signs = here
18446744073709551615 incr_is_monotonic
"""


def test_a_file_of_redlite_dst_is_read() -> None:
    found = bank.read(UPSTREAM, "seeds.txt", SUITES)
    assert [each.entry for each in found] == [
        Entry(42, "planted", {}, "Found during initial development"),
        Entry(12345, "set_get_roundtrip", {}, "two blanks: and = signs = here"),
        Entry(18446744073709551615, "incr_is_monotonic"),
    ]
    assert [each.kinds for each in found] == [PLANTED.kinds, ("set_get_roundtrip",), ("incr_is_monotonic",)]
    assert found[0].options == {"ops": "100", "bug": ""}


def test_options_stand_before_the_description() -> None:
    [found] = bank.read("7 incr-monotonic ops=5 bug=lost and then ops=9 follow\n", "seeds.txt", SUITES)
    assert found.kinds == ("incr_is_monotonic",)
    assert found.options == {"ops": "5", "bug": "lost"}
    assert found.entry.description == "and then ops=9 follow"


def test_every_problem_is_found_with_its_line() -> None:
    text = "x planted\n7\n\n7 plantet\n7 planted opps=3\n-1 planted\n18446744073709551616 planted\n7 planted fine\n"
    with pytest.raises(ConfigError) as caught:
        bank.read(text, "seeds.txt", SUITES)
    assert caught.value.problems == [
        'seeds.txt:1: "x" is no seed; a line is SEED TEST_TYPE DESCRIPTION.',
        "seeds.txt:2: there is no test type; a line is SEED TEST_TYPE DESCRIPTION.",
        'seeds.txt:4: there is no test type "plantet"; did you mean planted?',
        'seeds.txt:5: planted has no option "opps"; did you mean ops?',
        'seeds.txt:6: "-1" is no seed; a line is SEED TEST_TYPE DESCRIPTION.',
        'seeds.txt:7: "18446744073709551616" is no seed; a line is SEED TEST_TYPE DESCRIPTION.',
    ]


@settings(max_examples=50)
@given(
    st.integers(0, 2**64 - 1),
    st.sampled_from(["planted", "set_get_roundtrip"]),
    st.fixed_dictionaries({"ops": st.integers(1, 999).map(str), "bug": st.sampled_from(["", "lost", "a=b"])}),
    st.text(max_size=40),
)
def test_what_is_added_is_read_back(seed: int, test: str, options: dict[str, str], description: str) -> None:
    try:
        new = bank.entry(seed, test, options, description, SUITES)
    except UsageError:
        return
    for text in ("", UPSTREAM, UPSTREAM.rstrip("\n")):
        found = bank.read(bank.added(text, new), "seeds.txt", SUITES)
        assert found[-1] == new
        assert found[-1].options == options
        assert bank.is_in(new, found)
        assert len(found) == (4 if text else 1)


def test_what_a_line_cannot_hold_is_refused() -> None:
    with pytest.raises(UsageError, match='--bug: "a b" has a blank'):
        bank.entry(1, "planted", {"bug": "a b"}, "", SUITES)
    with pytest.raises(UsageError, match="would be read as an option"):
        bank.entry(1, "planted", {}, "ops=3 was too few", SUITES)


def test_the_same_case_is_in_the_bank_whatever_it_is_called() -> None:
    present = bank.read("7 incr_monotonic ops=100 once\n", "seeds.txt", SUITES)
    assert bank.is_in(bank.entry(7, "incr_is_monotonic", {}, "again", SUITES), present)
    assert not bank.is_in(bank.entry(8, "incr_is_monotonic", {}, "", SUITES), present)
    assert not bank.is_in(bank.entry(7, "incr_is_monotonic", {"ops": "9"}, "", SUITES), present)
    assert not bank.is_in(bank.entry(7, "planted", {}, "", SUITES), present)


# ── Test types ────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("word", ["incr_is_monotonic", "incr_monotonic", "incr-is-monotonic", "INCR-Monotonic"])
def test_a_kind_has_several_spellings(word: str) -> None:
    assert kinds.selected(word, SUITES).kinds == ("incr_is_monotonic",)
    assert kinds.filtered(PLANTED, word) == ("incr_is_monotonic",)


def test_a_filter_names_kinds_by_parts_of_their_names() -> None:
    assert kinds.filtered(PLANTED, "incr, get") == PLANTED.kinds
    assert kinds.filtered(PLANTED, "set_get_roundtrip,") == ("set_get_roundtrip",)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("set_get_rountrip", 'planted has no test "set_get_rountrip"; did you mean set_get_roundtrip?'),
        ("xyz", 'planted has no test "xyz"; there are set_get_roundtrip, incr_is_monotonic.'),
        (",", "the filter names no test; there are set_get_roundtrip, incr_is_monotonic."),
    ],
)
def test_a_filter_that_names_nothing_is_refused(words: str, said: str) -> None:
    with pytest.raises(UsageError) as caught:
        kinds.filtered(PLANTED, words)
    assert str(caught.value) == said
