"""The cost of a proxy itself: the time that it adds to a round trip, and the bytes per second that go through it.

One thread has both ends of a connection: it sends a message, receives it at the other end, and sends it back, directly
and through the proxy in turn. So the difference is the proxy's, and no other thread or process has a part in it.
"""

from __future__ import annotations

import contextlib
import secrets
import select
import socket
import statistics
import time
from collections.abc import Iterator
from dataclasses import dataclass

from loadgen.faults.proxy.api import address
from loadgen.faults.proxy.client import ProxyApi, ProxyApiError

MESSAGE = b"x" * 64
"""As long as a short request or reply."""

_PIECE = b"x" * (256 * 1024)
_TIMEOUT_S = 2.0
_HOST = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class ProxyCost:
    """What was measured. A round trip is two messages, one each way."""

    direct_p50_ns: int
    """The median round trip without the proxy."""
    proxied_p50_ns: int
    """The median round trip through the proxy."""
    direct_bytes_per_s: float
    proxied_bytes_per_s: float
    """Bytes in one direction, as fast as they go."""

    @property
    def added_p50_ns(self) -> int:
        """The time that the proxy adds to the median round trip."""
        return self.proxied_p50_ns - self.direct_p50_ns

    def __str__(self) -> str:
        """Return the cost in words: "adds 18 µs to the median round trip; 2.1 GB/s at most"."""
        return (
            f"adds {max(self.added_p50_ns, 0) / 1e3:.0f} µs to the median round trip; "
            f"{self.proxied_bytes_per_s / 1e9:.2g} GB/s at most"
        )


class Way:
    """A connection of which this thread has both ends."""

    def __init__(self, client: socket.socket, server: socket.socket) -> None:
        self._client, self._server = client, server
        for end in (client, server):
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            end.settimeout(_TIMEOUT_S)

    def round_trips_ns(self, for_s: float) -> list[int]:
        """Return the time of each round trip, one after the other for so long. Raises OSError."""
        found: list[int] = []
        now_ns = time.perf_counter_ns()
        end_ns = now_ns + int(for_s * 1e9)
        while now_ns < end_ns:
            self._pass(self._client, self._server)
            self._pass(self._server, self._client)
            before_ns, now_ns = now_ns, time.perf_counter_ns()
            found.append(now_ns - before_ns)
        return found

    def bytes_per_s(self, for_s: float) -> float:
        """Return the rate at which bytes arrive that are sent as fast as they are taken. Raises OSError."""
        self._client.setblocking(False)
        self._server.setblocking(False)
        buffer, sent, received = bytearray(len(_PIECE)), 0, 0
        began = now = time.perf_counter()
        while now < began + for_s:
            with contextlib.suppress(BlockingIOError):
                sent += self._client.send(_PIECE)
            try:
                received += self._server.recv_into(buffer)
            except BlockingIOError:
                select.select([self._server], [], [], _TIMEOUT_S)
            now = time.perf_counter()
        rate = received / (now - began)
        self._client.settimeout(_TIMEOUT_S)
        self._server.settimeout(_TIMEOUT_S)
        # What is still under way is not for the next measurement.
        while received < sent:
            received += self._server.recv_into(buffer) or sent
        return rate

    @staticmethod
    def _pass(sender: socket.socket, receiver: socket.socket) -> None:
        sender.sendall(MESSAGE)
        missing = len(MESSAGE)
        while missing:
            received = receiver.recv(missing)
            if not received:
                raise ConnectionError("the connection was closed")
            missing -= len(received)


@contextlib.contextmanager
def direct() -> Iterator[Way]:
    """A connection without a proxy."""
    with socket.create_server((_HOST, 0)) as listener, socket.create_connection(listener.getsockname()) as client:
        with listener.accept()[0] as server:
            yield Way(client, server)


@contextlib.contextmanager
def through(api: ProxyApi) -> Iterator[Way]:
    """A connection through a new proxy of the process whose API this is. Raises ProxyApiError."""
    name = f"loadgen-cost-{secrets.token_hex(4)}"
    with socket.create_server((_HOST, 0)) as listener:
        listener.settimeout(_TIMEOUT_S)
        listen = api.create(name, address.joined(_HOST, 0), address.joined(_HOST, listener.getsockname()[1]))
        try:
            with socket.create_connection((api.host, address.split(listen)[1]), _TIMEOUT_S) as client:
                with listener.accept()[0] as server:
                    yield Way(client, server)
        except OSError as error:
            raise ProxyApiError(
                f"The cost of the proxy at {api.url} could not be measured ({error}): the proxy must run on this host."
            ) from None
        finally:
            api.delete(name)


def measure(api: ProxyApi, for_s: float = 0.4, rounds: int = 2) -> ProxyCost:
    """Measure a running proxy beside a direct connection, in turns, for about so long. Raises ProxyApiError."""
    with direct() as straight, through(api) as proxied:
        ways = (straight, proxied)
        share_s = for_s / (rounds * 2 * len(ways))
        trips: list[list[int]] = [[], []]
        rates: list[list[float]] = [[], []]
        for _ in range(rounds):
            for index, way in enumerate(ways):
                trips[index] += way.round_trips_ns(share_s)
                rates[index].append(way.bytes_per_s(share_s))
        p50 = [int(statistics.median(found)) for found in trips]
        return ProxyCost(*p50, *(max(found) for found in rates))
