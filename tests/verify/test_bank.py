"""The seed bank: upstream's file and ours are read, every problem is found at once, and what is added is read back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from planted_artifacts import kept
from planted_kinds import PLANTED

from loadgen.errors import ConfigError, UsageError
from loadgen.verify import bank, kinds
from loadgen.verify.artifact import Artifact
from loadgen.verify.bank import Addition, Entry, Found
from loadgen.verify.tape import Recording

SUITES = {PLANTED.name: PLANTED}

UPSTREAM = """\
# Regression seeds: SEED TEST_TYPE DESCRIPTION
# one per line

42 planted Found during initial development
  # indented
12345 set_get_roundtrip   two  blanks: and = signs = here
18446744073709551615 incr_is_monotonic
"""


def read(text: str, cases: Mapping[str, Artifact] | None = None) -> tuple[Found, ...]:
    """Read a bank with shrunk cases by the names of their files."""

    def shrunk(name: str) -> Artifact:
        if cases is None or name not in cases:
            raise UsageError(f"seeds/{name}: cannot be read: No such file or directory.")
        return cases[name]

    return bank.read(text, "seeds.txt", SUITES, shrunk)


def added(text: str, new: Found, cases: Mapping[str, Artifact] | None = None) -> Addition:
    return bank.addition(text, read(text, cases), new)


def test_a_file_of_redlite_dst_is_read() -> None:
    found = read(UPSTREAM)
    assert [each.entry for each in found] == [
        Entry(42, "planted", {}, "Found during initial development"),
        Entry(12345, "set_get_roundtrip", {}, "two blanks: and = signs = here"),
        Entry(18446744073709551615, "incr_is_monotonic"),
    ]
    assert [each.kinds for each in found] == [PLANTED.kinds, ("set_get_roundtrip",), ("incr_is_monotonic",)]
    assert found[0].options == {"ops": "100", "bug": ""}


def test_options_stand_before_the_description() -> None:
    [found] = read("7 incr-monotonic ops=5 bug=lost and then ops=9 follow\n")
    assert found.kinds == ("incr_is_monotonic",)
    assert found.options == {"ops": "5", "bug": "lost"}
    assert found.entry.description == "and then ops=9 follow"


def test_every_problem_is_found_with_its_line() -> None:
    text = "x planted\n7\n\n7 plantet\n7 planted opps=3\n-1 planted\n18446744073709551616 planted\n7 planted fine\n"
    with pytest.raises(ConfigError) as caught:
        read(text)
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
        once = added(text, new).text
        found = read(once)
        assert found[-1] == new
        assert found[-1].options == options
        assert added(once, new).text == once
        assert len(found) == (4 if text else 1)


def test_what_a_line_cannot_hold_is_refused() -> None:
    with pytest.raises(UsageError, match='--bug: "a b" has a blank'):
        bank.entry(1, "planted", {"bug": "a b"}, "", SUITES)
    with pytest.raises(UsageError, match="would be read as an option"):
        bank.entry(1, "planted", {}, "ops=3 was too few", SUITES)


def test_the_same_case_is_in_the_bank_whatever_it_is_called() -> None:
    text = "7 incr_monotonic ops=100 once\n"

    def remark(seed: int, test: str, options: Mapping[str, str]) -> str:
        return added(text, bank.entry(seed, test, options, "again", SUITES)).remark

    assert remark(7, "incr_is_monotonic", {}) == "has it already"
    assert remark(8, "incr_is_monotonic", {}) == ""
    assert remark(7, "incr_is_monotonic", {"ops": "9"}) == ""
    assert remark(7, "planted", {}) == ""


# ── Shrunk cases ──────────────────────────────────────────────────────────────────────────────────────────────────────

CASE = kept()[0]
NAME = f"set_get_roundtrip-{CASE.seed}.json"
LINE = f"{CASE.seed} set_get_roundtrip bug=lost shrunk={NAME} it was lost\n"


def of(case: Artifact, description: str = "it was lost", **options: str) -> Found:
    """The entry of an artifact."""
    found = bank.entry(case.seed, case.kind, {**case.options, **options}, description, SUITES)
    return replace(found, shrunk=case)


def test_a_shrunk_case_is_named_by_its_line() -> None:
    done = added("", of(CASE))
    assert (done.text, done.case, done.remark) == (LINE, CASE, "")
    [found] = read(done.text, {NAME: CASE})
    assert found.shrunk == CASE
    assert str(found.entry) == LINE.strip()


def test_a_failure_is_in_the_bank_once_whichever_seed_found_it() -> None:
    again = replace(CASE, seed=CASE.seed + 1)
    done = added(LINE, of(again), {NAME: CASE})
    assert (done.text, done.case, done.remark) == (LINE, None, "has this failure already")
    assert str(done.entry) == LINE.strip()
    elsewhere = added(LINE, of(again, ops="9"), {NAME: CASE})
    assert elsewhere.text.splitlines()[1:] == [
        f"{again.seed} set_get_roundtrip ops=9 bug=lost shrunk=set_get_roundtrip-{again.seed}.json it was lost"
    ]


def test_a_shrunk_case_with_another_tape_replaces_that_of_its_seed() -> None:
    other = replace(CASE, shrunk=Recording())
    assert added(LINE, of(CASE), {NAME: CASE}) == Addition(
        LINE, read(LINE, {NAME: CASE})[0].entry, None, "has this failure already"
    )
    done = added(LINE, of(other), {NAME: CASE})
    assert (done.text, done.case, done.entry.shrunk) == (LINE, other, NAME)
    assert done.remark == "has this failure, and its shrunk case is renewed"


def test_a_line_without_a_shrunk_case_is_given_it() -> None:
    text = f"# ours\n{CASE.seed} set_get_roundtrip bug=lost it was lost\n3 planted\n"
    done = added(text, of(CASE, "other words"))
    assert done.text == f"# ours\n{LINE}3 planted\n"
    assert (done.case, done.remark) == (CASE, "has it already, and now its shrunk case too")


def test_two_shrunk_cases_of_one_seed_have_two_files() -> None:
    """The same seed finds another failure with other options."""
    done = added(LINE, of(CASE, ops="9"), {NAME: CASE})
    assert done.entry.shrunk == f"set_get_roundtrip-{CASE.seed}-2.json"


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (
            f"4 planted shrunk={NAME}",
            f"shrunk: {NAME} is seed {CASE.seed} of set_get_roundtrip, which the line is not.",
        ),
        (f"{CASE.seed} incr_monotonic shrunk={NAME}", f"{NAME} is seed {CASE.seed} of set_get_roundtrip, which"),
        (f"{CASE.seed} planted shrunk=gone.json", "seeds/gone.json: cannot be read: No such file or directory."),
        (f"{CASE.seed} planted shrunk=../{NAME}", f'shrunk: "../{NAME}" is no name of a file such as'),
    ],
)
def test_a_shrunk_case_that_is_not_the_lines_is_a_problem_of_the_line(line: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read(f"1 planted\n{line}\nx planted\n", {NAME: CASE})
    first, second = caught.value.problems
    assert first.startswith("seeds.txt:2: ")
    assert said in first
    assert second.startswith("seeds.txt:3: ")


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


def test_of_many_names_the_first_are_listed() -> None:
    names = [f"name_{number}" for number in range(kinds.MOST_NAMES + 3)]
    assert kinds.suggestion("xyz", names).endswith("name_18, name_19, and 3 more.")
    assert kinds.suggestion("xyz", names[: kinds.MOST_NAMES]).endswith("name_18, name_19.")
