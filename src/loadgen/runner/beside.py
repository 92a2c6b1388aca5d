"""The monitors beside a load, as its leader sees them: their news become events, and a report of each at the end.

The leader says which times count, and collects the news when it emits something. Monitors read in threads of their own:
one that hangs holds up neither the leader nor the others.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from loadgen.escape import printable
from loadgen.events import Monitored, MonitorGap
from loadgen.monitors.reading import Reading
from loadgen.monitors.report import MonitorReport
from loadgen.plan import Target
from loadgen.reason import Code, Reason
from loadgen.usage import WatchedServer

if TYPE_CHECKING:
    from loadgen.monitors.board import Board
    from loadgen.monitors.plan import MonitorPlan

NONE_DUE = "none of its times lay within it; let it read more often (every), or measure for longer"


class Beside:
    """The monitors of a board. `counts` says of a monotonic time whether readings of it count.

    `target` is the name of the candidate that they read beside, where there are several.
    """

    def __init__(self, board: Board, counts: Callable[[int], bool] = lambda at_ns: True, target: str = "") -> None:
        self._board = board
        self._counts = counts
        self._target = target
        # Loads without monitors import nothing of what reads and counts: each start would take longer by it.
        from loadgen.monitors.account import Account

        self.series = board.series
        """By monitor, the series that it has."""
        self._account = Account(board.kinds, board.series)

    def news(self) -> Iterator[Monitored | MonitorGap]:
        """Yield the readings and gaps since the last call, in the order of time."""
        for news in self._board.news():
            self._account.take(news, counts=self._counts(news.at_ns))
            if isinstance(news, Reading):
                yield Monitored(news, self._target)
            else:
                yield MonitorGap(news, self._target)

    def reports(self) -> tuple[MonitorReport, ...]:
        return self._account.reports()


@contextlib.contextmanager
def opened(plans: Sequence[MonitorPlan], target: Target | None, server: WatchedServer | None) -> Iterator[Board | None]:
    """Open the board of the monitors that read beside a load on a target, and close it on exit; None without monitors.

    `target` is None where nothing under load has an address; `server` is the server under load, if it is watched.
    """
    if not plans:
        yield None
        return
    from loadgen.monitors import board
    from loadgen.monitors.monitor import UnderLoad

    with board.opened(plans, UnderLoad(target, (lambda: server.pid) if server is not None else None)) as on:
        yield on


def notes(reports: Sequence[MonitorReport]) -> Iterator[Reason]:
    """Yield a remark for each monitor without a reading, and for each that another process was read of."""
    for each in reports:
        if not each.readings:
            why = printable(each.why) if each.gaps else NONE_DUE
            words = f"monitor {each.name} gave no reading while the load was measured: {why}"
            yield Reason(Code.MONITOR_SILENT, words)
        elif each.restarts:
            often = "once" if each.restarts == 1 else f"{each.restarts} times"
            words = (
                f"what monitor {each.name} reads was restarted {often} while the load was measured: its series are of "
                "several processes"
            )
            yield Reason(Code.MONITOR_RESTARTED, words)
