"""An asyncio event loop in the simulated world: its time is the world's, its connections are simulated streams.

Callbacks run in the order in which asyncio promises them, and take no time. When none is left, the world goes to its
next event. A task, a timer and a connection belong to the host on which they were made: while the host is paused they
wait, and after it was killed they never run again. There are no threads, no descriptors and no signals in the world:
`run_in_executor` calls its function at once, and what needs a descriptor is refused.
"""

from __future__ import annotations

import asyncio
import contextvars
import linecache
import weakref
from asyncio import events, futures
from collections import deque
from collections.abc import AsyncGenerator, Callable, Coroutine, Generator, Iterable
from typing import Any, TypeVar

from loadgen.verify.world._ground import Ground
from loadgen.verify.world._resident import advance
from loadgen.verify.world.host import HOST, Host
from loadgen.verify.world.listener import Listener
from loadgen.verify.world.net import SCENARIO, Net
from loadgen.verify.world.timers import Timers

T = TypeVar("T")

NS_PER_S = 1_000_000_000


class Stuck(Exception):
    """What is waited for does not come: nothing will happen any more, or a bound is reached."""

    def __init__(self, why: str, stacks: str) -> None:
        super().__init__(why)
        self.stacks = stacks
        """Where each task waits, as text."""


class Handle(events.Handle):
    """A callback, without asyncio's notes for debugging: there are several for each operation."""

    __slots__ = ()

    def __init__(
        self, callback: Callable[..., object], args: Any, loop: Any, context: contextvars.Context | None
    ) -> None:
        self._context = contextvars.copy_context() if context is None else context
        self._loop = loop
        self._callback = callback
        self._args = args
        self._cancelled = False
        self._repr = None
        self._source_traceback = None


class Task(asyncio.Task[T]):
    """A task whose place in a set does not depend on its address: its hash is its number."""

    number = 0

    def __hash__(self) -> int:
        return self.number


