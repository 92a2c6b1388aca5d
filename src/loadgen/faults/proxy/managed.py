"""A `loadgen proxy` that loadgen starts for itself. It ends with this process, however this process ends."""

from __future__ import annotations

import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

from loadgen.errors import LoadgenError
from loadgen.events import Progress
from loadgen.faults.proxy.api import address
from loadgen.faults.proxy.client import ProxyApi, ProxyApiError
from loadgen.plan import Endpoint, Target
from loadgen.server_plan import HOST, ServerPlan
from loadgen.target.server import ManagedServer

_READY_TIMEOUT_S = 30.0
_INTERVAL_S = 0.02


class ManagedProxy:
    """A proxy process as a context manager: `__enter__` starts the process and returns when its API answers.

    One process can have a proxy for each node. `url` and `api` are known from `__enter__` on. `emit` receives the time
    spent waiting. `options` are further options of `loadgen proxy`. Raises ServerError, a LoadgenError. For use by one
    thread.
    """

    def __init__(
        self,
        seed: int | None = None,
        emit: Callable[[Progress], None] = lambda progress: None,
        options: tuple[str, ...] = (),
    ) -> None:
        seeded = ("--seed", str(seed)) if seed is not None else ()
        plan = ServerPlan(
            "loadgen proxy",
            ("loadgen", "proxy", "--host", "{host}", "--port", "{port}", *seeded, *options),
            # A process that accepts connections is ready for the question that the API is then asked.
            Target("memcache", (Endpoint(HOST, 0, HOST),), precheck="none"),
        )
        self._server = ManagedServer(plan, emit)

    @property
    def url(self) -> str:
        return f"http://{self._server.endpoint}"

    @property
    def api(self) -> ProxyApi:
        return ProxyApi(self.url)

    @property
    def server(self) -> ManagedServer:
        """The process: its use of CPU time, its log and its end."""
        return self._server

    def __enter__(self) -> Self:
        self._server.__enter__()
        try:
            self._await_api()
        except BaseException:
            self._server.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._server.stop()

    def create(self, name: str, upstream: Endpoint, port: int = 0, host: str = HOST) -> Endpoint:
        """Make a proxy at an address of this machine that leads to `upstream`, and return its endpoint.

        Raises ProxyApiError.

        Port 0 takes a free port.
        """
        listen = self.api.create(name, address.joined(host, port), address.joined(upstream.address, upstream.port))
        return Endpoint(host, address.split(listen)[1], host)

    def delete(self, name: str) -> None:
        """Delete a proxy, which closes its connections. Raises ProxyApiError."""
        self.api.delete(name)

    def _await_api(self) -> None:
        deadline = time.monotonic() + _READY_TIMEOUT_S
        while True:
            try:
                self.api.version()
                return
            except ProxyApiError:
                if end := self._server.exit_report():
                    raise LoadgenError(f"{end} before its API answered.") from None
                if time.monotonic() > deadline:
                    raise
            time.sleep(_INTERVAL_S)
