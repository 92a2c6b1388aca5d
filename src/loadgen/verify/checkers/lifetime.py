"""The law of a time to live: no read finds a value after its time is over. A value may be gone before, as in any cache.

The time begins when the write is carried out, and anew when a touch is, both between their calls and their returns.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from loadgen.units import NS_PER_S
from loadgen.verify.history._operations import NO_END


class Lived(NamedTuple):
    """A write, or a touch, that gives a value its time to live."""

    place: int
    """The key, at its node."""
    call_ns: int
    return_ns: int
    """NO_END where nobody knows whether the write was carried out."""
    ttl_s: int
    """0: without end."""

    @property
    def until_ns(self) -> int:
        """The latest time at which the value is there; NO_END for no such time."""
        return NO_END if self.return_ns == NO_END or not self.ttl_s else self.return_ns + self.ttl_s * NS_PER_S


class Found(NamedTuple):
    """A read that found a value."""

    place: int
    value: int
    call_ns: int
    return_ns: int


def outlived(writes: Mapping[int, Lived], touches: Iterable[Lived], reads: Sequence[Found]) -> Iterator[str]:
    """Yield each violation in words. `writes` are those with a time to live, by the number of their value."""
    first_ns: dict[int, int] = {}
    for read in reads:
        if read.value in writes:
            first_ns[read.value] = min(first_ns.get(read.value, NO_END), read.return_ns)
    by_place: defaultdict[int, list[Lived]] = defaultdict(list)
    for touch in touches:
        by_place[touch.place].append(touch)
    for read in reads:
        write = writes.get(read.value)
        if write is None:
            continue
        # A write of which nobody knows the end was carried out before its value was first read.
        until_ns = write._replace(return_ns=min(write.return_ns, first_ns[read.value])).until_ns
        for touch in by_place[read.place]:
            if write.call_ns < touch.return_ns and touch.call_ns < read.return_ns:
                until_ns = max(until_ns, touch.until_ns)
        if read.call_ns > until_ns:
            late_ms = (read.call_ns - until_ns) / 1e6
            yield f"value {read.value} was read {late_ms:g} ms after its time to live of {write.ttl_s} s was over"
