from collections.abc import Sequence
from typing import final

from loadgen._request import Commands
from loadgen.engine._keys import Keys
from loadgen.engine._route import Route

def shares(keys: Keys, route: Route) -> list[float]: ...
def apportioned(total: int, shares: Sequence[float]) -> list[int]: ...

class Workload: ...

@final
class Draws:
    def __init__(self, keys: Keys, route: Route, lanes: int = 0, seed: int = 0) -> None: ...

@final
class Mix(Workload):
    def __init__(
        self,
        weights: Sequence[tuple[str, float]],
        draws: Draws,
        lane: int,
        seed: int,
        table: Commands | None = None,
        counters: int = 0,
    ) -> None: ...
    def drawn(self, n: int) -> list[tuple[str, int]]: ...

@final
class Prefill(Workload):
    def __init__(self, route: Route, lane: int, command: int, first: int, last: int) -> None: ...
