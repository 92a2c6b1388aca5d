"""A server's own counters of operations: what memcached's `stats` and redis' `INFO commandstats` say. No judging."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from loadgen.plan import Endpoint, Target
from loadgen.protocol import PROTOCOLS, Wire
from loadgen.target.talk import memcached
from loadgen.target.talk.conversation import Conversation, NoAnswerError
from loadgen.target.talk.resp import Asker

PATIENCE_S = 1.0

_MEMCACHE = {
    "get": ("cmd_get",),
    "set": ("cmd_set",),
    "delete": ("delete_hits", "delete_misses"),
    "increment": ("incr_hits", "incr_misses"),
}
"""The statistics that count each operation. A get of several keys counts each key."""

_RESP = {
    "get": ("get", "getex"),
    "set": ("set", "setex", "psetex", "setnx"),
    "delete": ("del", "unlink"),
    "increment": ("incr", "incrby"),
    "get_many": ("mget",),
}
"""The commands that carry out each operation, each counted once, whatever its keys."""

_STAT = re.compile(r"^STAT (\w+) (\S+)\r?$", re.MULTILINE)
_CALLS = re.compile(r"^cmdstat_(\w+):calls=(\d+)", re.MULTILINE)
_RUN = re.compile(r"^run_id:(\w+)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Counters:
    """What a server has counted since it was started."""

    process: str
    """The server's process, in its own words: another one counts from 0."""
    operations: Mapping[str, int]

    def since(self, before: Counters) -> Mapping[str, int] | None:
        """Return the operations since an earlier reading; None where another process had read that."""
        if self.process != before.process:
            return None
        return {name: count - before.operations.get(name, 0) for name, count in self.operations.items()}


def read(endpoint: Endpoint, protocol: str) -> Counters | None:
    """Return the counters of the server at an endpoint, which wants no password; None without an answer.

    The question is counted by neither server as any of these operations.
    """
    try:
        with Conversation(endpoint, PATIENCE_S) as conversation:
            if PROTOCOLS[protocol].wire is Wire.RESP:
                return _of_resp(conversation)
            return _of_memcache(memcached.stats(conversation, Target(protocol, (endpoint,))))
    except NoAnswerError:
        return None


def _of_memcache(listing: str) -> Counters | None:
    said = dict(_STAT.findall(listing))
    numbers = {name: int(word) for name, word in said.items() if word.isdigit()}
    if "pid" not in said or "cmd_get" not in numbers:
        return None
    return Counters(said["pid"], _summed(_MEMCACHE, numbers))


def _of_resp(conversation: Conversation) -> Counters | None:
    asker = Asker(conversation)
    run = _RUN.search(asker.ask(b"INFO", b"server").said)
    calls = _CALLS.findall(asker.ask(b"INFO", b"commandstats").said)
    if run is None:
        return None
    return Counters(run[1], _summed(_RESP, {name: int(count) for name, count in calls}))


def _summed(names: Mapping[str, tuple[str, ...]], numbers: Mapping[str, int]) -> dict[str, int]:
    return {operation: sum(numbers.get(name, 0) for name in of) for operation, of in names.items()}
