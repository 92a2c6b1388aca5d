from typing import final

from loadgen.engine._hashed import Hashed

def bucket(number: int, buckets: int) -> int: ...

@final
class Jump(Hashed):
    def __init__(self, servers: int, key_length: int, count: int, prefix: bytes = b"") -> None: ...
