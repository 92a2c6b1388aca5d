from loadgen.client._core import Core
from loadgen.verify.world._network import Host
from loadgen.verify.world._world import Invariant

class Calls(Invariant):
    checks: int
    def __init__(self, core: Core, host: Host) -> None: ...
    def reached(self) -> dict[str, int]: ...
