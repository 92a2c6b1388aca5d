from asyncio import BaseTransport
from collections.abc import Callable
from typing import final

from loadgen.engine._time import Time
from loadgen.server._faults import Faults
from loadgen.server._store import Store

@final
class Window:
    def __len__(self) -> int: ...

@final
class Service:
    store: Store
    faults: Faults | None
    max_item_bytes: int
    version: str
    connections: set[Connection]
    held_bytes: int
    max_held_bytes: int
    host: str
    port: int
    def __init__(
        self,
        store: Store,
        max_item_bytes: int,
        version: str,
        stop: Callable[[], None],
        faults: Faults | None = None,
        time: Time | None = None,
    ) -> None: ...
    def listening_on(
        self, host: str, port: int, call_soon: Callable[..., object], call_later: Callable[..., object]
    ) -> None: ...
    def end_round(self) -> None: ...

class Connection:
    id: int
    def __init__(self, service: Service) -> None: ...
    def connection_made(self, transport: BaseTransport) -> None: ...
    def connection_lost(self, error: Exception | None) -> None: ...
    def abort(self) -> None: ...
    def get_buffer(self, size_hint: int) -> Window: ...
    def buffer_updated(self, size: int) -> None: ...
    def eof_received(self) -> bool: ...
    def pause_writing(self) -> None: ...
    def resume_writing(self) -> None: ...
    def next_turn(self) -> None: ...
    def read_on(self) -> None: ...
