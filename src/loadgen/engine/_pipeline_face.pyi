from loadgen._codec import Codec
from loadgen._siblings import Siblings
from loadgen.engine._history import History
from loadgen.engine._recorder import Recorder

class PipelineFace:
    recorder: Recorder
    def __init__(
        self,
        codec: Codec,
        recorder: Recorder,
        depth: int,
        timeout_ns: int,
        *,
        backfill: bool = False,
        history: History | None = None,
        barriers: bool = False,
        siblings: Siblings | None = None,
    ) -> None: ...
    @property
    def room(self) -> int: ...
    @property
    def open(self) -> int: ...
    def push(
        self,
        command: str,
        phase: str,
        intended_ns: int,
        send_ns: int,
        *,
        key: int = 0,
        written: bool = True,
        value: int = 0,
    ) -> None: ...
    def feed(self, data: bytes, now_ns: int) -> str: ...
    def expire(self, now_ns: int) -> bool: ...
    def abandon(self, received: int | None = None) -> None: ...
    def take_requeued(self, send_ns: int) -> None: ...
    @property
    def requeued(self) -> int: ...
    def finish(self, now_ns: int) -> None: ...
    def owed_now(self) -> list[int]: ...
