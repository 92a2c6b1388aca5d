"""Faults that take a decision over each packet: iptables queues the packets, and a process of ours decides.

The process (`faults.packets`) runs in the server's network namespace, and ends with the server's keeper or loadgen.
Where no process reads the queue, packets pass (`--queue-bypass`).
"""

from __future__ import annotations

import contextlib
import itertools
import json
import select
import subprocess
import sys
import weakref
from collections.abc import Mapping

from loadgen.faults.fault import Fault
from loadgen.faults.interpreter import FaultError
from loadgen.faults.net.filters import check
from loadgen.faults.packets.main import LENGTH, MARK
from loadgen.target.apart import INTERFACE
from loadgen.target.server import ManagedServer

_ANSWER_TIMEOUT_S = 10.0

_TABLES = ("mangle", "filter", "security")
"""A packet that has passed one queue goes on with the next table: each fault at one time has a table of its own."""

_numbers = itertools.count(1)
_taken: weakref.WeakKeyDictionary[ManagedServer, set[str]] = weakref.WeakKeyDictionary()


class Queued:
    """A queue of a server's packets, with a process that decides over them. It counts what did not simply pass."""

    def __init__(self, server: ManagedServer, fault: Fault) -> None:
        check(server)
        self._server = server
        self._tables = _taken.setdefault(server, set())
        free = [table for table in _TABLES if table not in self._tables]
        if not free:
            raise FaultError(f"{len(_TABLES)} faults that queue packets are on this server already.")
        self._table, self._number = free[0], next(_numbers) % 65_536
        self._rules: list[tuple[str, ...]] = []
        self._process = self._started(fault)
        self._tables.add(self._table)
        try:
            self._answer()
            for rule in _rules(str(fault.parameters["direction"]), self._number):
                server.inside("iptables", "-w", "-t", self._table, "-A", *rule)
                self._rules.append(rule)
        except BaseException:
            self._close()
            raise

    def effects(self) -> int:
        return self._ask("count")["effects"]

    def seen(self) -> int:
        return self._ask("count")["seen"]

    def end(self) -> None:
        try:
            for rule in self._rules:
                self._server.inside("iptables", "-w", "-t", self._table, "-D", *rule)
            counts = self._ask("end")
        finally:
            self._close()
        if counts["overflow"]:
            raise FaultError(
                f"{counts['overflow']} packets were lost beyond the fault, because more than {LENGTH} waited: lower "
                "the rate of the load."
            )

    def _started(self, fault: Fault) -> subprocess.Popen[bytes]:
        task = {
            "kind": fault.kind,
            "parameters": dict(fault.parameters),
            "seed": fault.seed,
            "queue": self._number,
            "keeper": self._server.keeper_pid,
        }
        # -P: modules are not looked for in the current folder.
        module = ("-P", "-m", "loadgen.faults.packets.main")
        command = self._server.namespace_command(sys.executable, *module, json.dumps(task))
        return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)

    def _ask(self, word: str) -> Mapping[str, int]:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(word.encode() + b"\n")
            self._process.stdin.flush()
        except OSError:
            raise FaultError("the process that decides over packets has ended.") from None
        return self._answer()

    def _answer(self) -> Mapping[str, int]:
        assert self._process.stdout is not None
        if not select.select([self._process.stdout], [], [], _ANSWER_TIMEOUT_S)[0]:
            raise FaultError("the process that decides over packets does not answer.")
        line = self._process.stdout.readline()
        if not line:
            raise FaultError("the process that decides over packets has ended: does the kernel have packet queues?")
        return dict(json.loads(line))

    def _close(self) -> None:
        self._tables.discard(self._table)
        for pipe in (self._process.stdin, self._process.stdout):
            # A process that has ended takes no more orders.
            with contextlib.suppress(OSError):
                if pipe is not None:
                    pipe.close()
        try:
            self._process.wait(_ANSWER_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def _rules(direction: str, queue: int) -> list[tuple[str, ...]]:
    """Return iptables' rules that queue a direction's packets, without those that our own process sends."""
    ours = ("-m", "mark", "!", "--mark", str(MARK))
    target = ("-j", "NFQUEUE", "--queue-num", str(queue), "--queue-bypass")
    chains = {"in": ("INPUT", "-i"), "out": ("OUTPUT", "-o")}
    return [
        (chain, option, INTERFACE, "-p", "tcp", *ours, *target)
        for name, (chain, option) in chains.items()
        if direction in (name, "both")
    ]
