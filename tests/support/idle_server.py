"""A RESP server that is peculiar while it is idle: `idle_server.py PORT WAY`. It stores nothing and answers OK to all.

eintr: the server exits when its wait is interrupted, as SIGCONT interrupts epoll_wait(2). Some servers do this.
spins: the server polls several thousand times a second, as a server with a submission queue does, and so uses a CPU.
"""

from __future__ import annotations

import ctypes
import os
import re
import socket
import sys
import time

EPOLL_CTL_ADD, EPOLLIN = 1, 1
# Some percent of a CPU: more than a server at rest uses, and enough is left for what else the machine does.
POLL_S = 0.0002
LIBC = ctypes.CDLL(None, use_errno=True)


class Event(ctypes.Structure):
    """`struct epoll_event`, packed as x86-64 has it; elsewhere the kernel pads it."""

    _pack_ = 1 if os.uname().machine == "x86_64" else 8
    _fields_ = (("events", ctypes.c_uint32), ("fd", ctypes.c_uint64))


def main(port: int, way: str) -> None:
    listener = socket.create_server(("127.0.0.1", port))
    connections: dict[int, socket.socket] = {listener.fileno(): listener}
    begun: dict[int, bytes] = {}
    # Python's own epoll would wait again when it is interrupted.
    epoll, found = LIBC.epoll_create1(0), Event()
    watch(epoll, listener)
    while True:
        count = LIBC.epoll_wait(epoll, ctypes.byref(found), 1, 0 if way == "spins" else -1)
        if count < 0:
            print("Error: Interrupted system call (os error 4)", file=sys.stderr, flush=True)
            sys.exit(1)
        if not count:
            time.sleep(POLL_S)
            continue
        ready = connections[found.fd]
        if ready is listener:
            connection = listener.accept()[0]
            connections[connection.fileno()] = connection
            watch(epoll, connection)
        elif received := ready.recv(65536):
            begun[found.fd] = answer(ready, begun.get(found.fd, b"") + received)
        else:
            del connections[found.fd]
            begun.pop(found.fd, None)
            ready.close()


def answer(connection: socket.socket, received: bytes) -> bytes:
    """Answers the whole requests; returns what has begun."""
    replies, at = [], 0
    while found := re.compile(rb"\*(\d+)\r\n").match(received, at):
        words, end = [], found.end()
        for _ in range(int(found[1])):
            length = re.compile(rb"\$(\d+)\r\n").match(received, end)
            if length is None or length.end() + int(length[1]) + 2 > len(received):
                break
            words.append(received[length.end() : length.end() + int(length[1])])
            end = length.end() + int(length[1]) + 2
        if len(words) < int(found[1]):
            break
        replies.append({b"PING": b"+PONG\r\n", b"GET": b"$2\r\nhi\r\n"}.get(words[0], b"+OK\r\n"))
        at = end
    connection.sendall(b"".join(replies))
    return received[at:]


def watch(epoll: int, connection: socket.socket) -> None:
    event = Event(EPOLLIN, connection.fileno())
    LIBC.epoll_ctl(epoll, EPOLL_CTL_ADD, connection.fileno(), ctypes.byref(event))


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
