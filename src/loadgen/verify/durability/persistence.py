"""How a server keeps its data in files, as values: what each way promises, and which dumps it takes. No I/O."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from loadgen.units import NS_PER_S
from loadgen.verify.durability.dump import Dump


@dataclass(frozen=True, slots=True)
class Persistence:
    """One way of keeping data."""

    name: str
    """What stands behind the name of a fault in the name of a kind: "always" in power_cut_always."""
    words: str
    """What the server has, as a noun phrase."""
    arguments: tuple[str, ...]
    """The arguments of redis-server and valkey-server."""
    window_ns: int = 0
    """The acknowledged time that may be lost when the server ends."""
    dumps: tuple[Dump, ...] = (Dump.REWRITE, Dump.GROWN)
    saves: bool = False
    """True: only what was acknowledged before the last dump that succeeded is promised."""


def _appending(fsync: str, window_ns: int) -> Persistence:
    words = f"appendfsync {fsync}"
    return Persistence(fsync, words, ("--appendonly", "yes", "--appendfsync", fsync), window_ns)


# hz: how often in a second the server looks for the end of its child process. The values of a case compress to so few
# bytes that a full disk has room for them.
_SAVING = ("--appendonly", "no", "--hz", "100", "--rdbcompression", "no")

_ROWS = (
    # The second between two fsyncs, and one of grace, after which redis makes writes wait for a slow fsync (redis.conf,
    # appendfsync).
    _appending("everysec", 2 * NS_PER_S),
    _appending("always", 0),
    Persistence("rdb", "RDB files only", _SAVING, dumps=(Dump.SAVE, Dump.BGSAVE), saves=True),
)

PERSISTENCES: Mapping[str, Persistence] = {row.name: row for row in _ROWS}
"""By name, in the order of reports."""
