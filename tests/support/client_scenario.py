"""The shipping client under drawn options, callers and faults: its promises as a scenario.

Every operation ends by its deadline; no reply reaches another's request; each key is a register under cache semantics;
pools and breakers add up at every end of an operation; when the faults are over, everything succeeds again; and a
closed client has nothing left.
"""

from __future__ import annotations

import asyncio
from typing import Any

from loadgen.client import BreakerOpen, CacheError, Client, ConnectionRefused, PoolExhausted, TooManyProbes
from loadgen.client.breaker import State, Transition
from loadgen.testing import World, always, settings, sometimes
from loadgen.verify.checkers._register import Register
from loadgen.verify.history._operations import ADD, DELETE, MISS, NOT_DONE, OK, READ, UNKNOWN, WRITE, Operations

OPERATIONS = 100
"""Operations of a run, all callers together, before the faults are over."""

FAULTS_S = 3.0
"""The time in which faults begin."""

NOT_SENT = (BreakerOpen, TooManyProbes, ConnectionRefused, PoolExhausted)
"""The exceptions of operations of which nothing was sent."""

LEGAL = {
    (State.CLOSED, State.OPEN),
    (State.OPEN, State.HALF_OPEN),
    (State.HALF_OPEN, State.OPEN),
    (State.HALF_OPEN, State.CLOSED),
}


def options(world: World) -> dict[str, Any]:
    """Draw the options of a client; the first of each are the simplest."""
    draw = world.draw
    return {
        "timeout_s": draw.choice((1.0, 0.05, 0.3), "timeout"),
        "connect_timeout_s": draw.choice((None, 0.02), "connect timeout"),
        "max_size": draw.choice((10, 1, 2), "max size"),
        "pipeline": draw.choice((1, 4), "pipeline"),
        "pool": draw.choice(("puddle", "channel"), "pool"),
        "selector": draw.choice(("jump", "ketama", "rendezvous"), "selector"),
        "failover": draw.choice((False, True), "failover"),
        "retries": draw.choice((0, 2), "retries"),
        "max_conn_lifetime_s": draw.choice((0.0, 0.5), "lifetime"),
        "max_conn_idle_time_s": draw.choice((0.0, 0.1), "idle time"),
        "health_check_interval_s": draw.choice((0.0, 0.2), "health checks"),
        "breaker": draw.choice((True, False), "breaker"),
        "breaker_timeout_s": draw.choice((0.5, 2.0), "breaker timeout"),
        "breaker_min_requests": draw.choice((10, 2), "breaker least requests"),
        "breaker_consecutive_failures": draw.choice((20, 3, 0), "breaker failures in a row"),
        "breaker_max_requests": draw.choice((3, 1), "breaker probes"),
    }


