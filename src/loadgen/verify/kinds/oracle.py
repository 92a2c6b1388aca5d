"""The oracle: two servers are asked the same, and their replies must agree. A kind for each group of commands."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterator, Mapping, Sequence

from loadgen.errors import UsageError
from loadgen.protocol import Wire
from loadgen.verify.case import Outcome, Verdict
from loadgen.verify.comparison import Comparison
from loadgen.verify.compatibility import PREFIX
from loadgen.verify.grammar.arguments import KEYS
from loadgen.verify.grammar.groups import GROUPS, Group
from loadgen.verify.grammar.memcache import MEMCACHE_GROUPS
from loadgen.verify.kinds.asked import (
    Compared,
    check_commands,
    draws_known_defects,
    final_state,
    missing,
    named_commands,
)
from loadgen.verify.kinds.suite import Emit, Opened, Suite
from loadgen.verify.reply import Error
from loadgen.verify.step import Step
from loadgen.verify.subject import named
from loadgen.verify.subject.subject import Subject
from loadgen.verify.tape import OPERATION, Tape

OPERATIONS = 50
"""The operations of a case."""

_DIGEST = (b"DEBUG", b"DIGEST-VALUE", *KEYS)


class OracleKind:
    """The commands of one group. What the reference answers is right."""

    def __init__(self, group: Group, reference: Subject, subject: Subject, commands: Collection[bytes] = ()) -> None:
        """With `commands`, only these are drawn, of those of the group."""
        self.name = PREFIX + group.name
        self._reference = reference
        self._subject = subject
        self._group = group
        self._commands = commands
        self._absent = missing(reference, group) | missing(subject, group)
        spoken = reference.wire is Wire.RESP
        digests = [each.ask([Step(_DIGEST)])[0] for each in (reference, subject) if spoken]
        self._digests = spoken and not any(isinstance(digest, Error) for digest in digests)

    def not_compared(self) -> str:
        """Return which commands of the group one of the servers does not have, in words; empty for none.

        Also empty where the whole group is skipped, which says so by itself.
        """
        lacking = [name.decode() for name in self._group.commands if name in self._absent]
        if not lacking or self._is_skipped:
            return ""
        return (
            f"{self._group.name}: {len(lacking)} of {len(self._group.commands)} commands are not compared, as one of "
            f"the servers does not have them: {', '.join(lacking)}"
        )

    @property
    def _is_skipped(self) -> bool:
        return self._group.rows[0].name in self._absent

    def _comparison(self) -> Comparison:
        one_null = self._reference.capabilities.one_null or self._subject.capabilities.one_null
        return Comparison(self._reference.wire, one_null=one_null)

    def run(self, tape: Tape) -> Outcome:
        group = self._group
        if self._is_skipped:
            words = f"one of the servers has no {group.rows[0].name.decode()}, which {group.name} rest on"
            return Outcome(Verdict.SKIPPED, message=words)
        group = group.only(self._commands).without(self._absent)
        if not group.rows:
            return Outcome(Verdict.SKIPPED, message="one of the servers has none of the commands that are named")
        self._reference.reset(KEYS)
        self._subject.reset(KEYS)
        right = f"as {self._reference.name} answered"
        compared = Compared(self.name, "both servers answer alike", self._comparison())
        steps = group.kept([group.drawn(tape) for _ in tape.several(OPERATION, OPERATIONS)])
        if not compared.add(steps, self._reference.ask(steps), self._subject.ask(steps), right):
            return compared.outcome()
        if self._reference.wire is Wire.RESP:
            for both in final_state(KEYS, self._absent, self._reference.ask, self._subject.ask):
                if not compared.add(*both, right, drawn=False):
                    return compared.outcome()
        if self._digests:
            digest = [Step(_DIGEST)]
            compared.add(digest, self._reference.ask(digest), self._subject.ask(digest), right, drawn=False)
        return compared.outcome()


def spoken(kinds: Sequence[str], options: Mapping[str, str]) -> tuple[str, ...]:
    """Return the kinds whose commands the two servers speak. Raises UsageError when there is none."""
    wire = _wire(options)
    found = tuple(kind for kind in kinds if (kind.removeprefix(PREFIX) in MEMCACHE_GROUPS) is (wire is Wire.MEMCACHE))
    if not found:
        raise UsageError(f"{options['redis']} and {options['subject']} speak {wire}, and no group named is of that.")
    return found


def _wire(options: Mapping[str, str]) -> Wire:
    """Return the protocol of both servers. Raises UsageError when they have none in common."""
    words = [named.checked(options[option]) for option in ("redis", "subject")]
    wire, other = named.wire_of(*words), named.wire_of(*words[::-1])
    if wire is not other:
        raise UsageError(f"{words[0]} speaks {wire}, and {words[1]} {other}: name two servers of one protocol.")
    return wire


@contextlib.contextmanager
def _opened(kinds: Sequence[str], options: Mapping[str, str], emit: Emit) -> Iterator[Opened]:
    wire = _wire(options)
    reference, subject = (named.resolved(options[option], wire) for option in ("redis", "subject"))
    commands, known_defects = named_commands(options.get("commands", "")), draws_known_defects(options)
    for kind in spoken(kinds, options):
        group = _GROUPS[kind.removeprefix(PREFIX)]
        check_commands(kind, group, (), commands)
    with (
        named.opened(named.Wanted(reference, wire), emit, KEYS) as one,
        named.opened(named.Wanted(subject, wire), emit, KEYS) as two,
    ):
        groups = [_GROUPS[kind.removeprefix(PREFIX)] for kind in spoken(kinds, options)]
        if known_defects:
            groups = [group.with_known_defects() for group in groups]
        kinds_of = [OracleKind(group, one, two, commands) for group in groups]
        notes = tuple(filter(None, (kind.not_compared() for kind in kinds_of)))
        yield Opened(kinds_of, f"{one.identity} × {two.identity}", notes=notes)


_GROUPS = {**GROUPS, **MEMCACHE_GROUPS}

SUITE = Suite(
    "oracle",
    tuple(PREFIX + name for name in _GROUPS),
    _opened,
    {"redis": named.AUTO, "subject": "builtin", "commands": "", "known-defects": ""},
)
