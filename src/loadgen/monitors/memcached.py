"""The monitor of a memcached, by `stats` and `stats slabs`. The names of series are memcached's own.

https://github.com/memcached/memcached/blob/master/doc/protocol.txt has the statistics.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from contextlib import closing, suppress
from functools import partial

from loadgen.judge.expression.dimension import COUNT, SIZE, TIME
from loadgen.judge.expression.vocabulary import Known
from loadgen.monitors.monitor import Found, UnderLoad, Unreadable
from loadgen.monitors.plan import MonitorPlan
from loadgen.monitors.series import level, total
from loadgen.monitors.talking import Talk, target_of
from loadgen.plan import Target
from loadgen.target.talk import memcached
from loadgen.target.talk.conversation import Conversation, NoAnswerError, Silence
from loadgen.units import NS_PER_S

SERIES: Mapping[str, Known] = {
    "bytes": level(SIZE, "memory of the items"),
    "curr_items": level(COUNT, "items"),
    "curr_connections": level(COUNT, "open connections"),
    "threads": level(COUNT, "worker threads"),
    "evictions": total(COUNT, "items that were removed as memory was full"),
    "reclaimed": total(COUNT, "items stored in the memory of expired ones"),
    "expired_unfetched": total(COUNT, "items that expired and were never read"),
    "cmd_get": total(COUNT, "keys that were asked for"),
    "cmd_set": total(COUNT, "items that were stored"),
    "get_hits": total(COUNT, "reads that found their key"),
    "get_misses": total(COUNT, "reads that did not"),
    "total_connections": total(COUNT, "connections that were accepted"),
    "rejected_connections": total(COUNT, "connections that were refused as there were too many"),
    "listen_disabled_num": total(COUNT, "times that no connection was accepted as there were too many"),
    "conn_yields": total(COUNT, "times that a connection had to wait for others as it sent too much at once"),
    "bytes_read": total(SIZE, "bytes received"),
    "bytes_written": total(SIZE, "bytes sent"),
    "total_malloced": level(SIZE, "memory of all slab pages"),
    "slab_pages": level(COUNT, "slab pages"),
    "active_slabs": level(COUNT, "slab classes that have pages"),
    "uptime": level(TIME, "time since the start of the server"),
}

_STAT = re.compile(r"^STAT (\S+) ([^\r\n]*)\r?$", re.MULTILINE)
_PAGES = re.compile(r"^\d+:total_pages$")

_SAME_START_S = 2
"""The server's clocks tick each second, and not both at once: its start is known to a second or two."""


def parse_stats(stats: str, slabs: str, before: str = "") -> Found:
    """Return the values in `stats` and `stats slabs`. Raises Unreadable when the texts are none.

    `before` is the identity of the reading before: the same process keeps it.
    """
    said = dict(_STAT.findall(stats))
    if "pid" not in said and "curr_items" not in said:
        raise Unreadable("its stats have none of the statistics of memcached")
    of_slabs = dict(_STAT.findall(slabs))
    pages = [number for name, text in of_slabs.items() if _PAGES.match(name) if (number := _number(text)) is not None]
    numbers = {name: _number(text) for name, text in {**of_slabs, **said}.items()}
    values = {name: number for name in SERIES if (number := numbers.get(name)) is not None}
    if of_slabs:
        values["slab_pages"] = math.fsum(pages)
    if "uptime" in values:
        values["uptime"] *= NS_PER_S
    return Found(values, _identity(said.get("pid", ""), numbers.get("time"), numbers.get("uptime"), before))


def _number(text: str) -> float | None:
    with suppress(ValueError):
        if math.isfinite(number := float(text)):
            return number
    return None


def _identity(pid: str, at_s: float | None, uptime_s: float | None, before: str) -> str:
    """Return the process in words. In a container, each process has the same number: its start tells it."""
    if at_s is None or uptime_s is None:
        return f"pid {pid}" if pid else ""
    began_s = at_s - uptime_s
    earlier = re.fullmatch(rf"pid {re.escape(pid)}, started (\d+)", before)
    if earlier and abs(int(earlier[1]) - began_s) <= _SAME_START_S:
        return before
    return f"pid {pid}, started {began_s:.0f}"


_Greeted = tuple[Conversation, Target]


class MemcachedMonitor:
    """The monitor of kind `memcached`. It has one connection to the server, with two questions each time."""

    kind = "memcached"
    series = SERIES

    def __init__(self, plan: MonitorPlan, under: UnderLoad) -> None:
        self.name, self.every_ns = plan.name, plan.every_ns
        self._plan, self._under = plan, under
        self._talk = Talk(plan.timeout_ns, _greeted)
        self._identity = ""

    def read(self) -> Found:
        target = target_of(self._plan, self._under)
        stats, slabs = self._talk.ask(target, "stats", _asked)
        try:
            found = parse_stats(stats, slabs, self._identity)
        except Unreadable as unreadable:
            raise Unreadable(f"{target.endpoints[0]} is no memcached: {unreadable}") from None
        self._identity = found.identity
        return found

    def evidence(self) -> Mapping[str, str]:
        """Return the listings of `stats` that show what memory and connections are used for."""
        found = {}
        talk = Talk(self._plan.timeout_ns, _greeted)
        with closing(talk), suppress(Unreadable):
            target = target_of(self._plan, self._under)
            for kind in ("", "slabs", "items", "conns"):
                with suppress(Unreadable):
                    name = f"stats-{kind}.txt" if kind else "stats.txt"
                    found[name] = talk.ask(target, name, partial(_listing, kind=kind))
        return found

    def close(self) -> None:
        self._talk.close()


def _greeted(conversation: Conversation, target: Target) -> _Greeted:
    if (wrong := memcached.log_in(conversation, target)) is not None:
        raise Unreadable(f"{target.endpoints[0]} refuses the log-in: {wrong.words}")
    return conversation, target


def _asked(greeted: _Greeted) -> tuple[str, str]:
    return _listing(greeted, ""), _listing(greeted, "slabs")


def _listing(greeted: _Greeted, kind: str) -> str:
    """Return a listing. One without its end leaves a rest for the next question, so that no further one is asked."""
    text = memcached.listing(*greeted, kind)
    if not text.rstrip().endswith(("END", "ERROR")):
        raise NoAnswerError(Silence.LATE)
    return text
