"""The kv suite of `loadgen smoke`: what every server of its kind must get right, group by group, in seconds.

A case is rounds of commands, each on a key drawn from some, and at its end the questions on what every key holds.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence

from loadgen.errors import UsageError
from loadgen.escape import printable
from loadgen.protocol import Wire
from loadgen.verify.case import Outcome, Verdict
from loadgen.verify.comparison import Comparison
from loadgen.verify.kinds.asked import Compared, lacking
from loadgen.verify.kinds.kv_groups import GROUPS, Asked, Group
from loadgen.verify.kinds.suite import Emit, Opened, Suite
from loadgen.verify.reply import Reply
from loadgen.verify.step import Step
from loadgen.verify.subject import named
from loadgen.verify.subject.subject import Restart, Subject
from loadgen.verify.tape import OPERATION, Tape

MOST_KEYS = 10_000
MOST_ITERATIONS = 1_000_000


def keys_of(count: int) -> list[bytes]:
    """Return the keys of a case."""
    return [b"{loadgen}:kv:%d" % number for number in range(count)]


class KvKind:
    """One group, on one subject."""

    def __init__(self, name: str, of: Group, subject: Subject, keys: Sequence[bytes], iterations: int) -> None:
        self.name = name
        self._group = of
        self._subject = subject
        self._keys = keys
        self._iterations = iterations
        self._lack = _lack(of, subject)

    def run(self, tape: Tape) -> Outcome:
        if self._lack:
            return Outcome(Verdict.SKIPPED, message=self._lack)
        self._subject.reset(self._keys)
        asked, left = self._drawn(tape)
        compared = Compared(self.name, self._group.invariant, Comparison(Wire.RESP, one_null=self._one_null))
        if self._agrees(compared, asked) and (
            not self._group.restarts or compared.restarted(self._subject, Restart.KILL)
        ):
            self._agrees(compared, left)
        return compared.outcome()

    def _drawn(self, tape: Tape) -> tuple[list[Asked], list[Asked]]:
        """Return the commands of all rounds, and the questions on what the keys hold after them."""
        asked: list[Asked] = []
        left: dict[bytes, Asked] = {}
        for _ in tape.several(OPERATION, self._iterations):
            key = tape.choice(self._keys, "key")
            drawn = tape.choice(self._group.rounds, "round")(tape, key)
            asked += [((b"DEL", key), int(key in left)), *drawn.asked]
            left[key] = drawn.left
        return asked, [*left.values()]

    def _agrees(self, compared: Compared, asked: Sequence[Asked]) -> bool:
        """Ask, and return True when every reply is right."""
        steps = [Step(command) for command, _ in asked]
        due: list[Reply] = [reply for _, reply in asked]
        return compared.add(steps, due, self._subject.ask(steps), "by what was written")

    @property
    def _one_null(self) -> bool:
        return self._subject.capabilities.one_null


def commands(of: Group) -> tuple[bytes, ...]:
    """Return the names of the commands of a group, each once."""
    simplest = (drawn(Tape.of(()), b"key") for drawn in of.rounds)
    return tuple(dict.fromkeys((b"DEL", *(step[0] for each in simplest for step, _ in (*each.asked, each.left)))))


def _lack(of: Group, subject: Subject) -> str:
    """Return why a group cannot be judged on a subject; empty when it can."""
    if of.restarts and Restart.KILL not in subject.capabilities.restarts:
        return f"{subject.name} cannot be restarted with its data after a {Restart.KILL.value}"
    names = commands(of)
    absent = lacking(subject, names)
    listed = ", ".join(name.decode() for name in names if name in absent)
    return f"{subject.name} has no {listed}" if absent else ""


@contextlib.contextmanager
def _opened(kinds: Sequence[str], options: Mapping[str, str], emit: Emit) -> Iterator[Opened]:
    keys, iterations = keys_of(_count(options, "keys", MOST_KEYS)), _count(options, "iterations", MOST_ITERATIONS)
    word = named.checked(options["subject"])
    if named.wire_of(word) is not Wire.RESP:
        raise UsageError(f"{printable(word, 60)} speaks memcache, and the kv suite RESP: name a server that does.")
    durable = any(GROUPS[kind].restarts for kind in kinds)
    wanted = named.Wanted(named.resolved(word, Wire.RESP), Wire.RESP, durable=durable)
    with named.opened(wanted, emit, keys) as subject:
        yield Opened([KvKind(kind, GROUPS[kind], subject, keys, iterations) for kind in kinds], subject.identity)


def _count(options: Mapping[str, str], name: str, most: int) -> int:
    """Return an option as a number. Raises UsageError."""
    text = options[name]
    if not (text.isascii() and text.isdecimal() and len(text) <= 10 and 1 <= int(text) <= most):
        raise UsageError(f'--{name}: "{printable(text, 40)}" is not a whole number from 1 to {most}.')
    return int(text)


SUITE = Suite("smoke", tuple(GROUPS), _opened, {"subject": named.AUTO, "keys": "100", "iterations": "1000"})
