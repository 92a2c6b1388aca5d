from loadgen._keys import Keys
from loadgen._ketama import Ketama

class Workload:
    def __init__(
        self, weights: tuple[int, int, int] | None, keys: Keys, ketama: Ketama, server: int, seed: int
    ) -> None: ...
    def drawn(self, n: int) -> list[tuple[str, int]]: ...
