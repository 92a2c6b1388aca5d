"""The tape: draws that depend on kind and seed only, and recordings that repeat them or part of them."""

import os
import subprocess
import sys
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadgen.verify.tape import ANY_BYTE, MOST, Draw, Generator, Recording, Span, Tape, divergence


def drawn(tape: Tape) -> list[object]:
    """A case of every kind of draw."""
    return [
        tape.below(10, "digit"),
        tape.between(5, 7, "size"),
        tape.choice("abc", "letter"),
        tape.weighted([(1, "rare"), (0, "never"), (9, "often")], "frequency"),
        tape.chance(0.5, "coin"),
        tape.bytes(0, 40, "value"),
        tape.bytes(2, 6, "name"),
        [tape.below(MOST, "word") for _ in tape.several("operation", 20, mean=3)],
    ]


def test_the_generator_is_splitmix64() -> None:
    """The first words of the reference implementation (Vigna, splitmix64.c) for the state 1234567."""
    generator = Generator(1234567)
    assert [generator.word() for _ in range(3)] == [6457827717110365317, 3203168211198807973, 9817491932198370423]


def test_a_seed_draws_the_same_in_every_process() -> None:
    program = (
        "from loadgen.verify.tape import Tape\n"
        "tape = Tape.seeded('kind', 7)\n"
        "print([tape.below(1000, 'a') for _ in range(5)], tape.bytes(3, 30, 'b'))"
    )
    said = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
            text=True,
        ).stdout
        for seed in ("0", "1")
    }
    tape = Tape.seeded("kind", 7)
    assert said == {f"{[tape.below(1000, 'a') for _ in range(5)]} {tape.bytes(3, 30, 'b')}\n"}


def test_draws_of_a_seed_never_change() -> None:
    """Seeds are kept in banks: a change here makes every one of them another case."""
    assert drawn(Tape.seeded("kind", 1)) == PINNED


def test_another_kind_or_seed_draws_something_else() -> None:
    tapes = [Tape.seeded("kind", 0), Tape.seeded("kind", 1), Tape.seeded("other", 0)]
    assert len({tape.below(MOST, "word") for tape in tapes}) == 3


@given(st.integers(0, MOST - 1))
def test_a_tape_drawn_from_again_gives_the_same_draws(seed: int) -> None:
    tape = Tape.seeded("kind", seed)
    first = drawn(tape)
    again = tape.again()
    assert drawn(again) == first
    assert again.recording() == tape.recording()
    assert again.below(MOST, "past the end") == 0


@given(st.integers(0, MOST - 1))
def test_a_recording_repeats_its_run(seed: int) -> None:
    tape = Tape.seeded("kind", seed)
    first = drawn(tape)
    again = Tape.repeating(tape.recording().draws)
    assert drawn(again) == first
    assert again.recording() == tape.recording()


@given(st.integers(0, MOST - 1), st.data())
def test_any_values_make_a_case(seed: int, data: st.DataObject) -> None:
    """Cut, changed or foreign values give draws within their bounds."""
    values = data.draw(st.lists(st.integers(0, MOST - 1), max_size=60))
    tape = Tape.of(values)
    drawn(tape)
    assert all(0 <= draw.value < draw.n for draw in tape.recording().draws)


def test_past_the_end_every_draw_is_the_simplest() -> None:
    assert drawn(Tape.of(())) == [0, 5, "a", "rare", False, b"", b"aa", []]


def test_each_draw_gets_the_values_of_its_own_site() -> None:
    tape = Tape.of((1, 2, 3, 4))
    for site in ("loss", "key", "loss", "key"):
        tape.below(9, site)
    again = Tape.repeating(tape.recording().draws[1:])
    sites = ("key", "key", "key", "loss", "loss", "no such site")
    assert [again.below(9, site) for site in sites] == [2, 4, 0, 3, 0, 0]


def chosen(tape: Tape) -> tuple[str, list[object]]:
    """A draw aside, and some that are not."""
    return tape.aside(((2, "simple"), (1, "rare")), "aside"), drawn(tape)


def test_a_draw_aside_leaves_the_others_what_they_are_and_is_recorded_where_it_is_not_0() -> None:
    found: Counter[str] = Counter()
    for seed in range(300):
        alone, tape = Tape.seeded("kind", seed), Tape.seeded("kind", seed)
        rest = drawn(alone)
        first = chosen(tape)
        assert first[1] == rest
        found[first[0]] += 1
        recording = tape.recording()
        first_draws = () if first[0] == "simple" else (("aside", 2, 1),)
        assert recording.draws == (*first_draws, *alone.recording().draws)
        for again in (tape.again(), Tape.repeating(recording.draws)):
            assert chosen(again) == first
            assert again.recording() == recording
        assert chosen(Tape.repeating([Draw("aside", 2, 0), *alone.recording().draws])) == ("simple", rest)
        assert chosen(Tape.of(alone.recording().values)) == ("simple", rest)
    assert 75 <= found["rare"] <= 125


def test_a_span_left_out_is_an_operation_left_out() -> None:
    tape = Tape.seeded("kind", 3)
    said = [tape.below(100, "number") for _ in tape.several("operation", 6)]
    recording = tape.recording()
    span = recording.spans[2]
    shorter = Tape.of(recording.values[: span.start] + recording.values[span.end :])
    assert [shorter.below(100, "number") for _ in shorter.several("operation", 6)] == said[:2] + said[3:]


