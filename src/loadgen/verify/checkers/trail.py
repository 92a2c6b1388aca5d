"""The law of a value that is appended and prepended to: a read shows which additions had been made, and in which order.

A value is one written *base* and the *parts* that were added to it, each of which is known by its number. An item of a
cache may vanish at any time, and its base never comes back. So of the reads that found the same base:

- each part was added to this key, at its side, before the read returned and not before the base was written; once;
- parts are in an order that their calls and returns allow;
- an addition that was acknowledged after the base was written, and before the read was called, is in the value;
- the value only grows: one of two reads has all that the other has, and is not over before the other begins.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

from loadgen.verify.history._operations import NO_END


class Write(NamedTuple):
    """A write of a base, or of a part."""

    place: int
    """The key, at its node."""
    call_ns: int
    return_ns: int
    """NO_END where nobody knows whether the write was carried out."""
    prepended: bool = False
    """Of a part: True when it is before the base."""


class Seen(NamedTuple):
    """What one read found."""

    place: int
    base: int
    before: tuple[int, ...]
    """The prepended parts as they come: the last that was added first."""
    after: tuple[int, ...]
    call_ns: int
    return_ns: int


def broken(bases: Mapping[int, Write], parts: Mapping[int, Write], seen: Iterable[Seen]) -> Iterator[str]:
    """Yield each violation in words.

    `bases` and `parts` are the writes by their numbers, without those that were not carried out. Reads of a base that
    `bases` does not have are not judged: the law of a register does.
    """
    by_base: defaultdict[tuple[int, int], list[Seen]] = defaultdict(list)
    for read in seen:
        if read.base in bases:
            by_base[read.place, read.base].append(read)
    stored: defaultdict[int, list[tuple[int, int, int]]] = defaultdict(list)
    for number, part in parts.items():
        if part.return_ns != NO_END:
            stored[part.place].append((part.call_ns, part.return_ns, number))
    for each in stored.values():
        each.sort()
    for (place, base), reads in by_base.items():
        yield from _of_a_base(bases[base], parts, stored[place], reads)


def _of_a_base(
    base: Write, parts: Mapping[int, Write], stored: Sequence[tuple[int, int, int]], reads: Sequence[Seen]
) -> Iterator[str]:
    written_ns = min(base.return_ns, *(read.return_ns for read in reads), NO_END)
    begin = bisect_left(stored, (written_ns,))
    for read in reads:
        found = {*read.before, *read.after}
        if len(found) < len(read.before) + len(read.after):
            yield f"a part is in the value more than once: {_words(read)}"
        for numbers, prepended in ((read.before, True), (read.after, False)):
            for number in numbers:
                part = parts.get(number)
                if part is None or part.place != read.place or part.prepended != prepended:
                    yield f"part {number} was not added there: {_words(read)}"
                elif part.call_ns > read.return_ns:
                    yield f"part {number} was read before it was added: {_words(read)}"
                elif part.return_ns < base.call_ns:
                    yield f"part {number} was added before the value was written: {_words(read)}"
        for order in (read.before[::-1], read.after):
            latest_ns = 0
            for number in order:
                if number in parts:
                    if parts[number].return_ns < latest_ns:
                        yield f"part {number} comes after parts that were added later: {_words(read)}"
                    latest_ns = max(latest_ns, parts[number].call_ns)
        for call_ns, return_ns, number in stored[begin:]:
            if call_ns > read.call_ns:
                break
            if return_ns < read.call_ns and number not in found:
                yield f"part {number} was added, and is missing: {_words(read)}"
    yield from _growing(reads)


def _growing(reads: Sequence[Seen]) -> Iterator[str]:
    """Yield where a value does not only grow."""
    grown = sorted(reads, key=lambda read: len(read.before) + len(read.after))
    over_from_ns = NO_END
    for less, more in pairwise(grown):
        if (
            more.after[: len(less.after)] != less.after
            or less.before != more.before[len(more.before) - len(less.before) :]
        ):
            yield f"two reads have parts that the other does not have: {_words(less)}, {_words(more)}"
    # Backwards: no read with fewer parts begins after one with more has returned.
    size = -1
    pending_ns = NO_END
    for read in reversed(grown):
        if len(read.before) + len(read.after) != size:
            size, over_from_ns = len(read.before) + len(read.after), min(over_from_ns, pending_ns)
        if read.call_ns > over_from_ns:
            yield f"parts that had been read are missing: {_words(read)}"
        pending_ns = min(pending_ns, read.return_ns)


def _words(read: Seen) -> str:
    return f"{[*read.before]} {read.base} {[*read.after]}, read from {read.call_ns} to {read.return_ns} ns"
