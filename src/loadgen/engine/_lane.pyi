from loadgen.engine._recorder import Recorder
from loadgen.engine._sink import Sink

class Steering: ...

class Lane(Sink):
    def __init__(self, recorder: Recorder, slots: int, *, backfill: bool = False) -> None: ...
