"""A report that is written beside the results when all comparisons have ended."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from loadgen.compare.answers import Compared
from loadgen.events import Progress
from loadgen.output.formats.format import OF_RESULTS, Format, on


class Report(Format):
    """An output that passes the comparisons, in the order in which they ended, to `write` when it is closed.

    `write` is not called when no comparison ended.
    """

    silent = OF_RESULTS - {Compared} | {Progress}

    def __init__(self, write: Callable[[Sequence[Compared]], None]) -> None:
        self._ended: list[Compared] = []
        super().__init__(on(Compared, self._ended.append))
        self._write = write

    def close(self) -> None:
        if self._ended:
            self._write(self._ended)
