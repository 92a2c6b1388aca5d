"""Written cases, a kind for each: operations and what their replies are to be, on one server or on two.

A case uses any keys, and may remove all. A server that loadgen did not start must be empty, and only the keys of a case
are removed there; a case that does more is skipped.
"""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence

from loadgen.errors import TargetError, UsageError
from loadgen.protocol import Wire
from loadgen.verify.case import Kind, Outcome, Verdict
from loadgen.verify.comparison import Comparison, difference
from loadgen.verify.grammar.memcache import MEMCACHE_GROUPS
from loadgen.verify.kinds.asked import missing
from loadgen.verify.kinds.suite import Emit, Opened, Suite
from loadgen.verify.reply import Error, NoReply, Reply, shown, type_name
from loadgen.verify.spec import Spec, Word, WrittenCase
from loadgen.verify.step import Command, Step
from loadgen.verify.subject import named
from loadgen.verify.subject.subject import Subject
from loadgen.verify.tape import Tape

NAME = "cases"
OPTIONS = {"subject": named.AUTO, "beside": "", "spec": ""}
"""The options of the suite: the server, the one beside it, and the spec file; empty for the one of loadgen."""

BEYOND_KEYS = frozenset(
    (b"SELECT", b"SWAPDB", b"MOVE", b"FLUSHDB", b"FLUSHALL", b"CONFIG", b"SHUTDOWN", b"DEBUG", b"SCRIPT", b"FUNCTION",
     b"FLUSH_ALL", b"CACHE_MEMLIMIT", b"SLABS", b"LRU", b"LRU_CRAWLER", b"STATS", b"VERBOSITY",
     b"ACL", b"CLIENT", b"CLUSTER", b"REPLICAOF", b"SLAVEOF", b"FAILOVER", b"SAVE", b"BGSAVE", b"BGREWRITEAOF")
)  # fmt: skip
"""Commands that change more of a server than the keys that a case names."""


_MEMCACHE_KEY = re.compile(rb"[^\x00-\x20\x7f]{1,250}")


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
        names = map(_name, commands)
        if not self._ours and (beyond := next((name for name in names if name.upper() in BEYOND_KEYS), b"")):
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
        subject.reset(_keys((step.command for step in steps), self._case.wire))
        if self._ours:
            subject.ask([Step((b"FLUSHALL" if self._case.wire is Wire.RESP else b"flush_all",))])
        return subject.ask(steps)

    def _judged(self, steps: Sequence[Step], replies: Sequence[Sequence[Reply]], took_ns: int) -> Outcome:
        """Return the outcome of the replies of each subject."""
        for subject, answered in zip(self._subjects, replies, strict=True):
            if (found := self._met(subject, steps, answered)) is not None:
                return found
        comparison = Comparison(self._case.wire, one_null=any(each.capabilities.one_null for each in self._subjects))
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
                if isinstance(reply, Error) and _lacks(subject, steps[place].command, reply):
                    words = f"{subject.name} has no {_name(steps[place].command).decode(errors='replace')}"
                    return Outcome(Verdict.SKIPPED, message=words)
                due = "a reply without an error" if expect is None else expect
                return self._failure(steps, replies, place, f"{shown(reply)}, not {due} ({subject.name})")
        return None

    def _failure(self, steps: Sequence[Step], replies: Sequence[Reply], place: int, found: str) -> Outcome:
        name = _name(steps[place].command).upper().decode(errors="replace")
        return Outcome(
            Verdict.FAIL,
            self._case.description or self._case.name.replace("_", " "),
            f"{steps[place]} answered {found}",
            operations=_shown(steps[: place + 1], replies),
            fingerprint=f"{self.name}: {name}, operation {place + 1}: {type_name(replies[place])}",
        )


def _name(command: Command) -> bytes:
    """Return the name of a command, which of memcache may be in a whole line."""
    return command[0].split()[0]


