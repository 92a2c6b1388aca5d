from typing import Final

from loadgen.verify.checkers._search import Search
from loadgen.verify.history._operations import Operations

VERDICT_NAMES: Final[tuple[str, ...]]
LAW_NAMES: Final[tuple[str, ...]]

class Register:
    strict: bool
    by_search: bool
    searcher: Search
    reads: int
    misses: int
    writes: int
    unknown: int
    undone: int
    key_count: int
    searched_count: int
    accused: int
    unjudged_count: int
    def __init__(self, *, strict: bool = False, by_search: bool = False) -> None: ...
    def judged(self, operations: Operations) -> str: ...
    def accusation(self, index: int) -> tuple[str, int, tuple[int, ...]]: ...
    def not_judged(self, index: int) -> tuple[int, bool, int]: ...
