"""The shipped clients against real servers: the same operations for all, and errors under the names of all."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from real_servers import HOST, RealServer, free_port

from loadgen.errors import TargetError, UsageError
from loadgen.trial.adapters import errors
from loadgen.trial.adapters.adapter import Adapter, make
from loadgen.trial.adapters.clients import CLIENTS, ROWS, check, client_named, note
from loadgen.trial.adapters.errors import PartlyFailed
from loadgen.trial.adapters.per_node import Selection, one_by_one, together
from loadgen.trial.plan import ClientPlan
from loadgen.trial.traffic import Operation

# What the libraries leave to the garbage collector is theirs.
pytestmark = [
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]

NAMES = [row.name for row in ROWS]
TIMEOUT_S = 0.2

Call = Callable[[Operation, bytes], Awaitable[Any]]


@contextlib.contextmanager
def servers(name: str) -> Iterator[tuple[RealServer, RealServer]]:
    """Two servers for a client. They are killed: a memcached that is asked to end takes a second."""
    make = RealServer.redis if "resp" in CLIENTS[name].protocols else RealServer.memcached
    with make() as one, make() as other:
        try:
            yield one, other
        finally:
            one.kill()
            other.kill()


@pytest.fixture(scope="module", params=NAMES)
def nodes(request: pytest.FixtureRequest) -> Iterator[tuple[str, tuple[RealServer, RealServer]]]:
    """A client's name, and two servers for it."""
    with servers(request.param) as started:
        yield request.param, started


def run(name: str, ports: list[int], work: Callable[[Adapter, Call], Awaitable[None]]) -> None:
    """Work with a client made, opened and closed as a caller does it."""

    async def whole() -> None:
        adapter = Adapter(make(client_named(name), [(HOST, port) for port in ports], TIMEOUT_S), name)

        async def settled(result: Any) -> Any:
            return await result if adapter.is_async else result

        async def call(operation: Operation, value: bytes = b"") -> Any:
            return await settled(adapter.invoke(operation, value))

        if adapter.opens is not None:
            await settled(adapter.opens())
        try:
            await work(adapter, call)
        finally:
            await settled(adapter.client.close())

    asyncio.run(whole())


def on(node: int, adapter: Adapter, prefix: str) -> str:
    """A key of a node."""
    return next(key for key in (f"{prefix}{number}" for number in range(99)) if adapter._node_of(key) == node)


def test_a_client_carries_out_the_five_operations(nodes: tuple[str, tuple[RealServer, RealServer]]) -> None:
    name, (one, other) = nodes

    async def work(adapter: Adapter, call: Call) -> None:
        keys = [f"five-{number}" for number in range(8)]
        for key in keys:
            assert await call(Operation("set", (key,)), key.encode()) is not False
        nodes = {adapter.place_of(Operation("get", (key,)))[0] for key in keys}
        node, parts = adapter.place_of(Operation("get_many", tuple(keys)))
        assert (nodes, node, set(parts)) == ({1, 2}, 0, {1, 2})
        assert sorted(key for of_node in parts.values() for key in of_node) == keys
        assert adapter.place_of(Operation("get_many", (*parts[2],))) == (2, {})
        assert await call(Operation("get", ("five-3",))) == b"five-3"
        assert await call(Operation("get", ("none",))) is None
        assert await call(Operation("get_many", (*keys, "none"))) == {key: key.encode() for key in keys}
        assert await call(Operation("delete", ("five-3",))) is not False
        assert await call(Operation("delete", ("five-3",))) is False
        assert await call(Operation("get", ("five-3",))) is None
        await call(Operation("set", ("count",)), b"0")
        assert [await call(Operation("increment", ("count",), delta=delta)) for delta in (1, 10)] == [1, 11]
        missing = await call(Operation("increment", ("missing",)))
        assert missing is None if "memcache" in CLIENTS[name].protocols else missing == 1

    run(name, [one.port, other.port], work)


