from collections.abc import Sequence
from typing import final

from loadgen.engine._hashed import Hashed

@final
class Ketama(Hashed):
    def __init__(self, names: Sequence[str], key_length: int, count: int, prefix: bytes = b"") -> None: ...
