"""The text of a check → tokens. One pass; each character is looked at a bounded number of times."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum

from loadgen.judge.expression.mistake import Malformed, cut

LONGEST = 2000
"""The most characters of an expression."""

LONGEST_NUMBER = 40
"""The most characters of a number."""

_TOKEN = re.compile(
    r"(?P<space>[ \t\r\n]+)"
    r"|(?P<number>[0-9]+(?:\.[0-9]+)?)"
    r"|(?P<word>[A-Za-zµ_][A-Za-z0-9µ_]*|%)"
    r"|(?P<sign><=|>=|==|!=|[<>+\-*/(),\[\]])",
    re.ASCII,
)

_INSTEAD = {
    "=": 'write "==" for equal',
    "!": 'write "not", or "!=" for not equal',
    "&": 'write "and"',
    "|": 'write "or"',
    "≤": 'write "<="',
    "≥": 'write ">="',
    ".": "a number begins with a digit",
}
"""What to write instead of signs of other languages."""


class Kind(Enum):
    NUMBER = "number"
    WORD = "word"
    SIGN = "sign"
    END = "end"


@dataclass(frozen=True, slots=True)
class Token:
    kind: Kind
    text: str
    at: int
    """The position of the first character, from 0."""

    def __str__(self) -> str:
        return "the end" if self.kind is Kind.END else cut(self.text)


def tokens(text: str) -> list[Token]:
    """Return the tokens of a text, the last of which is its end. Raises Malformed."""
    if len(text) > LONGEST:
        raise Malformed(LONGEST, f"the expression is longer than {LONGEST:,} characters; write two checks")
    found, at = [], 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            hint = _INSTEAD.get(text[at], "expressions have names, numbers, ( ) [ ] and + - * / < <= > >= == !=")
            raise Malformed(at, f"{cut(text[at])} has no meaning here; {hint}")
        if match.lastgroup == "number" and len(match[0]) > LONGEST_NUMBER:
            raise Malformed(at, f"the number is longer than {LONGEST_NUMBER} characters")
        if match.lastgroup != "space":
            found.append(Token(Kind(match.lastgroup), match[0], at))
        at = match.end()
    return [*found, Token(Kind.END, "", len(text))]
