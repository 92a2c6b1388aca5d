from asyncio import AbstractEventLoop
from collections.abc import Callable, Sequence

from loadgen.engine._histogram import Histogram
from loadgen.engine._pool import Pool
from loadgen.plan import Plan

DISTRIBUTIONS: dict[str, int]
PHASE_NAMES: tuple[str, ...]

class Engine(Pool):
    def __init__(
        self, loop: AbstractEventLoop, plan: Plan, index: int, notify: Callable[[str], None], reactor: str = "auto"
    ) -> None: ...
    def connect(self, fresh: bool = False) -> None: ...
    def write_keys(self) -> None: ...
    def load(
        self,
        start_ns: int,
        warmup_ns: int,
        duration_ns: int,
        profile: Sequence[tuple[int, float, float, int]],
        requests: int = 0,
    ) -> None: ...
    def stop(self) -> None: ...
    def close(self) -> None: ...
    def counts(
        self, phase: str
    ) -> tuple[
        dict[str, tuple[int, ...]],
        dict[str, Histogram],
        dict[str, Histogram],
        tuple[Histogram, Histogram, Histogram, Histogram, Histogram],
        dict[str, int],
        dict[str, Histogram],
        int,
        int,
        int,
        int,
    ]: ...
    def cpu_ns(self) -> int: ...
    def backlog(self, phase: str) -> tuple[int, int]: ...
    def window_end_ns(self) -> int: ...
    def signs(self) -> tuple[int, int, int | None, tuple[int, int, int, int, int], int]: ...

class Lane: ...
