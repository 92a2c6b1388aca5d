from loadgen.engine._histogram import Histogram

class Recorder:
    scheduled: bool
    def __init__(self, scheduled: bool = False) -> None: ...
    def counts(
        self, phase: int
    ) -> tuple[
        dict[str, tuple[int, ...]],
        dict[str, Histogram],
        dict[str, Histogram],
        tuple[Histogram, Histogram, Histogram, Histogram, Histogram],
        dict[str, int],
        dict[str, Histogram],
    ]: ...
    def examples(self) -> dict[str, str]: ...
