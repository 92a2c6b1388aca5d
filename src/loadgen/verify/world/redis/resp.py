"""RESP as a server writes it: a reply of the model as bytes, in version 2 or 3 of the protocol. No I/O.

Source: https://redis.io/docs/latest/develop/reference/protocol-spec/, and the replies of redis-server 7.0 to HELLO 3.
"""

from __future__ import annotations

from collections.abc import Sequence

from loadgen.verify.reply import Error, Map, NoReply, Null, Reply, Set, Status

_MAPS = {b"HGETALL", b"CONFIG", b"HELLO"}
"""Commands whose array of names and values is a map in RESP3."""
_BY_KEY = {b"XREAD", b"XREADGROUP"}
"""Commands whose array of pairs is a map in RESP3."""
_SETS = {b"SMEMBERS", b"SINTER", b"SUNION", b"SDIFF"}
_SCORES = {b"ZSCORE", b"ZINCRBY", b"ZADD", b"ZMSCORE"}
"""Commands whose bulk strings are doubles in RESP3."""
_PAIRS = {b"ZRANGE", b"ZREVRANGE", b"ZRANGEBYSCORE", b"ZREVRANGEBYSCORE", b"ZPOPMIN", b"ZPOPMAX"}
"""Commands that answer with members and scores in turn, in RESP3 with pairs of them."""


def command_bytes(command: Sequence[bytes]) -> bytes:
    """Return a command as an array of bulk strings."""
    return b"*%d\r\n" % len(command) + b"".join(b"$%d\r\n%b\r\n" % (len(word), word) for word in command)


def reply_bytes(reply: Reply, version: int) -> bytes:
    """Return a reply as it is written in a version of the protocol."""
    parts: list[bytes] = []
    _write(reply, version, parts)
    return b"".join(parts)


def _write(reply: Reply, version: int, parts: list[bytes]) -> None:
    match reply:
        case bytes():
            parts.append(b"$%d\r\n%b\r\n" % (len(reply), reply))
        case Status():
            parts.append(b"+%b\r\n" % reply.text)
        case Error():
            parts.append(b"-%b\r\n" % reply.text)
        case Null():
            parts.append(b"_\r\n" if version == 3 else b"*-1\r\n" if reply is Null.ARRAY else b"$-1\r\n")
        case bool():
            parts.append((b"#t\r\n" if reply else b"#f\r\n") if version == 3 else b":%d\r\n" % reply)
        case int():
            parts.append(b":%d\r\n" % reply)
        case float():
            parts.append(b",%b\r\n" % repr(reply).removesuffix(".0").encode())
        case Map():
            parts.append(b"%%%d\r\n" % len(reply.pairs))
            for pair in reply.pairs:
                for each in pair:
                    _write(each, version, parts)
        case Set() | tuple():
            members = reply.members if isinstance(reply, Set) else reply
            parts.append((b"~%d\r\n" if isinstance(reply, Set) else b"*%d\r\n") % len(members))
            for each in members:
                _write(each, version, parts)
        case NoReply():
            raise AssertionError(f"the model gave no reply: {reply.words}")


def third(command: Sequence[bytes], reply: Reply) -> Reply:
    """Return the reply to a command as RESP3 has it: with maps, sets and doubles where RESP2 has arrays and strings."""
    name = command[0].upper()
    if name in _SCORES:
        if isinstance(reply, tuple):
            return tuple(_score(each) for each in reply)
        return _score(reply)
    if not isinstance(reply, tuple):
        return reply
    if name in _MAPS:
        return Map(tuple(zip(reply[::2], reply[1::2], strict=True)))
    if name in _BY_KEY:
        return Map(tuple((pair[0], pair[1]) for pair in reply if isinstance(pair, tuple)))
    if name in _SETS or (name == b"SPOP" and len(command) > 2):
        return Set(reply)
    if name in _PAIRS and (name.startswith(b"ZPOP") or any(word.upper() == b"WITHSCORES" for word in command[4:])):
        pairs = tuple((member, _score(score)) for member, score in zip(reply[::2], reply[1::2], strict=True))
        return pairs if len(command) > 2 or not pairs else pairs[0]
    return reply


def _score(reply: Reply) -> Reply:
    return float(reply) if isinstance(reply, bytes) else reply
