from collections.abc import Iterable

OUTCOME_NAMES: tuple[str, ...]
PHASE_NAMES: tuple[str, ...]
KIND_NAMES: tuple[str, ...]
ROWS: tuple[tuple[str, str, bool], ...]

class Commands:
    names: tuple[str, ...]
    def __init__(self, rows: Iterable[tuple[str, str, bool]] = ...) -> None: ...
