"""Wake-ups between the processes that share a file: an empty datagram to each, so that no one waits for the next poll.

Each process has a socket in a folder beside the file, and sends to all others there. Nothing depends on it: a lost
datagram is one that a poll makes good. Where there are no such sockets, as in a simulated world, all is by polls.
"""

from __future__ import annotations

import os
import secrets
import socket
import sys
from asyncio import AbstractEventLoop
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

_DATAGRAMS = 64
"""The most datagrams that are taken off the socket for one wake-up."""


class Wakeups:
    """The socket of one storage, and those of the others."""

    def __init__(self, path: str, on_wake: Callable[[], None]) -> None:
        self._folder = Path(f"{path}-wake")
        self._on_wake = on_wake
        self._loop: AbstractEventLoop | None = None
        self._socket: socket.socket | None = None
        self._name = ""
        self._at = -1
        """The folder's descriptor."""

    @property
    def is_open(self) -> bool:
        """True when datagrams are received."""
        return self._socket is not None

    def open(self, loop: AbstractEventLoop) -> None:
        """Make the socket. Without one, as the folder cannot be written or the loop reads no sockets, do nothing."""
        own = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        own.setblocking(False)
        try:
            loop.add_reader(own.fileno(), self._receive)
        except NotImplementedError:
            own.close()
            return
        self._loop, self._socket = loop, own
        try:
            self._folder.mkdir(exist_ok=True)
            self._at = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            self._name = f"{os.getpid()}-{secrets.token_hex(4)}"
            own.bind(self._address(self._name))
        except OSError:
            self._name = ""
            self.close()

    def close(self) -> None:
        """Remove the socket, and the folder when it was the last one."""
        if self._socket is not None and self._loop is not None:
            self._loop.remove_reader(self._socket.fileno())
            self._socket.close()
            self._socket = None
        if self._at >= 0:
            with suppress(OSError):
                os.unlink(self._name, dir_fd=self._at)
            os.close(self._at)
            self._at = -1
            with suppress(OSError):
                self._folder.rmdir()

    def notify(self) -> None:
        """Wake all others. A socket whose process has died is removed."""
        if self._socket is None:
            return
        for name in os.listdir(self._at):  # noqa: PTH208 - Path lists no descriptor
            if name == self._name:
                continue
            try:
                self._socket.sendto(b"", self._address(name))
            except ConnectionRefusedError:
                with suppress(OSError):
                    os.unlink(name, dir_fd=self._at)
            except OSError:
                # A full buffer has a wake-up in it already; a name may be gone, or be no socket.
                pass

    def _address(self, name: str) -> str:
        # An address has at most 107 bytes, and a path may have more.
        return f"/proc/self/fd/{self._at}/{name}" if sys.platform == "linux" else f"{self._folder}/{name}"

    def _receive(self) -> None:
        if self._socket is None:
            return
        for _ in range(_DATAGRAMS):
            try:
                self._socket.recv(1)
            except OSError:
                break
        self._on_wake()
