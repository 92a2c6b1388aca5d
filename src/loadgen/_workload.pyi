from loadgen._ketama import Ketama
from loadgen._keys import Keys

def shares(keys: Keys, ketama: Ketama) -> list[float]: ...

class Workload:
    def __init__(
        self, weights: tuple[int, int, int] | None, keys: Keys, ketama: Ketama, server: int, seed: int
    ) -> None: ...
    def drawn(self, n: int) -> list[tuple[str, int]]: ...
