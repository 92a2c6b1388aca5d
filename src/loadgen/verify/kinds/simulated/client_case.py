"""A simulated case of the client: its run, from the plan to the closed client.

`Calls` holds the client's accounts after every event, and `History` what its callers saw. Here are the laws of the
whole: breakers change as they may, batches answer for each key, the client recovers after the faults, its statistics
are what its callers saw, and a closed client has nothing left.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from loadgen.client import BreakerOpen, CacheError, Client, TooManyProbes
from loadgen.client._request import Request, Stage
from loadgen.client.batch import Batch
from loadgen.client.breaker import State, Transition
from loadgen.client.errors import ClientClosed, ProtocolError, RequestError, ServerError
from loadgen.client.results import Results
from loadgen.units import NS_PER_S
from loadgen.verify.kinds.simulated.client_history import BETWEEN, ONE_REPLY, Call, Entry, History
from loadgen.verify.kinds.simulated.client_plan import AT_A_TIME, CLASSES, NEVER, VERBS, Op, Plan, Profile
from loadgen.verify.scenario.memcached import Memcached
from loadgen.verify.scenario.proxy import Proxy, processes_of
from loadgen.verify.scenario.settings import TOXIC
from loadgen.verify.scenario.states import Broken, always, sometimes
from loadgen.verify.scenario.world import World, net_of
from loadgen.verify.world._calls import Calls
from loadgen.verify.world.policy import BY_PRIORITIES
from loadgen.verify.world.toxics import STRENGTHS

ACCOUNT = "the client's account is what its callers saw"
EMPTY = "a closed client has nothing left"
LEGAL = "a breaker changes as breakers do"
STAYS = "a breaker stays open for its time"
WHOLE = "a batch answers for each of its keys"
RECOVERS = "after the faults every call succeeds within a bound"
CLEARED = "a proxy's connections end with those of its clients"
CLOSES = "after the faults every breaker closes within a bound"

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


class Case:
    """One run of a case."""

    def __init__(self, profile: Profile, operations: int) -> None:
        self._profile = profile
        self._operations = operations
        self.log: list[Entry] = []
        """The operations on keys, in the order of their ends."""
        self.plan: Plan | None = None

    async def scenario(self, world: World) -> None:
        """Run the case in a world, as a scenario does."""
        proxied = TOXIC in self._profile.faults
        for state in (*STATES, *(f"{name} is raised" for name in RAISED), *OF_PROXIES * proxied):
            if state not in self._profile.seldom:
                sometimes(state, False)
        sometimes(BY_PRIORITIES, net_of(world).world.window_ns)
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
        log: list[Entry],
    ) -> None:
        """`proxies` are those before servers, by the servers' numbers."""
        self.world = world
        self.net = net_of(world)
        self.profile = profile
        self.plan = plan
        self.servers = servers
        self.proxies = proxies
        self.history = History(plan, log)
        self.states = dict.fromkeys(range(plan.nodes), State.CLOSED)
        self.opened_ns: dict[int, int] = {}
        self.values = 0
        self.ttl_s = 0
        """The time to live of the next write."""
        self.token = 0
        """The version for the next cas."""
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
        client, value, part = self.client, self.history.value, self.history.part
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
            "append": lambda key, name, number: client.append(name, BETWEEN + part(key, number)),
            "prepend": lambda key, name, number: client.prepend(name, part(key, number) + BETWEEN),
        }
        return [asks[verb] for verb in VERBS]

    async def exchange(self, number: int, task: asyncio.Task[Any], op: Op) -> Any:
        """Read an item and replace it, if it is still the same."""
        found = await self.operate(number, task, op, _GETS)
        if not isinstance(found, tuple):
            return found
        expected = self.history.read(self.plan.keys + op.key, found[0])
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
            end = await self.asks[verb](key, self.history.names[key], value)
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
        self.history.note(self.shell.now(), call, verb, key, value, end, expected, op.ttl_s)
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

    async def get_many(self, first: int, name: str, number: int) -> dict[str, Any]:
        """Read the plain keys from one on."""
        names = self.history.names[first : self.plan.keys]
        return self.answered(names, await self.client.get_many(names), misses=True)

    async def set_many(self, first: int, name: str, number: int) -> dict[str, Any]:
        names = self.history.names[first : self.plan.keys]
        self.values += len(names)
        values = {each: self.history.value(first + place, number + place) for place, each in enumerate(names)}
        return self.answered(names, await self.client.set_many(values, self.ttl_s))

    async def delete_many(self, first: int, name: str, number: int) -> dict[str, Any]:
        names = self.history.names[first : self.plan.keys]
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
            used = {self.client.node_of(self.history.names[key]) for key in range(self.plan.keys)}
            states = {node: self.client.stats().nodes[node].breaker for node in used}
            always({*states.values()} == {State.CLOSED}, CLOSES, states)

    async def end(self) -> None:
        """Close the client, and judge what its callers saw."""
        if self.broken is not None:
            raise self.broken
        history = self.history
        await self.client.close()
        for raised, count in history.raised.items():
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
        always(requests == history.requests, ACCOUNT, f"{requests} requests, and callers know of {history.requests}")
        unsolicited = sum(node.unsolicited for node in stats.nodes)
        always(self.profile.garbled or not unsolicited, ONE_REPLY, f"{unsolicited} replies that nothing had asked for")
        sometimes("a segment is split", self.net.counts("splits"))
        sometimes("a segment is lost", self.net.counts("losses"))
        sometimes("a write finds no room", self.net.counts("starvations"))
        sometimes("an item expires", sum(server.expired() for server in self.servers))
        if self.proxies:
            await self.clear()
        history.judge(self.servers)
        counted = repr((history.counted, stats)).encode()
        self.net.world.note_text(bytes(history.plain) + bytes(history.conditional) + counted)

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


_SET, _GET = VERBS.index("set"), VERBS.index("get")
_GETS, _CAS = VERBS.index("gets"), VERBS.index("cas")


def _has_ended(made: Request | Batch | None) -> bool:
    """Return True for a request whose end the client has found, so that a cancellation came too late."""
    return isinstance(made, Request) and made.owner.done() and not made.owner.cancelled()
