from typing import final

@final
class Faults:
    stall_ns: int
    every_ns: int
    delay_ns: int
    jitter_ns: int
    blackhole: bool
    error_rate: float
    close_after: int
    read_bytes_per_s: int
    seed: int
    refused: int
    closed: int
    def __init__(
        self,
        *,
        stall_ns: int = 0,
        every_ns: int = 0,
        delay_ns: int = 0,
        jitter_ns: int = 0,
        blackhole: bool = False,
        error_rate: float = 0.0,
        close_after: int = 0,
        read_bytes_per_s: int = 0,
        seed: int = 0,
    ) -> None: ...