def _lacks(subject: Subject, command: Command, reply: Error) -> bool:
    """True where an error says that a subject does not have a command.

    memcache answers a bare ERROR to an unknown command, and to a wrong number of words of one that it has.
    """
    if subject.wire is Wire.RESP:
        return b"unknown command" in reply.text.lower()
    name = _name(command)
    known = next((group for group in MEMCACHE_GROUPS.values() if name in group.commands), None)
    return reply.text == b"ERROR" and (known is None or name in missing(subject, known.only((name,))))


def _keys(commands: Iterable[Sequence[Word]], wire: Wire) -> list[bytes]:
    """Return every word of some commands that may be a key; at least one."""
    words = [word for command in commands for word in command[1:] if isinstance(word, bytes)]
    if wire is Wire.MEMCACHE:
        words = [word for word in words if _MEMCACHE_KEY.fullmatch(word)]
    return [*dict.fromkeys(words)] or [b"a"]


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
        names = spoken(spec, kinds, options)
        cases = [case for case in spec.cases if case.name in names]
        with contextlib.ExitStack() as stack:
            subjects: dict[Wire, list[Subject]] = {}
            for wire in dict.fromkeys(case.wire for case in cases):
                own = [case for case in cases if case.wire is wire]
                words = [named.resolved(word, wire) for word in _words(options)]
                # What a server at an address is left without: nothing, until it is known to have no keys of others.
                keys: list[bytes] = []
                wanted = (named.Wanted(word, wire) for word in words)
                subjects[wire] = [stack.enter_context(named.opened(each, emit, keys)) for each in wanted]
                for word, subject in zip(words, subjects[wire], strict=True):
                    if word not in named.WORDS:
                        _check_empty(subject)
                keys += _keys((operation.words for case in own for operation in case.operations), wire)
            ours = all(word in (named.AUTO, *named.WORDS) for word in _words(options))
            made: list[Kind] = [CaseKind(case, subjects[case.wire], ours=ours) for case in cases]
            identities = (" × ".join(subject.identity for subject in each) for each in subjects.values())
            yield Opened(made, ", ".join(identities), spec.hash)

    return Suite(NAME, tuple(case.name for case in spec.cases), opened, {**OPTIONS, "spec": spec.source})


def spoken(spec: Spec, kinds: Sequence[str], options: Mapping[str, str]) -> tuple[str, ...]:
    """Return the cases, of those that are named, in the protocols that the servers speak. Raises UsageError.

    A server such as builtin speaks both. That of `auto` is one for each protocol.
    """
    words = _words(options)
    fixed = {word: named.wire_of(word) for word in words if word not in (named.AUTO, "builtin", "model")}
    if len({*fixed.values()}) > 1:
        told = " and ".join(f"{word} speaks {wire}" for word, wire in fixed.items())
        raise UsageError(f"{told}: name two servers of one protocol.")
    wires = {*fixed.values()} or {*Wire}
    found = tuple(case.name for case in spec.cases if case.name in kinds and case.wire in wires)
    if not found:
        [(word, wire), *_] = fixed.items()
        raise UsageError(f"{word} speaks {wire}, and no case named is of that: name another server, or other cases.")
    return found


def _words(options: Mapping[str, str]) -> list[str]:
    """Return the words that name the servers. Raises UsageError."""
    return [named.checked(options[name]) for name in ("subject", "beside") if options[name]]


def _check_empty(subject: Subject) -> None:
    """Raise TargetError for a server with keys, as a case uses any keys."""
    size = _number_of_keys(subject)
    if isinstance(size, int) and not isinstance(size, bool) and size == 0:
        return
    found = f"{size:,} key{'s' * (size != 1)}" if isinstance(size, int) else f"{shown(size)} as its number of keys"
    raise TargetError(
        f"The server at {subject.name} has {found}, and the cases write any keys: start an empty one, or name one that "
        "loadgen starts, such as redis."
    )


def _number_of_keys(subject: Subject) -> Reply:
    """Return how many keys a server has, or what it answers to that question."""
    if subject.wire is Wire.RESP:
        [size] = subject.ask([Step((b"DBSIZE",))])
        return size
    [stats] = subject.ask([Step((b"stats",))])
    for each in stats if isinstance(stats, tuple) else ():
        match each:
            case (b"curr_items", bytes(number)) if number.isdigit():
                return int(number)
    return stats
