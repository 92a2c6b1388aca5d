"""The dimension of every part of an expression, and everything that is wrong with it, before anything is measured."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from loadgen.judge.expression.dimension import COUNT, NUMBER, SHARE, TIME, Dimension, Kind
from loadgen.judge.expression.functions import FUNCTIONS, Function
from loadgen.judge.expression.mistake import Mistake, instead
from loadgen.judge.expression.syntax import (
    COMPARISONS,
    Call,
    Chain,
    Expression,
    Name,
    Negative,
    Not,
    Quantity,
    text,
)
from loadgen.judge.expression.vocabulary import Known, Vocabulary

LONGEST_SHOWN = 60


class Truth:
    """The type of a condition, which is no value."""


TRUTH = Truth()
Type = Dimension | Truth | None
"""None: something in the part is wrong, and has been said."""


def mistakes(expression: Expression, vocabulary: Vocabulary) -> list[Mistake]:
    """Return everything that is wrong with a check, in the order of the text; empty when it can be evaluated."""
    types = _Types(vocabulary)
    if types.of(expression) not in (TRUTH, None):
        types.says(expression.at, f"{shown(expression)} is no condition; compare it with a limit, such as p99 < 5ms")
    elif not types.found and not types.has_name:
        types.says(expression.at, "names nothing that is measured, so that its answer would always be the same")
    return sorted(types.found, key=lambda mistake: mistake.at)


def of_call(call: Call, vocabulary: Vocabulary) -> tuple[Function, Known, Known | None]:
    """Return the function of a call without mistakes, and what is known of its series."""
    function = FUNCTIONS[call.function]
    first, *others = call.arguments
    assert isinstance(first, Name)
    by = others[0] if others and function.further == "series" else None
    known = vocabulary.known(first)
    assert known is not None
    return function, known, vocabulary.known(by) if isinstance(by, Name) else None


def takes_value(function: Function, known: Known) -> bool:
    """True when a function is applied to a count itself, and not to a series."""
    return function.takes_scalar and known.is_scalar and known.dimension == COUNT


def dimension_of(expression: Expression, vocabulary: Vocabulary) -> Dimension:
    """Return the dimension of a value without mistakes."""
    found = _Types(vocabulary).of(expression)
    assert isinstance(found, Dimension)
    return found


def shown(expression: Expression) -> str:
    """Return an expression for a sentence, cut off where it is long."""
    said = text(expression)
    return said if len(said) <= LONGEST_SHOWN else f"{said[:LONGEST_SHOWN]}…"


class _Types:
    """The types of the parts of one expression, and the mistakes found on the way."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._vocabulary = vocabulary
        self.found: list[Mistake] = []
        self.has_name = False

    def says(self, at: int, sentence: str, *, is_unknown: bool = False) -> None:
        self.found.append(Mistake(at, sentence, is_unknown))

    def of(self, expression: Expression) -> Type:
        match expression:
            case Quantity():
                return expression.dimension
            case Name():
                return self._name(expression)
            case Call():
                return self._call(expression)
            case Negative(operand):
                return self._value(operand)
            case Not(operand):
                self._condition(operand)
                return TRUTH
            case Chain(operands, operators):
                if operators[0] in ("and", "or"):
                    for operand in operands:
                        self._condition(operand)
                    return TRUTH
                if operators[0] in COMPARISONS:
                    self._compared(operands)
                    return TRUTH
                return self._computed(expression)

    def _value(self, expression: Expression) -> Dimension | None:
        found = self.of(expression)
        if isinstance(found, Truth):
            self.says(expression.at, f"{shown(expression)} is a condition, and no value to compute with")
            return None
        return found

    def _condition(self, expression: Expression) -> None:
        if isinstance(self.of(expression), Dimension):
            self.says(expression.at, f"{shown(expression)} is a value, and no condition; compare it with a limit")

    def _compared(self, operands: Sequence[Expression]) -> None:
        of = [(operand, self._value(operand)) for operand in operands]
        for left, right in itertools.pairwise(of):
            self._agree(*left, *right, "compared")

    def _computed(self, chain: Chain) -> Dimension | None:
        of = [self._value(operand) for operand in chain.operands]
        dimension, so_far = of[0], chain.operands[0]
        for operator, operand, other in zip(chain.operators, chain.operands[1:], of[1:], strict=True):
            if dimension is None or other is None:
                dimension = None
            elif operator in "*/":
                dimension = dimension.times(other, 1 if operator == "*" else -1)
            elif self._agree(so_far, dimension, operand, other, "added" if operator == "+" else "subtracted"):
                dimension = dimension.joined(other)
            else:
                dimension = None
        return dimension

    def _agree(self, left: Expression, a: Dimension | None, right: Expression, b: Dimension | None, done: str) -> bool:
        """Return True when two values agree, or a mistake in one has been said. Zero agrees with everything."""
        if a is None or b is None or a.agrees(b) or _is_zero(left) or _is_zero(right):
            return True
        self.says(
            right.at,
            f"{shown(left)} is {a}, and {shown(right)} is {b}: they cannot be {done}{_hint(left, a, right, b)}",
        )
        return False

    def _name(self, name: Name) -> Dimension | None:
        known = self._known(name)
        if known is None:
            return None
        if not known.is_scalar:
            of = f"[{', '.join(map(str, name.selectors))}]" if name.selectors else ""
            self.says(
                name.at,
                f"{name.name} is a series; write a value of it, such as max({name.name}{of}) or last({name.name}{of})",
            )
            return None
        return known.dimension

    def _known(self, name: Name) -> Known | None:
        self.has_name = True
        known = self._vocabulary.known(name)
        if known is None:
            self._unknown(name)
            return None
        before = len(self.found)
        self._vocabulary.chosen(name, self.found)
        return known if len(self.found) == before else None

    def _unknown(self, name: Name) -> None:
        if several := self._vocabulary.those_with(name.name):
            those = f"{', '.join(several[:-1])} and {several[-1]}"
            sentence = f"the monitors {those} have {name.name}; name one of them: {name.name}[{several[0]}]"
            self.says(name.at, sentence, is_unknown=True)
            return
        names = self._vocabulary.all_names()
        hint = f"{name.name} is a function" if name.name in FUNCTIONS else instead(name.name, names, "names")
        self.says(name.at, f"there is no {shown(Name(name.name))} here; {hint}", is_unknown=True)

    # ── Functions ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def _call(self, call: Call) -> Dimension | None:
        function = FUNCTIONS.get(call.function)
        if function is None:
            self.has_name = True
            self.says(
                call.at,
                f"there is no function {call.function[:LONGEST_SHOWN]}; "
                f"{instead(call.function, FUNCTIONS, 'functions')}",
                is_unknown=True,
            )
            return None
        least = 2 if function.further == "share" else 1
        if not least <= len(call.arguments) <= (2 if function.further else 1):
            takes = {"": "one series", "share": "a series and a share, such as 90 %", "series": "one or two series"}
            self.says(call.at, f"{call.function} takes {takes[function.further]}")
            return None
        known = self._series(call, call.arguments[0], function)
        by: Known | None = None
        if function.further == "share":
            self._share(call, call.arguments[1])
        elif len(call.arguments) == 2:
            by = self._series(call, call.arguments[1], FUNCTIONS["rate"])
            if by is None:
                return None
        return None if known is None else function.dimension(known, by)

    def _series(self, call: Call, argument: Expression, function: Function) -> Known | None:
        """Return what is known of a series; None when the argument is none that the function can take."""
        if not isinstance(argument, Name):
            self.says(
                argument.at, f"{call.function} takes the name of a series, such as {call.function}(p99), and no value"
            )
            return None
        known = self._known(argument)
        if known is None or takes_value(function, known):
            return known
        if known.over is None:
            self.says(argument.at, f"{argument.name} has no series; {self._those_with_series(function)}")
            return None
        if known.over not in function.of:
            self.says(
                argument.at,
                f"{argument.name} is {known.over.value}, and a count over time is needed here; "
                f"{self._those_with_series(function)}",
            )
            return None
        return known

    def _those_with_series(self, function: Function) -> str:
        series = [self._vocabulary.names, *self._vocabulary.monitors.values()]
        names = [*dict.fromkeys(n for each in series for n, known in each.items() if known.over in function.of)]
        return f"those with such a series are {', '.join(names)}" if names else "nothing here has such a series"

    def _share(self, call: Call, argument: Expression) -> None:
        is_share = isinstance(argument, Quantity) and argument.dimension in (NUMBER, SHARE) and 0 <= argument.value <= 1
        if not is_share:
            self.says(argument.at, f"{call.function} takes a share from 0 to 1, such as 90 %, not {shown(argument)}")


def _is_zero(expression: Expression) -> bool:
    return isinstance(expression, Quantity) and not expression.unit and not expression.value


def _hint(left: Expression, a: Dimension, right: Expression, b: Dimension) -> str:
    """Return what to write instead; empty where that cannot be told."""
    if {a.kind, b.kind} == {Kind.COUNT, Kind.SHARE} and a.is_plain and b.is_plain:
        return "; divide the count by what it is a share of, such as errors / requests"
    for value, dimension, other in ((right, b, a), (left, a, b)):
        if isinstance(value, Quantity) and not value.unit and dimension.is_plain and (unit := _EXAMPLES.get(other)):
            return f"; write it with a unit, such as {value.digits}{unit}"
    return ""


_EXAMPLES = {TIME: "ms", Dimension(size=1): "MB", Dimension(time=-1): "/s", Dimension(time=-1, size=1): "MB/s"}
