"""The kinds of the client: what holds for every seed, what seeds reach, and that each law finds what breaks it."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from loadgen.client import Client
from loadgen.client._connection import Connection
from loadgen.client._request import Request
from loadgen.client._text import Text
from loadgen.client.assembly import assembled
from loadgen.client.breaker import Transition
from loadgen.client.options import Options
from loadgen.verify.case import Outcome
from loadgen.verify.kinds.simulated import client_case as laws
from loadgen.verify.kinds.simulated import client_history as history
from loadgen.verify.kinds.simulated.client_kinds import PROFILES, ClientKind
from loadgen.verify.kinds.simulated.client_plan import OPTIONS, Plan, Profile
from loadgen.verify.kinds.simulated.durable_redis import DurableRedis
from loadgen.verify.kinds.simulated.twice import Twice
from loadgen.verify.mutants.registry import MUTANTS
from loadgen.verify.scenario.settings import CUT, KILL
from loadgen.verify.tape import Recording, Tape
from loadgen.verify.world._calls import Calls
from loadgen.verify.world._network import Network
from loadgen.verify.world._order import Order, Priorities, Uniform
from loadgen.verify.world._world import BrokenInvariant, World
from loadgen.verify.world.policy import BY_PRIORITIES

OPERATIONS = 150
SEEDS = 12
SIMPLE = {name: values[:1] for name, values in OPTIONS.items()}
CALM = Profile("calm", (), nodes=(1,), keys=(2,), callers=(4,), options=SIMPLE)
"""Seeds without faults, of a client with the default options."""


def outcomes(profile: Profile, seeds: int = 6, operations: int = OPERATIONS) -> list[Outcome]:
    kind = ClientKind(profile, operations)
    return [kind.run(Tape.seeded(profile.name, seed)) for seed in range(seeds)]


def broken(profile: Profile = CALM, **options: Any) -> set[str]:
    """Return the invariants that some seeds find broken."""
    return {outcome.invariant for outcome in outcomes(profile, **options) if outcome.failed}


def finds(invariant: str, profile: Profile = CALM, seeds: int = 6, operations: int = OPERATIONS) -> bool:
    """True when one of the seeds finds that invariant broken; the seeds after it are not run."""
    kind = ClientKind(profile, operations)
    found = (kind.run(Tape.seeded(profile.name, seed)) for seed in range(seeds))
    return any(outcome.failed and outcome.invariant == invariant for outcome in found)


@pytest.mark.parametrize("profile", PROFILES, ids=lambda profile: profile.name)
def test_the_client_keeps_its_promises_with_every_seed_and_a_seed_is_one_run(profile: Profile) -> None:
    kind = Twice(ClientKind(profile, OPERATIONS))
    states: Counter[str] = Counter()
    for seed in range(SEEDS):
        outcome = kind.run(Tape.seeded(profile.name, seed))
        assert not outcome.failed, f"seed {seed}: {outcome.invariant}: {outcome.message}"
        states.update(outcome.sometimes)
    assert states["a call is cancelled while it waits"] + states["CacheTimeout is raised"]
    assert states["a reply is outstanding when its connection is closed"]
    assert states["a reply is cut in its first line"]


def test_what_is_planted_in_the_tests_is_what_is_found() -> None:
    assert broken() == set()


class OffByOne(Client):
    """Gives each reading call the reply of the one before it."""

    last: Any = None

    async def get(self, key: Any) -> Any:
        found = await super().get(key)
        found, self.last = self.last, found
        return found


class Forgetful(Client):
    """Says of every third write that it was carried out, and sends nothing: the old value comes back."""

    writes = 0

    async def set(self, key: Any, value: Any, ttl_s: int = 0) -> None:
        self.writes += 1
        if self.writes % 3:
            await super().set(key, value, ttl_s)
        else:
            await super().get(key)


class Miscounting(Client):
    """Adds a number that nobody asked for."""

    async def increment(self, key: Any, delta: int = 1, initial: int | None = None, ttl_s: int = 0) -> int | None:
        return await super().increment(key, delta + 1, initial, ttl_s)


class AddingNothing(Client):
    """Says of every addition that it was made where there is a value."""

    async def append(self, key: Any, value: Any) -> bool:
        return await super().touch(key, 0)


class Losing(Client):
    """Leaves keys out of a batch that has several."""

    async def set_many(self, values: Any, ttl_s: int = 0) -> Any:
        return await super().set_many(dict([*values.items()][:1]), ttl_s)


class Leaving(Client):
    """Leaves a task behind."""

    async def close(self) -> None:
        self.left = asyncio.ensure_future(asyncio.sleep(100))
        await super().close()


class NeverClosing(Client):
    """Closes nothing."""

    async def close(self) -> None:
        pass


@pytest.mark.parametrize(
    ("damaged", "invariant"),
    [
        (OffByOne, history.ONE_REPLY),
        (Forgetful, history.REGISTER),
        (Miscounting, history.COUNTS),
        (AddingNothing, history.GROWS),
        (Losing, laws.WHOLE),
        (Leaving, laws.EMPTY),
        (NeverClosing, laws.EMPTY),
    ],
)
def test_a_damaged_client_breaks_the_law_that_guards_it(
    damaged: type[Client], invariant: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(laws, "Client", damaged)
    assert finds(invariant)


def test_a_value_that_lives_too_long_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    class Eternal(Client):
        """Takes seconds for hours."""

        async def set(self, key: Any, value: Any, ttl_s: int = 0) -> None:
            await super().set(key, value, ttl_s * 3600)

    lasting = replace(CALM, name="lasting", pauses_s=(0.05,), callers=(1,))
    assert broken(lasting) == set()
    monkeypatch.setattr(laws, "Client", Eternal)
    assert finds(history.EXPIRES, lasting, seeds=20)


def test_a_proxy_that_keeps_connections_of_a_client_that_is_gone_is_found() -> None:
    [profile] = [each for each in PROFILES if each.name == "client_toxics"]
    with MUTANTS["slow_close never closes"].planted():
        assert finds(laws.CLEARED, profile, seeds=30, operations=60)


def test_an_old_value_that_comes_back_breaks_the_register(monkeypatch: pytest.MonkeyPatch) -> None:
    class Stale(Client):
        """Returns of each key what it read first."""

        def __init__(self, *args: Any, **options: Any) -> None:
            super().__init__(*args, **options)
            self.first: dict[Any, bytes] = {}

        async def get(self, key: Any) -> bytes | None:
            found = await super().get(key)
            return found if found is None else self.first.setdefault(key, found)

    monkeypatch.setattr(laws, "Client", Stale)
    assert finds(history.REGISTER)


def test_a_write_that_is_tried_again_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    class Eager(Client):
        """Takes its writes for reads, which are sent again when their connection is lost."""

        def _storage(self, *args: Any) -> Request:
            request = super()._storage(*args)
            request.reads = True
            return request

    cut = replace(CALM, name="cut", faults=(CUT,), mean_faults=8, within_s=0.01, pauses_s=(0.0,))
    cut = replace(cut, options={**SIMPLE, "retries": (2,)}, callers=(16,))
    assert broken(cut) == set()
    monkeypatch.setattr(laws, "Client", Eager)
    assert finds(history.ONCE, cut, seeds=20)


def test_a_request_that_no_caller_made_breaks_the_account(monkeypatch: pytest.MonkeyPatch) -> None:
    class Chatty(Client):
        async def touch(self, key: Any, ttl_s: int) -> bool:
            begin, self._begin = self._begin, self._shell.begin
            await self.get(key)
            self._begin = begin
            return await super().touch(key, ttl_s)

    monkeypatch.setattr(laws, "Client", Chatty)
    assert finds(laws.ACCOUNT, replace(CALM, callers=(1,)))


BREAKING = Profile(
    "breaking",
    (KILL,),
    mean_faults=6,
    nodes=(1,),
    keys=(2,),
    callers=(4,),
    options={**SIMPLE, "breaker_min_requests": (2,), "breaker_timeout_s": (0.5,), "breaker_max_requests": (2,)},
    pauses_s=(0.05,),
)


def test_transitions_that_breakers_do_not_make_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    class Jumping(Client):
        def __init__(self, nodes: Any, *, on_transition: Any, **options: Any) -> None:
            def told(node: int, change: Transition) -> None:
                on_transition(node, replace(change, after=change.before))

            super().__init__(nodes, on_transition=told, **options)

    class Hasty(Client):
        def __init__(self, nodes: Any, **options: Any) -> None:
            super().__init__(nodes, **{**options, "breaker_timeout_s": 0.2})

    assert broken(BREAKING) == set()
    monkeypatch.setattr(laws, "Client", Jumping)
    assert finds(laws.LEGAL, BREAKING)
    monkeypatch.setattr(laws, "Client", Hasty)
    assert finds(laws.STAYS, BREAKING)


def test_a_client_that_does_not_recover_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    class Patient(Client):
        """Its breaker opens for an hour."""

        def __init__(self, nodes: Any, **options: Any) -> None:
            super().__init__(nodes, **{**options, "breaker_timeout_s": 3600})

    assert broken(replace(BREAKING, recovers=True)) == set()
    monkeypatch.setattr(laws, "Client", Patient)
    assert finds(laws.RECOVERS, replace(BREAKING, recovers=True))


def test_a_breaker_that_stays_half_open_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    class Doubting(Client):
        """Its breaker closes after a thousand probes."""

        def __init__(self, nodes: Any, **options: Any) -> None:
            super().__init__(nodes, **{**options, "breaker_max_requests": 1000})

    monkeypatch.setattr(laws, "Client", Doubting)
    assert finds(laws.CLOSES, replace(BREAKING, recovers=True))


PRIORITIES = Priorities(Tape.of(()), events=10, changes=0, window_ns=10_000_000)
SCHEDULING = "scheduling by priorities"


class Machine:
    """A client's machine in a world, with nobody who does what it asks for: one node, one connection."""

    def __init__(self, order: Order | None = None) -> None:
        tape = Tape.of(())
        self.world = World(tape, order or Uniform(tape))
        host = Network(self.world).host()
        options = Options(max_size=1, timeout_s=1.0, breaker_min_requests=2)
        self.core = assembled(["m:1"], options, self.world.now_ns)
        self.world.hold(Calls(self.core, host))
        self.node = self.core.nodes[0]

    def begin(self) -> Request:
        request = Text().get(b"k")
        self.core.begin(request, self.world.now_ns)
        return request

    def connection(self) -> Connection:
        """Return the connection that is dialled."""
        [found] = self.node.pool.dialling()
        return found  # type: ignore[no-any-return]

    def go_on(self, s: float = 0.1) -> None:
        """Have an event happen, after which the accounts are held."""
        self.world.at(self.world.now_ns + round(s * 1e9), lambda: None)
        self.world.run(self.world.now_ns + round(s * 1e9))