def test_a_value_lives_as_long_as_was_asked(nodes: tuple[str, tuple[RealServer, RealServer]]) -> None:
    name, (one, other) = nodes

    async def work(adapter: Adapter, call: Call) -> None:
        await call(Operation("set", ("mortal",), ttl_s=1), b"v")
        await call(Operation("set", ("immortal",)), b"v")
        deadline = time.monotonic() + 10
        while await call(Operation("get", ("mortal",))) is not None:
            assert time.monotonic() < deadline, "the value outlived its time"
            await asyncio.sleep(0.05)
        assert await call(Operation("get", ("immortal",))) == b"v"

    run(name, [one.port, other.port], work)


def test_a_client_says_what_its_pool_has(nodes: tuple[str, tuple[RealServer, RealServer]]) -> None:
    name, (one, other) = nodes

    async def work(adapter: Adapter, call: Call) -> None:
        assert sum(state.total or 0 for state in adapter.states().values()) == 0
        await call(Operation("get_many", (on(1, adapter, "p"), on(2, adapter, "p"))))
        states = adapter.states()
        assert set(states) == {1, 2}
        assert all(state.total == state.idle == 1 and state.active == 0 for state in states.values())

    # coredis connects each client when it is opened.
    if name != "coredis":
        run(name, [one.port, other.port], work)


def raised(name: str, ports: list[int], spoil: Callable[[], None]) -> list[str]:
    """The classes of errors of a get of node 1 after `spoil`, and of another one on the connection made then."""
    found: list[str] = []

    async def work(adapter: Adapter, call: Call) -> None:
        get = Operation("get", (on(1, adapter, "e"),))
        await call(get)
        spoil()
        for _ in range(2):
            try:
                await call(get)
            except Exception as error:
                found.append(adapter.error_class(error))
        live = Operation("get", (on(2, adapter, "e"),))
        assert await call(live) is None, "the other node answers"

    run(name, ports, work)
    return found


def stop(pid: int) -> None:
    """Stop a process, and return when each of its threads stands still: a busy machine takes a moment."""
    os.kill(pid, signal.SIGSTOP)
    deadline = time.monotonic() + 10
    while any(state(task) != "T" for task in Path(f"/proc/{pid}/task").iterdir()):
        assert time.monotonic() < deadline, "the process does not stop"
        time.sleep(0.001)


def state(task: Path) -> str:
    """The state of a thread by proc_pid_stat(5)."""
    return (task / "stat").read_text().rpartition(")")[2].split()[0]


@pytest.mark.parametrize("name", NAMES)
def test_a_batch_of_which_a_node_failed_says_which(name: str) -> None:
    async def work(adapter: Adapter, call: Call) -> None:
        batch = Operation("get_many", (on(1, adapter, "b"), on(2, adapter, "b")))
        await call(batch)
        other.kill()
        with pytest.raises(PartlyFailed) as failed:
            await call(batch)
        failure = adapter.failure(failed.value)
        assert failure.parts == {1: "", 2: failure.error}
        assert failure.error in ("lost", "refused")

    with servers(name) as (one, other):
        run(name, [one.port, other.port], work)


@pytest.mark.parametrize("name", NAMES)
def test_a_server_that_was_killed_gives_lost_and_refused(name: str) -> None:
    with servers(name) as (one, other):
        found = raised(name, [one.port, other.port], one.kill)
    assert found
    # pymemcache answers for a server that it takes for dead: with a miss, so that the second error is missing.
    assert set(found) <= {"lost", "refused"}


@pytest.mark.parametrize("name", NAMES)
def test_a_server_that_stands_still_gives_a_timeout(name: str) -> None:
    with servers(name) as (one, other):
        try:
            found = raised(name, [one.port, other.port], lambda: stop(one.pid))
        finally:
            os.kill(one.pid, signal.SIGCONT)
    assert found[0] == "timeout"


@pytest.mark.parametrize("name", [row.name for row in ROWS if "resp" in row.protocols])
def test_an_error_reply_is_the_servers(name: str) -> None:
    found: list[str] = []

    async def work(adapter: Adapter, call: Call) -> None:
        await call(Operation("set", ("text",)), b"no number")
        with pytest.raises(Exception, match="not an integer") as error:
            await call(Operation("increment", ("text",)))
        found.append(adapter.error_class(error.value))

    with RealServer.redis() as server:
        run(name, [server.port], work)
    assert found == ["server"]


