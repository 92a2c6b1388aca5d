"""Subjects with one planted bug each, which the oracle and the properties must find."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from loadgen.protocol import Wire
from loadgen.verify.reply import OK, Error, Reply, Status
from loadgen.verify.step import Step
from loadgen.verify.subject.subject import Capabilities, Restart, Subject


class Planted:
    """A subject before which something sits that is wrong: it changes steps on their way, or replies."""

    def __init__(self, inner: Subject, bug: Callable[[Planted, Step], Reply]) -> None:
        self.inner = inner
        self.name = "planted"
        self.identity = f"{inner.identity} with a planted bug"
        self.wire: Wire = inner.wire
        self.capabilities: Capabilities = inner.capabilities
        self.bug = bug
        self.writes = 0
        self.seen: dict[bytes, Reply] = {}

    def one(self, step: Step) -> Reply:
        """Ask the server that is right."""
        [reply] = self.inner.ask([step])
        return reply

    def ask(self, steps: Sequence[Step]) -> list[Reply]:
        return [self.bug(self, step) for step in steps]

    def reset(self, keys: Sequence[bytes]) -> None:
        self.writes = 0
        self.seen.clear()
        self.inner.reset(keys)

    def restart(self, how: Restart) -> int:
        return self.inner.restart(how)


def lost_write(planted: Planted, step: Step) -> Reply:
    """The second SET of a case is acknowledged, and not carried out."""
    if step.command[0] == b"SET" and len(step.command) == 3:
        planted.writes += 1
        if planted.writes == 2:
            return OK
    return planted.one(step)


def stale_read(planted: Planted, step: Step) -> Reply:
    """A GET returns what the first GET of its key returned."""
    if step.command[0] != b"GET" or len(step.command) != 2:
        return planted.one(step)
    return planted.seen.setdefault(step.command[1], planted.one(step))


def wrong_type(planted: Planted, step: Step) -> Reply:
    """A value that is a number comes as an integer, not as a bulk string."""
    reply = planted.one(step)
    is_number = step.command[0] == b"GET" and isinstance(reply, bytes) and reply.isdigit()
    return int(reply) if is_number else reply


def wrong_order(planted: Planted, step: Step) -> Reply:
    """A range of three elements and more comes from its end."""
    reply = planted.one(step)
    return reply[::-1] if step.command[0] == b"LRANGE" and isinstance(reply, tuple) and len(reply) > 2 else reply


def off_by_one(planted: Planted, step: Step) -> Reply:
    """A range that ends before the last element lacks its own last."""
    reply = planted.one(step)
    ends_early = step.command[0] == b"LRANGE" and len(step.command) == 4 and step.command[-1] != b"-1"
    return reply[:-1] if ends_early and isinstance(reply, tuple) else reply


BUILT_IN = {"lost write": lost_write, "stale read": stale_read, "wrong type": wrong_type}
"""Bugs in commands that the built-in server has."""
OF_LISTS = {"wrong order": wrong_order, "off-by-one range": off_by_one}
"""Bugs in commands of lists, which the built-in server does not have."""


def _in_place_of(name: bytes, other: bytes) -> Callable[[Planted, Step], Reply]:
    """Return the bug that one command is carried out as another."""

    def bug(planted: Planted, step: Step) -> Reply:
        is_it = step.command[0] == name
        return planted.one(Step((other, *step.command[1:]), step.connection) if is_it else step)

    return bug


def _answers(name: bytes, right: Reply, wrong: Reply) -> Callable[[Planted, Step], Reply]:
    """Return the bug that a command answers something else in the place of one reply."""

    def bug(planted: Planted, step: Step) -> Reply:
        reply = planted.one(step)
        return wrong if step.command[0] == name and reply == right else reply

    return bug


def _not_done(name: bytes, reply: Reply) -> Callable[[Planted, Step], Reply]:
    """Return the bug that a command is acknowledged, and not carried out."""
    return lambda planted, step: reply if step.command[0] == name else planted.one(step)


def _changed(name: bytes, place: int, word: bytes) -> Callable[[Planted, Step], Reply]:
    """Return the bug that a word of a command is always another one."""

    def bug(planted: Planted, step: Step) -> Reply:
        words = [*step.command]
        if words[0] == name and len(words) > place:
            words[place] = word
        return planted.one(Step(tuple(words), step.connection))

    return bug


def _long_keys(planted: Planted, step: Step) -> Reply:
    """A key of 251 bytes and more is taken for one that is not there."""
    is_long = any(len(word) > 250 for word in step.command)
    return () if step.command[0] == b"get" and is_long else planted.one(step)


def _no_bounds(planted: Planted, step: Step) -> Reply:
    """A number that goes over 2^64 stops there."""
    reply = planted.one(step)
    delta = step.command[-1]
    wraps = step.command[0] == b"incr" and isinstance(reply, int) and delta.isdigit() and reply < int(delta)
    return 2**64 - 1 if wraps else reply


OF_MEMCACHE = {
    "add as set": _in_place_of(b"add", b"set"),
    "replace as set": _in_place_of(b"replace", b"set"),
    "append as prepend": _in_place_of(b"append", b"prepend"),
    "prepend as append": _in_place_of(b"prepend", b"append"),
    "cas as set": lambda planted, step: planted.one(
        Step((b"set", *step.command[1:-1]), step.connection)
        if step.command[0] == b"cas" and len(step.command) > 5
        else step
    ),
    "incr as decr": _in_place_of(b"incr", b"decr"),
    "get without its items": _not_done(b"get", ()),
    "delete that removes nothing": _not_done(b"delete", Status(b"DELETED")),
    "touch that does nothing": _not_done(b"touch", Status(b"TOUCHED")),
    "flush_all that does nothing": _not_done(b"flush_all", OK),
    "flags lost": _changed(b"set", 2, b"0"),
    "exptime lost": _changed(b"set", 3, b"0"),
    "exptime of gat lost": _changed(b"gat", 1, b"0"),
    "DELETED for nothing": _answers(b"delete", Status(b"NOT_FOUND"), Status(b"DELETED")),
    "EXISTS for NOT_FOUND": _answers(b"cas", Status(b"NOT_FOUND"), Status(b"EXISTS")),
    "another error": _answers(
        b"incr", Error(b"CLIENT_ERROR invalid numeric delta argument"), Error(b"CLIENT_ERROR bad command line format")
    ),
    "long keys": _long_keys,
    "incr stops at 2^64": _no_bounds,
}
"""Bugs in commands of memcache."""
