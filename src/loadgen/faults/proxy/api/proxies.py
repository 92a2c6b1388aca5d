"""The proxies of one process, by their names. No sockets and no clock."""

from __future__ import annotations

from collections.abc import Iterator

from loadgen.faults.proxy.api.proxy import Network, Proxy
from loadgen.faults.proxy.chain.draws import DrawLog


class ProxyExistsError(Exception):
    """A proxy of this name is there already."""


class ProxyMissingError(Exception):
    """No proxy has this name."""


class Proxies:
    """All proxies, in the order of their names."""

    def __init__(self, network: Network, log: DrawLog, seed: int) -> None:
        self.seed = seed
        self._network = network
        self._log = log
        self._proxies: dict[str, Proxy] = {}

    def __iter__(self) -> Iterator[Proxy]:
        return iter([proxy for _, proxy in sorted(self._proxies.items())])

    def named(self, name: str) -> Proxy:
        """Return a proxy. Raises ProxyMissingError."""
        if name not in self._proxies:
            raise ProxyMissingError(name)
        return self._proxies[name]

    def create(self, name: str, listen: str, upstream: str, *, enabled: bool) -> Proxy:
        """Make a proxy, and start it when it is to be enabled. Raises ProxyExistsError, NetworkError."""
        if name in self._proxies:
            raise ProxyExistsError(name)
        return self._made(name, listen, upstream, enabled=enabled)

    def put(self, name: str, listen: str, upstream: str, *, enabled: bool) -> Proxy:
        """Make a proxy, or leave the one of this name as it is when its addresses are the same, else replace it.

        Raises NetworkError.
        """
        there = self._proxies.get(name)
        if there is not None:
            if not there.differs(listen, upstream):
                return there
            there.stop()
        return self._made(name, listen, upstream, enabled=enabled)

    def delete(self, name: str) -> None:
        """Stop a proxy and forget it. Raises ProxyMissingError."""
        self.named(name).stop()
        del self._proxies[name]

    def clear(self) -> None:
        """Stop and forget every proxy."""
        for name in list(self._proxies):
            self.delete(name)

    def _made(self, name: str, listen: str, upstream: str, *, enabled: bool) -> Proxy:
        proxy = Proxy(self._network, self._log, self.seed, name, listen, upstream)
        if enabled:
            proxy.start()
        self._proxies[name] = proxy
        return proxy
