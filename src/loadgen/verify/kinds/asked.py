"""Subjects asked, for the kinds that compare replies: which commands they have, and the first reply that is wrong."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from loadgen.errors import TargetError, UsageError
from loadgen.escape import printable
from loadgen.protocol import Wire
from loadgen.verify.case import Outcome, Verdict
from loadgen.verify.comparison import Comparison, difference, shape
from loadgen.verify.grammar import state
from loadgen.verify.grammar.groups import Group
from loadgen.verify.model.redis import TRANSACTIONS
from loadgen.verify.reply import Error, NoReply, Reply, shown
from loadgen.verify.step import Step
from loadgen.verify.subject.subject import Restart, Subject
from loadgen.verify.tape import Tape

Ask = Callable[[Sequence[Step]], list[Reply]]


def missing(subject: Subject, group: Group) -> frozenset[bytes]:
    """Return the commands of a group, and of the questions on the final state, that a subject does not have.

    One of memcache is asked by the simplest that is drawn of its row, and answered with a bare ERROR where it is
    unknown.
    """
    if subject.wire is Wire.RESP:
        return lacking(subject, (*group.commands, *state.COMMANDS))
    simplest = {row.name: row.drawn(group.arguments(Tape.of(()))) for row in reversed(group.rows)}
    return _unknown(subject, [*simplest.values()])


def lacking(subject: Subject, names: Iterable[bytes]) -> frozenset[bytes]:
    """Return the commands of RESP that a subject does not have.

    Each is asked with a wrong number of words, so that nothing is carried out.
    """
    steps = [Step((name, b"x") if TRANSACTIONS.get(name) == 1 else (name,)) for name in dict.fromkeys(names)]
    return _unknown(subject, steps)


def _unknown(subject: Subject, steps: Sequence[Step]) -> frozenset[bytes]:
    return frozenset(
        step.command[0]
        for step, reply in zip(steps, subject.ask(steps), strict=True)
        if isinstance(reply, Error) and (b"unknown command" in reply.text.lower() or reply.text == b"ERROR")
    )


def named_commands(words: str) -> tuple[bytes, ...]:
    """Return the commands of an option such as "SET,GET", as they are written."""
    return tuple(word.strip().encode() for word in words.split(",") if word.strip())


def draws_known_defects(options: Mapping[str, str]) -> bool:
    """Return whether an option asks for what servers are known to answer wrongly. Raises UsageError."""
    word = options.get("known-defects", "")
    if word not in ("", "true"):
        raise UsageError(f'known-defects is true, or left out, and not "{printable(word, 60)}".')
    return bool(word)


def check_commands(name: str, group: Group, needs: Sequence[bytes], commands: Collection[bytes]) -> None:
    """Raise UsageError where `commands` are those to be drawn, and have none of a test's or leave out what it needs."""
    have = ", ".join(command.decode() for command in group.commands)
    if not group.only(commands).rows:
        raise UsageError(f"{name} draws none of the commands that are named; it draws {have}.")
    if commands and (lacking := [need.decode() for need in needs if need not in commands]):
        raise UsageError(f"{name} rests on {', '.join(lacking)}, so name it among the commands; it draws {have}.")


@dataclass(slots=True)
class Compared:
    """The replies of one case, compared as they come: `expected` is what is right, `actual` what is judged."""

    kind: str
    invariant: str
    comparison: Comparison
    operations: list[str] = field(default_factory=list)
    """What was done, with the replies that are judged."""
    began_ns: int = field(default_factory=time.monotonic_ns)
    sometimes: dict[str, int] = field(default_factory=dict)
    """How often each state was reached that a campaign is to reach."""
    failure: Outcome | None = None
    """The first reply that is wrong."""

    def add(
        self,
        steps: Sequence[Step],
        expected: Sequence[Reply],
        actual: Sequence[Reply],
        right: str,
        *,
        drawn: bool = True,
    ) -> bool:
        """Compare the replies to some steps; False when one is wrong. `right` says whose replies are expected.

        Of steps that were not drawn, only the one with a wrong reply is kept as an operation.
        """
        self.comparison.asked(time.monotonic_ns() - self.began_ns)
        for step, due, reply in zip(steps, expected, actual, strict=True):
            agree = not isinstance(reply, NoReply) and self.comparison.agree(step, due, reply)
            if drawn or not agree:
                self.operations.append(f"{step} → {shown(reply)}")
            if not agree:
                self.fail(f"{step} answered {difference(due, reply)} ({right})", shape(step.command, due, reply))
                return False
        return True

    def restarted(self, subject: Subject, how: Restart) -> bool:
        """Restart a subject with its data; False when it does not start again, which is a failure of the case."""
        self.operations.append(f"restart by {how.value}")
        try:
            lost = subject.restart(how)
        except TargetError as error:
            self.operations[-1] += " → it does not start again"
            self.fail(f"the server does not start again: {str(error).removesuffix('.')}", "does not start again")
            return False
        self.operations[-1] += f" → {lost} bytes lost"
        return True

    def fail(self, message: str, fingerprint: str) -> None:
        """Note a failure, and all that was done so far."""
        self.failure = Outcome(
            Verdict.FAIL,
            self.invariant,
            message,
            operations=tuple(self.operations),
            fingerprint=f"{self.kind}: {fingerprint}",
        )

    def outcome(self) -> Outcome:
        found = self.failure or Outcome(Verdict.PASS, operations=tuple(self.operations))
        return replace(found, sometimes=self.sometimes)


def final_state(
    keys: Sequence[bytes], absent: frozenset[bytes], expected: Ask, actual: Ask
) -> Iterator[tuple[list[Step], list[Reply], list[Reply]]]:
    """Yield the questions on the state of all keys, with the replies of both subjects."""
    questions = state.first_questions(keys, absent)
    due = expected(questions)
    yield questions, due, actual(questions)
    values = state.value_questions(questions, due, absent)
    yield values, expected(values), actual(values)
