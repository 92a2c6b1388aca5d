"""A server of RESP that kills itself by SIGSEGV: `dying_server.py PORT N` after N commands. It answers +PONG to all."""

from __future__ import annotations

import os
import re
import selectors
import signal
import socket
import sys


def main(port: int, most: int) -> None:
    answered = 0
    listener = socket.create_server(("127.0.0.1", port))
    selector = selectors.DefaultSelector()
    selector.register(listener, selectors.EVENT_READ)
    while True:
        for key, _ in selector.select():
            ready = key.fileobj
            assert isinstance(ready, socket.socket)
            if ready is listener:
                selector.register(listener.accept()[0], selectors.EVENT_READ)
                continue
            received = ready.recv(65536)
            if not received:
                selector.unregister(ready)
                ready.close()
                continue
            # Every command here is an array, and no value has a line that begins with a star and a digit.
            commands = len(re.findall(rb"(?:^|\r\n)\*\d", received)) or 1
            answered += commands
            if answered > most:
                os.kill(os.getpid(), signal.SIGSEGV)
            ready.sendall(b"+PONG\r\n" * commands)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
