"""Numbers as Redis reads and writes them: integers of 64 bits, doubles of scores, and long doubles of INCRBYFLOAT.

Source: util.c and object.c of Redis 7.0 (string2ll, string2d, getLongDoubleFromObject, ld2string, addReplyDouble).
"""

from __future__ import annotations

import math
import re
from decimal import Context, Decimal

from loadgen.verify.model.failed import NOT_A_FLOAT, NOT_AN_INTEGER, CommandError

MIN_INTEGER = -(2**63)
MAX_INTEGER = 2**63 - 1

_INTEGER = re.compile(rb"(?:0|-?[1-9][0-9]{0,18})\Z")
_DOUBLE = re.compile(rb"[-+]?(?:[0-9]+\.?[0-9]*(?:e[-+]?[0-9]+)?|\.[0-9]+(?:e[-+]?[0-9]+)?|inf(?:inity)?)\Z", re.I)

# A long double of x86 has 64 bits of precision, which is 19 to 20 decimal digits; it is written with 17 decimals.
_LONG_DOUBLE = Context(prec=40)
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


def long_double(text: bytes) -> Decimal:
    """Return the finite number that `text` is. Raises NOT_A_FLOAT."""
    value = double(text)
    if math.isinf(value):
        raise NOT_A_FLOAT
    return Decimal(text.decode())


def written_long_double(value: Decimal) -> bytes:
    """Return a number with at most 17 decimals, none of which is a zero at the end, and without an exponent."""
    text = format(value.quantize(_DECIMALS, context=_LONG_DOUBLE), "f")
    text = text.rstrip("0").rstrip(".")
    return b"0" if text in ("-0", "") else text.encode()


def written_double(value: float) -> bytes:
    """Return a score as RESP2 has it: with 17 significant digits, and no decimals that are zeros at the end."""
    if math.isinf(value):
        return b"inf" if value > 0 else b"-inf"
    return b"%.17g" % value
