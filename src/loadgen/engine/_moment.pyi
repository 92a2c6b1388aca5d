from typing import final

from loadgen._request import Commands

END_NAMES: tuple[str, ...]

@final
class Moment:
    def __init__(self, table: Commands) -> None: ...
