"""An operator in a thread of its own, beside a load: to begin or end a fault may take as long as a server's start.

The leader of the load posts steps, which takes no time, and collects the events of what was done, to emit them in its
own thread.
"""

from __future__ import annotations

from collections.abc import Iterable
from queue import Empty, SimpleQueue
from threading import Thread

from loadgen.faults.fault import Fault
from loadgen.faults.operator import FaultEvent, Operator
from loadgen.faults.report import FaultReport
from loadgen.faults.timeline import Step
from loadgen.plan import Endpoint


class OperatorThread:
    """An operator that does the steps that it is sent, one after the other. For use by one leader.

    An exception that is no LoadgenError is a bug in an interpreter: `news` and `finish` raise it.
    """

    def __init__(self, operator: Operator, nodes: tuple[Endpoint, ...] = ()) -> None:
        self._operator = operator
        self.nodes = nodes
        """The nodes by their numbers in faults, where load finds its servers by itself; empty: a load's own order."""
        self._posted: SimpleQueue[Step | None] = SimpleQueue()
        self._news: SimpleQueue[FaultEvent] = SimpleQueue()
        self._error: BaseException | None = None
        self._over = False
        """True when no further fault is to begin."""
        self._reports: tuple[FaultReport, ...] | None = None
        self._thread: Thread | None = None

    @property
    def faults(self) -> tuple[Fault, ...]:
        """The faults, numbered as in steps."""
        return self._operator.faults

    def post(self, step: Step) -> None:
        """Have a step done after those that were posted before, and return at once."""
        self._posted.put(step)
        if self._thread is None:
            self._thread = Thread(target=self._run, name="loadgen-faults", daemon=True)
            self._thread.start()

    def news(self) -> list[FaultEvent]:
        """Return the events since the last call, in the order in which they happened."""
        found: list[FaultEvent] = []
        while True:
            try:
                found.append(self._news.get_nowait())
            except Empty:
                self._check()
                return found

    def finish(self) -> tuple[FaultReport, ...]:
        """End the faults that are under way, begin no other, and return what each fault did.

        The call returns when every fault has ended, with the same reports when it is made again.
        """
        if self._reports is None:
            self._over = True
            self._posted.put(None)
            if self._thread is not None:
                self._thread.join()
            self._check()
            self._reports = self._operator.reports()
        return self._reports

    def _run(self) -> None:
        try:
            while (step := self._posted.get()) is not None:
                if not (step.begins and self._over):
                    self._note([self._operator.carry_out(step)])
        except BaseException as error:
            self._error = error
        try:
            self._note(self._operator.end_all())
        except BaseException as error:
            self._error = self._error or error

    def _note(self, events: Iterable[FaultEvent | None]) -> None:
        for event in events:
            if event is not None:
                self._news.put(event)

    def _check(self) -> None:
        error, self._error = self._error, None
        if error is not None:
            raise error
