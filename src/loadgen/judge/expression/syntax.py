"""An expression as a tree of frozen values, and its text. `parse(text(e)) == e` for every tree that a parser returns.

Sums, products, comparisons and conditions are lists, not nested pairs: only parentheses, calls, signs and `not` nest.
`at` is a node's position in the text, from 0; it plays no part in comparisons of trees.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from fractions import Fraction

from loadgen.judge.expression.dimension import NUMBER, UNITS, Dimension


@dataclass(frozen=True, slots=True)
class Quantity:
    """A number as it is written, with its unit: 5ms, 0.1 %. A unit alone, as in 5/min, is a quantity without digits."""

    digits: str
    """A decimal number that is not negative, as `spelled` spells it; empty for a unit alone."""
    unit: str = ""
    """A name of UNITS; empty for a plain number."""
    at: int = field(default=0, compare=False)

    @property
    def value(self) -> Fraction:
        """The value in base units."""
        number = Fraction(self.digits) if self.digits else Fraction(1)
        return number * UNITS[self.unit].factor if self.unit else number

    @property
    def dimension(self) -> Dimension:
        return UNITS[self.unit].dimension if self.unit else NUMBER


@dataclass(frozen=True, slots=True)
class Selector:
    """A word in brackets, which says of which part a value is: `get`, `fault`, `node 1`, `every node`."""

    word: str
    number: int | None = None
    at: int = field(default=0, compare=False)
    is_every: bool = False
    """The comparison is to hold for each part, one after the other."""

    def __str__(self) -> str:
        if self.is_every:
            return f"every {self.word}"
        return self.word if self.number is None else f"{self.word} {self.number}"


@dataclass(frozen=True, slots=True)
class Name:
    """A measured value: p99, errors[node 1]."""

    name: str
    selectors: tuple[Selector, ...] = ()
    at: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Call:
    """A function of a series: growth(fds)."""

    function: str
    arguments: tuple[Expression, ...]
    at: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Negative:
    """A value with the other sign."""

    operand: Expression
    at: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Chain:
    """Operands with an operator between each two: a sum, a product, a comparison, or a condition.

    The operators are all of one row of LEVELS. A comparison of three compares each two neighbours, as in Python.
    """

    operands: tuple[Expression, ...]
    operators: tuple[str, ...]
    """One fewer than operands."""
    at: int = field(default=0, compare=False)

    @property
    def level(self) -> int:
        """The index of the operators in LEVELS."""
        return next(index for index, row in enumerate(LEVELS) if self.operators[0] in row)


@dataclass(frozen=True, slots=True)
class Not:
    """The opposite of a condition."""

    operand: Expression
    at: int = field(default=0, compare=False)


Expression = Quantity | Name | Call | Negative | Chain | Not

LEVELS = (("or",), ("and",), ("<", "<=", ">", ">=", "==", "!="), ("+", "-"), ("*", "/"))
"""The operators, from those that bind least. `not` is between `and` and comparisons, and a sign binds most."""

COMPARISONS = LEVELS[2]
_NOT_LEVEL = 1.5
_SIGN_LEVEL = len(LEVELS)


def spelled(digits: str) -> str:
    """Return the one spelling of a decimal number: without zeros that say nothing."""
    whole, _, rest = digits.partition(".")
    rest = rest.rstrip("0")
    return (whole.lstrip("0") or "0") + (f".{rest}" if rest else "")


def text(expression: Expression) -> str:
    """Return the expression as text."""
    return _text(expression, 0)


def _text(expression: Expression, level: float) -> str:
    """Return the text of an operand of an operator that binds as `level` says, in parentheses where it needs them."""
    match expression:
        case Quantity(digits, unit):
            return digits + (f" {unit}" if digits and unit == "%" else unit)
        case Name(name, selectors):
            return name + (f"[{', '.join(map(str, selectors))}]" if selectors else "")
        case Call(function, arguments):
            return f"{function}({', '.join(_text(each, 0) for each in arguments)})"
        case Negative(operand):
            return f"-{_text(operand, _SIGN_LEVEL)}"
        case Not(operand):
            said = f"not {_text(operand, _NOT_LEVEL)}"
            return f"({said})" if level > _NOT_LEVEL else said
        case Chain(operands, operators):
            own = expression.level
            first, *others = (_text(each, own + 0.1) for each in operands)
            said = first + "".join(_joined(*pair) for pair in zip(operators, operands[1:], others, strict=True))
            return f"({said})" if level > own else said


def _joined(operator: str, operand: Expression, said: str) -> str:
    tight = operator == "/" and isinstance(operand, Quantity) and not operand.digits
    return f"{operator}{said}" if tight else f" {operator} {said}"


def series_named(expression: Expression) -> list[Name]:
    """Return the names that functions of an expression are applied to, in the order of the text."""
    match expression:
        case Call(_, arguments):
            inner = [name for each in arguments for name in series_named(each)]
            return [*(each for each in arguments if isinstance(each, Name)), *inner]
        case Negative(operand) | Not(operand):
            return series_named(operand)
        case Chain(operands, _):
            return [name for each in operands for name in series_named(each)]
    return []


def every(expression: Expression) -> Iterator[str]:
    """Yield the words of the selectors that name every part of their kind: `node` for `every node`."""
    match expression:
        case Name(_, selectors):
            yield from (selector.word for selector in selectors if selector.is_every)
        case Call(_, parts) | Chain(parts, _):
            for each in parts:
                yield from every(each)
        case Negative(operand) | Not(operand):
            yield from every(operand)


def of_part(expression: Expression, number: int) -> Expression:
    """Return an expression of one part in place of every part."""
    match expression:
        case Name(_, selectors):
            named = (replace(each, number=number, is_every=False) if each.is_every else each for each in selectors)
            return replace(expression, selectors=tuple(named))
        case Call(_, arguments):
            return replace(expression, arguments=tuple(of_part(each, number) for each in arguments))
        case Chain(operands, _):
            return replace(expression, operands=tuple(of_part(each, number) for each in operands))
        case Negative(operand) | Not(operand):
            return replace(expression, operand=of_part(operand, number))
    return expression
