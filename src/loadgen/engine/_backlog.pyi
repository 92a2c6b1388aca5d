from loadgen.engine._recorder import Recorder
from loadgen.engine._schedule import Schedule
from loadgen.engine._workload import Workload

def count(
    schedule: Schedule, workload: Workload, recorder: Recorder, phase: str, until_ns: int, now_ns: int, most: int
) -> int: ...
