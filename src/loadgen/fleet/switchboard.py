"""The conversations with all agents, in one thread: sockets and clock of the links.

A leader that is busy, or waits for something else, is heard by its agents all the same.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, Self

from loadgen.fleet.agent import BEAT_NS
from loadgen.fleet.channel import Channel
from loadgen.fleet.link import Link, told
from loadgen.runner.stop import Alarm
from loadgen.units import NS_PER_S

READ_BYTES = 1 << 20

TURN_NS = BEAT_NS // 5
"""The longest wait for something to read before the links are told the time."""


class Line:
    """One agent's place: its channel, its link, and the messages that its leader has not taken yet."""

    def __init__(self, channel: Channel, link: Link) -> None:
        self.channel = channel
        self.link = link
        self.alarm = Alarm()
        """Rings while there is a message to take, or the agent is gone."""
        self.is_open = True
        """The socket is read and written by the switchboard."""


class Switchboard:
    """The thread, from entering to leaving."""

    def __init__(self, channels: Sequence[Channel], make_link: Callable[[int, int], Link]) -> None:
        """`make_link` makes the link of an agent, by its rank and the time."""
        now_ns = time.monotonic_ns()
        self.lines = [Line(channel, make_link(rank, now_ns)) for rank, channel in enumerate(channels)]
        self._lock = threading.Condition()
        self._selector = selectors.DefaultSelector()
        self._awake, self._wake = os.pipe()
        os.set_blocking(self._wake, False)
        os.set_blocking(self._awake, False)
        self._over = False
        self._thread = threading.Thread(target=self._work, name="agents", daemon=True)

    def __enter__(self) -> Self:
        self._selector.register(self._awake, selectors.EVENT_READ, None)
        for line in self.lines:
            line.channel.socket.setblocking(False)
            self._selector.register(line.channel.socket, selectors.EVENT_READ, line)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over = True
        self._ring()
        self._thread.join()
        self._selector.close()
        os.close(self._awake)
        os.close(self._wake)
        for line in self.lines:
            line.channel.socket.close()
            line.alarm.close()

    # ── The leader's thread ─────────────────────────────────────────────────────────────────────────────────────────

    def until(self, done: Callable[[Link], bool], patience_s: float, so_far: Callable[[int], None]) -> bool:
        """Wait until each link is done or over; return False when that takes too long.

        `so_far` is told how many are done, about twice a second.
        """
        deadline_s = time.monotonic() + patience_s
        with self._lock:
            while not all(done(line.link) or line.link.over for line in self.lines):
                so_far(sum(done(line.link) for line in self.lines))
                if time.monotonic() >= deadline_s:
                    return False
                self._lock.wait(min(0.5, max(0.0, deadline_s - time.monotonic())))
        return True

    def claim(self) -> None:
        """Claim every agent."""
        with self._lock:
            for line in self.lines:
                if not line.link.over:
                    line.link.claim(time.monotonic_ns())
        self._ring()

    def tell(self, rank: int, message: object) -> None:
        data = told(message)
        with self._lock:
            line = self.lines[rank]
            line.link.send(data)
            if line.is_open:
                _send(line)
            if line.link.out:
                self._ring()

    def hear(self, rank: int) -> Any:
        """Return the next message. Raises EOFError when there will be none, with how the agent ended."""
        line = self.lines[rank]
        with self._lock:
            line.alarm.heed()
            if not line.link.messages:
                # Read again and again: the descriptor of a member that has ended stays readable.
                line.alarm.ring()
                raise EOFError(line.link.over or "is gone")
            message = line.link.messages.popleft()
            if line.link.messages or line.link.over:
                line.alarm.ring()
            return message

    def fileno(self, rank: int) -> int:
        return self.lines[rank].alarm.fileno()

    def end(self, rank: int) -> None:
        """End what was launched for an agent: at once, where the agent is lost."""
        line = self.lines[rank]
        if line.link.over:
            line.channel.give_up()
        line.channel.end()

    def _ring(self) -> None:
        with contextlib.suppress(BlockingIOError):
            os.write(self._wake, b"!")

    # ── The switchboard's thread ────────────────────────────────────────────────────────────────────────────────────

    def _work(self) -> None:
        told_ns = 0
        while not self._over:
            self._selector.select(TURN_NS / NS_PER_S)
            with self._lock:
                # Asked again: what came while the leader's thread had the lock must be read before the time is told.
                ready = self._selector.select(0)
                for key, events in ready:
                    line: Line | None = key.data
                    if line is None:
                        with contextlib.suppress(BlockingIOError):
                            os.read(self._awake, 4096)
                        for waiting in self.lines:
                            if waiting.is_open and waiting.link.out:
                                self._write(waiting)
                    elif line.is_open:
                        if events & selectors.EVENT_READ:
                            self._read(line)
                        if line.is_open and events & selectors.EVENT_WRITE:
                            self._write(line)
                # What has come is read before the time is told: a leader that was stopped finds its agents alive.
                now_ns = time.monotonic_ns()
                if now_ns - told_ns >= TURN_NS:
                    told_ns = now_ns
                    for line in self.lines:
                        if line.is_open:
                            line.link.tick(now_ns)
                            self._write(line)
                if ready:
                    self._lock.notify_all()

    def _read(self, line: Line) -> None:
        before = len(line.link.messages)
        try:
            data = line.channel.socket.recv(READ_BYTES)
        except BlockingIOError:
            return
        except OSError as error:
            line.link.gone(f"lost its connection ({error.strerror})")
            data = b""
        if data:
            line.link.received(data, time.monotonic_ns())
        else:
            self._close(line)
            if not line.link.over:
                line.link.gone(line.channel.ending())
        if line.link.over or len(line.link.messages) > before:
            line.alarm.ring()

    def _write(self, line: Line) -> None:
        """Write what can be written at once, and watch for more room where something is left."""
        _send(line)
        if line.link.over:
            line.alarm.ring()
            self._close(line)
            return
        events = selectors.EVENT_READ | (selectors.EVENT_WRITE if line.link.out else 0)
        self._selector.modify(line.channel.socket, events, line)

    def _close(self, line: Line) -> None:
        line.is_open = False
        with contextlib.suppress(KeyError, ValueError):
            self._selector.unregister(line.channel.socket)


def _send(line: Line) -> None:
    """Write what can be written at once."""
    try:
        if line.link.out:
            del line.link.out[: line.channel.socket.send(line.link.out)]
    except BlockingIOError:
        pass
    except OSError:
        line.link.out.clear()  # The next read says how the agent ended.
