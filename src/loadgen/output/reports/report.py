"""What is written of comparisons when all of them have ended, beside the results."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from loadgen.compare.answers import Compared
from loadgen.events import Progress
from loadgen.output.formats.format import OF_RESULTS, Format, on


class Report(Format):
    """Has `write` write the comparisons that ended, in their order; nothing where there was none."""

    silent = OF_RESULTS - {Compared} | {Progress}

    def __init__(self, write: Callable[[Sequence[Compared]], None]) -> None:
        self._ended: list[Compared] = []
        super().__init__(on(Compared, self._ended.append))
        self._write = write

    def close(self) -> None:
        if self._ended:
            self._write(self._ended)
