"""The blocking commands of Redis, as commands that do not block and a time. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from loadgen.verify.model.failed import SYNTAX, CommandError, wrong_arity
from loadgen.verify.model.numbers import double, integer
from loadgen.verify.reply import Null, Reply
from loadgen.verify.step import Command

_NS_PER_S = 1_000_000_000
_NS_PER_MS = 1_000_000

_POPS = {b"BLPOP": b"LPOP", b"BRPOP": b"RPOP"}
_MOVES = {b"BLMOVE": b"LMOVE", b"BRPOPLPUSH": b"RPOPLPUSH"}
_READS = (b"XREAD", b"XREADGROUP")

_TIMEOUT = CommandError(b"ERR timeout is not a float or out of range")
_NEGATIVE = CommandError(b"ERR timeout is negative")


def is_blocking(command: Command) -> bool:
    """True when a command waits where it finds nothing."""
    name = command[0].upper()
    return name in _POPS or name in _MOVES or (name in _READS and _place(command) > 0)


def unblocked(command: Command) -> tuple[Sequence[Command], int, Reply]:
    """Return the commands that are tried in turn, the longest wait in ns (0: for ever), and the reply after that.

    Raises CommandError.
    """
    name = command[0].upper()
    if name in _READS:
        at = _place(command)
        wait_ms = integer(command[at + 1])
        if wait_ms < 0:
            raise _NEGATIVE
        return [(*command[:at], *command[at + 2 :])], wait_ms * _NS_PER_MS, Null.ARRAY
    if len(command) < 3:
        raise wrong_arity(name)
    wait_s = double(command[-1], _TIMEOUT)
    if wait_s < 0:
        raise _NEGATIVE
    wait_ns = round(wait_s * _NS_PER_S)
    if name in _POPS:
        return [(_POPS[name], key) for key in command[1:-1]], wait_ns, Null.ARRAY
    return [(_MOVES[name], *command[1:-1])], wait_ns, Null.BULK


def _place(command: Command) -> int:
    """Return the index of BLOCK among the options of XREAD or XREADGROUP; 0 where there is none. Raises SYNTAX."""
    for at, word in enumerate(command):
        if word.upper() == b"STREAMS":
            return 0
        if word.upper() == b"BLOCK":
            if at + 1 >= len(command):
                raise SYNTAX
            return at
    return 0
