from loadgen.verify.world._world import World

ACCEPTING: int
REFUSING: int
UNANSWERING: int

class Network:
    world: World
    buffer_bytes: int
    hosts: int
    segments: int
    splits: int
    losses: int
    resets: int
    refusals: int
    starvations: int
    holds: int
    handshakes: int
    def __init__(self, world: World, buffer_bytes: int = ...) -> None: ...
    def end(self) -> None: ...
    def host(self) -> Host: ...
    def set_link(
        self,
        from_host: Host,
        to_host: Host,
        *,
        latency_ns: int = ...,
        jitter_ns: int = ...,
        bytes_per_s: int = ...,
        split: float = ...,
        loss: float = ...,
    ) -> None: ...
    def cut(self, from_host: Host, to_host: Host) -> None: ...
    def heal(self, from_host: Host, to_host: Host) -> None: ...
    def set_listener(self, host: Host, port: int, mode: int) -> None: ...
    def open_ends(self, host: Host) -> list[int]: ...
    def reset(self, end: int) -> None: ...
    def vanish(self, end: int) -> None: ...

class Host:
    network: Network
    number: int
    address: str
    def pause(self, from_ns: int, until_ns: int, *, queued: bool = False) -> None: ...
    def shift_unix_time(self, by_ns: int) -> None: ...
    def kill(self, *, power: bool = True) -> None: ...
    def restart(self) -> None: ...