class Loop(asyncio.BaseEventLoop):
    """The event loop of all hosts of one world."""

    def __init__(self, net: Net, *, until_ns: int, most_callbacks: int) -> None:
        """`until_ns` and `most_callbacks` bound a run: beyond either it is stuck."""
        super().__init__()
        self._net = net
        self._world = net.world
        self._began_ns = net.world.now_ns
        self._until_ns = until_ns
        self._callbacks_left = most_callbacks
        self._most_callbacks = most_callbacks
        self._soon: deque[Any] = deque()
        self._timers: dict[Host, Timers] = {}
        self._numbers = 0
        self._ports = 20_000
        self._tasks: list[weakref.ref[Task[Any]]] = []
        self._most_tasks = 64
        self._generators: list[weakref.ref[AsyncGenerator[Any, Any]]] = []
        self.reports: list[dict[str, Any]] = []
        """What was reported to the loop's exception handler."""
        self.set_exception_handler(lambda loop, context: self.reports.append(context))

    # ── Time and callbacks ────────────────────────────────────────────────────────────────────────────────────────────

    def ground(self) -> Ground:
        """Return the reactor of a client of this host, which has the world's clock and streams with it.

        A client that finds a loop with this method stands on it instead of the kernel.
        """
        return self._net.current().ground()

    def time(self) -> float:
        return self._net.now_ns() / NS_PER_S

    def call_soon(  # type: ignore[override]
        self, callback: Callable[..., object], *args: Any, context: contextvars.Context | None = None
    ) -> events.Handle:
        handle = Handle(callback, args, self, context)
        self._soon.append(handle)
        return handle

    call_soon_threadsafe = call_soon  # type: ignore[assignment]

    def call_later(  # type: ignore[override]
        self, delay: float, callback: Callable[..., object], *args: Any, context: contextvars.Context | None = None
    ) -> events.TimerHandle:
        return self._timer(self._net.now_ns() + round(delay * NS_PER_S), callback, args, context)

    def call_at(  # type: ignore[override]
        self, when: float, callback: Callable[..., object], *args: Any, context: contextvars.Context | None = None
    ) -> events.TimerHandle:
        return self._timer(round(when * NS_PER_S), callback, args, context)

    def _timer(
        self, at_ns: int, callback: Callable[..., object], args: Any, context: contextvars.Context | None
    ) -> events.TimerHandle:
        at_ns = max(at_ns, self._net.now_ns())
        handle: Any = events.TimerHandle(at_ns / NS_PER_S, callback, args, self, context)
        self._timers_of(handle).add(at_ns, handle)
        return handle  # type: ignore[no-any-return]

    def _timer_handle_cancelled(self, handle: Any) -> None:
        if handle._scheduled:
            self._timers_of(handle).on_cancelled()

    def _timers_of(self, handle: Any) -> Timers:
        """Return the timers of the host to which a callback belongs."""
        host = handle._context.get(HOST) or self._net.host(SCENARIO)
        timers = self._timers.get(host)
        if timers is None:
            self._timers[host] = timers = Timers(self._world, host.resident, self._soon)
        return timers

    def _run_once(self) -> None:
        """Run the callbacks that are there; where there is none, let the world go on until there is one."""
        soon = self._soon
        if not soon and not advance(self._world, soon, self._until_ns):
            self._stuck()
        self._callbacks_left -= len(soon)
        if self._callbacks_left < 0:
            raise Stuck(f"the scenario is not over after {self._most_callbacks:,} callbacks", self.stacks())
        may_halt = self._net.may_halt
        for _ in range(len(soon)):
            handle = soon.popleft()
            if handle._cancelled or (may_halt and self._is_held(handle)):
                continue
            try:
                handle._context.run(handle._callback, *handle._args)
            except (SystemExit, KeyboardInterrupt):
                raise
            except BaseException as error:
                self._raised(handle, error)
            may_halt = self._net.may_halt

    def _raised(self, handle: Any, error: BaseException) -> None:
        """Report what a callback raised, as `asyncio.Handle` does."""
        callback = getattr(handle._callback, "__qualname__", repr(handle._callback))
        self.call_exception_handler(
            {"message": f"Exception in callback {callback}", "exception": error, "handle": handle}
        )

    def _is_held(self, handle: Any) -> bool:
        """Keep a callback whose host does not run now, for the time when it does; drop one whose host was killed."""
        host = handle._context.get(HOST)
        if host is None or (host.runs and not host.held):
            return False
        if host.alive:
            if not host.held:
                host.resident.soon(lambda: self._release(host))
            host.held.append(handle)
        return True

    def _release(self, host: Host) -> None:
        self._soon.extend(host.held)
        host.held.clear()

    def extend(self, by_ns: int) -> None:
        """Bound what follows anew: a time from now, and as many callbacks as before."""
        self._until_ns = self._world.now_ns + by_ns
        self._callbacks_left = self._most_callbacks

    def _stuck(self) -> None:
        if self._world.next_ns() is None:
            raise Stuck("nothing will ever happen any more, and the scenario is not over", self.stacks())
        bound_s = (self._until_ns - self._began_ns) / NS_PER_S
        raise Stuck(f"the scenario is not over after {bound_s:g} s", self.stacks())

    # ── Tasks ─────────────────────────────────────────────────────────────────────────────────────────────────────────

    def create_task(  # type: ignore[override]
        self,
        coro: Generator[Any, None, T] | Coroutine[Any, Any, T],
        *,
        name: str | None = None,
        context: contextvars.Context | None = None,
        **options: Any,
    ) -> asyncio.Task[T]:
        if self.is_closed():
            raise RuntimeError("Event loop is closed")
        self._numbers += 1
        Task.number = self._numbers  # Read by __hash__ while asyncio registers the task.
        task = Task(coro, loop=self, name=name or f"task {self._numbers}", context=context, **options)
        task.number = self._numbers
        self._tasks.append(weakref.ref(task))
        if len(self._tasks) > self._most_tasks:
            self._tasks = [each for each in self._tasks if (found := each()) is not None and not found.done()]
            self._most_tasks = max(64, 2 * len(self._tasks))
        return task

    def unfinished(self) -> list[Task[Any]]:
        """Return the tasks that are not done, in the order in which they were made."""
        return [task for each in self._tasks if (task := each()) is not None and not task.done()]

    def stacks(self) -> str:
        """Return where each task waits, a task of each host after the other, as text."""
        lines = []
        for task in self.unfinished():
            host = task.get_context().get(HOST) if hasattr(task, "get_context") else None
            where = f" on {host.name}" if host is not None and not task.get_name().endswith(f" on {host.name}") else ""
            lines += [f"{task.get_name()}{where} waits:", *_awaits(task.get_coro())]
        return "\n".join(lines)

    # ── Asynchronous generators: in the order in which they were begun ────────────────────────────────────────────────

    def _asyncgen_firstiter_hook(self, agen: AsyncGenerator[Any, Any]) -> None:
        self._generators.append(weakref.ref(agen))

    def _asyncgen_finalizer_hook(self, agen: AsyncGenerator[Any, Any]) -> None:
        if not self.is_closed():
            self.call_soon(self.create_task, agen.aclose())

    async def shutdown_asyncgens(self) -> None:
        generators = [agen for each in self._generators if (agen := each()) is not None]
        self._generators.clear()
        await asyncio.gather(*(agen.aclose() for agen in generators), return_exceptions=True)

    # ── Names and connections ─────────────────────────────────────────────────────────────────────────────────────────

    async def getaddrinfo(
        self, host: Any, port: Any, *, family: int = 0, type: int = 0, proto: int = 0, flags: int = 0
    ) -> Any:
        """Return the address of a simulated host. Raises socket.gaierror for a name that no host has."""
        return self._net.addresses(host, port)

    async def getnameinfo(self, sockaddr: Any, flags: int = 0) -> tuple[str, str]:
        return self._net.name_of(sockaddr[0]), str(sockaddr[1])

    async def create_connection(  # type: ignore[override]
        self,
        protocol_factory: Callable[[], asyncio.BaseProtocol],
        host: str | None = None,
        port: int | None = None,
        *,
        ssl: object = None,
        sock: object = None,
        local_addr: object = None,
        **options: Any,
    ) -> tuple[Any, asyncio.BaseProtocol]:
        """Connect to a simulated host. `family`, `flags` and the options of Happy Eyeballs mean nothing here."""
        _refuse("TLS", ssl)
        _refuse("a connection on a socket of its own (sock=)", sock)
        if host is None or port is None:
            raise ValueError("host and port are needed: a simulated connection goes to a simulated host")
        protocol = protocol_factory()
        told: asyncio.Future[None] = self.create_future()

        def connected(error: OSError | None) -> None:
            if not told.done():
                told.set_exception(error) if error is not None else told.set_result(None)

        target = self._net.found(host).machine
        transport = self._net.current().resident.connect(target, int(port), protocol, connected)
        try:
            await told
        except BaseException:
            transport.abort()
            raise
        return transport, protocol

    async def create_server(  # type: ignore[override]
        self,
        protocol_factory: Callable[[], asyncio.BaseProtocol],
        host: str | Iterable[str] | None = None,
        port: int | None = None,
        *,
        ssl: object = None,
        sock: object = None,
        start_serving: bool = True,
        **options: Any,
    ) -> Listener:
        """Listen on a port of the host that this task runs on, whatever address `host` names."""
        _refuse("TLS", ssl)
        _refuse("a server on a socket of its own (sock=)", sock)
        listener = Listener(self, protocol_factory, self._net.current(), port or self._free_port())
        if start_serving:
            listener.listen()
        return listener

    def _free_port(self) -> int:
        self._ports += 1
        return self._ports

    # ── What a world without threads and descriptors does in their place ──────────────────────────────────────────────

    def run_in_executor(  # type: ignore[override]
        self, executor: object, func: Callable[..., T], *args: Any
    ) -> futures.Future[T]:
        """Call the function at once, in this thread, and return a future that is done."""
        future = self.create_future()
        try:
            future.set_result(func(*args))
        except (SystemExit, KeyboardInterrupt):
            raise
        except BaseException as error:
            future.set_exception(error)
        return future

    async def shutdown_default_executor(self, timeout: float | None = None) -> None:
        """Do nothing: there are no threads."""

    def _process_events(self, event_list: object) -> None:
        raise AssertionError("the world has no selector")

    def _write_to_self(self) -> None:
        pass

    def close(self) -> None:
        """Close the loop; what is left of its callbacks is never run."""
        super().close()
        self._soon.clear()
        self._timers.clear()


