"""A soak under somebody else's load: samples of monitors at set times, with checkpoints and a verdict as ever.

It puts nothing on, so that it settles and soaks by the clock alone.
"""

from __future__ import annotations

import contextlib
import select
import time
from collections.abc import Callable

from loadgen.runner.stop import Alarm, Stop
from loadgen.soak.diary import Diary
from loadgen.soak.ended import SoakBegan, SoakEnded
from loadgen.soak.found import End, How

LOAD = "none of loadgen's: it is somebody else's"

_LONGEST_WAIT_S = 0.5
"""The time between two looks at the stop token and at the process."""


class Watching(Diary):
    """Watches until the duration is over, the stop token is set, or what is watched has ended.

    `gone` is asked again and again: it returns why what is watched has ended for good, empty while it has not.
    """

    stop: Stop
    alarm: Alarm
    """Open while the watch lasts: a stop signal sets the token, and wakes the watch."""
    why_gone = ""

    def ended(self, stop: Stop, gone: Callable[[], str]) -> SoakEnded:
        """Watch to the end, and return the last event."""
        self.stop = stop
        with contextlib.ExitStack() as stack:
            stack.callback(self.captures.close, 0.0)
            self.alarm = stack.enter_context(stop.alarm())
            self.watch(gone)
            return self.summed_up()

    def watch(self, gone: Callable[[], str]) -> None:
        """Take a sample at each of its times."""
        schedule = self.asked.schedule
        self.began_wall_s = time.time()
        self.folder = self.open_folder(self.began_wall_s)
        self.tell(SoakBegan(self.asked, self.version, self.folder_name, self.target, LOAD, self.began_wall_s))
        began_s = time.monotonic()
        for number in range(1, schedule.rows + 1):
            t_s = number * schedule.every_s - schedule.settle_s
            if t_s > 0 and self.state == "settling":
                self.state = "soaking"
            if not self.wait_until(began_s + number * schedule.every_s, gone):
                return
            self.sample(t_s, self.take_news(keep=True), 0)

    def wait_until(self, due_s: float, gone: Callable[[], str]) -> bool:
        """Wait until a monotonic time. Return False when there is nothing to wait for any more."""
        while True:
            self.beat()
            self.why_gone = gone()
            if self.stop.is_set or self.broken or self.why_gone:
                return False
            left_s = due_s - time.monotonic()
            if left_s <= 0:
                return True
            select.select([self.alarm], [], [], min(left_s, _LONGEST_WAIT_S))

    def end(self) -> End:
        t_s = max(0.0, self.journal.t_s)
        if self.broken:
            return End(How.FAILED, t_s, self.broken)
        if self.why_gone:
            return End(How.CRASHED, t_s, self.why_gone)
        if self.stop.is_set:
            return End(How.INTERRUPTED, t_s, "it was interrupted")
        return End(How.COMPLETE, t_s)
