"""The language of checks (`judge.expression`), from the parser to the answer. It stands for queries: loadgen has no
search module."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from zlib import crc32

from loadgen.judge.expression import types
from loadgen.judge.expression.evaluator import evaluate
from loadgen.judge.expression.mistake import Malformed
from loadgen.judge.expression.parser import parse
from loadgen.judge.expression.syntax import text
from loadgen.judge.expression.value import AtLeast, Between, Scalar, Series, Unknown
from loadgen.judge.run_metrics import vocabulary
from loadgen.verify.fuzz.examined import Examined

EVALUATED, MISTAKEN, MALFORMED, NOT_TEXT = "evaluated", "with a mistake", "malformed", "not UTF-8"

SPELLED = "the text of a parsed expression is read as the same expression"

_VOCABULARY = vocabulary(nodes=3, phases=2, has_faults=True)


class _Measured:
    """Values that a name determines: small and large ones, 0, bounds, and what is not known."""

    _SCALARS: tuple[Scalar, ...] = (
        Fraction(0),
        Fraction(1),
        Fraction(-5, 3),
        Fraction(10**30),
        AtLeast(Fraction(7)),
        AtLeast(None),
        Between(Fraction(-1, 3), Fraction(10**30), "of 7 samples"),
        Unknown("it was not measured"),
    )
    _SERIES: tuple[Series | Unknown, ...] = (
        Series(()),
        Series(((5, 1.5),)),
        Series(((1, 0.0), (2, 1e300), (3, -1e300))),
        Series(tuple((n * 10**9, float(n % 7)) for n in range(40)), 0),
        Unknown("it was not measured"),
    )

    def scalar(self, name: str, chosen: Mapping[str, str | int]) -> Scalar:
        return self._SCALARS[crc32(f"{name}{chosen}".encode()) % len(self._SCALARS)]

    def series(self, name: str, chosen: Mapping[str, str | int]) -> Series | Unknown:
        return self._SERIES[crc32(f"{name}{chosen}".encode()) % len(self._SERIES)]


_MEASURED = _Measured()


def examine(words: Sequence[str], data: bytes) -> Examined:
    """Parse a text, look for mistakes, and evaluate it. Raises what is not Malformed."""
    try:
        expr = data.decode()
    except UnicodeDecodeError:
        return Examined((NOT_TEXT,))
    try:
        expression = parse(expr)
    except Malformed:
        return Examined((MALFORMED,))
    spelled = text(expression)
    try:
        again = parse(spelled)
    except Malformed as error:
        # An expression at the limit of length may be longer as text.
        if "longer" not in str(error):
            return Examined((), SPELLED, f"{spelled:.200} is refused: {error}", "the text is refused")
        again = expression
    if again != expression:
        return Examined((), SPELLED, f"{spelled:.200} is read as {text(again):.200}", "the text is another expression")
    if types.mistakes(expression, _VOCABULARY):
        return Examined((MISTAKEN,))
    evaluate(expression, _VOCABULARY, _MEASURED)
    return Examined((EVALUATED,))
