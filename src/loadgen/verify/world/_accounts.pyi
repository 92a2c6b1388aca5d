from loadgen.engine._engine import Engine
from loadgen.verify.world._ground import Ground
from loadgen.verify.world._world import Invariant

class Accounts(Invariant):
    checks: int
    def __init__(self, engine: Engine, ground: Ground) -> None: ...
