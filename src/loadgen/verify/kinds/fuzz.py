"""Fuzzing as kinds of cases, one for each target. A case is one input, drawn from the corpus of the target's form."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

from loadgen.errors import UsageError
from loadgen.protocol import Wire
from loadgen.verify.case import Kind, Outcome, Verdict
from loadgen.verify.fuzz import corpus
from loadgen.verify.fuzz.examined import Examined
from loadgen.verify.fuzz.forms import MEMCACHE_REQUESTS
from loadgen.verify.fuzz.mutation import mutated
from loadgen.verify.fuzz.piece import drawn
from loadgen.verify.fuzz.process import TargetProcess
from loadgen.verify.fuzz.servers.plans import SERVERS
from loadgen.verify.fuzz.servers.targets import CommandHandler, Restore
from loadgen.verify.fuzz.servers.up import Up, named, opened
from loadgen.verify.fuzz.target import PARSERS, Target
from loadgen.verify.fuzz.target import SERVERS as SERVER_TARGETS
from loadgen.verify.kinds.suite import Emit, Opened, Suite
from loadgen.verify.reply import quoted
from loadgen.verify.subject.named import AUTO
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
        items = drawn(tape, given, len(form.words), form.numberings)
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


OF_SERVERS = tuple(SERVER_TARGETS)
"""The targets that are a server."""

SUBJECTS = ", ".join(SERVERS)
"""What `--subject` may name, in words."""


@contextlib.contextmanager
def _opened(kinds: Sequence[str], options: Mapping[str, str], emit: Emit) -> Iterator[Opened]:
    names = [kind.removeprefix(PREFIX) for kind in kinds]
    word = options["subject"]
    server = named(word or AUTO) if any(name in OF_SERVERS for name in names) else None
    if server is None and word:
        raise UsageError(f"--subject is the server of {' and '.join(OF_SERVERS)}: name one of them, or leave it out.")
    if server is not None and not server.restores and names == ["restore"]:
        raise UsageError(f"{server.plan.name} has no RESTORE: name another server by --subject, such as redis.")
    with contextlib.ExitStack() as stack:
        up = stack.enter_context(opened(server, emit)) if server is not None else None
        made: list[Kind] = []
        for name in names:
            if up is not None and name in OF_SERVERS:
                made.append(_of_server(SERVER_TARGETS[name], up))
            else:
                process = stack.enter_context(contextlib.closing(TargetProcess(PARSERS[name].examine)))
                made.append(FuzzKind(PARSERS[name], process.ask))
        yield Opened(made, up.identity if up is not None else "")


def _of_server(target: Target, up: Up) -> Kind:
    """Return the kind of a target that is a server."""
    wire = up.server.wire
    if target.name == "restore":
        if not up.server.restores:
            return _Skipped(target, f"{up.server.plan.name} has no RESTORE")
        return FuzzKind(target, Restore(up.fuzzed).examine)
    form = target.form if wire is Wire.RESP else MEMCACHE_REQUESTS
    return FuzzKind(replace(target, form=form), CommandHandler(up.fuzzed, wire).examine)


class _Skipped:
    """A target that the server is not."""

    def __init__(self, target: Target, why: str) -> None:
        self.name = PREFIX + target.name
        self._why = why

    def run(self, tape: Tape) -> Outcome:
        return Outcome(Verdict.SKIPPED, message=self._why)


_TARGETS = {name: (PREFIX + name,) for name in (*PARSERS, *SERVER_TARGETS)}
"""By the name of a target, its kind."""

SUITE = Suite("fuzz", tuple(kind for [kind] in _TARGETS.values()), _opened, {"subject": ""}, _TARGETS)
