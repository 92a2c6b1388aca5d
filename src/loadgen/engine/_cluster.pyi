from typing import final

from loadgen.engine._lane import Lane, Steering
from loadgen.engine._recorder import Recorder
from loadgen.engine._slots import Slots

LATER: dict[str, int]

@final
class Cluster(Steering):
    def __init__(self, slots: Slots, lanes: list[Lane], recorder: Recorder) -> None: ...
