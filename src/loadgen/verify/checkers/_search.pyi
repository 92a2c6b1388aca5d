from collections.abc import Sequence
from typing import Final

STEP_NAMES: Final[tuple[str, ...]]

class Search:
    strict: bool
    most_states: int
    most_bytes: int
    states: int
    def __init__(self, *, strict: bool = False) -> None: ...
    def searched(self, steps: Sequence[tuple[str, int, int, int, int]]) -> bool | None: ...