@pytest.mark.parametrize("name", ["redis-py", "valkey-py", "pymemcache"])
def test_a_pool_without_a_free_connection_is_exhausted(name: str) -> None:
    with servers(name) as (one, _):
        plan = client_named(name, {"pool_size": 1})
        adapter = Adapter(make(plan, [(HOST, one.port)], TIMEOUT_S), name)
        pool = adapter.client._pools[0] if name != "pymemcache" else None
        held = (
            pool.get_connection("GET")
            if pool
            else next(iter(adapter.client._client.clients.values())).client_pool.get()
        )
        with pytest.raises(Exception) as error:  # noqa: PT011 - each library has its own
            adapter.client.get("k")
        assert adapter.error_class(error.value) == "pool_exhausted"
        if pool:
            pool.release(held)
        adapter.client.close()


# ── Names, pairings and factories ───────────────────────────────────────────────────────────────────────────────────


def test_a_client_is_found_by_name_and_another_name_by_its_likeness() -> None:
    assert client_named("Redis_Py").factory == "loadgen.trial.adapters.redis_like:redis_py"
    assert client_named("my.own:make", {"n": 1}) == ClientPlan("my.own:make", "my.own:make", {"n": 1})
    with pytest.raises(UsageError, match=r"There is no client 'pymemcach'; did you mean pymemcache\?"):
        client_named("pymemcach")
    with pytest.raises(UsageError, match=r"the clients are builtin, pymemcache.* and module:factory"):
        client_named("xyzzy")


def test_a_client_of_another_protocol_is_refused_with_those_that_speak_it() -> None:
    check(client_named("redis-py"), "resp")
    check(client_named("my.own:make"), "resp")
    with pytest.raises(
        UsageError,
        match=r"redis-py speaks resp, and the nodes speak memcache; the clients for memcache are builtin, pymemcache",
    ):
        check(client_named("redis-py"), "memcache")


def test_a_library_that_is_not_installed_is_named_with_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(TargetError, match=r"needs the library valkey, .*: pip install 'loadgen\[trial\]'"):
        check(client_named("valkey-py"), "resp")


def test_the_note_of_a_client_says_whose_selection_it_has() -> None:
    assert "behind the selection of loadgen" in note(client_named("aiomcache"))
    assert note(client_named("my.own:make")) == ""


class Half:
    def get(self, key: str) -> None: ...

    def set(self, key: str, value: bytes, ttl_s: int) -> None: ...

    def close(self) -> None: ...


class Mixed(Half):
    async def delete(self, key: str) -> None: ...

    def increment(self, key: str, delta: int) -> None: ...

    def get_many(self, keys: list[str]) -> None: ...


def broken(nodes: object, timeout_s: float) -> None:
    raise OSError("no room")


def test_a_client_that_lacks_a_method_is_refused() -> None:
    with pytest.raises(UsageError, match=r"The client of own \(Half\) has no delete, increment, get_many; a client"):
        Adapter(Half(), "own")


def test_a_client_of_both_kinds_is_refused() -> None:
    with pytest.raises(UsageError, match=r"has coroutines \(delete\) and plain methods \(get, set, increment,"):
        Adapter(Mixed(), "own")


@pytest.mark.parametrize(
    ("factory", "options", "kind", "words"),
    [
        ("no_such_module:make", {}, UsageError, "there is no module no_such_module"),
        ("os:no_such_name", {}, UsageError, "os has no no_such_name"),
        ("os:sep", {}, UsageError, "os:sep is not callable"),
        ("{here}:broken", {"colour": 1}, UsageError, "cannot be called with nodes, timeout_s, colour: TypeError"),
        ("{here}:broken", {}, TargetError, "raised OSError: no room"),
        ("loadgen.trial.adapters.builtin:Builtin", {"max_size": 0}, UsageError, "max_size is 0: it must be 1 or more"),
        ("loadgen.trial.adapters.pymemcache:Pymemcache", {"colour": 1}, UsageError, "unexpected keyword"),
    ],
)
def test_a_factory_that_makes_no_client_is_one_sentence(
    factory: str, options: dict[str, int], kind: type[Exception], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "clients_of_tests", sys.modules[__name__])
    named = factory.format(here="clients_of_tests")
    with pytest.raises(kind, match=words) as error:
        make(ClientPlan("own", named, options), [(HOST, free_port())], TIMEOUT_S)
    assert "\n" not in str(error.value)


