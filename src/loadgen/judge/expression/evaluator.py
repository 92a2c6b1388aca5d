"""The evaluation of a check on measured values: yes, no, or cannot tell.

Numbers are computed exactly, as fractions. A condition with a part that is unknown has an answer where the other parts
decide it: false `and` unknown is false.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

from loadgen.judge.expression.dimension import PER, Kind
from loadgen.judge.expression.spelling import spell
from loadgen.judge.expression.syntax import (
    Call,
    Chain,
    Expression,
    Name,
    Negative,
    Not,
    Quantity,
    every,
    of_part,
    text,
)
from loadgen.judge.expression.types import dimension_of, of_call, shown, takes_value
from loadgen.judge.expression.value import (
    AtLeast,
    Between,
    Environment,
    Estimating,
    Parted,
    Scalar,
    Series,
    Unknown,
    exact,
)
from loadgen.judge.expression.vocabulary import Vocabulary


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to a check."""

    passed: bool | None
    """None: it cannot be told."""
    found: str
    """The values that were compared: "p99 = 4.2 ms; errors / requests = 0.12 %"; or why it cannot be told."""


def evaluate(expression: Expression, vocabulary: Vocabulary, environment: Environment) -> Answer:
    """Return the answer to an expression in which `types.mistakes` finds nothing."""
    evaluation = _Evaluation(vocabulary, environment)
    answer = evaluation.truth(expression)
    found = "; ".join(dict.fromkeys(evaluation.found))
    if isinstance(answer, Unknown):
        return Answer(None, "; ".join(filter(None, [f"cannot tell: {answer.reason}", found])))
    return Answer(answer, found)


Truth = bool | Unknown

MOST_NAMED = 3
"""The most parts that are named for which a comparison of every part does not hold."""

_COMPARE: dict[str, Callable[[Fraction, Fraction], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
}
_COMPUTE: dict[str, Callable[[Fraction, Fraction], Fraction]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
}
_NOTHING = Quantity("0")
_TURNED = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "==": "==", "!=": "!="}


class _Evaluation:
    def __init__(self, vocabulary: Vocabulary, environment: Environment) -> None:
        self._vocabulary = vocabulary
        self._environment = environment
        self.found: list[str] = []
        """The values of what was compared, in words."""

    # ── Conditions ────────────────────────────────────────────────────────────────────────────────────────────────────

    def truth(self, expression: Expression) -> Truth:
        match expression:
            case Not(operand):
                answer = self.truth(operand)
                return answer if isinstance(answer, Unknown) else not answer
            case Chain(operands, ("and" | "or" as word, *_)):
                return _joined([self.truth(operand) for operand in operands], decides=word == "or")
            case Chain() as comparison:
                for part in every(comparison):
                    return self._comparison_of_all(comparison, part)
                return self._comparison(comparison)
        raise TypeError(f"{text(expression)} is no condition")

    def _comparison(self, comparison: Chain) -> Truth:
        values = [self.value(operand) for operand in comparison.operands]
        self.found += self._in_words(comparison.operands, values)
        return _compared_all(comparison.operators, values)

    def _comparison_of_all(self, comparison: Chain, word: str) -> Truth:
        """Compare for each part: it holds where it does for all. The parts for which it does not are named."""
        assert isinstance(self._environment, Parted)
        of_parts = [of_part(comparison, 1 + index) for index in range(self._environment.parts(word))]
        chains = [each for each in of_parts if isinstance(each, Chain)]
        values = [[self.value(operand) for operand in each.operands] for each in chains]
        answers = [_compared_all(comparison.operators, each) for each in values]
        answer = _joined(answers, decides=False)
        spans = [_span(each) for each in zip(*values, strict=True)]
        known = [each for each in spans if not isinstance(each, Unknown)]
        if len(known) == len(spans):
            self.found += self._in_words(comparison.operands, known)
        others = [place for place, each in enumerate(answers) if each is not True]
        for place in others[:MOST_NAMED]:
            self.found += self._in_words(chains[place].operands, values[place])
        if len(others) > MOST_NAMED:
            self.found.append(f"and {len(others) - MOST_NAMED:,} more")
        return answer

    def _in_words(self, operands: Sequence[Expression], values: Sequence[Scalar]) -> Iterator[str]:
        per = next((unit for operand in operands if (unit := _per(operand))), "s")
        as_share = any(map(_is_share, operands))
        for operand, value in zip(operands, values, strict=True):
            if not isinstance(value, Unknown) and _is_measured(operand):
                dimension = dimension_of(operand, self._vocabulary)
                yield f"{shown(operand)} = {spell(value, dimension, per, as_share=as_share)}"

    # ── Values ────────────────────────────────────────────────────────────────────────────────────────────────────────

    def value(self, expression: Expression) -> Scalar:
        match expression:
            case Quantity():
                return expression.value
            case Name():
                return self._environment.scalar(expression.name, self._chosen(expression))
            case Call():
                return self._called(expression)
            case Negative(operand):
                return _computed("-", _NOTHING, Fraction(0), operand, self.value(operand))
            case Chain(operands, operators):
                so_far = self.value(operands[0])
                for sign, operand in zip(operators, operands[1:], strict=True):
                    so_far = _computed(sign, operands[0], so_far, operand, self.value(operand))
                return so_far
        raise TypeError(f"{text(expression)} is no value")

    def _called(self, call: Call) -> Scalar:
        function, known, by = of_call(call, self._vocabulary)
        first, *others = call.arguments
        assert isinstance(first, Name)
        if takes_value(function, known):
            return self.value(first)
        if call.function == "growth" and isinstance(self._environment, Estimating):
            counters = ((other.name, self._chosen(other)) for other in others if isinstance(other, Name))
            estimate = self._environment.growth(first.name, self._chosen(first), next(counters, None))
            return Unknown(f"{estimate.reason}, in {shown(call)}") if isinstance(estimate, Unknown) else estimate
        further: list[Series | Fraction] = []
        for other in others:
            its = self._series(other) if by is not None else self.value(other)
            if isinstance(its, Unknown):
                return its
            assert isinstance(its, Series | Fraction)
            further.append(its)
        series = self._series(first)
        if isinstance(series, Unknown):
            return series
        if len(series.points) < function.least:
            points = "1 point" if len(series.points) == 1 else f"{len(series.points)} points"
            return Unknown(f"the series {shown(first)} has {points}, and {call.function} needs {function.least}")
        found = function.compute(series, *further)
        return Unknown(f"{found.reason}, in {shown(call)}") if isinstance(found, Unknown) else exact(found)

    def _series(self, name: Expression) -> Series | Unknown:
        assert isinstance(name, Name)
        return self._environment.series(name.name, self._chosen(name))

    def _chosen(self, name: Name) -> dict[str, str | int]:
        return self._vocabulary.chosen(name, [])


