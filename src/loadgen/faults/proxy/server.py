"""`loadgen proxy` in this process: the API's HTTP server and the proxies' sockets on one event loop, until a signal."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import resource
import secrets
import signal
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import uvloop

from loadgen.errors import LoadgenError, OutputError, TargetError
from loadgen.escape import printable
from loadgen.faults.proxy._sockets import SocketPump
from loadgen.faults.proxy.api import address
from loadgen.faults.proxy.api.proxies import Proxies
from loadgen.faults.proxy.api.proxy import NetworkError, Proxy
from loadgen.faults.proxy.api.routes import Api, ApiError, Offered, toxic_of
from loadgen.faults.proxy.chain.draws import DrawLog
from loadgen.web.conversation import Conversation

DEFAULT_HOST = "localhost"
DEFAULT_PORT = 8474
"""Toxiproxy's."""

BACKLOG = 1024
"""Connections that may wait to be accepted, unless the kernel's own limit is lower."""

Wanted = tuple[str, str, str, bool]
"""A proxy to be made: name, listen, upstream, enabled."""


class Sockets:
    """The network of the proxies of this process."""

    def __init__(self, loop: asyncio.AbstractEventLoop, tell: Callable[[str], None] | None) -> None:
        self._loop = loop
        self._pump = SocketPump(loop, resolve=self._resolve, tell=tell)
        self._lookups: set[asyncio.Task[None]] = set()

    def now_ns(self) -> int:
        return self._pump.now_ns()

    def listen(self, proxy: Proxy) -> str:
        try:
            listener = listening(proxy.listen)
        except address.AddressError as error:
            raise NetworkError(f"listen tcp: {error}") from None
        host, port = listener.getsockname()[:2]
        self._pump.listen(proxy, listener.detach())
        return address.joined(host, port)

    def stop(self, proxy: Proxy) -> int:
        return self._pump.stop(proxy)

    def resolved(self, text: str) -> str:
        try:
            host, port = address.split(text)
            return address.joined(_numeric(host)[1] if host else "", port)
        except address.AddressError as error:
            raise NetworkError(str(error)) from None

    def close(self) -> None:
        for lookup in self._lookups:
            lookup.cancel()
        self._pump.close()

    def _resolve(self, text: str, found: Callable[[list[tuple[str, int]]], None]) -> None:
        """Find the addresses of an upstream: at once when it is numeric, else without holding up other connections."""
        try:
            host, port = address.split(text)
        except address.AddressError:
            found([])
            return
        if not host:
            host = "localhost"
        if _is_numeric(host):
            found([(host, port)])
            return
        lookup = self._loop.create_task(self._look_up(host, port, found))
        self._lookups.add(lookup)
        lookup.add_done_callback(self._lookups.discard)

    async def _look_up(self, host: str, port: int, found: Callable[[list[tuple[str, int]]], None]) -> None:
        try:
            rows = await self._loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except OSError:
            rows = []
        # IPv4 first, as Go's dialler has it for a local name.
        rows.sort(key=lambda row: row[0] != socket.AF_INET)
        found([(str(row[4][0]), port) for row in rows])


def listening(text: str) -> socket.socket:
    """Return a socket that listens on `host:port` and does not block.

    Raises AddressError for an address that is none, and NetworkError when nothing can listen there.
    """
    host, port = address.split(text)
    family, numeric = _numeric(host) if host else (socket.AF_INET6, "::")
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setblocking(False)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if not host:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        listener.bind((numeric, port))
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        words = (os.strerror(error.errno) if error.errno else str(error)).lower()
        raise NetworkError(f"listen tcp {address.joined(numeric, port)}: bind: {words}") from None
    return listener


def _is_numeric(host: str) -> bool:
    for family in (socket.AF_INET, socket.AF_INET6):
        with contextlib.suppress(OSError):
            socket.inet_pton(family, host.partition("%")[0])
            return True
    return False


def _numeric(host: str) -> tuple[int, str]:
    """Return the family and the numeric form of a host, IPv4 first. Raises AddressError."""
    try:
        rows = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise address.AddressError(f"lookup {host}: no such host") from None
    family, *_, found = min(rows, key=lambda row: row[0] != socket.AF_INET)
    return family, str(found[0])


