"""Numbers as Redis reads and writes them: integers of 64 bits, doubles of scores, and long doubles of INCRBYFLOAT.

Source: util.c and object.c of Redis 7.0 (string2ll, string2d, getLongDoubleFromObject, ld2string, addReplyDouble).
"""

from __future__ import annotations

import math
import re
from decimal import Context, Decimal
from fractions import Fraction

from loadgen.verify.model.failed import NOT_A_FLOAT, NOT_AN_INTEGER, CommandError

MIN_INTEGER = -(2**63)
MAX_INTEGER = 2**63 - 1

_INTEGER = re.compile(rb"(?:0|-?[1-9][0-9]{0,18})\Z")
_DOUBLE = re.compile(rb"[-+]?(?:[0-9]+\.?[0-9]*(?:e[-+]?[0-9]+)?|\.[0-9]+(?:e[-+]?[0-9]+)?|inf(?:inity)?)\Z", re.I)

# A long double of x86 has 64 bits of precision. It is written with 17 decimals.
_PRECISION_BITS = 64
_EXACT = Context(prec=400)
_DECIMALS = Decimal(1).scaleb(-17)


def integer(text: bytes, error: CommandError = NOT_AN_INTEGER) -> int:
    """Return the integer of 64 bits that `text` is, in its only spelling. Raises `error`."""
    if _INTEGER.match(text) and MIN_INTEGER <= (value := int(text)) <= MAX_INTEGER:
        return value
    raise error


def double(text: bytes, error: CommandError = NOT_A_FLOAT) -> float:
    """Return the double that `text` is; "inf" in any case, but no NaN. Raises `error`."""
    if _DOUBLE.match(text) and (math.isfinite(value := float(text)) or b"inf" in text.lower()):
        return value
    raise error


def long_double(text: bytes) -> Fraction:
    """Return the finite number that `text` is, as near as a long double comes. Raises NOT_A_FLOAT."""
    value = double(text)
    if math.isinf(value):
        raise NOT_A_FLOAT
    return _rounded(Fraction(text.decode()))


def sum_of_long_doubles(a: Fraction, b: Fraction) -> Fraction:
    return _rounded(a + b)


def _rounded(value: Fraction) -> Fraction:
    """Return the nearest number of 64 bits of precision, the even one of two that are as near."""
    if not value:
        return value
    exponent = abs(value.numerator).bit_length() - value.denominator.bit_length()
    scale = Fraction(2) ** (_PRECISION_BITS - exponent)
    # The estimate of the exponent may be one too high.
    if abs(value) * scale >= 1 << _PRECISION_BITS:
        scale /= 2
    return round(value * scale) / scale


def written_long_double(value: Fraction) -> bytes:
    """Return a number with at most 17 decimals, none of which is a zero at the end, and without an exponent."""
    exact = _EXACT.divide(Decimal(value.numerator), Decimal(value.denominator))
    text = format(exact.quantize(_DECIMALS, context=_EXACT), "f")
    text = text.rstrip("0").rstrip(".")
    return b"0" if text in ("-0", "") else text.encode()


def written_double(value: float) -> bytes:
    """Return a score as RESP2 has it: with 17 significant digits, and no decimals that are zeros at the end."""
    if math.isinf(value):
        return b"inf" if value > 0 else b"-inf"
    return b"%.17g" % value
