"""Tokens → an expression, by recursive descent. Time is linear in the length of the text, and the depth is bounded.

condition  = conjunction ("or" conjunction)*
conjunction = negation ("and" negation)*
negation   = "not" negation | comparison
comparison = sum (("<" | "<=" | ">" | ">=" | "==" | "!=") sum)*
sum        = product (("+" | "-") product)*
product    = signed (("*" | "/") signed | "/" unit)*
signed     = "-" signed | primary
primary    = number [unit] | name ["[" selector ("," selector)* "]"] | function "(" arguments ")" | "(" condition ")"
selector   = word [whole number] | "every" word
"""

from __future__ import annotations

from collections.abc import Callable

from loadgen.judge.expression.dimension import PER, UNITS
from loadgen.judge.expression.lexer import Kind, Token, tokens
from loadgen.judge.expression.mistake import Malformed, cut, instead
from loadgen.judge.expression.syntax import (
    LEVELS,
    Call,
    Chain,
    Expression,
    Name,
    Negative,
    Not,
    Quantity,
    Selector,
    spelled,
)

DEEPEST = 40
"""The most parentheses, calls, signs and `not` within each other."""

MOST_DIGITS = 9
"""The most digits of a selector's number."""

_KEYWORDS = ("and", "or", "not")
_COMPARISON = 2


def parse(text: str) -> Expression:
    """Return the expression of a text. Raises Malformed, and nothing else."""
    return _Parser(tokens(text)).whole()


class _Parser:
    """One reading of a list of tokens."""

    def __init__(self, found: list[Token]) -> None:
        self._tokens = found
        self._next = 0
        self._depth = 0

    def whole(self) -> Expression:
        if len(self._tokens) == 1:
            raise Malformed(0, "the expression is empty; write one such as p99 < 5ms")
        found = self._chain(0)
        if self._token.kind is not Kind.END:
            raise Malformed(self._token.at, self._left_over())
        return found

    @property
    def _token(self) -> Token:
        return self._tokens[self._next]

    def _take(self) -> Token:
        token = self._token
        self._next += 1
        return token

    def _is(self, *texts: str) -> bool:
        return self._token.kind in (Kind.SIGN, Kind.WORD) and self._token.text in texts

    def _expect(self, sign: str, opened: Token) -> None:
        if not self._is(sign):
            raise Malformed(
                self._token.at, f'{self._token} where "{sign}" is expected, for {opened} in column {opened.at + 1}'
            )
        self._take()

    def _nested(self, read: Callable[[], Expression], at: int) -> Expression:
        self._depth += 1
        if self._depth > DEEPEST:
            raise Malformed(at, f"the expression is nested more than {DEEPEST} deep")
        found = read()
        self._depth -= 1
        return found

    def _chain(self, level: int) -> Expression:
        """Return the operands and operators of one row of LEVELS, or the only operand."""
        at = self._token.at
        operands, operators = [self._operand(level)], []
        while self._is(*LEVELS[level]):
            operators.append(self._take().text)
            operands.append(
                self._unit_alone() or self._operand(level) if operators[-1] == "/" else self._operand(level)
            )
        return Chain(tuple(operands), tuple(operators), at) if operators else operands[0]

    def _operand(self, level: int) -> Expression:
        if level + 1 == _COMPARISON and self._is("not"):
            return self._not()
        return self._chain(level + 1) if level + 1 < len(LEVELS) else self._signed()

    def _not(self) -> Expression:
        at = self._take().at
        return Not(self._nested(lambda: self._operand(_COMPARISON - 1), at), at)

    def _unit_alone(self) -> Quantity | None:
        """Return the unit after a "/", as in 5/min; None where a value follows."""
        if self._token.kind is not Kind.WORD or self._token.text not in PER or self._tokens[self._next + 1].text == "(":
            return None
        token = self._take()
        return Quantity("", token.text, token.at)

    def _signed(self) -> Expression:
        if not self._is("-"):
            return self._primary()
        at = self._take().at
        return Negative(self._nested(self._signed, at), at)

    def _primary(self) -> Expression:
        token = self._take()
        if token.kind is Kind.NUMBER:
            return Quantity(spelled(token.text), self._unit(token), token.at)
        if token.kind is Kind.WORD and token.text not in (*_KEYWORDS, "%"):
            return self._call(token) if self._is("(") else Name(token.text, self._selectors(), token.at)
        if token.kind is Kind.SIGN and token.text == "(":
            found = self._nested(lambda: self._chain(0), token.at)
            self._expect(")", token)
            return found
        raise Malformed(token.at, f"{token} where a name, a number or an expression in parentheses is expected")

    def _unit(self, number: Token) -> str:
        if self._token.kind is not Kind.WORD or self._token.text in _KEYWORDS:
            return ""
        unit = self._take()
        if unit.text not in UNITS:
            raise Malformed(
                unit.at, f"{cut(unit.text)} is no unit of {number.text}; {instead(unit.text, UNITS, 'units')}"
            )
        return unit.text

    def _call(self, name: Token) -> Call:
        opened = self._take()
        arguments: list[Expression] = []
        while not self._is(")"):
            if arguments:
                self._expect(",", opened)
            arguments.append(self._nested(lambda: self._chain(0), opened.at))
            if not self._is(",", ")"):
                self._expect(")", opened)
        self._take()
        return Call(name.text, tuple(arguments), name.at)

    def _selectors(self) -> tuple[Selector, ...]:
        if not self._is("["):
            return ()
        opened = self._take()
        found = [self._selector()]
        while self._is(","):
            self._take()
            found.append(self._selector())
        self._expect("]", opened)
        return tuple(found)

    def _selector(self) -> Selector:
        word = self._take()
        if word.kind is not Kind.WORD or word.text in (*_KEYWORDS, "%"):
            raise Malformed(word.at, f"{word} where a selector is expected, such as [get] or [node 1]")
        if word.text == "every" and self._token.kind is Kind.WORD and self._token.text not in (*_KEYWORDS, "%"):
            return Selector(self._take().text, at=word.at, is_every=True)
        if self._token.kind is not Kind.NUMBER:
            return Selector(word.text, at=word.at)
        number = self._take()
        if not number.text.isdigit() or len(number.text) > MOST_DIGITS:
            raise Malformed(number.at, f"{number.text} is no whole number of at most {MOST_DIGITS} digits")
        return Selector(word.text, int(number.text), word.at)

    def _left_over(self) -> str:
        if self._token.text in (")", "]"):
            return f"{self._token} closes nothing"
        return f'{self._token} where an operator is expected, such as "<" or "and"'