# ── Errors and selection ────────────────────────────────────────────────────────────────────────────────────────────


def caused(cause: BaseException) -> Exception:
    try:
        raise RuntimeError("of a library") from cause
    except RuntimeError as error:
        return error


def test_errors_of_python_have_their_classes() -> None:
    found = {
        "timeout": [TimeoutError(), TimeoutError(110, "timed out")],
        "refused": [ConnectionRefusedError(), OSError(113, "no route")],
        "lost": [ConnectionResetError(), BrokenPipeError(), asyncio.IncompleteReadError(b"", 1)],
        "cancelled": [asyncio.CancelledError()],
        "other": [ValueError(), OSError(2, "no file")],
    }
    for named, examples in found.items():
        assert {errors.class_of(error, {}) for error in examples} == {named}


def test_the_clients_table_comes_first_and_the_nearest_type_wins() -> None:
    table = {OSError: "server", ConnectionError: "protocol"}
    assert errors.class_of(ConnectionResetError(), table) == "protocol"
    assert errors.class_of(FileNotFoundError(), table) == "server"
    assert errors.class_of(KeyError(), table) == "other"


def test_the_cause_of_a_librarys_error_has_the_class() -> None:
    assert errors.root_class(caused(ConnectionRefusedError())) == "refused"
    assert errors.root_class(caused(caused(ConnectionResetError()))) == "lost"
    assert errors.root_class(caused(ValueError())) is None


def test_keys_are_spread_evenly_and_a_key_has_one_node() -> None:
    selection = Selection(3)
    keys = [f"lg:1:s{number}" for number in range(3_000)]
    by_node = selection.by_node(keys)
    assert all(900 < len(of_node) < 1_100 for of_node in by_node.values())
    assert all(selection.node_of(key) == node for node, of_node in by_node.items() for key in of_node)


@pytest.mark.parametrize("name", ["builtin", "pymemcache", "aiomcache", "redis-py", "coredis"])
def test_a_key_has_the_same_node_by_whatever_addresses_the_nodes_are_reached(name: str) -> None:
    keys = [f"lg:1:s{number}" for number in range(200)]

    async def placed(ports: range) -> list[int]:
        adapter = Adapter(make(client_named(name), [(HOST, port) for port in ports], TIMEOUT_S), name)
        return [adapter.place_of(Operation("get", (key,)))[0] for key in keys]

    one, other = asyncio.run(placed(range(1, 4))), asyncio.run(placed(range(4, 7)))
    assert one == other
    assert all(50 < one.count(node) < 84 for node in (1, 2, 3))


def test_requests_made_together_all_end_and_the_nodes_that_failed_are_told() -> None:
    async def request(result: str, *, turns: int = 0, error: Exception | None = None) -> str:
        for _ in range(turns):
            await asyncio.sleep(0)
        if error:
            raise error
        return result

    async def work() -> None:
        assert await together({2: request("b", turns=3), 1: request("a")}) == ["b", "a"]
        refused = ConnectionRefusedError("no")
        with pytest.raises(PartlyFailed, match="no") as failed:
            await together({1: request("a", error=refused), 2: request("b", turns=3)})
        assert failed.value.ends == {1: refused, 2: None}

    asyncio.run(work())


def test_requests_made_one_by_one_end_with_the_first_that_fails() -> None:
    def fail() -> str:
        raise refused

    refused = ConnectionRefusedError("no")
    assert one_by_one({2: lambda: "b", 1: lambda: "a"}) == ["b", "a"]
    with pytest.raises(PartlyFailed) as failed:
        one_by_one({1: lambda: "a", 3: fail, 2: lambda: "b"})
    assert failed.value.ends == {1: None, 3: refused}, "node 2 was not asked"
