from collections.abc import Callable

from loadgen.engine._reactor import Reactor
from loadgen.engine._time import Time
from loadgen.engine._transport import Transport
from loadgen.verify.world._network import Host, Network
from loadgen.verify.world._world import World

UNIX_EPOCH_NS: int

class HostTime(Time): ...
class HostTransport(Transport): ...

class Ground(Reactor):
    world: World
    network: Network
    host: Host
    net: Transport
    turn_count: int
    def __init__(self, host: Host) -> None: ...
    def listen(self, port: int, accepts: Callable[[int, int], object]) -> None: ...
    def end(self) -> None: ...
