"""Fuzzing: inputs as pieces and on a tape, targets in processes of their own, and a planted bug that is found."""

from __future__ import annotations

import contextlib
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from importlib import import_module
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from in_process import children, invoked
from planted_kinds import Says

from loadgen.errors import TargetError
from loadgen.events import Progress
from loadgen.verify.artifact import Origin
from loadgen.verify.campaign import Batch, Campaign, Limits
from loadgen.verify.case import Outcome, Verdict
from loadgen.verify.fuzz import corpus, forms
from loadgen.verify.fuzz.examined import Examine
from loadgen.verify.fuzz.form import Form
from loadgen.verify.fuzz.mutation import mutated
from loadgen.verify.fuzz.payload import checksum
from loadgen.verify.fuzz.piece import MOST_BYTES, Frame, Item, at, count, drawn, exchanged
from loadgen.verify.fuzz.process import TargetProcess
from loadgen.verify.fuzz.target import PARSERS, Target
from loadgen.verify.fuzz.targets import codec, resp_parser
from loadgen.verify.kinds.fuzz import FuzzKind
from loadgen.verify.tape import BYTE, MOST, OPERATION, Tape

FORMS = [
    forms.RESP_REPLIES, forms.RESP_REQUESTS, forms.MEMCACHE_REPLIES, forms.MEMCACHE_REQUESTS, forms.TOML,
    forms.EXPRESSIONS, forms.HTTP,
]  # fmt: skip
by_form = pytest.mark.parametrize("form", FORMS, ids=lambda form: form.name)
by_target = pytest.mark.parametrize("target", PARSERS.values(), ids=lambda target: target.name)


def examine(target: Target) -> Examine:
    """The target in this process."""
    module, _, name = target.examine.partition(":")
    found: Examine = getattr(import_module(module), name)
    return found


def kind(target: Target) -> FuzzKind:
    give = examine(target)
    return FuzzKind(target, lambda words, data, looks: give(words, data))


# ── Pieces ────────────────────────────────────────────────────────────────────────────────────────────────────────────


@by_form
def test_reading_loses_no_byte(form: Form) -> None:
    for entry in corpus.items(form):
        whole = form.bytes_of(entry)
        assert form.bytes_of(Item(0, form.read(whole))) == whole


@given(st.sampled_from(FORMS), st.binary(max_size=60) | st.text("$*%=!-:_0129\r\na VALUE", max_size=60).map(str.encode))
def test_reading_loses_no_byte_of_any_input(form: Form, data: bytes) -> None:
    read = form.bytes_of(Item(0, form.read(data)))
    # A number may be written in another way, such as 007.
    assert read == data or len(read) < len(data)


def test_the_corpus_has_frames_of_every_numbering() -> None:
    found = set()
    for form in FORMS:
        for entry in corpus.items(form):
            pieces = [at(entry.pieces, place) for place in range(count(entry.pieces))]
            found |= {form.numberings[piece.numbering] for piece in pieces if isinstance(piece, Frame)}
    assert found == {numbering for form in FORMS for numbering in form.numberings}


def test_a_number_follows_from_its_body() -> None:
    form = forms.RESP_REPLIES
    [pieces] = [form.read(b"*2\r\n$5\r\nhello\r\n:1\r\n")]
    without_one = exchanged(pieces, 1, [])
    assert form.bytes_of(Item(0, without_one)) == b"*1\r\n:1\r\n"
    shorter = exchanged(pieces, 2, [b"lo"])
    assert form.bytes_of(Item(0, shorter)) == b"*2\r\n$2\r\nlo\r\n:1\r\n"
    string = at(pieces, 1)
    assert isinstance(string, Frame)
    claimed = exchanged(pieces, 1, [replace(string, claim=b"9")])
    assert form.bytes_of(Item(0, claimed)) == b"*2\r\n$9\r\nhello\r\n:1\r\n"


def test_the_checksum_is_that_of_redis() -> None:
    assert checksum(b"123456789") == 0xE9C6D914C4B8D9CA


