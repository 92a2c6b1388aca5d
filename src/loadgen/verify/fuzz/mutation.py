"""Mutations: an input that is made of entries of a corpus, and changed at some places. No I/O.

A change is made to the structure (a piece left out, repeated, put elsewhere, wrapped, with another number) or to a text
(a bit, a token, a number, a part). The one draw that all of it follows from is on the tape, and then the input itself.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeVar

from loadgen.verify.fuzz.form import Form
from loadgen.verify.fuzz.piece import MOST_BYTES, MOST_PIECES, Item, Piece, at, count, exchanged
from loadgen.verify.tape import Generator

T = TypeVar("T")

_MUTATIONS = (2, 6, 5, 4, 3, 2)
"""By number of mutations, how often an input has as many."""

_DIGITS = re.compile(rb"-?[0-9]+")

_LENGTHS = (1, 1, 1, 2, 4, 16, 100)
_TIMES = (1, 1, 1, 2, 3, 30, 300)


def mutated(draw: int, corpus: Sequence[Item], form: Form) -> tuple[Item, ...]:
    """Return the input that a draw below 2**64 makes of a corpus; 0 makes an empty one."""
    if not draw:
        return ()
    return _Mutation(Generator(draw), corpus, form).input()


class _Mutation:
    def __init__(self, generator: Generator, corpus: Sequence[Item], form: Form) -> None:
        self._generator = generator
        self._corpus = corpus
        self._form = form

    def input(self) -> tuple[Item, ...]:
        form = self._form
        items = [self._choice(self._corpus) for _ in range(1 + self._generator.below(form.most_items))]
        for _ in range(self._generator.index(_MUTATIONS)):
            place = self._generator.below(len(items))
            item = items[place]
            if form.words and not self._generator.below(16):
                items[place] = replace(item, word=self._generator.below(len(form.words)))
            else:
                items[place] = self._bounded(replace(item, pieces=self._changed(item)), MOST_BYTES)
        left = MOST_BYTES
        for place, item in enumerate(items):
            items[place] = self._bounded(item, left)
            left -= len(form.bytes_of(items[place]))
        return tuple(items)

    def _bounded(self, item: Item, most_bytes: int) -> Item:
        """Return an item, or a text of its first bytes where it is larger than an input may be."""
        whole = self._form.bytes_of(item)
        if len(whole) <= most_bytes and count(item.pieces) <= MOST_PIECES:
            return item
        return replace(item, pieces=(whole[:most_bytes],))

    # ── One change ────────────────────────────────────────────────────────────────────────────────────────────────────

    def _changed(self, item: Item) -> tuple[Piece, ...]:
        pieces = item.pieces
        if not (size := count(pieces)) or not self._generator.below(16):
            return self._cut(item)
        place = self._generator.below(size)
        piece = at(pieces, place)
        change = self._choice(self._structural) if self._generator.below(2) else _Mutation._text
        return exchanged(pieces, place, change(self, piece))

    def _cut(self, item: Item) -> tuple[Piece, ...]:
        """Leave out the end of all bytes, whatever the numbers say."""
        whole = self._form.bytes_of(item)
        return (whole[: self._generator.below(len(whole) + 1)],)

    def _left_out(self, piece: Piece) -> tuple[Piece, ...]:
        return ()

    def _repeated(self, piece: Piece) -> tuple[Piece, ...]:
        return (piece,) * (1 + self._choice(_TIMES))

    def _another(self, piece: Piece) -> tuple[Piece, ...]:
        """Put a piece of another entry before this one or in its place."""
        pieces = self._choice(self._corpus).pieces
        other = at(pieces, self._generator.below(count(pieces))) if pieces else b""
        return (other, piece) if self._generator.below(2) else (other,)

    def _wrapped(self, piece: Piece) -> tuple[Piece, ...]:
        if not self._form.around:
            return self._another(piece)
        return (replace(self._choice(self._form.around), body=(piece,)),)

    def _claimed(self, piece: Piece) -> tuple[Piece, ...]:
        """Claim another number of a frame, or write another number into a text."""
        if isinstance(piece, bytes):
            return (self._renumbered(piece),)
        if self._generator.below(3):
            return (replace(piece, claim=self._choice(self._form.numbers)),)
        # One less, or one more, than there is.
        written = self._form.numberings[piece.numbering].written
        body = self._form.bytes_of(Item(0, piece.body))
        off = -1 if self._generator.below(2) and body and piece.body else 1
        return (replace(piece, claim=written(body[:-1] if off < 0 else body + b"x", len(piece.body) + off)),)

    def _text(self, piece: Piece) -> tuple[Piece, ...]:
        """Change a text: of a frame, one of those around its number and its body."""
        if isinstance(piece, bytes):
            return (self._rewritten(piece),)
        match self._generator.below(3):
            case 0:
                return (replace(piece, head=self._rewritten(piece.head)),)
            case 1:
                return (replace(piece, tail=self._rewritten(piece.tail)),)
        return (replace(piece, end=self._rewritten(piece.end)),)

    _structural: tuple[Callable[[_Mutation, Piece], tuple[Piece, ...]], ...] = (
        _left_out, _repeated, _another, _wrapped, _claimed, _claimed,
    )  # fmt: skip

    # ── Texts ─────────────────────────────────────────────────────────────────────────────────────────────────────────

    def _rewritten(self, text: bytes) -> bytes:
        place = self._generator.below(len(text) + 1)
        before, after = text[:place], text[place:]
        match self._generator.below(7):
            case 0:
                return before + self._choice(self._form.tokens) + after
            case 1:
                return before + after[self._choice(_LENGTHS) :]
            case 2:
                return before + after[: self._choice(_LENGTHS)] * (1 + self._choice(_TIMES)) + after
            case 3:
                return self._renumbered(text)
            case 4:
                return before + bytes(self._generator.below(256) for _ in range(self._choice(_LENGTHS))) + after
            case 5 if after:
                return before + bytes([after[0] ^ 1 << self._generator.below(8)]) + after[1:]
        return before + self._choice(self._form.tokens) + after[self._choice(_LENGTHS) :]

    def _renumbered(self, text: bytes) -> bytes:
        """Return a text with another number in the place of one of its numbers."""
        found = [*_DIGITS.finditer(text)]
        if not found:
            return text + self._choice(self._form.numbers)
        number = self._choice(found)
        return text[: number.start()] + self._choice(self._form.numbers) + text[number.end() :]

    def _choice(self, options: Sequence[T]) -> T:
        return options[self._generator.below(len(options))]
