"""What stands for the Lua scripts of redis-py's `Lock`, by the SHA1 of their texts in redis-py 8. Pure.

Source: the comments on the scripts in redis/asyncio/lock.py. Each answers 1 where the lock is the caller's, else 0.
"""

from __future__ import annotations

from collections.abc import Callable

from loadgen.verify.reply import Null, Reply

Call = Callable[..., Reply]
"""Carries out a command."""


def _release(call: Call, keys: list[bytes], arguments: list[bytes]) -> Reply:
    if not _is_owner(call, keys, arguments):
        return 0
    call("DEL", keys[0])
    return 1


def _extend(call: Call, keys: list[bytes], arguments: list[bytes]) -> Reply:
    if not _is_owner(call, keys, arguments):
        return 0
    left_ms = call("PTTL", keys[0])
    if not isinstance(left_ms, int) or left_ms < 0:
        return 0
    added = arguments[2] == b"0"
    call("PEXPIRE", keys[0], int(arguments[1]) + left_ms * added)
    return 1


def _reacquire(call: Call, keys: list[bytes], arguments: list[bytes]) -> Reply:
    if not _is_owner(call, keys, arguments):
        return 0
    call("PEXPIRE", keys[0], arguments[1])
    return 1


def _is_owner(call: Call, keys: list[bytes], arguments: list[bytes]) -> bool:
    token = call("GET", keys[0])
    return token is not Null.BULK and token == arguments[0]


LOCKS = {
    b"c3f8721cbb97f72bc19e972846bd7aaf91901658": _release,
    b"a4e8783852e6b949f9ef3a97212805108459a890": _extend,
    b"1cac51482acf5858da00f6d685d68f886cd6b6b2": _reacquire,
}
