from collections.abc import Sequence
from typing import final

from loadgen.engine._route import Route

@final
class Ketama(Route):
    def __init__(self, names: Sequence[str], key_length: int, count: int, prefix: bytes = b"") -> None: ...
