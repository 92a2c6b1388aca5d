from typing import Any

from loadgen._request import Commands
from loadgen.engine._sink import Sink

END_NAMES: tuple[str, ...]

REDIRECT_NAMES: tuple[str, ...]

class Recorder(Sink):
    scheduled: bool
    table: Commands
    def __init__(self, scheduled: bool = False, table: Commands | None = None) -> None: ...
    def counts(self, phase: int) -> dict[str, Any]: ...
    def examples(self) -> dict[str, str]: ...