class Trial:
    """One client, its callers, and what it did."""

    def __init__(self, world: World, **chosen: Any) -> None:
        self.world = world
        nodes = [world.memcached(f"m{n}") for n in range(world.draw.between(1, 3, "nodes"))]
        self.options = {**options(world), **chosen}
        self.states = dict.fromkeys(range(len(nodes)), State.CLOSED)
        self.opened_s: dict[int, float] = {}
        self.client = Client([node.node for node in nodes], on_transition=self.on_transition, **self.options)
        self.keys = [f"key {n}".replace(" ", "-") for n in range(world.draw.between(1, 4, "keys"))]
        self.history = Operations()
        self.values = 0

    def on_transition(self, node: int, change: Transition) -> None:
        always((change.before, change.after) in LEGAL, "a breaker changes as breakers do", change)
        always(change.before is self.states[node], "a breaker leaves the state that it had", change)
        self.states[node] = change.after
        if change.after is State.OPEN:
            self.opened_s[node] = self.world.now_s
            sometimes("a breaker is open")
        if change.after is State.HALF_OPEN:
            waited_s = self.world.now_s - self.opened_s[node]
            always(waited_s >= self.options["breaker_timeout_s"] - 1e-6, "a breaker stays open for its time", waited_s)
        if change.after is State.CLOSED:
            sometimes("a breaker closes again")

    # ── One operation ─────────────────────────────────────────────────────────────────────────────────────────────────

    async def operate(self, caller: int, *, cancels: bool = True) -> bool:
        """Carry out a drawn operation; True when it succeeded on every key."""
        draw = self.world.draw
        verb = draw.weighted(((5, READ), (3, WRITE), (1, DELETE), (1, ADD)), "operation")
        key = draw.below(len(self.keys), "key")
        batch = verb != ADD and draw.chance(0.15, "a batch")
        keys = [*range(key, len(self.keys))] if batch else [key]
        values = {each: self.values + 1 + each for each in keys}
        self.values += 1 + len(self.keys)
        call = asyncio.ensure_future(self.ask_many(verb, values) if batch else self.ask(verb, key, values[key]))
        if cancels and draw.chance(0.1, "the caller cancels"):
            asyncio.get_running_loop().call_later(draw.below(60_000, "when it cancels, in µs") / 1e6, call.cancel)
        began_ns = self.client._shell.now()
        ends: dict[int, Any] = {}
        try:
            ends = await call
        except asyncio.CancelledError:
            sometimes("a caller cancels a batch" if batch else "a caller cancels")
        except CacheError as error:
            ends = {key: error}
        ended_ns = self.client._shell.now()
        took_ns = ended_ns - began_ns
        always(took_ns <= self.options["timeout_s"] * 1e9 + 1, "an operation ends by its deadline", f"{took_ns} ns")
        for each in keys:
            self.note(verb, each, values[each], ends.get(each, asyncio.CancelledError()), began_ns, ended_ns, caller)
        self.check_account()
        return bool(ends) and not any(isinstance(each, BaseException) for each in ends.values())

    async def ask(self, verb: int, key: int, value: int) -> dict[int, Any]:
        name = self.keys[key]
        data = f"{name} {value}".encode()
        if verb == READ:
            return {key: await self.client.get(name)}
        if verb == WRITE:
            await self.client.set(name, data)
            return {key: True}
        return {key: await (self.client.delete(name) if verb == DELETE else self.client.add(name, data))}

    async def ask_many(self, verb: int, values: dict[int, int]) -> dict[int, Any]:
        """Return for each key its result, or its error."""
        names = {self.keys[key]: key for key in values}
        if verb == READ:
            results: Any = await self.client.get_many(names)
            found = {key: results.get(name) for name, key in names.items()}
        elif verb == WRITE:
            results = await self.client.set_many(
                {name: f"{name} {values[key]}".encode() for name, key in names.items()}
            )
            found = {names[name]: done for name, done in results.items()}
        else:
            results = await self.client.delete_many(names)
            found = {names[name]: done for name, done in results.items()}
        failed = {names[name]: error for name, error in results.errors.items()}
        always(len({**found, **failed}) == len(names), "a batch answers for each of its keys", results)
        return {**found, **failed}

    def note(self, verb: int, key: int, value: int, end: Any, began_ns: int, ended_ns: int, caller: int) -> None:
        """Add the end of an operation on a key to the history: its result, or its exception."""
        outcome, until = OK, {"return_ns": ended_ns}
        if isinstance(end, BaseException):
            sometimes(f"{type(end).__name__} is raised")
            if verb == READ:
                return
            not_done = isinstance(end, NOT_SENT) and not self.options["retries"]
            outcome, until = (NOT_DONE, until) if not_done else (UNKNOWN, {})
        elif verb == READ:
            always(end is None or end.startswith(self.keys[key].encode()), "a reply is the key's own", end)
            outcome = OK if end is not None else MISS
            value = int(end.rpartition(b" ")[2]) if end is not None else 0
        elif end is False:
            outcome = MISS
        written = value if verb != DELETE else 0
        self.history.append(verb, key, written, began_ns, outcome=outcome, process=caller, **until)

    def check_account(self) -> None:
        for node in self.client.stats().nodes:
            pool = node.pool
            always(pool.total <= pool.max_size, "a pool has no more connections than it may", pool)
            always(pool.opened - pool.closed == pool.idle + pool.active, "a pool's connections add up", pool)
            always(min(pool.constructing, pool.idle, pool.active, pool.waiting) >= 0, "no count is below zero", pool)
            sometimes("operations wait for a connection", pool.waiting)

    # ── The run ───────────────────────────────────────────────────────────────────────────────────────────────────────

    async def run(self) -> None:
        callers = self.world.draw.between(1, 8, "callers")
        await asyncio.gather(*(self.caller(number, OPERATIONS // callers) for number in range(callers)))
        await self.recovers()
        if not self.options["failover"]:
            register = Register()
            verdict = register.judged(self.history)
            accused = [register.accusation(each) for each in range(register.accused)]
            always(not accused, "each key is a register of a cache", f"{verdict}: {accused}")
        await self.client.close()
        self.check_account()
        stats = self.client.stats()
        left = [node.pool for node in stats.nodes if node.pool.total or node.pool.waiting]
        always(not left and not stats.under_way, "a closed client has nothing left", stats)

    async def caller(self, number: int, operations: int) -> None:
        for _ in range(operations):
            await self.operate(number)
            if pause := self.world.draw.choice((0.0, 0.001, 0.05), "pause of a caller"):
                await asyncio.sleep(pause)

    async def recovers(self) -> None:
        """When all faults are over, a time is enough after which everything succeeds, where the links let it."""
        if self.options["timeout_s"] < 1 or self.options["connect_timeout_s"] is not None:
            return
        await asyncio.sleep(60)
        for _ in range(200):
            done = [await self.operate(0, cancels=False) for _ in range(10)]
            if all(done):
                return
            await asyncio.sleep(0.5)
        always(False, "the client recovers when the faults are over")


@settings(faults=["pause", "cut", "partition", "slow", "kill"], mean_faults=4, within_s=FAULTS_S)
async def scenario(world: World) -> None:
    await Trial(world).run()


@settings(faults=["pause", "cut", "partition", "slow", "kill"], mean_faults=4, within_s=FAULTS_S)
async def shared(world: World) -> None:
    """The same with connections that requests and health checks share."""
    await Trial(world, pipeline=4, max_size=1, health_check_interval_s=0.05, timeout_s=0.3).run()