def lost_turn(machine: Machine) -> None:
    first, _ = machine.begin(), machine.begin()
    machine.core.cancel(first, machine.world.now_ns)
    machine.node.pool.failed(machine.connection())


def lost_connection(machine: Machine) -> None:
    machine.begin()
    connection = machine.connection()
    machine.core.on_open(connection, machine.world.now_ns)
    machine.node.pool.discard(connection)


def forgotten_call(machine: Machine) -> None:
    machine.core.forget(machine.begin())


def call_without_dial(machine: Machine) -> None:
    machine.begin()
    machine.node.pool.failed(machine.connection())


def given_up_and_kept(machine: Machine) -> None:
    machine.begin()
    connection = machine.connection()
    machine.core.on_open(connection, machine.world.now_ns)
    machine.core.on_bytes(connection, b"END\r\n", machine.world.now_ns)
    machine.node.pool.acquire("nobody", machine.world.now_ns)
    machine.node.pool.discard(connection)


def too_many_probes(machine: Machine) -> None:
    machine.begin()
    machine.core.on_refused(machine.connection(), "refused", machine.world.now_ns)
    machine.go_on(6.0)
    machine.begin()
    machine.go_on()
    machine.node.breaker.max_requests = 0


def late(machine: Machine) -> None:
    machine.begin()
    machine.go_on(2.0)


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lost_turn, "nobody waits while there is room"),
        (lost_connection, "a request that was sent has a connection that is in use"),
        (forgotten_call, "who waits for a dial is known to a pool"),
        (call_without_dial, "who waits for a dial is known to a pool"),
        (given_up_and_kept, "a connection that a pool has given up is closed at once"),
        (too_many_probes, "a half-open breaker has 0 probes at most"),
        (late, "a call ends by its deadline"),
    ],
)
def test_accounts_of_calls_pools_and_breakers_are_held_after_every_event(
    damage: Callable[[Machine], None], words: str
) -> None:
    machine = Machine()
    machine.begin()
    machine.core.on_refused(machine.connection(), "refused", machine.world.now_ns)
    machine.go_on()
    damage(machine)
    with pytest.raises(BrokenInvariant, match=words):
        machine.go_on()


