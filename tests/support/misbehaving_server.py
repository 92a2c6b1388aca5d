"""A small RESP server in a process of its own that misbehaves, as a managed server, in one way.

    python misbehaving_server.py PORT WAY

It answers PING, and further words that tests need: CRASH, BURN and ORPHAN. It prints facts about itself, one `word
value` per line.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path

BURNT_S = 0.2
"""CPU time that the child of a BURN or an ORPHAN uses."""


def say(*words: object) -> None:
    print(*words, flush=True)


def serve(port: int, answers: Callable[[bytes], bytes]) -> None:
    with socket.create_server(("127.0.0.1", port)) as listener:
        while True:
            connection, _ = listener.accept()
            # Who asked may have given up.
            with connection, contextlib.suppress(ConnectionError):
                while request := connection.recv(65536):
                    connection.sendall(answers(request))


def answer(request: bytes) -> bytes:
    if b"CRASH" in request:
        signal.signal(signal.SIGSEGV, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGSEGV)
    if b"BURN" in request:
        # A child that was waited for: only its parent's account remembers it.
        os.waitpid(forked(burn), 0)
        return b"+OK\r\n"
    if b"ORPHAN" in request:
        orphan(burn)
        return b"+OK\r\n"
    return b"+PONG\r\n" if b"PING" in request else b"-ERR unknown command\r\n"


def forked(then: Callable[[], None]) -> int:
    child = os.fork()
    if not child:
        then()
        os._exit(0)
    return child


def burn() -> None:
    while time.process_time() < BURNT_S:
        pass


def orphan(then: Callable[[], None]) -> None:
    """A process whose parent ends at once: it belongs to whoever adopts it."""
    os.waitpid(forked(lambda: (forked(then), None)[1]), 0)


def linger() -> None:
    """As a daemon does that nobody can talk to: in a session of its own, deaf to SIGTERM."""
    os.setsid()
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    say("daemon", os.getpid())
    while True:
        signal.pause()


def main() -> None:
    port, way = int(sys.argv[1]), sys.argv[2]
    replies = {
        "garbage": b"HTTP/1.1 400 Bad Request\r\n",
        "error": b"-DENIED Redis is running in protected mode\r\n",
        "mute": b"",
    }
    match way:
        case "good":
            serve(port, answer)
        case "told":
            say("env", os.environ["GREETING"])
            say("cwd", Path.cwd())
            say("arguments", *sys.argv[3:])
            say("stdin", repr(sys.stdin.read()))
            serve(port, answer)
        case "exits":
            say("cannot open the store: no such folder")
            sys.exit(7)
        case "silently":
            sys.exit(0)
        case "dies":
            os.abort()
        case "in-use":
            say("bind: Address already in use")
            sys.exit(1)
        case "background":
            ended, open_while_it_lives = os.pipe()

            def follow() -> None:
                os.close(open_while_it_lives)
                # Ends when the parent has: only then does anybody answer.
                os.read(ended, 1)
                serve(port, answer)

            forked(follow)
        case "deaf":
            signal.pause()
        case "loading" | "still-loading":
            left = [3 if way == "loading" else 1 << 30]

            def load(request: bytes) -> bytes:
                left[0] -= 1
                return b"-LOADING Redis is loading the dataset in memory\r\n" if left[0] >= 0 else answer(request)

            serve(port, load)
        case "locked":
            serve(port, lambda _: b"-NOAUTH Authentication required.\r\n")
        case "stubborn":
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            serve(port, answer)
        case "daemons":
            orphan(linger)
            serve(port, answer)
        case "wordy":
            say("warming up")
            say("thread 'main' panicked at src/store.rs:7: index out of bounds")
            serve(port, answer)
        case _:
            serve(port, lambda _: replies[way])


if __name__ == "__main__":
    main()
