"""The violations of a history as a picture, written when the history was checked."""

from __future__ import annotations

from loadgen.events import Progress
from loadgen.output.formats.format import OF_RESULTS, Format, on
from loadgen.output.paper.sink import write_file
from loadgen.output.pictures.windows import svg
from loadgen.verify.checked import HistoryChecked


class CheckSvg(Format):
    """A report that is written when a history was checked. Raises OutputError when it cannot be written."""

    silent = OF_RESULTS - {HistoryChecked} | {Progress}

    def __init__(self, path: str) -> None:
        super().__init__(on(HistoryChecked, lambda event: write_file(path, svg(event))))