# ── On the tape ───────────────────────────────────────────────────────────────────────────────────────────────────────


@by_form
def test_an_input_is_on_the_tape_byte_for_byte(form: Form) -> None:
    for seed in range(20):
        items = mutated(Tape.seeded("input", seed).below(MOST, "mutation"), corpus.items(form), form)
        tape = Tape.seeded("input", seed)
        sizes = len(form.words), form.numberings
        assert drawn(tape, items, *sizes) == items
        recording = tape.recording()
        # Nothing but the tape is needed, and any part of it is an input.
        assert drawn(Tape.of(recording.values), (), *sizes) == items
        if items:
            span = next(span for span in recording.spans if span.name == OPERATION)
            rest = (*recording.values[: span.start], *recording.values[span.end :])
            assert drawn(Tape.of(rest), items, *sizes) == items[1:]


def test_a_byte_left_out_is_left_out_of_its_number_too() -> None:
    form = forms.RESP_REPLIES
    tape = Tape.seeded("input", 1)
    drawn(tape, [Item(0, form.read(b"$3\r\nabc\r\n"))], len(form.words), form.numberings)
    recording = tape.recording()
    of_b = [span for span in recording.spans if span.name == BYTE][4]
    rest = (*recording.values[: of_b.start], *recording.values[of_b.end :])
    [item] = drawn(Tape.of(rest), (), len(form.words), form.numberings)
    assert form.bytes_of(item) == b"$2\r\nac\r\n"


def test_a_frame_that_is_nested_too_deep_is_a_text() -> None:
    form = forms.RESP_REPLIES
    [array] = form.read(b"*1\r\n:1\r\n")
    assert isinstance(array, Frame)
    for _ in range(12):
        array = replace(array, body=(array,))
    tape = Tape.seeded("input", 1)
    items = drawn(tape, [Item(0, (array,))], len(form.words), form.numberings)
    assert form.bytes_of(items[0]) == b"*1\r\n" * 13 + b":1\r\n"
    recording = tape.recording()
    assert all(draw.value < draw.n for draw in recording.draws)
    assert drawn(Tape.of(recording.values), (), len(form.words), form.numberings) == items


@given(st.lists(st.integers(0, 300), max_size=200))
def test_any_values_are_an_input(values: list[int]) -> None:
    for form in (forms.RESP_REPLIES, forms.EXPRESSIONS):
        for item in drawn(Tape.of(values), (), len(form.words), form.numberings):
            form.bytes_of(item)


@by_form
def test_a_mutation_depends_on_its_draw_only_and_is_bounded(form: Form) -> None:
    entries = corpus.items(form)
    assert mutated(0, entries, form) == ()
    for draw in range(1, 300):
        found = mutated(draw, entries, form)
        assert found == mutated(draw, entries, form)
        assert sum(len(form.bytes_of(item)) for item in found) <= MOST_BYTES


# ── Targets ───────────────────────────────────────────────────────────────────────────────────────────────────────────


@by_target
def test_a_target_takes_its_corpus(target: Target) -> None:
    give, form = examine(target), target.form
    reached: Counter[str] = Counter()
    for entry in corpus.items(form):
        found = give([form.word(entry)], form.bytes_of(entry))
        assert not found.invariant, found
        reached.update(found.states)
    assert set(reached) <= set(target.states)
    # The proxy refuses requests for a proxy that is not there, as each entry is alone.
    refused = {"with a mistake", "malformed", "not UTF-8", "waiting for more", *["refused"] * (target.name != "proxy")}
    assert not refused & set(reached)


SEEDS = {
    "resp_parser": 400,
    "memcache_parser": 400,
    "meta_parser": 300,
    "binary_parser": 300,
    "query_parser": 600,
    "config": 100,
    "proxy": 60,
}


