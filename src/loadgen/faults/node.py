"""A node of a bench as the leader of a load reads it, while another thread carries out faults on it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from threading import Lock

from loadgen.faults.fault import Fault
from loadgen.faults.interpreter import Interpreter
from loadgen.target.server import ManagedServer
from loadgen.usage import Usage


class Node:
    """A managed server under faults, as a `usage.WatchedServer`.

    While a fault is being begun or ended, the server has no usage and no exit to report: its reader does not wait.
    """

    def __init__(self, server: ManagedServer) -> None:
        self._server = server
        self._busy = Lock()
        """Held by whoever uses the server: a ManagedServer is for one thread at a time."""

    @property
    def name(self) -> str:
        return self._server.name

    @property
    def pid(self) -> int:
        return self._server.pid

    @contextlib.contextmanager
    def at_work(self) -> Iterator[None]:
        """Keep the server for the thread that carries out a fault."""
        with self._busy:
            yield

    def usage(self) -> Usage | None:
        with self._reading() as readable:
            return self._server.usage() if readable else None

    def exit_report(self) -> str:
        with self._reading() as readable:
            return self._server.exit_report() if readable else ""

    def log_errors(self) -> tuple[str, ...]:
        with self._busy:
            return self._server.log_errors()

    def log_tail(self) -> tuple[str, ...]:
        with self._busy:
            return self._server.log_tail()

    def restarted(self) -> bool:
        """True when another process answers than at the start, or than after the last restart by a fault."""
        with self._busy:
            return self._server.restarted()

    @contextlib.contextmanager
    def _reading(self) -> Iterator[bool]:
        """Yield True when the server can be read now."""
        if not self._busy.acquire(blocking=False):
            yield False
            return
        try:
            yield True
        finally:
            self._busy.release()


class OnNodes:
    """An interpreter whose nodes are read by the leader of a load meanwhile. See `Interpreter`."""

    def __init__(self, interpreter: Interpreter, nodes: tuple[Node, ...]) -> None:
        self._interpreter = interpreter
        self._nodes = nodes

    def begin(self, fault: Fault, node: int) -> None:
        with self._nodes[node - 1].at_work():
            self._interpreter.begin(fault, node)

    def end(self, fault: Fault, node: int) -> None:
        with self._nodes[node - 1].at_work():
            self._interpreter.end(fault, node)

    def effects(self, fault: Fault, node: int) -> int:
        with self._nodes[node - 1].at_work():
            return self._interpreter.effects(fault, node)

    def seen(self, fault: Fault, node: int) -> int | None:
        with self._nodes[node - 1].at_work():
            return self._interpreter.seen(fault, node)
