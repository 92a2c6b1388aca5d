"""The groups of memcache commands, and their arguments. A value is a word of its own, as in `model.memcache`."""

from __future__ import annotations

from loadgen.verify.grammar.arguments import Arguments
from loadgen.verify.grammar.groups import Group, rows
from loadgen.verify.model.memcache import LAST


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
        return self._one("delta", (4, b"1"), (3, b"10"), (2, b"0"), (2, b"18446744073709551615"), (1, b"-1"), (1, b"a"))

    def amount(self) -> list[bytes]:
        """A value that is a number, or nearly one."""
        return self._one(
            "amount", (4, b"0"), (4, b"9"), (3, b"10"), (3, b"100"), (1, b"18446744073709551615"), (1, b"a"), (1, b"")
        )


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
        Group("counters", rows(_COUNTERS), arguments=MemcacheArguments),
    )
}
"""By name, every group of memcache commands."""
