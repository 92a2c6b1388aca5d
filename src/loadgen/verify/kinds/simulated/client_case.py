"""A simulated case of the client: callers, what they see, and the laws that hold for it.

`Calls` holds the client's accounts after every event. Here is what its callers see: every operation ends once, each key
is a register under cache semantics at each of its nodes, counters count, no reply reaches another operation, and a
closed client has nothing left.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from loadgen.client import BreakerOpen, CacheError, Client, ConnectionRefused, PoolExhausted, TooManyProbes
from loadgen.client._request import Request, Stage
from loadgen.client.batch import Batch
from loadgen.client.breaker import State, Transition
from loadgen.client.errors import ClientClosed, ProtocolError, RequestError, ServerError
from loadgen.units import NS_PER_S
from loadgen.verify.checkers import counter
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
    BATCHES,
    CONDITIONAL,
    COUNTING,
    NEVER,
    Op,
    Plan,
    Profile,
    Verb,
)
from loadgen.verify.scenario.memcached import Memcached
from loadgen.verify.scenario.states import Broken, always, sometimes
from loadgen.verify.scenario.world import World, net_of
from loadgen.verify.world._calls import Calls

ONE_REPLY = "every reply reaches the request that it answers"
REGISTER = "each key is a register of a cache"
COUNTS = "a counter counts"
ONCE = "what writes is sent once"
ACCOUNT = "the client's account is what its callers saw"
EMPTY = "a closed client has nothing left"
LEGAL = "a breaker changes as breakers do"
STAYS = "a breaker stays open for its time"
WHOLE = "a batch answers for each of its keys"
RECOVERS = "after the faults every call succeeds within a bound"
CLOSES = "after the faults every breaker closes within a bound"

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
    "a write finds no room",
    "a segment is split",
    "a segment is lost",
)
"""States that a campaign is to reach, beside those of `Calls` and the exceptions."""

RAISED = ("CacheTimeout", "ConnectionRefused", "ConnectionLost", "BreakerOpen", "TooManyProbes", "PoolExhausted")
"""The exceptions that a campaign is to see."""


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
        for state in (*STATES, *(f"{name} is raised" for name in RAISED)):
            sometimes(state, False)
        self.plan = plan = Plan.drawn(world.draw, self._profile, self._operations)
        servers = [world.memcached(f"m{n}") for n in range(plan.nodes)]
        await world.host("client").run(Load(world, self._profile, plan, servers, self.log).run())

    def lines(self) -> tuple[str, ...]:
        """Return the case as text to read: its plan, and its operations."""
        words = [str(self.plan)]
        for at_ns, caller, verb, key, value, end in self.log:
            name = Verb(verb).name.lower()
            told = "?" if isinstance(end, asyncio.CancelledError) else type(end).__name__
            told = told if isinstance(end, BaseException) else repr(end if not isinstance(end, bytes) else end[:40])
            words.append(f"{at_ns / NS_PER_S:.6f} s  caller {caller}: {name} {key} {value or ''} → {told}")
        return tuple(words)


class Load:
    """A client on its host, its callers, and what they saw."""

    def __init__(self, world: World, profile: Profile, plan: Plan, servers: list[Memcached], log: list[Any]) -> None:
        self.world = world
        self.net = net_of(world)
        self.profile = profile
        self.plan = plan
        self.servers = servers
        self.log = log
        self.names = [f"{kind}{n}" for kind in ("key-", "cas-", "number-") for n in range(plan.keys)]
        self.filler = b"." * plan.value_bytes
        self.states = dict.fromkeys(range(plan.nodes), State.CLOSED)
        self.opened_ns: dict[int, int] = {}
        self.plain = Operations()
        self.conditional = Operations()
        self.counted: list[Operation] = []
        self.values = 0
        self.requests = 0
        """Requests to nodes, those that were tried again once more for each time."""
        self.sent: Counter[str] = Counter()
        """Keys of requests that write, by the server's name of the command: the most that it may carry out."""
        self.done: Counter[str] = Counter()
        """Those of which the client has said that they were carried out."""
        self.companions: list[Call] = []
        """Calls that are cancelled when the next operation ends."""
        self.current: Call | None = None
        self.closed = False
        self.broken: Broken | None = None
        """The first law that a transition broke."""

    # ── The client ────────────────────────────────────────────────────────────────────────────────────────────────────

    def begin(self, call: Request | Batch) -> asyncio.Future[None]:
        """Have the client's shell carry a call out, and know which of the callers' it is."""
        current = self.current
        assert current is not None
        current.made = call
        future = self.shell.begin(call)
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
        nodes = [server.node for server in self.servers]
        self.client = Client(nodes, on_transition=self.on_transition, **self.plan.options)
        self.shell = self.client._shell
        self.client._begin = self.begin
        self.verbs: dict[int, Callable[..., Awaitable[Any]]] = {
            Verb.GET: self.client.get,
            Verb.SET: self.client.set,
            Verb.DELETE: self.client.delete,
            Verb.GET_MANY: self.client.get_many,
            Verb.SET_MANY: self.client.set_many,
            Verb.DELETE_MANY: self.client.delete_many,
            Verb.GETS: self.client.gets,
            Verb.ADD: self.client.add,
            Verb.REPLACE: self.client.replace,
            Verb.INCREMENT: self.client.increment,
            Verb.READ_COUNTER: self.client.get,
            Verb.TOUCH: self.client.touch,
        }
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
            sometimes(state, count > 0)

    def close_early(self) -> None:
        """Close the client while its callers go on."""
        self.closed = True
        sometimes("a client is closed while calls are under way", self.client.stats().under_way)
        self.shell.close()

    async def caller(self, number: int, script: Sequence[Op]) -> None:
        task = asyncio.current_task()
        assert task is not None
        for op in script:
            if op.verb == Verb.CAS:
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

    async def exchange(self, number: int, task: asyncio.Task[Any], op: Op) -> Any:
        """Read an item and replace it, if it is still the same."""
        found = await self.operate(number, task, op, Verb.GETS)
        if not isinstance(found, tuple):
            return found
        expected = self.read(self.plan.keys + op.key, found[0])
        return await self.operate(number, task, op, Verb.CAS, expected, found[1])

    async def operate(
        self, number: int, task: asyncio.Task[Any], op: Op, verb: int, expected: int = 0, token: int = 0
    ) -> Any:
        """Carry an operation out; return its result, or the exception that it ended by."""
        call = Call(number, task, self.shell.now())
        self.current = call
        key = op.key if verb not in COUNTING else 2 * self.plan.keys + op.key
        if verb in CONDITIONAL:
            key += self.plan.keys
        name = self.names[key]
        self.values = value = self.values + 1
        handle = None
        if op.cancels == AT_A_TIME:
            handle = asyncio.get_running_loop().call_later(op.cancels_us / 1e6, task.cancel)
        elif op.cancels != NEVER:
            self.companions.append(call)
        end: Any
        try:
            if verb == Verb.GET or verb == Verb.GETS or verb == Verb.DELETE or verb == Verb.READ_COUNTER:
                end = await self.verbs[verb](name)
            elif verb in BATCHES:
                end = await self.batch(verb, op.key, value)
            elif verb == Verb.INCREMENT:
                end = await self.client.increment(name, 1, 1)
            elif verb == Verb.CAS:
                end = await self.client.cas(name, self.value(name, value), token)
            elif verb == Verb.TOUCH:
                end = await self.client.touch(name, 0)
            elif verb == Verb.VERSION:
                end = await self.client.version(op.key % self.plan.nodes)
            else:
                end = await self.verbs[verb](name, self.value(name, value))
        except CacheError as error:
            end = error
        except asyncio.CancelledError as error:
            if op.cancels == NEVER:
                raise
            task.uncancel()
            end = error
            sometimes("a call is cancelled after it has ended", _has_ended(call.made))
        if handle is not None:
            handle.cancel()
        elif op.cancels != NEVER and call in self.companions:
            self.companions.remove(call)
        if self.companions:
            self.cancel_companions()
        self.note(call, verb, op.key if verb in BATCHES else key, value, end, expected)
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

    def value(self, name: str, value: int) -> bytes:
        return b"%b %d %b" % (name.encode(), value, self.filler)

    def read(self, key: int, data: bytes) -> int:
        """Return the identity of a value that was read under a key."""
        number = data.partition(b" ")[2].partition(b" ")[0]
        whole = number.isdigit() and data == self.value(self.names[key], int(number))
        always(whole, ONE_REPLY, f"{self.names[key]} has {data[:40]!r}, {len(data)} bytes")
        return int(number)

    async def batch(self, verb: int, first: int, value: int) -> Any:
        """Carry a batch on the plain keys from one on out; return for each name its result or error."""
        names = self.names[first : self.plan.keys]
        if verb == Verb.SET_MANY:
            self.values += len(names)
            found: Any = await self.client.set_many(
                {name: self.value(name, value + place) for place, name in enumerate(names)}
            )
        else:
            found = await self.verbs[verb](names)
        answered = {*found, *found.errors}
        right = answered <= {*names} and not {*found} & {*found.errors}
        always(right and (verb == Verb.GET_MANY or len(answered) == len(names)), WHOLE, (names, found, found.errors))
        sometimes("a part of a batch fails, and another does not", found and found.errors)
        ends: dict[str, Any] = {name: found.get(name) for name in names}
        ends.update(found.errors)
        return ends

    # ── What was seen ─────────────────────────────────────────────────────────────────────────────────────────────────

    def note(self, call: Call, verb: int, key: int, value: int, end: Any, expected: int) -> None:
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
            self.note_key(call, verb, key, made.node, value, end, expected, now_ns)
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
            self.note_key(call, alone, place, node_of[name], value + place - key, one, 0, now_ns)

    def note_key(
        self, call: Call, verb: int, key: int, node: int, value: int, end: Any, expected: int, now_ns: int
    ) -> None:
        self.log.append((now_ns, call.caller, verb, self.names[key], value, end))
        failed = isinstance(end, BaseException)
        if failed:
            sometimes(f"{type(end).__name__} is raised")
            always(not isinstance(end, NEVER_RAISED), ONE_REPLY, repr(end))
            always(self.closed or not isinstance(end, ClientClosed), ACCOUNT, repr(end))
            outcome = NOT_DONE if isinstance(end, UNSENT) else UNKNOWN
        else:
            outcome = OK
        return_ns = NO_END if outcome == UNKNOWN else now_ns
        place = key * self.plan.nodes + node
        where = self.conditional if verb in CONDITIONAL or verb == Verb.CAS else self.plain
        if verb == Verb.GET or verb == Verb.GETS:
            if not failed:
                data = end if verb == Verb.GET or end is None else end[0]
                value = 0 if data is None else self.read(key, data)
                where.append(READ, place, value, call.began_ns, now_ns, call.caller, OK if data is not None else MISS)
        elif verb == Verb.SET:
            self.count("set", outcome)
            always(failed or end is None or end is True, ONE_REPLY, repr(end))
            where.append(WRITE, place, value, call.began_ns, return_ns, call.caller, outcome)
        elif verb == Verb.DELETE:
            self.count("delete", outcome)
            always(failed or isinstance(end, bool), ONE_REPLY, repr(end))
            where.append(DELETE, place, 0, call.began_ns, return_ns, call.caller, MISS if end is False else outcome)
        elif verb in COUNTING:
            self.note_counter(call, verb, place, end, outcome, now_ns)
        elif verb == Verb.ADD:
            where.append(ADD, place, value, call.began_ns, return_ns, call.caller, MISS if end is False else outcome)
        elif verb == Verb.REPLACE:
            # Not stored: the key was absent at some time between call and return, as a read would have found.
            if end is False:
                where.append(READ, place, 0, call.began_ns, now_ns, call.caller, MISS)
            else:
                where.append(WRITE, place, value, call.began_ns, return_ns, call.caller, outcome)
        elif verb == Verb.CAS:
            if end is None:
                where.append(READ, place, 0, call.began_ns, now_ns, call.caller, MISS)
                return
            outcome = MISS if end is False else outcome
            sometimes("a cas loses", end is False)
            where.append(CAS, place, expected, call.began_ns, return_ns, call.caller, outcome)
            where.append(CAS_TO, place, value, call.began_ns, return_ns, call.caller, outcome)

    def count(self, command: str, outcome: int) -> None:
        self.sent[command] += outcome != NOT_DONE
        self.done[command] += outcome == OK

    def note_counter(self, call: Call, verb: int, place: int, end: Any, outcome: int, now_ns: int) -> None:
        ended = {OK: Ended.OK, NOT_DONE: Ended.FAIL, UNKNOWN: Ended.INFO}[outcome]
        return_ns = None if outcome == UNKNOWN else now_ns
        index = len(self.counted)
        if verb == Verb.INCREMENT:
            self.counted.append(Operation(call.caller, "add", place, 1, None, call.began_ns, return_ns, ended, index))
        if ended is Ended.OK:
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
        until_ns = self.shell.now() + round(bound_s * NS_PER_S)
        rounds = [Op(verb, key, NEVER, 0, 0.0) for key in range(self.plan.keys) for verb in (Verb.SET, Verb.GET)] * 3
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
        always(not unsolicited, ONE_REPLY, f"{unsolicited} replies that nothing had asked for")
        sometimes("a write finds no room", self.net.counts("starvations"))
        sometimes("a segment is split", self.net.counts("splits"))
        sometimes("a segment is lost", self.net.counts("losses"))
        self.judge()
        self.net.world.note_text(bytes(self.plain) + bytes(self.conditional) + repr((self.counted, stats)).encode())

    def judge(self) -> None:
        """Hold the histories against the laws of registers and counters, and the servers' counts against the client's.

        Items of servers that came back empty are not judged where they are counted: counters, and versions for cas.
        """
        _judge(self.plain)
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


_ALONE: dict[int, int] = {Verb.GET_MANY: Verb.GET, Verb.SET_MANY: Verb.SET, Verb.DELETE_MANY: Verb.DELETE}
"""The verb of each key of a batch."""


def _has_ended(made: Request | Batch | None) -> bool:
    """Return True for a request whose end the client has found, so that a cancellation came too late."""
    return isinstance(made, Request) and made.owner.done() and not made.owner.cancelled()


def _judge(history: Operations) -> None:
    register = Register()
    verdict = register.judged(history)
    accused = [register.accusation(each) for each in range(register.accused)]
    always(not accused, REGISTER, f"{verdict}: {accused[:3]}")
