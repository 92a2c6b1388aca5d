"""A simulated case of the client: callers, what they see, and the laws that hold for it.

`Calls` holds the client's accounts after every event. Here is what its callers see: every operation ends once, each key
is a register under cache semantics at each of its nodes, counters count, no reply reaches another operation, and a
closed client has nothing left.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from loadgen.client import BreakerOpen, CacheError, Client, ConnectionRefused, PoolExhausted, TooManyProbes
from loadgen.client._request import Request, Stage
from loadgen.client.batch import Batch
from loadgen.client.breaker import State, Transition
from loadgen.client.errors import ClientClosed, ProtocolError, RequestError, ServerError
from loadgen.client.results import Results
from loadgen.units import NS_PER_S
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
from loadgen.verify.kinds.simulated.client_plan import (
    AT_A_TIME,
    CLASSES,
    CONDITIONAL,
    NEVER,
    VERBS,
    WITH_TTL,
    Op,
    Plan,
    Profile,
)
from loadgen.verify.scenario.memcached import Memcached
from loadgen.verify.scenario.proxy import Proxy, processes_of
from loadgen.verify.scenario.settings import TOXIC
from loadgen.verify.scenario.states import Broken, always, sometimes
from loadgen.verify.scenario.world import World, net_of
from loadgen.verify.world._calls import Calls
from loadgen.verify.world.toxics import STRENGTHS

ONE_REPLY = "every reply reaches the request that it answers"
REGISTER = "each key is a register of a cache"
GROWS = "a value that is added to has each addition once, in order"
EXPIRES = "a value is gone after its time to live"
COUNTS = "a counter counts"
ONCE = "what writes is sent once"
ACCOUNT = "the client's account is what its callers saw"
EMPTY = "a closed client has nothing left"
LEGAL = "a breaker changes as breakers do"
STAYS = "a breaker stays open for its time"
WHOLE = "a batch answers for each of its keys"
RECOVERS = "after the faults every call succeeds within a bound"
CLEARED = "a proxy's connections end with those of its clients"
CLOSES = "after the faults every breaker closes within a bound"

BETWEEN = b"|"
"""Between a value and what was added to it."""

UNSENT = (BreakerOpen, TooManyProbes, ConnectionRefused, PoolExhausted)
"""The exceptions of operations of which nothing was sent."""

NEVER_RAISED = (ProtocolError, RequestError, ServerError)
"""The exceptions that a healthy server never causes."""

CHANGES = {
    (State.CLOSED, State.OPEN),
    (State.OPEN, State.HALF_OPEN),
    (State.HALF_OPEN, State.OPEN),
    (State.HALF_OPEN, State.CLOSED),
}

REFUSED_S = 0.1
"""The time after which a caller goes on whose operation a breaker refused."""

QUIET_S = 15.0
"""From the time in which faults begin: by then the longest of them has ended, and what was lost was sent again."""

STATES = (
    "a breaker opens",
    "a breaker is half-open",
    "a breaker closes again",
    "a call is cancelled as it was handed a connection",
    "a call is cancelled after it has ended",
    "a call is cancelled while it waits",
    "a reply is outstanding when its connection is closed",
    "a read succeeds on another connection than its first",
    "a call moves to another node",
    "a part of a batch fails, and another does not",
    "a client is closed while calls are under way",
    "a cas loses",
    "counters are judged",
    "a value that was added to is read",
    "there is nothing to add to",
    "an item expires",
    "a segment is split",
    "a segment is lost",
    "a write finds no room",
)
"""States that a campaign is to reach, beside those of `Calls` and the exceptions."""

RAISED = ("CacheTimeout", "ConnectionRefused", "ConnectionLost", "BreakerOpen", "TooManyProbes", "PoolExhausted")
"""The exceptions that a campaign is to see."""


OF_PROXIES = (
    "a connection goes through a proxy",
    "bytes are held to a toxic's latency",
    "bytes are held to a toxic's rate",
    *(f"a toxic takes effect: {kind}" for kind in STRENGTHS),
)
"""States that a campaign with toxics is to reach."""

_PROXIED_S = 0.5
"""The longest round trip through a proxy, on the slowest links, in which a segment is lost."""

_CLEARED_S = 60.0
"""The time after the last toxic by which a proxy has ended what was to end, with segments that are sent again."""


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


class Case:
    """One run of a case."""

    def __init__(self, profile: Profile, operations: int) -> None:
        self._profile = profile
        self._operations = operations
        self.log: list[tuple[int, int, int, str, int, object]] = []
        """Time, caller, verb, key, value and end of each operation on a key, in the order of their ends."""
        self.plan: Plan | None = None

    async def scenario(self, world: World) -> None:
        """Run the case in a world, as a scenario does."""
        proxied = TOXIC in self._profile.faults
        for state in (*STATES, *(f"{name} is raised" for name in RAISED), *OF_PROXIES * proxied):
            if state not in self._profile.seldom:
                sometimes(state, False)
        self.plan = plan = Plan.drawn(world.draw, self._profile, self._operations, net_of(world).link.bytes_per_s)
        meta = plan.options["protocol"] == "meta"
        servers = [world.memcached(f"m{n}", meta=meta) for n in range(plan.nodes)]
        sometimes("the client speaks meta", meta)
        proxies = {
            number: world.proxy(f"p{number}", server)
            for number, server in enumerate(servers)
            if proxied and world.draw.chance(0.8, "server is behind a proxy")
        }
        await world.host("client").run(Load(world, self._profile, plan, servers, proxies, self.log).run())

    def lines(self) -> tuple[str, ...]:
        """Return the case as text to read: its plan, and its operations."""
        words = [str(self.plan)]
        for at_ns, caller, verb, key, value, end in self.log:
            name = VERBS[verb]
            told = "?" if isinstance(end, asyncio.CancelledError) else type(end).__name__
            told = told if isinstance(end, BaseException) else repr(end if not isinstance(end, bytes) else end[:40])
            words.append(f"{at_ns / NS_PER_S:.6f} s  caller {caller}: {name} {key} {value or ''} → {told}")
        return tuple(words)


class Load:
    """A client on its host, its callers, and what they saw."""

    def __init__(
        self,
        world: World,
        profile: Profile,
        plan: Plan,
        servers: list[Memcached],
        proxies: Mapping[int, Proxy],
        log: list[Any],
    ) -> None:
        """`proxies` are those before servers, by the servers' numbers."""
        self.world = world
        self.net = net_of(world)
        self.profile = profile
        self.plan = plan
        self.servers = servers
        self.proxies = proxies
        self.log = log
        self.names = [f"{kind}{n}" for kind in ("key-", "cas-", "number-") for n in range(plan.keys)]
        self.filler = b"." * plan.value_bytes
        self.states = dict.fromkeys(range(plan.nodes), State.CLOSED)
        self.opened_ns: dict[int, int] = {}
        self.plain = Operations()
        self.conditional = Operations()
        self.counted: list[Operation] = []
        self.values = 0
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
        self.ttl_s = 0
        """The time to live of the next write."""
        self.token = 0
        """The version for the next cas."""
        self.requests = 0
        """Requests to nodes, those that were tried again once more for each time."""
        self.sent: Counter[str] = Counter()
        """Keys of requests that write, by the server's name of the command: the most that it may carry out."""
        self.done: Counter[str] = Counter()
        """Those of which the client has said that they were carried out."""
        self.companions: list[Call] = []
        """Calls that are cancelled when the next operation ends."""
        self.current: Call | None = None
        self.raised: Counter[type[BaseException]] = Counter()
        """Operations by the exception that they ended by."""
        self.closed = False
        self.broken: Broken | None = None
        """The first law that a transition broke."""

    # ── The client ────────────────────────────────────────────────────────────────────────────────────────────────────

    def begin(self, call: Request | Batch) -> asyncio.Future[None]:
        """Have the client's shell carry a call out, and know which of the callers' it is."""
        current = self.current
        assert current is not None
        current.made = call
        future: asyncio.Future[None] = self.shell.begin(call)
        if self.companions:
            current.waited = isinstance(call, Request) and call.stage is Stage.WAITING
        return future

    def on_transition(self, node: int, change: Transition) -> None:
        try:
            self.judge_transition(node, change)
        except Broken as broken:
            # The client reports what its callback raises, and goes on.
            self.broken = self.broken or broken

    def judge_transition(self, node: int, change: Transition) -> None:
        always((change.before, change.after) in CHANGES, LEGAL, change)
        always(change.before is self.states[node], LEGAL, change)
        self.states[node] = change.after
        if change.after is State.OPEN:
            self.opened_ns[node] = change.at_ns
            sometimes("a breaker opens")
        elif change.after is State.HALF_OPEN:
            stayed_ns = change.at_ns - self.opened_ns[node]
            always(stayed_ns >= self.plan.options["breaker_timeout_s"] * NS_PER_S, STAYS, f"{stayed_ns} ns")
            sometimes("a breaker is half-open")
        else:
            sometimes("a breaker closes again")

    async def run(self) -> None:
        """Run the client from its making to its end, and judge it."""
        nodes = [self.proxies.get(number, server).node for number, server in enumerate(self.servers)]
        self.client = Client(nodes, on_transition=self.on_transition, **self.plan.options)
        self.shell = self.client._shell
        self.client._begin = self.begin
        self.asks = self.asked()
        calls = Calls(self.shell.core, self.net.current().machine)
        self.net.world.hold(calls)
        loop = asyncio.get_running_loop()
        if self.plan.closes_at_s:
            loop.call_later(self.plan.closes_at_s, self.close_early)
        callers = [self.caller(number, script) for number, script in enumerate(self.plan.callers)]
        await asyncio.gather(*callers)
        if self.profile.recovers:
            await self.recovers()
        await self.end()
        for state, count in calls.reached().items():
            if count or state not in self.profile.seldom:
                sometimes(state, count > 0)

    def close_early(self) -> None:
        """Close the client while its callers go on."""
        self.closed = True
        if self.client.stats().under_way:
            sometimes("a client is closed while calls are under way")
        self.shell.close()

    async def caller(self, number: int, script: Sequence[Op]) -> None:
        task = asyncio.current_task()
        assert task is not None
        for op in script:
            if op.verb == _CAS:
                end = await self.exchange(number, task, op)
            else:
                end = await self.operate(number, task, op, op.verb)
            if isinstance(end, ClientClosed):
                return
            # Who is refused at once tries again later, or all operations would be over before the breaker is half-open.
            pause_s = REFUSED_S if isinstance(end, (BreakerOpen, TooManyProbes)) else op.pause_s
            if pause_s:
                await asyncio.sleep(pause_s)

    # ── One operation ─────────────────────────────────────────────────────────────────────────────────────────────────

    def asked(self) -> Sequence[Callable[[int, str, int], Awaitable[Any]]]:
        """Return for each verb what asks the client, with the place of a key, its name, and the number of a value."""
        client, value = self.client, self.value
        asks: dict[str, Callable[[int, str, int], Awaitable[Any]]] = {
            "get": lambda key, name, number: client.get(name),
            "set": lambda key, name, number: client.set(name, value(key, number), self.ttl_s),
            "delete": lambda key, name, number: client.delete(name),
            "get_many": self.get_many,
            "set_many": self.set_many,
            "delete_many": self.delete_many,
            "gets": lambda key, name, number: client.gets(name),
            "add": lambda key, name, number: client.add(name, value(key, number), self.ttl_s),
            "replace": lambda key, name, number: client.replace(name, value(key, number), self.ttl_s),
            "cas": lambda key, name, number: client.cas(name, value(key, number), self.token, self.ttl_s),
            "increment": lambda key, name, number: client.increment(name, 1, 1),
            "read_counter": lambda key, name, number: client.get(name),
            "touch": lambda key, name, number: client.touch(name, self.ttl_s),
            "version": lambda key, name, number: client.version(key % self.plan.nodes),
            "append": lambda key, name, number: client.append(name, BETWEEN + self.part(key, number)),
            "prepend": lambda key, name, number: client.prepend(name, self.part(key, number) + BETWEEN),
        }
        return [asks[verb] for verb in VERBS]

    async def exchange(self, number: int, task: asyncio.Task[Any], op: Op) -> Any:
        """Read an item and replace it, if it is still the same."""
        found = await self.operate(number, task, op, _GETS)
        if not isinstance(found, tuple):
            return found
        expected = self.read(self.plan.keys + op.key, found[0])
        self.token = found[1]
        return await self.operate(number, task, op, _CAS, expected)

    async def operate(self, number: int, task: asyncio.Task[Any], op: Op, verb: int, expected: int = 0) -> Any:
        """Carry an operation out; return its result, or the exception that it ended by."""
        self.current = call = Call(number, task, self.shell.now())
        key = op.key + CLASSES[verb] * self.plan.keys
        self.values = value = self.values + 1
        cancels, handle, end = op.cancels, None, None
        if cancels != NEVER:
            if cancels == AT_A_TIME:
                handle = asyncio.get_running_loop().call_later(op.cancels_us / 1e6, task.cancel)
            else:
                self.companions.append(call)
        self.ttl_s = op.ttl_s
        try:
            end = await self.asks[verb](key, self.names[key], value)
        except CacheError as error:
            end = error
        except asyncio.CancelledError as error:
            if cancels == NEVER:
                raise
            task.uncancel()
            end = error
            sometimes("a call is cancelled after it has ended", _has_ended(call.made))
        if handle is not None:
            handle.cancel()
        if self.companions:
            if call in self.companions:
                self.companions.remove(call)
            self.cancel_companions()
        self.note(call, verb, key, value, end, expected, op.ttl_s)
        return end

    def cancel_companions(self) -> None:
        """Cancel the calls that are to end when another does."""
        companions, self.companions = self.companions, []
        for call in companions:
            made = call.made
            if isinstance(made, Request) and not made.owner.done():
                if made.stage is Stage.WAITING:
                    sometimes("a call is cancelled while it waits")
                elif call.waited and made.connection is not None:
                    handed = made.connection.used_ns == self.shell.now()
                    sometimes("a call is cancelled as it was handed a connection", handed)
            call.task.cancel()

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

    async def get_many(self, first: int, name: str, number: int) -> dict[str, Any]:
        """Read the plain keys from one on."""
        names = self.names[first : self.plan.keys]
        return self.answered(names, await self.client.get_many(names), misses=True)

    async def set_many(self, first: int, name: str, number: int) -> dict[str, Any]:
        names = self.names[first : self.plan.keys]
        self.values += len(names)
        values = {each: self.value(first + place, number + place) for place, each in enumerate(names)}
        return self.answered(names, await self.client.set_many(values, self.ttl_s))

    async def delete_many(self, first: int, name: str, number: int) -> dict[str, Any]:
        names = self.names[first : self.plan.keys]
        return self.answered(names, await self.client.delete_many(names))

    def answered(self, names: Sequence[str], found: Results[str, Any], *, misses: bool = False) -> dict[str, Any]:
        """Return for each name of a batch its result or its error."""
        errors: Mapping[str, Any] = found.errors
        ends = {**found, **errors}
        whole = len(ends) == len(found) + len(errors) and (misses or len(ends) == len(names))
        always(whole and ends.keys() <= {*names}, WHOLE, ends)
        if errors and found:
            sometimes("a part of a batch fails, and another does not")
        return {name: ends.get(name) for name in names}

    # ── What was seen ─────────────────────────────────────────────────────────────────────────────────────────────────

    def note(self, call: Call, verb: int, key: int, value: int, end: Any, expected: int, ttl_s: int) -> None:
        """Add the end of an operation to the history."""
        now_ns = self.shell.now()
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

    async def recovers(self) -> None:
        """Require that some time after the last fault everything succeeds, and every breaker has closed."""
        options, task = self.plan.options, asyncio.current_task()
        assert task is not None
        await asyncio.sleep(self.profile.within_s + QUIET_S)
        # A connection that nobody told of its end costs a deadline, and a breaker may open for each of them.
        bound_s = (options["max_size"] + 3) * (options["breaker_timeout_s"] + 2 * options["timeout_s"])
        rounds = [Op(verb, key, NEVER, 0, 0.0) for key in range(self.plan.keys) for verb in (_SET, _GET)] * 3
        if self.proxies:
            bound_s += len(rounds) * _PROXIED_S
        until_ns = self.shell.now() + round(bound_s * NS_PER_S)
        failed: object = True
        while failed:
            ends = [await self.operate(0, task, op, op.verb) for op in rounds]
            failed = next((end for end in ends if isinstance(end, BaseException)), None)
            always(self.shell.now() <= until_ns, RECOVERS, f"not in {bound_s:g} s: {failed!r}")
            await asyncio.sleep(0.5)
        if not options["failover"] and options["breaker"]:
            used = {self.client.node_of(self.names[key]) for key in range(self.plan.keys)}
            states = {node: self.client.stats().nodes[node].breaker for node in used}
            always({*states.values()} == {State.CLOSED}, CLOSES, states)

    async def end(self) -> None:
        """Close the client, and judge what its callers saw."""
        if self.broken is not None:
            raise self.broken
        await self.client.close()
        for raised, count in self.raised.items():
            always(self.profile.garbled or raised not in NEVER_RAISED, ONE_REPLY, f"{raised.__name__} is raised")
            always(self.closed or raised is not ClientClosed, ACCOUNT, f"{raised.__name__} is raised")
            sometimes(f"{raised.__name__} is raised", count)
        stats = self.client.stats()
        left = [node.pool for node in stats.nodes if node.pool.total or node.pool.waiting]
        always(not left and not stats.under_way, EMPTY, stats)
        host = self.net.current()
        always(not self.net.open_streams(host), EMPTY, f"{self.net.open_streams(host)} streams are open")
        tasks = sorted(task.get_name() for task in asyncio.all_tasks())
        always(len(tasks) == 2, EMPTY, tasks)
        abandoned = sum(node.abandoned for node in stats.nodes)
        sometimes("a reply is outstanding when its connection is closed", abandoned)
        requests = sum(node.operations for node in stats.nodes)
        always(requests == self.requests, ACCOUNT, f"{requests} requests, and the callers know of {self.requests}")
        unsolicited = sum(node.unsolicited for node in stats.nodes)
        always(self.profile.garbled or not unsolicited, ONE_REPLY, f"{unsolicited} replies that nothing had asked for")
        sometimes("a segment is split", self.net.counts("splits"))
        sometimes("a segment is lost", self.net.counts("losses"))
        sometimes("a write finds no room", self.net.counts("starvations"))
        sometimes("an item expires", sum(server.expired() for server in self.servers))
        if self.proxies:
            await self.clear()
        self.judge()
        self.net.world.note_text(bytes(self.plain) + bytes(self.conditional) + repr((self.counted, stats)).encode())

    async def clear(self) -> None:
        """Require that proxies have no connection left, when the last toxic has been removed."""
        await asyncio.sleep(self.profile.within_s + QUIET_S + _CLEARED_S)
        proxies = [process for proxy in self.proxies.values() for process in processes_of(proxy)]
        left = sum(proxy.open_connections for proxy in proxies)
        always(not left, CLEARED, f"{left} connections are open")
        sometimes("a connection goes through a proxy", sum(proxy.accepted for proxy in proxies))
        sometimes("bytes are held to a toxic's latency", sum(proxy.witness.delayed for proxy in proxies))
        sometimes("bytes are held to a toxic's rate", sum(proxy.witness.limited for proxy in proxies))
        for proxy in proxies:
            for kind, count in proxy.effects().items():
                sometimes(f"a toxic takes effect: {kind}", count)

    def judge(self) -> None:
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
        for server in self.servers:
            carried_out.update(server.calls())
        for command in self.sent:
            least, found, most = self.done[command], carried_out[command], self.sent[command]
            always(least <= found <= most, ONCE, f"{command}: {least} done, {found} carried out, {most} sent")
        if any(server.starts > 1 for server in self.servers):
            return
        _judge(self.conditional)
        if self.counted:
            answer = counter.check(self.counted)
            always(not answer.violations, COUNTS, answer.violations[:1])
            sometimes("counters are judged")


_TOUCH = VERBS.index("touch")
_SET, _GET = VERBS.index("set"), VERBS.index("get")
_GETS, _CAS = VERBS.index("gets"), VERBS.index("cas")

_ALONE = {VERBS.index(f"{verb}_many"): VERBS.index(verb) for verb in ("get", "set", "delete")}
"""The verb of each key of a batch."""

_ENDED = {OK: Ended.OK, NOT_DONE: Ended.FAIL, UNKNOWN: Ended.INFO}


def _has_ended(made: Request | Batch | None) -> bool:
    """Return True for a request whose end the client has found, so that a cancellation came too late."""
    return isinstance(made, Request) and made.owner.done() and not made.owner.cancelled()


def _judge(history: Operations) -> None:
    register = Register()
    verdict = register.judged(history)
    accused = [register.accusation(each) for each in range(register.accused)]
    always(not accused, REGISTER, f"{verdict}: {accused[:3]}")
