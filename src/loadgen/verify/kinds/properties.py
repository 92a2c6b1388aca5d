"""Properties of servers, a kind for each: what holds whatever the commands are, and the model as the truth of replies.

Each property draws commands of its own group, asks the server, and compares every reply and the state at the end with
the model's. Beside that, most have a law: a statement over the server's replies alone, which no error of the model can
hide a failure of.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Collection, Iterator, Mapping, Sequence

from loadgen.errors import UsageError
from loadgen.escape import printable
from loadgen.protocol import Wire
from loadgen.verify.case import Outcome, Verdict
from loadgen.verify.comparison import Comparison
from loadgen.verify.grammar.arguments import KEYS
from loadgen.verify.grammar.groups import Group
from loadgen.verify.kinds.asked import (
    Compared,
    check_commands,
    draws_known_defects,
    final_state,
    missing,
    named_commands,
)
from loadgen.verify.kinds.property import Property
from loadgen.verify.kinds.property_rows import PROPERTIES
from loadgen.verify.kinds.suite import Emit, Opened, Suite
from loadgen.verify.model import memcache, redis
from loadgen.verify.reply import Reply
from loadgen.verify.step import Step
from loadgen.verify.subject import named
from loadgen.verify.subject.subject import Subject
from loadgen.verify.tape import OPERATION, Tape

OPERATIONS = 60
"""The most operations of a case."""
MEAN_OPERATIONS = 20

_NS_PER_MS = 1_000_000


class _Truth:
    """The model over one case, whose clock goes on by the times that steps wait."""

    def __init__(self, wire: Wire) -> None:
        self._model = redis.Model() if wire is Wire.RESP else memcache.Model()
        self._now_ns = time.time_ns()

    def ask(self, steps: Sequence[Step]) -> list[Reply]:
        replies = []
        for step in steps:
            replies.append(self._model.ask(step.command, self._now_ns, step.connection))
            self._now_ns += step.wait_ms * _NS_PER_MS
        return replies


class PropertyKind:
    """One property of one subject."""

    def __init__(
        self, of: Property, subject: Subject, commands: Collection[bytes] = (), *, known_defects: bool = False
    ) -> None:
        """With `commands`, only these are drawn, of those of the property.

        With `known_defects`, what servers are known to answer wrongly is asked, too.
        """
        self.name = of.name
        self._property = of
        self._subject = subject
        self._absent = missing(subject, of.group)
        group: Group = of.group.only(commands).without(self._absent)
        self._group = group.with_known_defects() if known_defects else group

    def run(self, tape: Tape) -> Outcome:
        lack = self._lack()
        if lack:
            return Outcome(Verdict.SKIPPED, message=lack)
        of, subject = self._property, self._subject
        subject.reset(KEYS)
        comparison = Comparison(subject.wire, one_null=subject.capabilities.one_null)
        compared = Compared(self.name, of.invariant, comparison)
        truth = _Truth(subject.wire)
        steps = self._group.kept(
            [self._group.drawn(tape) for _ in tape.several(OPERATION, OPERATIONS, MEAN_OPERATIONS)]
        )
        steps += [Step(command, wait_ms=wait_ms) for command, wait_ms in of.last]
        replies = subject.ask(steps)
        asked = [*zip(steps, replies, strict=True)]
        compared.sometimes = {state: sum(reached(*each) for each in asked) for state, reached in of.states}
        if not compared.add(steps, truth.ask(steps), replies, "by the model"):
            return compared.outcome()
        if of.law is not None and (broken := of.law(steps, replies)):
            compared.fail(broken, "the law")
            return compared.outcome()
        if of.restart is not None and not compared.restarted(subject, of.restart):
            return compared.outcome()
        if subject.wire is Wire.RESP:
            for both in final_state(KEYS, self._absent, truth.ask, subject.ask):
                if not compared.add(*both, "by the model", drawn=False):
                    break
        return compared.outcome()

    def _lack(self) -> str:
        """Return why the property cannot be judged on this subject; empty when it can."""
        of, subject = self._property, self._subject
        lacking = [name.decode() for name in of.needs if name in self._absent]
        if lacking:
            return f"{subject.name} has no {', '.join(lacking)}"
        if not self._group.rows:
            return f"{subject.name} has none of the commands that are named"
        if of.restart is not None and of.restart not in subject.capabilities.restarts:
            return f"{subject.name} cannot be restarted with its data after a {of.restart.value}"
        return ""


def spoken(kinds: Sequence[str], options: Mapping[str, str]) -> tuple[str, ...]:
    """Return the kinds of the protocols that the subject speaks. Raises UsageError when there is none."""
    word = named.checked(options["subject"])
    if word in (named.AUTO, "builtin", "model"):
        return tuple(kinds)
    wire = named.wire_of(word)
    found = tuple(kind for kind in kinds if PROPERTIES[kind].wire is wire)
    if not found:
        raise UsageError(f"{printable(word, 60)} speaks {wire}, and no property named is of that.")
    return found


@contextlib.contextmanager
def _opened(kinds: Sequence[str], options: Mapping[str, str], emit: Emit) -> Iterator[Opened]:
    word = named.checked(options["subject"])
    chosen = [PROPERTIES[kind] for kind in spoken(kinds, options)]
    commands, known_defects = named_commands(options.get("commands", "")), draws_known_defects(options)
    for each in chosen:
        check_commands(each.name, each.group, each.needs_drawn, commands)
    with contextlib.ExitStack() as stack:
        subjects: dict[tuple[Wire, bool], Subject] = {}
        made = []
        for each in chosen:
            place = (each.wire, each.restart is not None)
            if place not in subjects:
                wanted = named.Wanted(named.resolved(word, each.wire), each.wire, durable=each.restart is not None)
                if not wanted.can_restart and (each.wire, False) in subjects:
                    subjects[place] = subjects[each.wire, False]
                else:
                    subjects[place] = stack.enter_context(named.opened(wanted, emit, KEYS))
            made.append(PropertyKind(each, subjects[place], commands, known_defects=known_defects))
        yield Opened(made, ", ".join(dict.fromkeys(subject.identity for subject in subjects.values())))


SUITE = Suite("properties", tuple(PROPERTIES), _opened, {"subject": named.AUTO, "commands": "", "known-defects": ""})
