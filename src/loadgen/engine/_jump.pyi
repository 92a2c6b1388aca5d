from typing import final

from loadgen.engine._route import Route

def bucket(number: int, buckets: int) -> int: ...

@final
class Jump(Route):
    def __init__(self, servers: int, key_length: int, count: int, prefix: bytes = b"") -> None: ...
