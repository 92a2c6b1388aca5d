from collections.abc import Sequence

from loadgen.engine._route import Route

def route(sharding: str, names: Sequence[str], key_length: int, count: int, prefix: bytes) -> Route: ...
