"""Subjects with one planted bug each, which the oracle and the properties must find."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from loadgen.protocol import Wire
from loadgen.verify.reply import OK, Reply
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
