"""A small RESP server in a process of its own that has one fault, which a smoke test must find.

    python planted_server.py PORT [FAULT]

But for its fault, it stores and answers correctly. All faults but `dies`, `mute` and `leaks` begin with the first
request for a key that is not a smoke test's own, so that the server passes the checks before the load.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

from faulty_server import Peer, good_reply

SANE = b"loadgen:smoke:"

SLOW_S = 0.12
"""Longer than a smoke test allows the p99.9 to be, and shorter than any timeout."""

kept: dict[bytes, bytes] = {}
lock = threading.Lock()
requests = 0
run_id = b"a" * 40


def answer(request: list[bytes]) -> bytes:
    match request:
        case [b"SET", key, value, *_]:
            kept[key] = value
        case [b"GET", key] if key in kept:
            return b"$%d\r\n%b\r\n" % (len(kept[key]), kept[key])
        case [b"DEL", key]:
            return b":%d\r\n" % (kept.pop(key, None) is not None)
        case [b"INFO", *_]:
            said = b"process_id:%d\r\nrun_id:%b\r\n" % (os.getpid(), run_id)
            return b"$%d\r\n%b\r\n" % (len(said), said)
    return good_reply(request)


def forgets(request: list[bytes], number: int) -> bytes:
    return b"+OK\r\n" if request[0] == b"SET" else answer(request)


def complains(request: list[bytes], number: int) -> bytes:
    if number == 1:
        print("thread 'main' panicked at src/store.rs:7: index out of bounds", file=sys.stderr, flush=True)
    return answer(request)


def crashes(request: list[bytes], number: int) -> bytes:
    if number == 500:
        os.kill(os.getpid(), signal.SIGSEGV)
    return answer(request)


def dawdles(request: list[bytes], number: int) -> bytes:
    time.sleep(SLOW_S)
    return answer(request)


def refuses(request: list[bytes], number: int) -> bytes:
    return b"-OOM no room\r\n" if number % 10 == 0 else answer(request)


def stalls(request: list[bytes], number: int) -> bytes:
    if number == 10:
        threading.Event().wait()
    return answer(request)


def restarts(request: list[bytes], number: int) -> bytes:
    """It only says so."""
    global run_id
    run_id = b"b" * 40
    return answer(request)


def mute(request: list[bytes], number: int) -> bytes:
    Path(os.environ["ASKED"]).touch()
    threading.Event().wait()
    return b""


FAULTS: dict[str, Callable[[list[bytes], int], bytes]] = {
    "forgets": forgets,
    "complains": complains,
    "crashes": crashes,
    "dawdles": dawdles,
    "refuses": refuses,
    "stalls": stalls,
    "restarts": restarts,
    "mute": mute,
}


def serve(connection: socket.socket, fault: Callable[[list[bytes], int], bytes] | None) -> None:
    global requests
    peer = Peer(connection, 0)
    with contextlib.suppress(OSError):
        for request in peer.requests():
            reply = None
            is_load = request[0] in (b"GET", b"SET") and not request[1].startswith(SANE)
            if fault is not None and (is_load or (fault is mute and request[0] == b"SET")):
                with lock:
                    requests += 1
                    number = requests
                reply = fault(request, number)
            peer.send(answer(request) if reply is None else reply)


def leak(number: int, frame: object) -> None:
    print("ERROR: LeakSanitizer: detected memory leaks", file=sys.stderr, flush=True)
    sys.exit()


def main(port: str, fault: str = "") -> None:
    if fault == "leaks":
        signal.signal(signal.SIGTERM, leak)
    if fault == "dies":
        print("cannot open the store: no such folder", file=sys.stderr, flush=True)
        sys.exit(3)
    with socket.create_server(("127.0.0.1", int(port))) as listener:
        while True:
            connection, _ = listener.accept()
            threading.Thread(target=serve, args=(connection, FAULTS.get(fault)), daemon=True).start()


if __name__ == "__main__":
    main(*sys.argv[1:])
