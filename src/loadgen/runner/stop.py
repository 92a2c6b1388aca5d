"""The stop token: a request to end a load, made by another thread, a signal's handler or a user interface.

A stop token is passed to the leader of a load, which decides how the load ends. This file knows nothing of signals,
workers and loads.
"""

from __future__ import annotations

import contextlib
import socket
from collections import deque
from collections.abc import Iterator
from threading import RLock


class Stop:
    """A stop token. `set` may be called from any thread, from a signal's handler, and before the load begins.

    The first `set` ends a load's window; the open requests are awaited and counted. A second `set` ends the wait too.
    One token serves several loads, at the same time or one after the other. A token that is set stays set.
    """

    def __init__(self) -> None:
        # A third call has no effect.
        self._calls: deque[None] = deque(maxlen=2)
        self._alarms: list[Alarm] = []
        # Reentrant: a signal's handler may call `set` while its own thread holds the lock.
        self._lock = RLock()

    def set(self) -> None:
        """Request the end of the load; the second time, without waiting for the open requests."""
        with self._lock:
            self._calls.append(None)
            for alarm in tuple(self._alarms):
                alarm.ring()

    @property
    def is_set(self) -> bool:
        return bool(self._calls)

    @property
    def is_urgent(self) -> bool:
        """True when the token was set twice: the open requests are not awaited."""
        return len(self._calls) > 1

    @property
    def is_awaited(self) -> bool:
        """True when a load is under way that ends when this token is set."""
        return bool(self._alarms)

    @contextlib.contextmanager
    def alarm(self) -> Iterator[Alarm]:
        """Open an alarm that rings at each `set` from now on, and at once if the token is set already."""
        with contextlib.closing(Alarm()) as alarm:
            with self._lock:
                self._alarms.append(alarm)
                if self.is_set:
                    alarm.ring()
            try:
                yield alarm
            finally:
                with self._lock:
                    self._alarms.remove(alarm)


class Alarm:
    """One waiter's view of a stop token: a descriptor that is readable from `ring` until `heed`."""

    def __init__(self) -> None:
        self._end, self._bell = socket.socketpair()
        self._end.setblocking(False)
        self._bell.setblocking(False)

    def fileno(self) -> int:
        return self._end.fileno()

    def ring(self) -> None:
        # A full socket is readable already.
        with contextlib.suppress(BlockingIOError):
            self._bell.send(b"!")

    def heed(self) -> None:
        """Clear every ring until now: the descriptor is not readable before the next ring."""
        with contextlib.suppress(BlockingIOError):
            self._end.recv(4096)

    def close(self) -> None:
        self._end.close()
        self._bell.close()


class _Never(Stop):
    def set(self) -> None:
        """Raise RuntimeError: all loads without a token of their own share this token."""
        raise RuntimeError("NEVER is the token of loads that nobody stops: give the load a Stop of its own")


NEVER = _Never()
"""The token of a load that nobody stops."""