def _awaits(coroutine: Any) -> list[str]:
    """Return the places of a chain of coroutines, each of which awaits the next, as text."""
    lines = []
    while coroutine is not None:
        frame = getattr(coroutine, "cr_frame", None) or getattr(coroutine, "ag_frame", None)
        # The user's frames only, and not loadgen's that called them.
        if frame is not None and not frame.f_globals.get("__name__", "").startswith("loadgen.verify.scenario."):
            place = f"{frame.f_code.co_filename}, line {frame.f_lineno}, in {frame.f_code.co_name}"
            lines.append(f"  {place}: {linecache.getline(frame.f_code.co_filename, frame.f_lineno).strip()}")
        coroutine = getattr(coroutine, "cr_await", None) or getattr(coroutine, "ag_await", None)
    return lines


def _refuse(what: str, given: object) -> None:
    if given:
        raise NotImplementedError(f"there is no {what} in a simulated world; connect by host and port")


def _refused(name: str, what: str) -> Callable[..., Any]:
    def refused(self: Loop, *args: Any, **options: Any) -> Any:
        raise NotImplementedError(f"loop.{name} needs {what}, and a simulated world has none; use streams or protocols")

    return refused


for _what, _names in {
    "a descriptor": "add_reader remove_reader add_writer remove_writer sock_recv sock_recv_into sock_recvfrom "
    "sock_recvfrom_into sock_sendall sock_sendto sock_connect sock_accept sock_sendfile connect_accepted_socket "
    "connect_read_pipe connect_write_pipe sendfile",
    "a process": "subprocess_exec subprocess_shell",
    "a file's path": "create_unix_connection create_unix_server",
    "a datagram": "create_datagram_endpoint",
    "TLS": "start_tls",
    "a signal": "add_signal_handler remove_signal_handler",
}.items():
    for _name in _names.split():
        setattr(Loop, _name, _refused(_name, _what))
