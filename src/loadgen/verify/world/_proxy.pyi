from collections.abc import Callable
from typing import TypeAlias

from loadgen.engine._reactor import Watcher
from loadgen.faults.proxy._pump import Pump
from loadgen.verify.world._ground import Ground, HostTransport

_Addresses: TypeAlias = list[tuple[str, int]]

REFUSING: int
WHOLE: str
DELAYED: str
LIMITED: str

class Bound: ...

class Way:
    def __init__(self, direction: str) -> None: ...

class Witness(HostTransport):
    delayed: int
    limited: int
    def __init__(self, ground: Ground) -> None: ...
    def hold(self, direction: str, delay_ns: int, bytes_per_s: int | None, since_ns: int) -> None: ...
    def call_when_held(self, direction: str, chunks: int, call: Callable[[], object]) -> None: ...

class News(Watcher): ...

class GroundPump(Pump):
    ground: Ground
    witness: Witness
    def __init__(
        self,
        ground: Ground,
        *,
        resolve: Callable[[str, Callable[[_Addresses], None]], None],
        tell: Callable[[str], None] | None = None,
    ) -> None: ...
    def listen(self, proxy: object, port: int) -> None: ...
    def accept(self, listener: object, end: int) -> None: ...
    def next_turns(self) -> None: ...
