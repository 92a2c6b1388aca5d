"""The targets that are servers: commands as bytes, and payloads of RESTORE with commands on what was restored."""

from __future__ import annotations

import re
from collections.abc import Sequence

from loadgen.protocol import Wire
from loadgen.verify.fuzz.examined import Examined
from loadgen.verify.fuzz.payload import footed
from loadgen.verify.fuzz.servers.server import SPEAKS, FuzzedServer, has_error, spoken
from loadgen.verify.reply import Status
from loadgen.verify.subject.resp import encoded

NO_ANSWER, ANSWERED, REFUSED, RESTORED = "no answer", "answered", "refused", "restored"

# Commands that end the server, stop it, change what it is, or outlive their connection.
_NOT_GIVEN = re.compile(
    rb"shutdown|debug|config|module|slaveof|replicaof|failover|cluster|save|rewriteaof|acl|eval|fcall|function|script"
    rb"|client|latency|sync|subscribe|monitor|swapdb|flush_all|slabs|lru|cache_memlimit|misbehave|watch |refresh_certs",
    re.IGNORECASE,
)


def harmless(data: bytes) -> bytes:
    """Return bytes without the commands that are not given to a server: each has another first letter."""
    return _NOT_GIVEN.sub(lambda found: b"_" + found[0][1:], data)


class CommandHandler:
    """What a server does with the bytes of a connection."""

    def __init__(self, server: FuzzedServer, wire: Wire) -> None:
        self._server = server
        self._judge = self._of_resp if wire is Wire.RESP else self._of_memcache

    def examine(self, words: Sequence[str], data: bytes, looks: bool) -> Examined:
        """Give the server bytes, but for commands that it must not be given."""
        return self._server.examined(harmless(data), self._judge)

    def _of_resp(self, answer: bytes) -> Examined:
        found = spoken(answer)
        if isinstance(found, Examined):
            return found
        return Examined((ANSWERED if found else NO_ANSWER, *[REFUSED] * has_error(found)))

    def _of_memcache(self, answer: bytes) -> Examined:
        if answer and not answer.endswith(b"\r\n"):
            return Examined((), SPEAKS, f"the answer ends with {answer[-60:]!r}", "a cut-off answer")
        return Examined((ANSWERED if answer else NO_ANSWER, *[REFUSED] * (b"ERROR" in answer)))


_KEY = b"{loadgen}:a"
_OTHER = b"{loadgen}:b"

# Every way in which a value of any type is read and changed. Those of another type than the value's are errors.
_COMMANDS = (
    "TYPE a", "OBJECT ENCODING a", "MEMORY USAGE a", "DUMP a", "STRLEN a", "GETRANGE a 0 -1", "APPEND a x",
    "LLEN a", "LRANGE a 0 -1", "LPOS a x", "LSET a 0 y", "LINSERT a BEFORE y z", "LREM a 0 x", "RPUSH a 1", "LPOP a",
    "RPOPLPUSH a a", "SCARD a", "SMEMBERS a", "SISMEMBER a x", "SADD a x 1", "SREM a 1", "SRANDMEMBER a 3", "SPOP a",
    "HLEN a", "HGETALL a", "HGET a x", "HSET a x 1", "HINCRBY a x 1", "HDEL a x", "HSCAN a 0", "HRANDFIELD a 3",
    "ZCARD a", "ZRANGE a 0 -1 WITHSCORES", "ZRANGEBYSCORE a -inf +inf", "ZRANGEBYLEX a - +", "ZSCORE a x", "ZRANK a x",
    "ZADD a 1 x", "ZINCRBY a 1 x", "ZREM a x", "ZPOPMIN a", "XLEN a", "XRANGE a - +", "XREVRANGE a + -",
    "XINFO STREAM a FULL", "XADD a * x y", "XDEL a 1-1", "XTRIM a MAXLEN 1", "XREADGROUP GROUP g c STREAMS a >",
    "XPENDING a g - + 9", "XAUTOCLAIM a g c 0 0", "SORT a ALPHA", "COPY a b", "DUMP b", "DEL a b",
)  # fmt: skip
_KEYS = {"a": _KEY, "b": _OTHER}
_EXERCISE = b"".join(encoded([_KEYS.get(word, word.encode()) for word in line.split()]) for line in _COMMANDS)


class Restore:
    """What a server does with a payload, and with the value that it makes of it."""

    def __init__(self, server: FuzzedServer) -> None:
        self._server = server

    def examine(self, words: Sequence[str], data: bytes, looks: bool) -> Examined:
        """Restore a payload, which gets its footer here, then read and change the value in every way."""
        restoring = encoded([b"RESTORE", _KEY, b"0", footed(data), b"REPLACE"])
        return self._server.examined(restoring + _EXERCISE, self._judge)

    def _judge(self, answer: bytes) -> Examined:
        found = spoken(answer)
        if isinstance(found, Examined):
            return found
        return Examined((RESTORED if found[:1] == [Status(b"OK")] else REFUSED,))
