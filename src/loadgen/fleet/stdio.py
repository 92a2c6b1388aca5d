"""Standard input and output as one socket: what ssh, or whatever else started an agent, has given it."""

from __future__ import annotations

import contextlib
import os
import socket
import stat
import threading

CHUNK_BYTES = 1 << 16


def channel() -> socket.socket:
    """Return the socket, and keep all else off standard output: what is printed there goes to standard error."""
    reading, writing = os.dup(0), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    if stat.S_ISSOCK(os.fstat(reading).st_mode):
        os.close(writing)
        return socket.socket(fileno=reading)
    ours, theirs = socket.socketpair()
    threading.Thread(target=_pass_in, args=(reading, theirs), name="input", daemon=True).start()
    threading.Thread(target=_pass_out, args=(theirs, writing), name="output", daemon=True).start()
    return ours


def _pass_in(reading: int, channel: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := os.read(reading, CHUNK_BYTES):
            channel.sendall(data)
    with contextlib.suppress(OSError):
        channel.shutdown(socket.SHUT_WR)


def _pass_out(channel: socket.socket, writing: int) -> None:
    with contextlib.suppress(OSError):
        while data := channel.recv(CHUNK_BYTES):
            rest = memoryview(data)
            while rest:
                rest = rest[os.write(writing, rest) :]
    with contextlib.suppress(OSError):
        os.close(writing)