def _joined(answers: Sequence[Truth], *, decides: bool) -> Truth:
    """Return the answer to several conditions, of which one that is `decides` decides all."""
    if any(answer is decides for answer in answers):
        return decides
    return next((answer for answer in answers if isinstance(answer, Unknown)), not decides)


def _compared_all(signs: Sequence[str], values: Sequence[Scalar]) -> Truth:
    """Compare each two neighbours."""
    pairs = zip(signs, values, values[1:], strict=False)
    return _joined([_compared(sign, left, right) for sign, left, right in pairs], decides=False)


def _span(values: Sequence[Scalar]) -> Scalar:
    """Return the interval that has all of some values; Unknown where one of them is no number."""
    known = [value for value in values if isinstance(value, Fraction | Between)]
    if not known or len(known) < len(values):
        return Unknown("one of several is not known")
    low, high = min(_bounds(each)[0] for each in known), max(_bounds(each)[1] for each in known)
    return low if low == high else Between(low, high, "")


def _compared(sign: str, left: Scalar, right: Scalar) -> Truth:
    for value in (left, right):
        if isinstance(value, Unknown):
            return value
    if isinstance(left, AtLeast) and isinstance(right, AtLeast):
        return Unknown("both values are only known to be at least what they are")
    if isinstance(left, AtLeast):
        return _bounded(sign, left, _bounds(right)[1])
    if isinstance(right, AtLeast):
        return _bounded(_TURNED[sign], right, _bounds(left)[1])
    return _between(sign, left, right)


def _bounded(sign: str, value: AtLeast, limit: Fraction) -> Truth:
    """Compare a lower bound with a limit: what lies above the limit for certain does."""
    if value.least is None or value.least > limit:
        return sign in (">", ">=", "!=")
    if value.least == limit and sign in ("<", ">="):
        return sign == ">="
    return Unknown("the true value may be greater than what was measured")


def _between(sign: str, left: Scalar, right: Scalar) -> Truth:
    """Compare two values of which either may be an interval: all of one with all of the other."""
    (low, high), (least, most) = _bounds(left), _bounds(right)
    if sign in ("==", "!="):
        if high < least or most < low:
            return sign == "!="
        if low == high == least == most:
            return sign == "=="
    else:
        compare = _COMPARE[sign]
        answers = {compare(a, b) for a in (low, high) for b in (least, most)}
        if len(answers) == 1:
            return answers.pop()
    return Unknown(f"the interval reaches to both sides of the limit: {_why(left, right)}")


def _bounds(value: Scalar) -> tuple[Fraction, Fraction]:
    """Return the least and the greatest that a known value can be."""
    if isinstance(value, Between):
        return value.low, value.high
    assert isinstance(value, Fraction)
    return value, value


def _why(*values: Scalar) -> str:
    return "; ".join(dict.fromkeys(value.why for value in values if isinstance(value, Between)))


def _computed(sign: str, left: Expression, a: Scalar, right: Expression, b: Scalar) -> Scalar:
    """Return what is computed of two values: of intervals, all that it can be. Of a lower bound nothing is computed."""
    if isinstance(a, Unknown):
        return a
    if isinstance(b, Unknown):
        return b
    for expression, value in ((right, b), (left, a)):
        if isinstance(value, AtLeast):
            return Unknown(f"the true value of {shown(expression)} may be greater than what was measured")
    (low, high), (least, most) = _bounds(a), _bounds(b)
    if sign == "/" and least <= 0 <= most:
        return Unknown(f"{shown(right)} {'is' if least == most else 'may be'} 0, and is divided by")
    compute = _COMPUTE[sign]
    # All four operations are monotonous in either operand, so that the extremes are at the ends.
    found = [compute(first, second) for first in {low, high} for second in {least, most}]
    if isinstance(a, Between) or isinstance(b, Between):
        return Between(min(found), max(found), _why(a, b))
    return found[0]


def _is_measured(expression: Expression) -> bool:
    match expression:
        case Name() | Call():
            return True
        case Negative(operand) | Not(operand):
            return _is_measured(operand)
        case Chain(operands, _):
            return any(map(_is_measured, operands))
    return False


def _is_share(expression: Expression) -> bool:
    """Return True for a limit in percent, of either sign."""
    if isinstance(expression, Negative):
        return _is_share(expression.operand)
    return isinstance(expression, Quantity) and expression.dimension.kind is Kind.SHARE


def _per(expression: Expression) -> str:
    """Return the unit of time of a limit such as 5/min; empty where it has none."""
    match expression:
        case Chain(operands, operators) if operators[-1] == "/":
            last = operands[-1]
            if isinstance(last, Quantity) and not last.digits and last.unit in PER:
                return last.unit
    return ""
