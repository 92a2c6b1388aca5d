import asyncio
from collections.abc import Callable
from typing import TypeAlias

from loadgen.faults.proxy._pump import Pump

_Addresses: TypeAlias = list[tuple[str, int]]

class SocketPump(Pump):
    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        *,
        resolve: Callable[[str, Callable[[_Addresses], None]], None],
        tell: Callable[[str], None] | None = None,
    ) -> None: ...
    def listen(self, proxy: object, fd: int) -> None: ...
    def on_ready(self) -> None: ...
    def accept_later(self, listener: object) -> None: ...
