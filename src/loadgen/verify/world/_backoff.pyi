from loadgen.engine._engine import Engine
from loadgen.verify.world._ground import Ground
from loadgen.verify.world._world import Invariant

class Backoff(Invariant):
    judged: int
    def __init__(self, engine: Engine, ground: Ground, longest_ns: int) -> None: ...