@pytest.mark.parametrize(("order", "late_s"), [(Uniform(Tape.of(())), 0.0), (PRIORITIES, 0.02)])
def test_a_call_may_be_late_by_two_windows_of_the_order_and_no_more(order: Order, late_s: float) -> None:
    """The timer of its host may wait for one, and the turn in which the call ends for another."""
    machine = Machine(order)
    machine.begin()
    machine.core.on_refused(machine.connection(), "refused", machine.world.now_ns)
    machine.begin()
    machine.go_on(1.001)
    machine.go_on(late_s)
    with pytest.raises(BrokenInvariant, match="a call ends by its deadline"):
        machine.go_on(0.001)


def recorded(kind: ClientKind | DurableRedis, seed: int) -> tuple[Recording, Outcome]:
    tape = Tape.seeded(kind.name, seed)
    outcome = kind.run(tape)
    return tape.recording(), outcome


@pytest.mark.parametrize("kind", [ClientKind(CALM, 20), DurableRedis(10)], ids=lambda kind: kind.name)
def test_a_third_of_the_seeds_have_priorities_and_a_replay_keeps_them(kind: ClientKind | DurableRedis) -> None:
    runs = [recorded(kind, seed) for seed in range(24)]
    by_priorities = [run for run in runs if run[1].sometimes[BY_PRIORITIES]]
    assert 3 <= len(by_priorities) <= 13
    for recording, outcome in runs:
        # A seed with the uniform policy draws nothing for it: old recordings are the cases that they were.
        assert (recording.draws[0].site == SCHEDULING) is bool(outcome.sometimes[BY_PRIORITIES])
    for recording, outcome in by_priorities[:2]:
        assert kind.run(Tape.repeating(recording.draws)) == outcome
        uniform = kind.run(Tape.repeating([draw for draw in recording.draws if draw.site != SCHEDULING]))
        assert not uniform.sometimes[BY_PRIORITIES]
        assert uniform.trace != outcome.trace


