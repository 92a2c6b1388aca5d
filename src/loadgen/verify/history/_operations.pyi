from collections.abc import Sequence
from typing import Final, Self

READ: Final = 0
WRITE: Final = 1
DELETE: Final = 2
ADD: Final = 3
CAS: Final = 4
CAS_TO: Final = 5
OK: Final = 0
NOT_DONE: Final = 1
UNKNOWN: Final = 2
MISS: Final = 3
ABSENT: Final = 0
FOREIGN: Final[int]
UNMARKED: Final[int]
NO_END: Final[int]
RECORD_BYTES: Final = 40

class Operations:
    count: int
    def append(
        self,
        op: int,
        key: int,
        value: int,
        call_ns: int,
        return_ns: int = ...,
        process: int = 0,
        outcome: int = 0,
        server: int = 0,
    ) -> None: ...
    def __len__(self) -> int: ...
    def __getitem__(self, index: int) -> tuple[int, int, int, int, int, int, int, int]: ...
    def chosen(self, indices: Sequence[int]) -> Self: ...
    def of_key(self, key: int) -> list[int]: ...
    def grow(self, count: int) -> None: ...
    def cut(self, count: int) -> None: ...
    def first_malformed(self, start: int = 0) -> tuple[int, str] | None: ...
    def __buffer__(self, flags: int, /) -> memoryview: ...
    def __release_buffer__(self, buffer: memoryview, /) -> None: ...
