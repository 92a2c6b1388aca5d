"""The dumps of a case under way: a server is asked for one at a time, and what it says of each is noted in the log."""

from __future__ import annotations

import time

from loadgen.errors import TargetError
from loadgen.verify.durability.dump import Demand, Dump, Dumped
from loadgen.verify.durability.log import Log
from loadgen.verify.subject.durable import DurableServer

_PATIENCE_S = 10.0
_INTERVAL_S = 0.005
_END_PATIENCE_S = 5.0
"""The longest time from the last connection of a server that ends by itself to its end."""


class Dumps:
    """Asks a server for dumps. A server that has ended by itself meanwhile is no error."""

    def __init__(self, server: DurableServer, log: Log) -> None:
        self._server = server
        self._log = log
        self._under_way: Dumped | None = None
        self.saved_ns = 0
        """A time before which all that was acknowledged is in the newest dump that succeeded; 0 without one."""

    def ask(self, demand: Demand) -> None:
        """Ask for a dump. One that is under way is awaited, as redis makes one at a time."""
        self.await_end()
        dumped = self._log.asked(demand, time.monotonic_ns())
        try:
            dumped.refusal = self._server.dump(demand)
        except TargetError:
            self._may_have_ended()
            return
        if demand.dump is Dump.SAVE and not dumped.refusal:
            self._done(dumped)
        elif demand.dump is not Dump.GROWN and not dumped.refusal:
            self._under_way = dumped

    def look(self) -> None:
        """Note what became of the dump under way, as far as that is known; do not wait for its end."""
        dumped = self._under_way
        if dumped is None or self._server.is_dumping():
            return
        self._under_way = None
        if failure := self._server.dump_failure():
            dumped.refusal = failure
        else:
            self._done(dumped)

    def await_end(self) -> None:
        """Wait until the server makes no dump, also none of its own. One that goes on after 10 s is left under way."""
        deadline = time.monotonic() + _PATIENCE_S
        try:
            while self._log.dumps and self._server.is_dumping() and time.monotonic() < deadline:
                time.sleep(_INTERVAL_S)
            self.look()
        except TargetError:
            self._may_have_ended()

    def _done(self, dumped: Dumped) -> None:
        dumped.done = True
        self.saved_ns = dumped.sent_ns
        self._under_way = None

    def _may_have_ended(self) -> None:
        """Forget the dump under way of a server that has ended. Raises the error under way where it has not."""
        if not self._server.ends_within(_END_PATIENCE_S):
            raise
        self._under_way = None
