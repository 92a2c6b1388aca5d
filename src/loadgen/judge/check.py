"""Checks of a configuration, and their answers. Values and pure functions; where the names come from is not known."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from loadgen.judge.expression import types
from loadgen.judge.expression.evaluator import evaluate
from loadgen.judge.expression.mistake import Malformed, Mistake
from loadgen.judge.expression.parser import parse
from loadgen.judge.expression.value import Environment
from loadgen.judge.expression.vocabulary import Vocabulary
from loadgen.severity import Severity


class Level(StrEnum):
    """What an answer leads to."""

    MUST = "must"
    """The run fails with the check, and has no answer where the check has none."""
    NICE = "nice"
    """The answer is shown, and has no consequence."""


class Verdict(StrEnum):
    """The answer to a check."""

    PASS = "pass"
    FAIL = "fail"
    CANNOT_TELL = "cannot-tell"


@dataclass(frozen=True, slots=True)
class Check:
    """One `[[check]]`."""

    expr: str
    """An expression of `judge.expression`."""
    level: Level = Level.MUST


@dataclass(frozen=True, slots=True)
class Checked:
    """A check with its answer."""

    check: Check
    passed: bool | None
    """None where it cannot be told."""
    found: str
    """The values that were compared, such as "p99 = 4.2 ms", or the reason why it cannot be told."""

    @property
    def verdict(self) -> Verdict:
        if self.passed is None:
            return Verdict.CANNOT_TELL
        return Verdict.PASS if self.passed else Verdict.FAIL

    @property
    def severity(self) -> Severity:
        """GOOD for a check that is nice, whatever its answer."""
        if self.passed or self.check.level is Level.NICE:
            return Severity.GOOD
        return Severity.UNKNOWN if self.passed is None else Severity.BREACHED


def mistakes(expr: str, vocabulary: Vocabulary) -> list[Mistake]:
    """Return everything that is wrong with the text of a check, in its order."""
    try:
        return types.mistakes(parse(expr), vocabulary)
    except Malformed as error:
        return [error.mistake]


def judge(checks: Iterable[Check], vocabulary: Vocabulary, environment: Environment) -> tuple[Checked, ...]:
    """Return the answer to each check, in their order. A check with a mistake cannot be told."""
    return tuple(_judged(check, vocabulary, environment) for check in checks)


def _judged(check: Check, vocabulary: Vocabulary, environment: Environment) -> Checked:
    if wrong := mistakes(check.expr, vocabulary):
        return Checked(check, None, f"cannot tell: {wrong[0]}")
    answer = evaluate(parse(check.expr), vocabulary, environment)
    return Checked(check, answer.passed, answer.found)
