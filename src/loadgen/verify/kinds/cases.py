"""Written cases, a kind for each: operations and what their replies are to be, on one server or on two.

A case uses any keys, and may remove all. A server that loadgen did not start must be empty, and only the keys of a case
are removed there; a case that does more is skipped.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Mapping, Sequence

from loadgen.errors import TargetError, UsageError
from loadgen.protocol import Wire
from loadgen.verify.case import Kind, Outcome, Verdict
from loadgen.verify.comparison import Comparison, difference
from loadgen.verify.kinds.suite import Emit, Opened, Suite
from loadgen.verify.reply import Error, NoReply, Reply, shown, type_name
from loadgen.verify.spec import Spec, WrittenCase
from loadgen.verify.step import Step
from loadgen.verify.subject import named
from loadgen.verify.subject.subject import Subject
from loadgen.verify.tape import Tape

NAME = "cases"
OPTIONS = {"subject": named.AUTO, "beside": "", "spec": ""}
"""The options of the suite: the server, the one beside it, and the spec file; empty for the one of loadgen."""

BEYOND_KEYS = frozenset(
    (b"SELECT", b"SWAPDB", b"MOVE", b"FLUSHDB", b"FLUSHALL", b"CONFIG", b"SHUTDOWN", b"DEBUG", b"SCRIPT", b"FUNCTION",
     b"ACL", b"CLIENT", b"CLUSTER", b"REPLICAOF", b"SLAVEOF", b"FAILOVER", b"SAVE", b"BGSAVE", b"BGREWRITEAOF")
)  # fmt: skip
"""Commands that change more of a server than the keys that a case names."""


class CaseKind:
    """One case, on one subject or two. Two must answer alike where the case does not say what it expects."""

    def __init__(self, case: WrittenCase, subjects: Sequence[Subject], *, ours: bool) -> None:
        """`ours` is False where one of the subjects is a server that loadgen did not start."""
        self.name = case.name
        self._case = case
        self._subjects = subjects
        self._ours = ours

    def run(self, tape: Tape) -> Outcome:
        case = self._case
        now_ns = time.time_ns()
        commands = [operation.command(now_ns) for operation in case.operations]
        if not self._ours and (beyond := next((each[0] for each in commands if each[0].upper() in BEYOND_KEYS), b"")):
            words = f"{beyond.decode()} changes more than keys, and loadgen did not start the server"
            return Outcome(Verdict.SKIPPED, message=words)
        steps = [
            Step(command, operation.connection, operation.wait_ms)
            for command, operation in zip(commands, case.operations, strict=True)
        ]
        began_ns = time.monotonic_ns()
        replies = [self._asked(subject, steps) for subject in self._subjects]
        return self._judged(steps, replies, time.monotonic_ns() - began_ns)

    def _asked(self, subject: Subject, steps: Sequence[Step]) -> list[Reply]:
        """Return the replies of a subject that has none of the keys."""
        words = dict.fromkeys(word for step in steps for word in step.command[1:])
        subject.reset([*words] or [b"a"])
        if self._ours:
            subject.ask([Step((b"FLUSHALL",))])
        return subject.ask(steps)

    def _judged(self, steps: Sequence[Step], replies: Sequence[Sequence[Reply]], took_ns: int) -> Outcome:
        """Return the outcome of the replies of each subject."""
        for subject, answered in zip(self._subjects, replies, strict=True):
            if (found := self._met(subject, steps, answered)) is not None:
                return found
        comparison = Comparison(Wire.RESP, one_null=any(each.capabilities.one_null for each in self._subjects))
        comparison.asked(took_ns)
        for place, (operation, right, reply) in enumerate(
            zip(self._case.operations, replies[0], replies[-1], strict=True)
        ):
            if not comparison.agree(steps[place], right, reply) and operation.expect is None:
                names = f"{self._subjects[-1].name} beside {self._subjects[0].name}"
                return self._failure(steps, replies[-1], place, f"{difference(right, reply)} ({names})")
        return Outcome(Verdict.PASS, operations=_shown(steps, replies[-1]))

    def _met(self, subject: Subject, steps: Sequence[Step], replies: Sequence[Reply]) -> Outcome | None:
        """Return the outcome of the first reply that is not what the case expects; None where there is none."""
        for place, (operation, reply) in enumerate(zip(self._case.operations, replies, strict=True)):
            expect = operation.expect
            if isinstance(reply, NoReply) or not (
                expect.met(reply) if expect is not None else not isinstance(reply, Error)
            ):
                if isinstance(reply, Error) and b"unknown command" in reply.text.lower():
                    words = f"{subject.name} has no {steps[place].command[0].decode(errors='replace')}"
                    return Outcome(Verdict.SKIPPED, message=words)
                due = "a reply without an error" if expect is None else expect
                return self._failure(steps, replies, place, f"{shown(reply)}, not {due} ({subject.name})")
        return None

    def _failure(self, steps: Sequence[Step], replies: Sequence[Reply], place: int, found: str) -> Outcome:
        name = steps[place].command[0].upper().decode(errors="replace")
        return Outcome(
            Verdict.FAIL,
            self._case.description or self._case.name.replace("_", " "),
            f"{steps[place]} answered {found}",
            operations=_shown(steps[: place + 1], replies),
            fingerprint=f"{self.name}: {name}, operation {place + 1}: {type_name(replies[place])}",
        )


def _shown(steps: Sequence[Step], replies: Sequence[Reply]) -> tuple[str, ...]:
    return tuple(f"{step} → {shown(reply)}" for step, reply in zip(steps, replies, strict=False))


def suite(spec: Spec) -> Suite:
    """Return the suite of a spec file's cases."""

    @contextlib.contextmanager
    def opened(kinds: Sequence[str], options: Mapping[str, str], emit: Emit) -> Iterator[Opened]:
        if options["spec"] != spec.source:
            raise UsageError(
                f"the cases are those of {spec.source or 'the spec file of loadgen'}, and not of "
                f"{options['spec'] or 'the spec file of loadgen'}: name one file by --spec."
            )
        with contextlib.ExitStack() as stack:
            given = (named.checked(options[name]) for name in ("subject", "beside") if options[name])
            words = [named.resolved(word, Wire.RESP) for word in given]
            _check(words)
            cases = [case for case in spec.cases if case.name in kinds]
            ours = all(word in named.WORDS for word in words)
            # What a server at an address is left without: nothing, until it is known to have no keys of others.
            keys: list[bytes] = []
            wanted = (named.Wanted(word, Wire.RESP) for word in words)
            subjects = [stack.enter_context(named.opened(each, emit, keys)) for each in wanted]
            for word, subject in zip(words, subjects, strict=True):
                if word not in named.WORDS:
                    _check_empty(subject)
            keys += _keys(cases)
            made: list[Kind] = [CaseKind(case, subjects, ours=ours) for case in cases]
            yield Opened(made, " × ".join(subject.identity for subject in subjects), spec.hash)

    return Suite(NAME, tuple(case.name for case in spec.cases), opened, {**OPTIONS, "spec": spec.source})


def _keys(cases: Sequence[WrittenCase]) -> list[bytes]:
    """Return every word that may be a key."""
    words = (word for case in cases for operation in case.operations for word in operation.words[1:])
    return [*dict.fromkeys(word for word in words if isinstance(word, bytes))] or [b"a"]


def _check(words: Sequence[str]) -> None:
    """Raise UsageError for a server that does not speak RESP."""
    for word in words:
        if word != named.AUTO and word not in ("builtin", "model") and named.wire_of(word) is not Wire.RESP:
            raise UsageError(f"{word} does not speak RESP, which the cases are written in: name another server.")


def _check_empty(subject: Subject) -> None:
    """Raise TargetError for a server with keys, as a case uses any keys."""
    [size] = subject.ask([Step((b"DBSIZE",))])
    if isinstance(size, int) and not isinstance(size, bool) and size == 0:
        return
    found = f"{size:,} key{'s' * (size != 1)}" if isinstance(size, int) else f"{shown(size)} as its number of keys"
    raise TargetError(
        f"The server at {subject.name} has {found}, and the cases write any keys: start an empty one, or name one that "
        "loadgen starts, such as redis."
    )