def test_a_failure_by_priorities_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(laws, "Client", OffByOne)
    found = [outcome for outcome in outcomes(CALM, seeds=12) if outcome.failed]
    says = [outcome.operations[0].startswith("events wait up to ") for outcome in found]
    assert says == [bool(outcome.sometimes[BY_PRIORITIES]) for outcome in found]
    assert {*says} == {False, True}


def test_a_state_that_a_kind_reaches_seldom_is_not_missed_in_it() -> None:
    state = "a breaker opens"
    [outcome] = outcomes(CALM, seeds=1)
    assert outcome.sometimes[state] == 0
    [outcome] = outcomes(replace(CALM, seldom=(state, "a health check is under way")), seeds=1)
    assert state not in outcome.sometimes
    assert "a health check is under way" not in outcome.sometimes


def test_a_plan_is_drawn_whole_and_operations_can_be_left_out() -> None:
    tape = Tape.seeded("plan", 1)
    plan = Plan.drawn(tape, CALM, 50)
    assert sum(map(len, plan.callers)) == 50
    recording = tape.recording()
    spans = [span for span in recording.spans if span.name == "operation"]
    cut = recording.values[: spans[10].start] + recording.values[spans[11].start :]
    shorter = Plan.drawn(Tape.of(cut), CALM, 50)
    assert sum(map(len, shorter.callers)) == 49
