"""What the callers of a simulated client saw: its operations, and the laws that hold for their results.

Each key is a register under cache semantics at each of its nodes, a value that is added to has each addition once, no
value outlives its time, counters count, no reply reaches another operation, and what writes is sent once. This file is
told calls, their ends and the times of these, and asks neither the client nor a clock.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from typing import Any, TypeAlias

from loadgen.client import BreakerOpen, ConnectionRefused, PoolExhausted, TooManyProbes
from loadgen.client._request import Request
from loadgen.client.batch import Batch
from loadgen.verify.checkers import counter, lifetime, trail
from loadgen.verify.checkers._register import Register
from loadgen.verify.history._operations import (
    ADD,
    CAS,
    CAS_TO,
    DELETE,
    MISS,
    NO_END,
    NOT_DONE,
    OK,
    READ,
    UNKNOWN,
    WRITE,
    Operations,
)
from loadgen.verify.history.operation import Ended, Operation
from loadgen.verify.kinds.simulated.client_plan import CLASSES, CONDITIONAL, VERBS, WITH_TTL, Plan
from loadgen.verify.scenario.memcached import Memcached
from loadgen.verify.scenario.states import always, sometimes

Entry: TypeAlias = tuple[int, int, int, str, int, object]
"""Time, caller, verb, key, value and end of an operation on a key."""

ONE_REPLY = "every reply reaches the request that it answers"
REGISTER = "each key is a register of a cache"
GROWS = "a value that is added to has each addition once, in order"
EXPIRES = "a value is gone after its time to live"
COUNTS = "a counter counts"
ONCE = "what writes is sent once"

BETWEEN = b"|"
"""Between a value and what was added to it."""

UNSENT = (BreakerOpen, TooManyProbes, ConnectionRefused, PoolExhausted)
"""The exceptions of operations of which nothing was sent."""


class Call:
    """One call of the client, as it goes on."""

    __slots__ = ("began_ns", "caller", "made", "task", "waited")

    def __init__(self, caller: int, task: asyncio.Task[Any], began_ns: int) -> None:
        self.caller = caller
        self.task = task
        self.began_ns = began_ns
        self.made: Request | Batch | None = None
        """What the client made of it."""
        self.waited = False
        """True when there was no connection for it at first."""


class History:
    """The operations of one case on keys, in the order of their ends."""

    def __init__(self, plan: Plan, log: list[Entry]) -> None:
        """`log` receives each operation."""
        self.plan = plan
        self.log = log
        self.names = [f"{kind}{n}" for kind in ("key-", "cas-", "number-") for n in range(plan.keys)]
        self.filler = b"." * plan.value_bytes
        self.plain = Operations()
        self.conditional = Operations()
        self.counted: list[Operation] = []
        self.written: dict[bytes, tuple[int, int]] = {}
        """By value, the key that it was written to and its number."""
        self.parts: dict[int, trail.Write] = {}
        """Additions to values by their numbers, those that were made and those that perhaps were."""
        self.bases: dict[int, trail.Write] = {}
        """Writes of the values that they were made to, likewise."""
        self.seen: list[trail.Seen] = []
        self.nothing_there = 0
        """How often there was nothing to add to."""
        self.lived: dict[int, lifetime.Lived] = {}
        """By value, the writes that gave it a time to live."""
        self.touches: list[lifetime.Lived] = []
        """All of them, those that end a time to live too."""
        self.found: list[lifetime.Found] = []
        """The values that reads of conditional keys found."""
        self.requests = 0
        """Requests to nodes, those that were tried again once more for each time."""
        self.sent: Counter[str] = Counter()
        """Keys of requests that write, by the server's name of the command: the most that it may carry out."""
        self.done: Counter[str] = Counter()
        """Those of which the client has said that they were carried out."""
        self.raised: Counter[type[BaseException]] = Counter()
        """Operations by the exception that they ended by."""

    # ── Values ────────────────────────────────────────────────────────────────────────────────────────────────────────

    def value(self, key: int, number: int) -> bytes:
        """Return the value of a number, which no other key has, and know it when it is read."""
        data = b"%b %d %b" % (self.names[key].encode(), number, self.filler)
        self.written[data] = key, number
        return data

    def part(self, key: int, number: int) -> bytes:
        """Return the text of a number that is added to a value, and know it when it is read."""
        data = b"%b +%d" % (self.names[key].encode(), number)
        self.written[data] = key, number
        return data

    def read(self, key: int, data: bytes) -> int:
        """Return the number of a value that was read under a key."""
        found, number = self.written.get(data, (-1, 0))
        if found != key:
            always(False, ONE_REPLY, f"{self.names[key]} has {data[:40]!r}, {len(data)} bytes")
        return number

    def read_whole(self, place: int, key: int, data: bytes, began_ns: int, now_ns: int) -> int:
        """Return the number of the value that was read under a key, and keep what had been added to it."""
        found = self.written.get(data)
        if found is not None and found[0] == key:
            self.seen.append(trail.Seen(place, found[1], (), (), began_ns, now_ns))
            return found[1]
        texts = data.split(BETWEEN)
        numbers = [self.read(key, text) for text in texts]
        [base, *others] = [at for at, text in enumerate(texts) if b" +" not in text] or [-1]
        always(base >= 0 and not others, ONE_REPLY, f"{self.names[key]} has {data[:80]!r}, {len(data)} bytes")
        before, after = tuple(numbers[:base]), tuple(numbers[base + 1 :])
        self.seen.append(trail.Seen(place, numbers[base], before, after, began_ns, now_ns))
        return numbers[base]

    # ── Operations ────────────────────────────────────────────────────────────────────────────────────────────────────

    def note(
        self, now_ns: int, call: Call, verb: int, key: int, value: int, end: Any, expected: int, ttl_s: int
    ) -> None:
        """Add an operation that has ended now."""
        made = call.made
        assert made is not None
        if isinstance(made, Request):
            self.requests += 1 + made.retries + made.turn
            if made.retries:
                sometimes("a read succeeds on another connection than its first", not isinstance(end, BaseException))
            if made.turn:
                sometimes("a call moves to another node")
            self.note_key(call, verb, key, made.node, value, end, expected, now_ns, ttl_s)
            return
        self.requests += len(made.parts)
        self.requests += sum(part.retries for part in made.parts)
        node_of = {
            name.decode(): part.node
            for part in made.parts
            for keys in part.expected
            for name in ([keys] if isinstance(keys, bytes) else keys)
        }
        alone = _ALONE[verb]
        for place in range(key, self.plan.keys):
            name = self.names[place]
            one = end if isinstance(end, BaseException) else end[name]
            self.note_key(call, alone, place, node_of[name], value + place - key, one, 0, now_ns, ttl_s)

    def note_key(
        self, call: Call, verb: int, key: int, node: int, value: int, end: Any, expected: int, now_ns: int, ttl_s: int
    ) -> None:
        self.log.append((now_ns, call.caller, verb, self.names[key], value, end))
        outcome, return_ns = OK, now_ns
        if isinstance(end, BaseException):
            self.raised[type(end)] += 1
            outcome = NOT_DONE if isinstance(end, UNSENT) else UNKNOWN
            if outcome == UNKNOWN:
                return_ns = NO_END
        place = key * self.plan.nodes + node
        if self.plan.expires and verb in WITH_TTL and outcome != NOT_DONE and end is not False:
            if verb == _TOUCH:
                self.touches.append(lifetime.Lived(place, call.began_ns, return_ns, ttl_s))
            elif ttl_s:
                self.lived[value] = lifetime.Lived(place, call.began_ns, return_ns, ttl_s)
        if CLASSES[verb] == CONDITIONAL:
            self.note_conditional(call, verb, key, place, value, end, expected, outcome, return_ns)
            return
        match VERBS[verb]:
            case "get":
                if outcome == OK:
                    value = 0 if end is None else self.read_whole(place, key, end, call.began_ns, now_ns)
                    found = OK if value else MISS
                    self.plain.append(READ, place, value, call.began_ns, now_ns, call.caller, found)
            case "set":
                self.count("set", outcome)
                if outcome == OK and end is not None and end is not True:
                    always(False, ONE_REPLY, repr(end))
                self.plain.append(WRITE, place, value, call.began_ns, return_ns, call.caller, outcome)
                if outcome != NOT_DONE:
                    self.bases[value] = trail.Write(place, call.began_ns, return_ns)
            case "delete":
                self.count("delete", outcome)
                if outcome == OK and not isinstance(end, bool):
                    always(False, ONE_REPLY, repr(end))
                found = MISS if end is False else outcome
                self.plain.append(DELETE, place, 0, call.began_ns, return_ns, call.caller, found)
            case "increment" | "read_counter":
                self.note_counter(call, VERBS[verb] == "increment", place, end, outcome, now_ns)
            case "touch" | "append" | "prepend" if end is False:
                # The key was absent at some time between call and return, as a read would have found.
                self.plain.append(READ, place, 0, call.began_ns, return_ns, call.caller, MISS)
                self.nothing_there += verb != _TOUCH
            case "touch" | "append" | "prepend" if outcome == OK and end is not True:
                always(False, ONE_REPLY, repr(end))
            case "append" | "prepend" if outcome != NOT_DONE:
                self.parts[value] = trail.Write(place, call.began_ns, return_ns, prepended=VERBS[verb] == "prepend")

    def note_conditional(
        self,
        call: Call,
        verb: int,
        key: int,
        place: int,
        value: int,
        end: Any,
        expected: int,
        outcome: int,
        return_ns: int,
    ) -> None:
        append, began_ns, caller = self.conditional.append, call.began_ns, call.caller
        match VERBS[verb]:
            case "gets":
                if outcome == OK:
                    value = 0 if end is None else self.read(key, end[0])
                    self.found.append(lifetime.Found(place, value, began_ns, return_ns))
                    append(READ, place, value, began_ns, return_ns, caller, OK if value else MISS)
            case "add":
                append(ADD, place, value, began_ns, return_ns, caller, MISS if end is False else outcome)
            case "replace" if end is False:
                # The key was absent at some time between call and return, as a read would have found.
                append(READ, place, 0, began_ns, return_ns, caller, MISS)
            case "replace":
                append(WRITE, place, value, began_ns, return_ns, caller, outcome)
            case "cas" if outcome == OK and end is None:
                append(READ, place, 0, began_ns, return_ns, caller, MISS)
            case "cas":
                sometimes("a cas loses", end is False)
                outcome = MISS if end is False else outcome
                append(CAS, place, expected, began_ns, return_ns, caller, outcome)
                append(CAS_TO, place, value, began_ns, return_ns, caller, outcome)

    def count(self, command: str, outcome: int) -> None:
        self.sent[command] += outcome != NOT_DONE
        self.done[command] += outcome == OK

    def note_counter(self, call: Call, adds: bool, place: int, end: Any, outcome: int, now_ns: int) -> None:
        ended = _ENDED[outcome]
        return_ns = None if outcome == UNKNOWN else now_ns
        index = len(self.counted)
        if adds:
            self.counted.append(Operation(call.caller, "add", place, 1, None, call.began_ns, return_ns, ended, index))
        if outcome == OK:
            found = int(end or 0)
            self.counted.append(
                Operation(call.caller, "read", place, None, found, call.began_ns, now_ns, ended, index + 1)
            )

    # ── The end ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def judge(self, servers: Sequence[Memcached]) -> None:
        """Hold the histories against the laws of registers and counters, and the servers' counts against the client's.

        Items of servers that came back empty are not judged where they are counted: counters, and versions for cas.
        """
        _judge(self.plain)
        if self.parts:
            why = next(trail.broken(self.bases, self.parts, self.seen), "")
            always(not why, GROWS, why)
        sometimes("a value that was added to is read", any(each.before or each.after for each in self.seen))
        sometimes("there is nothing to add to", self.nothing_there)
        if self.lived:
            reads = [lifetime.Found(each.place, each.base, each.call_ns, each.return_ns) for each in self.seen]
            why = next(lifetime.outlived(self.lived, self.touches, reads + self.found), "")
            always(not why, EXPIRES, why)
        carried_out: Counter[str] = Counter()
        for server in servers:
            carried_out.update(server.calls())
        for command in self.sent:
            least, found, most = self.done[command], carried_out[command], self.sent[command]
            always(least <= found <= most, ONCE, f"{command}: {least} done, {found} carried out, {most} sent")
        if any(server.starts > 1 for server in servers):
            return
        _judge(self.conditional)
        if self.counted:
            answer = counter.check(self.counted)
            always(not answer.violations, COUNTS, answer.violations[:1])
            sometimes("counters are judged")


_TOUCH = VERBS.index("touch")

_ALONE = {VERBS.index(f"{verb}_many"): VERBS.index(verb) for verb in ("get", "set", "delete")}
"""The verb of each key of a batch."""

_ENDED = {OK: Ended.OK, NOT_DONE: Ended.FAIL, UNKNOWN: Ended.INFO}


def _judge(history: Operations) -> None:
    register = Register()
    verdict = register.judged(history)
    accused = [register.accusation(each) for each in range(register.accused)]
    always(not accused, REGISTER, f"{verdict}: {accused[:3]}")