def test_the_draw_that_ends_parts_is_in_no_span() -> None:
    """So that all of them can be left out, however they ended."""
    for values in [(1, 1, 1), (1, 0), (1, 1, 1, 1)]:
        tape = Tape.of((*values, 0, 5))
        list(tape.several("operation", 3))
        tape.below(9, "next")
        recording = tape.recording()
        rest = Tape.of(recording.values[recording.spans[-1].end :])
        assert [*rest.several("operation", 3)] == []
        assert rest.below(9, "next") == recording.draws[-1].value


def test_a_part_is_there_with_its_probability() -> None:
    tape = Tape.seeded("kind", 2)
    assert abs(sum(len([*tape.perhaps("fault", 0.2)]) for _ in range(5000)) - 1000) < 130
    assert [*tape.perhaps("fault", 1.0)] == [0]


def test_spans_nest_and_end_with_an_error() -> None:
    tape = Tape.seeded("kind", 1)

    def fault() -> None:
        with tape.span("fault"):
            tape.below(3, "a")
            with tape.span("operation"):
                tape.below(3, "b")
                raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fault()
    assert tape.recording().spans == (Span("fault", 0, 2), Span("operation", 1, 2))


def test_an_open_span_ends_where_the_recording_does() -> None:
    tape = Tape.seeded("kind", 1)
    with tape.span("operation"):
        tape.below(3, "a")
        assert tape.recording().spans == (Span("operation", 0, 1),)


def test_weights_are_proportions() -> None:
    tape = Tape.seeded("kind", 5)
    counts = [0, 0, 0]
    for _ in range(10_000):
        counts[tape.weighted([(1, 0), (0, 1), (3, 2)], "which")] += 1
    assert counts[1] == 0
    assert abs(counts[0] - 2500) < 200  # more than four standard deviations
    assert abs(sum(tape.chance(0.1, "coin") for _ in range(10_000)) - 1000) < 130


def test_below_is_fair_where_a_remainder_would_not_be() -> None:
    """Two thirds of all words: the remainder of a word would make the lower half twice as likely as the upper."""
    n = 2 * MOST // 3
    tape = Tape.seeded("kind", 5)
    lower = sum(tape.below(n, "word") < n // 2 for _ in range(10_000))
    assert abs(lower - 5000) < 220


def test_the_simplest_byte_is_a_letter() -> None:
    assert sorted(ANY_BYTE) == [*range(256)]
    assert Tape.of((1, 0, 1, 0, 0)).bytes(0, 9, "value") == b"aa"
    assert Tape.of((30, 0)).bytes(0, 40, "value") == b"a" * 30


def test_texts_have_every_length_and_every_byte() -> None:
    tape = Tape.seeded("kind", 5)
    for least, most in ((0, 3), (2, 16), (15, 20)):
        found = [tape.bytes(least, most, "value") for _ in range(6000)]
        counts = Counter(map(len, found))
        assert sorted(counts) == [*range(least, most + 1)]
        assert min(counts.values()) > 0.75 * 6000 / len(counts)
        assert len({byte for each in found for byte in each}) == 256


def test_a_byte_can_be_left_out_of_a_short_text_and_the_length_of_a_long_one_lowered() -> None:
    tape = Tape.seeded("kind", 8)
    while len(short := tape.bytes(1, 9, "short")) < 4:
        tape = Tape.seeded("kind", tape.below(MOST, "next seed"))
    recording = tape.recording()
    span = recording.spans[1]
    again = Tape.of(recording.values[: span.start] + recording.values[span.end :])
    assert again.bytes(1, 9, "short") == short[:2] + short[3:]
    long = Tape.of((30, 12345, 7))
    shorter = Tape.of((3, 12345, 7))
    assert long.bytes(0, 40, "long").startswith(shorter.bytes(0, 40, "long"))
    assert long.below(9, "next") == shorter.below(9, "next") == 7


def test_a_draw_of_no_values_is_refused() -> None:
    with pytest.raises(ValueError, match="key: a draw has 1 to"):
        Tape.seeded("kind", 1).below(0, "key")


@pytest.mark.parametrize(
    ("now", "where"),
    [
        ([Draw("key", 8, 1), Draw("value", 9, 2)], ""),
        ([Draw("key", 8, 5), Draw("value", 9, 0)], ""),
        ([Draw("key", 8, 1), Draw("value", 10, 2)], 'at draw 2 of 2: "value" below 9 when recorded, "value" below 10'),
        ([Draw("score", 8, 1), Draw("value", 9, 2)], 'at draw 1 of 2: "key" below 8 when recorded, "score" below 8'),
        ([Draw("key", 8, 1)], 'at draw 2 of 2: "value" below 9 when recorded, the end now'),
        ([Draw("key", 8, 1), Draw("value", 9, 2), Draw("more", 2, 0)], "after the last of 2 draws: the end when"),
    ],
)
def test_a_divergence_is_located(now: list[Draw], where: str) -> None:
    found = divergence(Recording((Draw("key", 8, 1), Draw("value", 9, 2))), Recording(tuple(now)))
    assert found.startswith(where)
    assert bool(found) == bool(where)


PINNED: list[object] = [
    2,
    6,
    "b",
    "often",
    False,
    b"\xa4I\xa3\x910\xdf\xd3\xca\x8bKC\xdc9\x07\x80j-\x93\x8f\xc8",
    b")G\xdc4",
    [17711436286138989708],
]
