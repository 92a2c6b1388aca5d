"""The tape of a case: every random draw, in order. No I/O, no clock.

A tape draws from a seeded generator, or repeats draws that were recorded. The same kind and seed give the same draws
on every machine, with every version of Python and every PYTHONHASHSEED. Whoever draws puts the simplest choice first:
0 is the simplest value of every draw, and every draw past the end of recorded ones is 0.

A recorded value is repeated at its own site only: the third draw of a site gets the third value that was recorded
there. So a case that draws fewer keys than the recorded one still has its delays, its faults and the bytes of its
values, whatever is drawn in between.

A part of a case that can be left out, such as one operation or one fault, is a span. A span begins with the draw that
decides that there is one more part, so a tape without the span is the tape of a case without the part.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import blake2b
from typing import NamedTuple, TypeVar

from loadgen.verify._tape import Draws
from loadgen.verify._tape import Generator as Generator

T = TypeVar("T")

OPERATION = "operation"
"""The span of one operation."""
FAULT = "fault"
"""The span of one fault."""
BYTE = "byte"
"""The span of one byte of a short text."""
OPERATIONS = "operations"
"""The site of the draw that says how many operations a case has, where these are no parts."""
SEED = "seed of the operations"
"""The site of the draw from which such operations follow."""

MOST = 1 << 64
"""The largest `n` of a draw."""

ANY_BYTE = b"abcdefghijklmnopqrstuvwxyz" + bytes(b for b in range(256) if not 97 <= b <= 122)
"""All bytes, in the order of simplicity: small letters first."""

_EACH_DRAWN = 16
"""The longest text in bytes of which each byte has a draw."""

_SCALE = 1 << 32
"""The denominator of probabilities."""


class Draw(NamedTuple):
    """One draw."""

    site: str
    """What was drawn, such as "key". Constant for a place in the code."""
    n: int
    """The number of possible values."""
    value: int
    """From 0, the simplest, to n - 1."""


class Span(NamedTuple):
    """The draws of one part of a case, `draws[start:end]`. Spans nest, and do not overlap otherwise."""

    name: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Recording:
    """The draws and spans of a run that has ended."""

    draws: tuple[Draw, ...] = ()
    spans: tuple[Span, ...] = ()
    """By their start; of two that start together, the outer one first."""

    @property
    def values(self) -> tuple[int, ...]:
        return tuple(draw.value for draw in self.draws)


_PLACE = bytes(ANY_BYTE.index(byte) for byte in range(256))
"""By byte, its place in ANY_BYTE."""


class Tape(Draws):
    """One source of all draws of a case, which records them."""

    @classmethod
    def seeded(cls, kind: str, seed: int) -> Tape:
        """Return a tape that draws from the generator of a kind of case and a seed."""
        digest = blake2b(f"{kind}/{seed}".encode(), digest_size=8).digest()
        return cls(int.from_bytes(digest, "big"))

    @classmethod
    def repeating(cls, draws: Sequence[Draw]) -> Tape:
        """Return a tape that repeats draws, each at its site: 0 where there are no more of a site, and n - 1 for a
        value that is not below `n`."""
        return cls(None, [draw.value for draw in draws], [draw.site for draw in draws])

    @classmethod
    def of(cls, values: Sequence[int]) -> Tape:
        """Return a tape that gives values in their order, whatever is drawn: one that is written by hand."""
        return cls(None, values)

    # ── What is known beforehand ──────────────────────────────────────────────────────────────────────────────────────

    def given(self, value: int, n: int, site: str) -> int:
        """Draw a value that is known: a seed always draws `value`, while recorded values may name any below `n`."""
        assert 0 <= value < n, f"{site}: {value} is not below {n}"
        return self.draw_one(site, n, value)

    def each(self, name: str, given: Sequence[T], most: int) -> Iterator[T | None]:
        """Yield the elements of a sequence, each as a part that can be left out, as those of `several` are.

        Recorded values may name more parts than there are elements, `most` at most: then None is yielded.
        """
        for number in self._parts(name, most, lambda number: int(number < len(given))):
            yield given[number] if number < len(given) else None

    def text(self, given: bytes, most: int, site: str) -> bytes:
        """Draw a text that is known: a seed always draws `given`, which has `most` bytes at most.

        Each byte is a part that can be left out, and recorded values may name any bytes.
        """
        places = (0 if byte is None else _PLACE[byte] for byte in self.each(BYTE, given, most))
        return bytes(ANY_BYTE[self.given(place, 256, site)] for place in places)

    # ── Draws ─────────────────────────────────────────────────────────────────────────────────────────────────────────

    def below(self, n: int, site: str) -> int:
        """Draw a number from 0 to n - 1, all equally likely. `n` is from 1 to MOST."""
        return self.draw_one(site, n, None)

    def between(self, least: int, most: int, site: str) -> int:
        """Draw a number from `least`, the simplest, to `most`."""
        return least + self.draw_one(site, most - least + 1, None)

    def choice(self, options: Sequence[T], site: str) -> T:
        """Draw one of some options, the simplest first, all equally likely."""
        return options[self.draw_one(site, len(options), None)]

    def weighted(self, options: Sequence[tuple[int, T]], site: str) -> T:
        """Draw one of some options, each after its weight, the simplest first.

        An option of weight 0 is never drawn from a seed, but recorded values may name it.
        """
        return options[self.draw_one(site, len(options), [weight for weight, _ in options])][1]

    def aside(self, options: Sequence[tuple[int, T]], site: str) -> T:
        """Draw one of some options as `weighted` does, but leave the draws behind it what they are without it.

        The simplest option is not recorded: a seed that draws it, and values recorded before there was this draw, give
        the case that they gave before. Values without sites, as those of `of`, always give it.
        """
        return options[self.draw_aside(site, len(options), [weight for weight, _ in options])][1]

    def chance(self, probability: float, site: str) -> bool:
        """Draw True with a probability. False is the simplest, even where a seed always draws True."""
        likely = round(probability * _SCALE)
        return bool(self.draw_one(site, 2, (_SCALE - likely, likely)))

    def bytes(self, least: int, most: int, site: str, alphabet: bytes = ANY_BYTE) -> bytes:
        """Draw `least` to `most` bytes of an alphabet, whose first byte is the simplest; all lengths equally likely.

        Where there are 16 bytes at most, each is drawn, and those beyond `least` are parts that can be left out. Longer
        texts have one draw for their length and one for all bytes, where 0 is the first byte repeated.
        """
        if most <= _EACH_DRAWN:
            found = [alphabet[self.below(len(alphabet), site)] for _ in range(least)]
            more = self._parts(BYTE, most - least, lambda number: (1, most - least - number))
            return bytes([*found, *(alphabet[self.below(len(alphabet), site)] for _ in more)])
        length, state = self.between(least, most, f"{site}, length"), self.below(MOST, f"{site}, bytes")
        if not state:
            return alphabet[:1] * length
        generator = Generator(state)
        return bytes(alphabet[generator.below(len(alphabet))] for _ in range(length))

    # ── Spans ─────────────────────────────────────────────────────────────────────────────────────────────────────────

    @contextmanager
    def span(self, name: str, start: int | None = None) -> Iterator[None]:
        """Mark the draws inside, and those from the place `start` on, as a part that can be left out as a whole.

        What is drawn after the part must not depend on the part having been there. `several` and `perhaps` see to that.
        """
        number = self.begin(name, self.count if start is None else start)
        try:
            yield
        finally:
            self.end(number)

    def several(self, name: str, most: int, mean: float | None = None) -> Iterator[int]:
        """Yield 0, 1, 2, … at most `most` times, each inside a span, whose first draw is whether there is one more.

        The number of times is geometric with about this mean. Without a mean it is `most`, while recorded values may
        end it earlier. The draw that ends it is in no span, so that any of the parts can be left out, even all.
        """
        likely = _SCALE if mean is None else round(_SCALE * mean / (mean + 1))
        return self._parts(name, most, lambda number: (_SCALE - likely, likely))

    def _parts(self, name: str, most: int, weights: Callable[[int], tuple[int, int] | int]) -> Iterator[int]:
        """Yield numbers as `several` does. `weights` returns, for a number, those of the end and of one more part."""
        site = f"one more {name}"
        for number in range(most):
            start = self.count
            if not self.draw_one(site, 2, weights(number)):
                return
            mark = self.begin(name, start)
            try:
                yield number
            finally:
                self.end(mark)
        self.below(1, site)

    def perhaps(self, name: str, probability: float) -> Iterator[int]:
        """Yield 0 once with a probability, else nothing: `for _ in tape.perhaps(FAULT, 0.1)` is a part with a span."""
        yield from self.several(name, 1, probability / (1 - probability) if probability < 1 else None)

    # ── The record ────────────────────────────────────────────────────────────────────────────────────────────────────

    def recording(self) -> Recording:
        """Return what was drawn so far. A span that has not ended yet ends here."""
        spans = (Span(*span) for span in self.marked())
        return Recording(
            tuple(Draw(*draw) for draw in self.drawn()), tuple(span for span in spans if span.end > span.start)
        )


def divergence(before: Recording, now: Recording) -> str:
    """Return where a replay drew something else than the run that was recorded, in a sentence; empty where it did not.

    The first draw that differs in its site or in its number of values is the one at which the code went another way.
    """
    for number, (then, again) in enumerate(zip(before.draws, now.draws, strict=False), 1):
        if then[:2] != again[:2]:
            return f"at draw {number} of {len(before.draws)}: {_words(then)} when recorded, {_words(again)} now"
    if len(before.draws) == len(now.draws):
        return ""
    if len(now.draws) < len(before.draws):
        then = before.draws[len(now.draws)]
        return f"at draw {len(now.draws) + 1} of {len(before.draws)}: {_words(then)} when recorded, the end now"
    again = now.draws[len(before.draws)]
    return f"after the last of {len(before.draws)} draws: the end when recorded, {_words(again)} now"


def reread(before: Recording, now: Recording) -> str:
    """Return the first recorded draw that a replay drew as something else, as `divergence` does; empty for none.

    A replay that went on after the last recorded draw has read all of them: a failure that is mended ends later.
    """
    return divergence(before, Recording(now.draws[: len(before.draws)]))


def _words(draw: Draw) -> str:
    return f'"{draw.site}" below {draw.n}'
