"""The groups of memcache commands, and their arguments. A value is a word of its own, as in `model.memcache`."""

from __future__ import annotations

from collections.abc import Sequence

from loadgen.verify.grammar.arguments import Arguments
from loadgen.verify.grammar.groups import Group, rows
from loadgen.verify.model.memcache import LAST, Model, number
from loadgen.verify.step import Step


class MemcacheArguments(Arguments):
    """Draws arguments of memcache commands."""

    def flags(self) -> list[bytes]:
        return self._one("flags", (6, b"0"), (2, b"1"), (1, b"4294967295"), (1, b"a"))

    def exptime(self) -> list[bytes]:
        """Never, not before the case ends, or at once: a second is the finest that servers count in.

        The highest is a time of 2038: memcached 1.6 takes a later one for a time that has passed.
        """
        return self._one("exptime", (8, b"0"), (3, b"1000"), (2, b"-1"), (2, b"2147000000"), (1, b"2592001"), (1, b"a"))

    def last(self) -> list[bytes]:
        return self._one("unique", (6, LAST), (1, b"0"), (1, b"1000000000000000000"), (1, b"a"))

    def delta(self) -> list[bytes]:
        return self._one(
            "delta",
            (4, b"1"),
            (3, b"10"),
            (2, b"0"),
            (4, b"18446744073709551615"),
            (2, b"9223372036854775809"),
            (1, b"+007"),
            (1, b"18446744073709551616"),
            (1, b"-1"),
            (1, b"a"),
        )

    def amount(self) -> list[bytes]:
        """A value that is a number, or nearly one."""
        return self._one(
            "amount",
            (4, b"0"),
            (4, b"9"),
            (3, b"10"),
            (3, b"100"),
            (2, b"9223372036854775807"),
            (1, b"18446744073709551615"),
            (1, b" 9"),
            (1, b"+010 x"),
            (1, b"a"),
            (1, b""),
            (1, _WITH_A_SIGN),
        )


_WITH_A_SIGN = b"1234567890123456789012-6"
"""No number. An item of 20 digits has room in the same memory of memcached, and leaves the `-` behind its end there."""

_NOW_NS = 1_700_000_000_000_000_000
"""A time before which, or after which, each exptime that is drawn ends."""


def _without_arithmetic_on_large_numbers(steps: Sequence[Step]) -> list[Step]:
    """Return steps without each incr and decr that would meet a number of 2^63 and more.

    memcached before 1.6.22 looks for a minus sign behind such a number, up to the next NUL in its memory, and takes the
    item for no number where it finds one: its answer depends on what it held before the case. A number goes over 2^64
    all the same, from one below 2^63 by a delta of any size.
    """
    model, kept = Model(), []
    for step in steps:
        name, key, *_ = step.command
        found = model.ask((b"get", key), _NOW_NS)
        if name in (b"incr", b"decr") and isinstance(found, tuple):
            values = (number(item[2]) for item in found if isinstance(item, tuple) and isinstance(item[2], bytes))
            if any((value or 0) >= 1 << 63 for value in values):
                continue
        model.ask(step.command, _NOW_NS, step.connection)
        kept.append(step)
    return kept


_STORAGE = """
8 get key+
8 set key flags exptime value
3 add key flags exptime value
3 replace key flags exptime value
3 append key flags exptime value
3 prepend key flags exptime value
3 gets key+
3 touch key exptime
3 gat exptime key+
4 delete key
"""

_CAS = """
8 gets key+
8 cas key flags exptime value last
5 set key flags exptime value
2 gats exptime key+
1 append key flags exptime value
1 touch key exptime
2 delete key
"""

_COUNTERS = """
8 incr key delta
6 set key flags exptime amount
6 decr key delta
4 get key
1 delete key
"""

MEMCACHE_GROUPS = {
    group.name: group
    for group in (
        Group("storage", rows(_STORAGE), arguments=MemcacheArguments),
        Group("cas", rows(_CAS), connections=2, arguments=MemcacheArguments),
        Group(
            "counters",
            rows(_COUNTERS),
            arguments=MemcacheArguments,
            kept=_without_arithmetic_on_large_numbers,
        ),
    )
}
"""By name, every group of memcache commands."""
