from typing import final

from loadgen._request import Commands

@final
class Moment:
    def __init__(self, table: Commands) -> None: ...
