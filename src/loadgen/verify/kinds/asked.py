"""Subjects asked, for the kinds that compare replies: which commands they have, and the first reply that is wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from loadgen.verify.case import Outcome, Verdict
from loadgen.verify.comparison import Comparison, difference, shape
from loadgen.verify.grammar import state
from loadgen.verify.model.redis import TRANSACTIONS
from loadgen.verify.reply import Error, NoReply, Reply, shown
from loadgen.verify.step import Step
from loadgen.verify.subject.subject import Subject

Ask = Callable[[Sequence[Step]], list[Reply]]


def missing(subject: Subject, commands: Iterable[bytes]) -> frozenset[bytes]:
    """Return the commands of RESP that a subject does not have.

    Each is asked with a wrong number of words, so that nothing is carried out.
    """
    names = [*dict.fromkeys(commands)]
    steps = [Step((name, b"x") if TRANSACTIONS.get(name) == 1 else (name,)) for name in names]
    replies = subject.ask(steps)
    return frozenset(
        name
        for name, reply in zip(names, replies, strict=True)
        if isinstance(reply, Error) and b"unknown command" in reply.text.lower()
    )


@dataclass(slots=True)
class Compared:
    """The replies of one case, compared as they come: `expected` is what is right, `actual` what is judged."""

    kind: str
    invariant: str
    comparison: Comparison
    operations: list[str] = field(default_factory=list)
    """What was done, with the replies that are judged."""
    failure: Outcome | None = None
    """The first reply that is wrong."""

    def add(self, steps: Sequence[Step], expected: Sequence[Reply], actual: Sequence[Reply], right: str) -> bool:
        """Compare the replies to some steps; False when one is wrong. `right` says whose replies are expected."""
        for step, due, reply in zip(steps, expected, actual, strict=True):
            self.operations.append(f"{step} → {shown(reply)}")
            if isinstance(reply, NoReply) or not self.comparison.agree(step, due, reply):
                self.fail(f"{step} answered {difference(due, reply)} ({right})", shape(step.command, due, reply))
                return False
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
        return self.failure or Outcome(Verdict.PASS, operations=tuple(self.operations))


def final_state(
    keys: Sequence[bytes], absent: frozenset[bytes], expected: Ask, actual: Ask
) -> Iterator[tuple[list[Step], list[Reply], list[Reply]]]:
    """Yield the questions on the state of all keys, with the replies of both subjects."""
    questions = state.first_questions(keys, absent)
    due = expected(questions)
    yield questions, due, actual(questions)
    values = state.value_questions(questions, due, absent)
    yield values, expected(values), actual(values)