@dataclass(frozen=True, slots=True)
class ProxyServer:
    """A proxy process before its start; `run` runs it."""

    host: str = DEFAULT_HOST
    port: int = DEFAULT_PORT
    """The port of the API; 0 takes a free one."""
    proxies: tuple[Wanted, ...] = ()
    toxics: tuple[tuple[str, bytes], ...] = ()
    """Toxics to be added at the start: the proxy's name, and the API's body."""
    seed: int | None = None
    """The seed of all draws; None draws one, which the API reports."""
    draws_to: Path | None = None
    """The file that receives each draw as a line of JSON."""
    proxy_metrics: bool = False
    runtime_metrics: bool = False
    verbose: bool = False

    def run(self) -> None:
        """Print a line when everything listens; return after SIGINT, SIGTERM or SIGHUP. Raises LoadgenError."""
        raise_file_limit()
        # What is imported stays to the end: collections need not look at it.
        gc.freeze()
        with contextlib.ExitStack() as stack:
            uvloop.run(self._serve(self._draw_writer(stack)))

    def _draw_writer(self, stack: contextlib.ExitStack) -> Callable[[str], None] | None:
        """Return what writes lines to the file of draws; it raises OutputError, which ends the process."""
        if self.draws_to is None:
            return None
        path = self.draws_to

        def failed(error: OSError) -> OutputError:
            return OutputError(
                f"The draws cannot be written to {printable(str(path))} ({error.strerror}): make room for them, or "
                "correct --log-draws."
            )

        try:
            # Unbuffered: each line is in the file when the draw takes effect.
            file = stack.enter_context(path.open("wb", buffering=0))
        except OSError as error:
            raise failed(error) from None

        def write(line: str) -> None:
            try:
                file.write(line.encode())
            except OSError as error:
                raise failed(error) from None

        return write

    async def _serve(self, write_draw: Callable[[str], None] | None) -> None:
        loop = asyncio.get_running_loop()
        stop: asyncio.Future[None] = loop.create_future()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            if number == signal.SIGHUP and signal.getsignal(number) is signal.SIG_IGN:
                continue  # nohup: the proxy outlives its terminal.
            loop.add_signal_handler(number, _settle, stop)
        loop.set_exception_handler(lambda loop, context: _settle(stop, context.get("exception")))
        tell = _print_event if self.verbose else None
        log = DrawLog(write_draw)
        sockets = Sockets(loop, tell)
        proxies = Proxies(sockets, log, secrets.randbits(63) if self.seed is None else self.seed)
        offered = Offered(self.proxy_metrics, process_readings if self.runtime_metrics else None)
        api = Api(proxies, log, offered, tell or (lambda line: None))
        try:
            self._make(proxies)
            listener = self._api_listener()
            server = await loop.create_server(lambda: Conversation(api.respond), sock=listener, backlog=BACKLOG)
            self._announce(proxies, *listener.getsockname()[:2])
            await stop
            server.close()
        finally:
            proxies.clear()
            sockets.close()

    def _make(self, proxies: Proxies) -> None:
        """Make the proxies and toxics of the start. Raises TargetError."""
        for name, listen, upstream, enabled in self.proxies:
            try:
                proxies.put(name, listen, upstream, enabled=enabled)
            except NetworkError as error:
                raise TargetError(
                    f"The proxy {printable(name)} cannot listen on {printable(listen)} ({error}): give it another "
                    "address, or port 0 for a free one."
                ) from None
        for name, body in self.toxics:
            try:
                proxies.named(name).add(toxic_of(body))
            except ApiError as error:
                raise LoadgenError(f"The toxic cannot be added: {error}.") from None

    def _api_listener(self) -> socket.socket:
        try:
            return listening(address.joined(self.host, self.port))
        except (NetworkError, address.AddressError) as error:
            raise TargetError(
                f"The proxy's API cannot listen on {self.host}:{self.port} ({error}). Give another --port, or 0 for a "
                "free one."
            ) from None

    def _announce(self, proxies: Proxies, host: str, port: int) -> None:
        url = f"http://{address.joined(host, port)}"
        _say(f"loadgen proxy: API listening on {url}, seed {proxies.seed}; Ctrl-C stops it")
        for proxy in proxies:
            state = "" if proxy.enabled else " (disabled)"
            _say(f"proxy {printable(proxy.name)}: {proxy.listen} → {printable(proxy.upstream)}{state}")


def _settle(stop: asyncio.Future[None], error: BaseException | None = None) -> None:
    if not stop.done():
        if error is None:
            stop.set_result(None)
        else:
            stop.set_exception(error)


def _print_event(line: str) -> None:
    _say(f"{datetime.now():%H:%M:%S.%f} {printable(line, 500)}")


def _say(line: str) -> None:
    # The proxy goes on when nobody reads its lines any more.
    with contextlib.suppress(OSError, ValueError):
        print(line, flush=True)


def raise_file_limit() -> None:
    """Raise the limit of open files to the most that this process may have."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def process_readings() -> Mapping[str, float]:
    """Return the use of this process, under the names of Prometheus' process collector."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    readings = {
        "process_cpu_seconds_total": usage.ru_utime + usage.ru_stime,
        "process_max_fds": float(soft),
        "process_start_time_seconds": _STARTED_S,
    }
    with contextlib.suppress(OSError):
        readings["process_open_fds"] = float(sum(1 for _ in _entries("/proc/self/fd")))
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        readings["process_resident_memory_bytes"] = float(pages * resource.getpagesize())
    return readings


def _entries(folder: str) -> Iterator[str]:
    with os.scandir(folder) as entries:
        yield from (entry.name for entry in entries)


_STARTED_S = time.time()
