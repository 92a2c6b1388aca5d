"""The readers of `[placement]`: where the processes of a test are.

They are here, or in network namespaces of this machine, by turns. Other machines are refused: what the leader and the
processes share are files and descriptors.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable

from loadgen.config.document.reading import as_text
from loadgen.host import namespaces
from loadgen.units import shown

_ELSEWHERE = ("ssh", "tcp", "listen", "dask", "fly")
"""The words of `--on` for other machines."""


def reader(why: str) -> Callable[[object], tuple[str, ...]]:
    """Return the reader of a key: the names of the namespaces; none for `local`.

    `why` ends the sentence that refuses another machine: the cause, and the remedy.
    """

    def read(value: object) -> tuple[str, ...]:
        text = as_text(value).strip()
        if text == "local":
            return ()
        kind, _, rest = text.partition(":")
        if kind in _ELSEWHERE:
            raise ValueError(f"{kind} is for other machines, and {why}")
        if kind != "netns":
            raise ValueError(f'must be "local", or network namespaces such as "netns:a,b", not {shown(text)}')
        names = tuple(name.strip() for name in rest.split(","))
        for name in names:
            if obstacle := namespaces.obstacle(name):
                raise ValueError(obstacle)
        return names

    return read


def is_loopback(host: str) -> bool:
    """Return True for an address or a name that is another host in each network namespace."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host in ("localhost", "localhost.localdomain")
    return address.is_loopback or address.is_unspecified
