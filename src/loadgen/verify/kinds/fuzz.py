"""Fuzzing as kinds of cases, one for each target. A case is one input, drawn from the corpus of the target's form."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence

from loadgen.verify.case import Outcome, Verdict
from loadgen.verify.fuzz import corpus
from loadgen.verify.fuzz.examined import Examined
from loadgen.verify.fuzz.mutation import mutated
from loadgen.verify.fuzz.piece import drawn
from loadgen.verify.fuzz.process import TargetProcess
from loadgen.verify.fuzz.target import PARSERS, Target
from loadgen.verify.kinds.suite import Emit, Opened, Suite
from loadgen.verify.reply import quoted
from loadgen.verify.tape import MOST, Tape

PREFIX = "fuzz_"

_LOOKS = 1 / 256
"""The share of inputs that are given a hundred times and more, to find memory that is left behind."""

Ask = Callable[[Sequence[str], bytes, bool], Examined]
"""Gives an input to a target: words, bytes, and whether to look whether memory is left behind."""


class FuzzKind:
    """The inputs of one target."""

    def __init__(self, target: Target, ask: Ask) -> None:
        self.name = PREFIX + target.name
        self._target = target
        self._ask = ask
        self._corpus = corpus.items(target.form)

    def run(self, tape: Tape) -> Outcome:
        target, form = self._target, self._target.form
        looks = tape.chance(_LOOKS, "looks at memory")
        given = mutated(tape.below(MOST, "mutation"), self._corpus, form)
        items = drawn(tape, given, len(form.words), len(form.numberings))
        words, parts = [form.word(item) for item in items], [form.bytes_of(item) for item in items]
        found = self._ask(words, b"".join(parts), looks)
        return Outcome(
            Verdict.FAIL if found.invariant else Verdict.PASS,
            invariant=found.invariant,
            message=found.found,
            operations=tuple(_shown(word, part) for word, part in zip(words, parts, strict=True)),
            sometimes={f"{target.name}: {state}": int(state in found.states) for state in target.states},
            fingerprint=f"{found.invariant}: {found.shape}" if found.invariant else "",
        )


def _shown(word: str, part: bytes) -> str:
    """Return an item of an input as text: its word, and all its bytes."""
    return f'{word} "{quoted(part)}"'.strip()


@contextlib.contextmanager
def _opened(kinds: Sequence[str], options: Mapping[str, str], emit: Emit) -> Iterator[Opened]:
    with contextlib.ExitStack() as stack:
        made = []
        for kind in kinds:
            target = PARSERS[kind.removeprefix(PREFIX)]
            process = stack.enter_context(contextlib.closing(TargetProcess(target.examine)))
            made.append(FuzzKind(target, process.ask))
        yield Opened(made)


SUITE = Suite("fuzz", tuple(PREFIX + name for name in PARSERS), _opened)