@by_target
def test_mutated_inputs_break_nothing_and_reach_every_state(target: Target) -> None:
    reached: Counter[str] = Counter()
    of = kind(target)
    for seed in range(SEEDS[target.name]):
        outcome = of.run(Tape.seeded(of.name, seed))
        assert not outcome.failed, (seed, outcome)
        reached.update(outcome.sometimes)
    assert set(reached) == {f"{target.name}: {state}" for state in target.states}
    assert all(reached.values()), reached


@pytest.mark.parametrize(
    ("data", "theirs"),
    [(b"$-1\r\n", "hiredis has NoneType"), (b"$9\r\nabc\r\n", "hiredis waits"), (b":x\r\n", "hiredis refuses it")],
)
def test_a_codec_that_says_something_else_than_hiredis_is_found(
    data: bytes, theirs: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(codec, "said", lambda *given: (["hit"], codec.WAITING))
    monkeypatch.setattr(codec, "cut", lambda *given: None)
    found = resp_parser.examine(["get"], data)
    assert (found.invariant, found.shape) == (resp_parser.AGREES, f"hit to get, and {theirs}")


def test_a_codec_that_depends_on_the_cut_is_found() -> None:
    class Decoder:
        def feed(self, data: bytes, commands: list[str], replies: list[str]) -> None:
            replies += ["hit"] * data.count(b"ab")

    class Cut:
        def decoder(self) -> Decoder:
            return Decoder()

    whole = codec.said(Cut(), [], [b"xab"])  # type: ignore[arg-type]
    wrong = codec.cut(Cut(), [], b"xab", whole)  # type: ignore[arg-type]
    assert wrong is not None
    assert wrong.found == "cut after 2 bytes it says waiting for more, and whole 1 replies (hit), then waiting for more"


# ── Processes ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def process() -> Iterator[TargetProcess]:
    with contextlib.closing(TargetProcess("planted_targets:misbehaving", cpu_s=0.1)) as found:
        yield found


@pytest.mark.parametrize(
    ("data", "invariant", "found"),
    [
        (b"spin", "in a bounded time", "more than 0.1 s of CPU time"),
        (b"sleep", "in a bounded time", "no answer in 1 s"),
        (b"exit", "no input ends the process", "the process ended by exit status 3"),
        (b"leave", "no input ends the process", "the process ended by exit status 1"),
        (b"raise", "errors of its own only", "KeyError in misbehaving of planted_targets.py"),
        (b"take", "errors of its own only", "MemoryError in misbehaving"),
        (b"keep", "no more memory each time", "each run leaves 1 blocks of Python and "),
        (b"complain", "no input ends the process", "SUMMARY: AddressSanitizer: heap-buffer-overflow"),
    ],
)
def test_what_a_target_does_is_a_finding_about_its_input(
    process: TargetProcess, data: bytes, invariant: str, found: str
) -> None:
    said = process.ask([], data, looks=data == b"keep")
    assert invariant in said.invariant
    assert found in said.found
    # The next input is answered as if nothing had been.
    assert (
        process.ask([], b"print")
        == process.ask([], b"")
        == replace(said, states=("refused",), invariant="", found="", shape="")
    )


def test_a_crash_in_two_places_is_two_failures(process: TargetProcess) -> None:
    assert process.ask([], b"complain").shape == "exit status 1 AddressSanitizer: heap-buffer-overflow in decode"
    assert process.ask([], b"exit").shape == "exit status 3"


def test_a_target_that_cannot_be_imported_is_one_sentence() -> None:
    with contextlib.closing(TargetProcess("planted_targets:nothing")) as process:
        with pytest.raises(TargetError, match="The process of planted_targets:nothing has ended with exit status 1"):
            process.ask([], b"")


def test_an_interrupt_ends_the_process_of_the_target(monkeypatch: pytest.MonkeyPatch) -> None:
    with contextlib.closing(TargetProcess("planted_targets:right")) as process:
        process.ask([], b"")
        before = children()
        monkeypatch.setattr(process, "_line", lambda of: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            process.ask([], b"")
        assert len(children()) == len(before) - 2
        monkeypatch.undo()
        assert process.ask([], b"").states == ("refused",)


# ── The command ───────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def planted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The codec of RESP with an over-read."""
    monkeypatch.chdir(tmp_path)
    wrong = replace(PARSERS["resp_parser"], examine="planted_targets:over_read")
    monkeypatch.setitem(PARSERS, "resp_parser", wrong)


@pytest.mark.usefixtures("planted")
def test_a_planted_over_read_is_found_minimised_and_found_again_by_its_seed() -> None:
    done = invoked("fuzz", "--target", "resp_parser", "--seeds", "60", "--format", "json")
    assert done.status == 1
    document = json.loads(done.stdout)
    [failure] = document["failures"]
    assert failure["invariant"] == "no input ends the process of the target"
    assert failure["message"].startswith("the process ended by SIGSEGV")
    # As short as an input with the bug can be: a number that is larger than what follows.
    assert failure["operations"] == ['get "$1\\r\\n"']
    assert failure["reproduced"]
    seed = failure["seed"]
    again = invoked("fuzz", "--target", "resp_parser", "--seed", str(seed), "--seeds", "1", "--format", "json")
    assert [each["operations"] for each in json.loads(again.stdout)["failures"]] == [failure["operations"]]
    replayed = invoked("replay", failure["artifact"], "--format", "json")
    assert replayed.status == 1
    assert json.loads(replayed.stdout)["failures"][0]["divergence"] is None


def test_the_same_target_without_the_over_read_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    right = replace(PARSERS["resp_parser"], examine="planted_targets:right")
    monkeypatch.setitem(PARSERS, "resp_parser", right)
    assert invoked("fuzz", "--target", "resp_parser", "--seeds", "60").status == 0


def test_the_report_has_inputs_per_second_and_states_and_says_that_there_is_no_search_module() -> None:
    done = invoked("fuzz", "-t", "query-parser", "-d", "0.2", "--seed", "7")
    assert done.status == 0
    assert "fuzz: 1 test for 200 ms" in done.stdout
    assert " inputs/s, " in done.stdout
    assert "query_parser: evaluated: " in done.stdout
    assert done.stderr == "note: query_parser is the language of checks; loadgen has no search module\n"
    records = invoked("fuzz", "-t", "query_parser", "-d", "0.1", "--seed", "7", "--format", "ndjson").records
    assert (records[0]["seeds"], records[0]["duration_s"]) == (None, 0.1)
    assert records[1]["seed"] == 7
    assert records[-1]["summary"]["cases_per_s"] > 0


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["-t", "confg"], 'there is no target "confg"; did you mean config?'),
        (["-t", ","], "--target names no target; there are resp_parser,"),
        (["-d", "1s", "-s", "5"], "--duration and --seeds both say when to end: keep one of them."),
        (["-d", "0"], '-d: "0" is no time at all'),
    ],
)
def test_a_wrong_word_is_one_sentence(words: list[str], sentence: str) -> None:
    done = invoked("fuzz", *words)
    assert done.status == 2
    assert sentence in done.stderr


# ── A campaign that a time ends ───────────────────────────────────────────────────────────────────────────────────────


def test_a_campaign_begins_no_case_after_its_time() -> None:
    now_ns, events = 0, []

    def clock_ns() -> int:
        nonlocal now_ns
        now_ns += 10_000_000
        return now_ns

    campaign = Campaign(
        "fuzz",
        Origin("1"),
        1 << 40,
        emit=events.append,
        clock_ns=clock_ns,
        replay=lambda batch, kind, seed: "",
        limits=Limits(duration_ns=2_000_000_000),
    )
    assert campaign.run(Batch("fuzz", [Says("kind", Outcome(Verdict.PASS))], range(1 << 40)))
    ended = campaign.ended()
    assert 20 < ended.seeds < 200
    assert 2_000_000_000 <= ended.took_ns < 2_200_000_000
    assert not ended.reasons
    progress = [event for event in events if isinstance(event, Progress)]
    assert {event.total for event in progress} == {2_000_000_000}
    assert [event.done for event in progress] == sorted(event.done for event in progress)
