from loadgen.server._faults import Faults
from loadgen.server._store import EVICTION_POLICIES, Store

__all__ = ["DEFAULT_MAX_MEMORY_BYTES", "EVICTION_POLICIES", "MEMCACHE_MAX_ITEM_BYTES", "Faults", "Server"]

DEFAULT_MAX_MEMORY_BYTES: int
MEMCACHE_MAX_ITEM_BYTES: int
BACKLOG: int
SLOW_SEGMENT_BYTES: int

class Server:
    host: str
    port: int
    protocol: str
    store: Store
    def __init__(
        self,
        host: str = "127.0.0.1",
        port: int = 0,
        protocol: str = "resp",
        *,
        max_memory_bytes: int = ...,
        eviction: str = "lru",
        max_item_bytes: int | None = None,
        version: str = "",
        null: bool = False,
        faults: Faults | None = None,
    ) -> None: ...
    async def start(self) -> None: ...
    def ask_to_stop(self) -> None: ...
    async def asked_to_stop(self) -> None: ...
    async def stop(self) -> None: ...
