"""A node of a bench as the leader of a load reads it, while another thread carries out faults on it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from threading import Lock

from loadgen.faults.fault import Fault
from loadgen.faults.interpreter import Interpreter
from loadgen.faults.kinds import KINDS
from loadgen.target.server import ManagedServer
from loadgen.usage import Usage


class Node:
    """A managed server under faults, as a `usage.WatchedServer`.

    While a fault is being begun or ended, and while a fault lasts that ends the server's process, the server has no
    usage and no exit to report: its end is planned.
    """

    def __init__(self, server: ManagedServer) -> None:
        self._server = server
        self._busy = Lock()
        """Held by whoever uses the server: a ManagedServer is for one thread at a time."""
        self._ended_by: list[Fault] = []
        """The faults under way that end the server's process."""

    @property
    def name(self) -> str:
        return self._server.name

    @contextlib.contextmanager
    def at_work(self) -> Iterator[None]:
        """Keep the server for the thread that carries out a fault."""
        with self._busy:
            yield

    def begins(self, fault: Fault) -> None:
        """Note, within `at_work`, that a fault is about to begin."""
        if KINDS[fault.kind].ends_process:
            self._ended_by.append(fault)

    def ended(self, fault: Fault) -> None:
        """Note, within `at_work`, that a fault has ended."""
        if fault in self._ended_by:
            self._ended_by.remove(fault)

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
        """Yield True when the server can be read now: the reader does not wait for a fault."""
        if not self._busy.acquire(blocking=False):
            yield False
            return
        try:
            yield not self._ended_by
        finally:
            self._busy.release()


class OnNodes:
    """An interpreter whose nodes are read by the leader of a load meanwhile. See `Interpreter`."""

    def __init__(self, interpreter: Interpreter, nodes: tuple[Node, ...]) -> None:
        self._interpreter = interpreter
        self._nodes = nodes

    def begin(self, fault: Fault, node: int) -> None:
        its = self._nodes[node - 1]
        with its.at_work():
            its.begins(fault)
            try:
                self._interpreter.begin(fault, node)
            except BaseException:
                its.ended(fault)
                raise

    def end(self, fault: Fault, node: int) -> None:
        its = self._nodes[node - 1]
        with its.at_work():
            try:
                self._interpreter.end(fault, node)
            finally:
                its.ended(fault)

    def effects(self, fault: Fault, node: int) -> int:
        with self._nodes[node - 1].at_work():
            return self._interpreter.effects(fault, node)
