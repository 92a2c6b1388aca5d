from collections.abc import Sequence
from typing import final

from loadgen._request import Commands
from loadgen.engine._ketama import Ketama
from loadgen.engine._keys import Keys

def shares(keys: Keys, ketama: Ketama) -> list[float]: ...
def apportioned(total: int, shares: Sequence[float]) -> list[int]: ...

class Workload: ...

@final
class Mix(Workload):
    def __init__(
        self,
        weights: Sequence[tuple[str, float]],
        keys: Keys,
        ketama: Ketama,
        server: int,
        seed: int,
        table: Commands | None = None,
    ) -> None: ...
    def drawn(self, n: int) -> list[tuple[str, int]]: ...

@final
class Prefill(Workload):
    def __init__(self, ketama: Ketama, server: int, command: int, first: int, last: int) -> None: ...
