"""The process itself: a netlink socket, a raw socket for packets that are sent twice, and a pipe from loadgen.

Its argument is the fault in JSON. It writes a line of JSON when the queue is open, and for each line that it reads:
`count` is answered by the counters, `end` too, after everything that was held has passed. When its input ends, because
loadgen has gone, or when the server's keeper ends, it lets everything pass and ends.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import socket
import sys
import time
from pathlib import Path
from typing import Any

from loadgen.faults.packets import netlink
from loadgen.faults.packets.holding import Action, Holding

MARK = 0x1967
"""The mark of packets that this process sends: the rule that fills the queue leaves them alone."""

LENGTH = 65_536
"""The most packets that may wait for a verdict. The kernel drops those beyond, and counts them."""

_SO_MARK = 36
_SO_RCVBUFFORCE = 33
_RECEIVE_BYTES = 8 << 20
# Datagrams read at one wake-up, before verdicts are sent.
_BURST = 256
_NS_PER_S = 1_000_000_000


class Queue:
    """One packet queue of the kernel, from its opening to the end of this process."""

    def __init__(self, number: int, holding: Holding, *, payloads: bool) -> None:
        self._number = number
        self._holding = holding
        self._payloads: dict[int, bytes] = {}
        self.kernel = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, netlink.NETLINK_NETFILTER)
        self.kernel.bind((0, 0))
        self.kernel.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _RECEIVE_BYTES)
        self._raw: socket.socket | None = None
        if payloads:
            self._raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
            self._raw.setsockopt(socket.SOL_SOCKET, _SO_MARK, MARK)
        self.kernel.send(netlink.opening(number, LENGTH, payloads=payloads))
        for _ in range(3):
            # Raises OSError when the kernel refuses: each of the three messages is acknowledged.
            list(netlink.packets(self.kernel.recv(65536)))
        self.kernel.setblocking(False)

    def wait_s(self) -> float | None:
        """Return the time until the next packet is due; None when none is held."""
        due_ns = self._holding.next_ns()
        return None if due_ns is None else max(0, due_ns - time.monotonic_ns()) / _NS_PER_S

    def turn(self) -> None:
        """Decide over the packets that have come, and release those that are due."""
        actions: list[Action] = []
        for _ in range(_BURST):
            try:
                received = self.kernel.recv(1 << 17)
            except BlockingIOError:
                break
            except OSError:
                # ENOBUFS: packets did not fit into the socket; the kernel has counted them.
                continue
            now_ns = time.monotonic_ns()
            for packet in netlink.packets(received):
                action = self._holding.on_packet(packet.number, packet.hook, now_ns)
                if action is not None:
                    if action.twice:
                        self._payloads[packet.number] = packet.payload
                    actions.append(action)
        actions += self._holding.on_time(time.monotonic_ns())
        self._tell(actions)

    def end(self) -> None:
        """Let everything pass that is held, or that the kernel has asked about meanwhile."""
        self._tell(list(self._holding.on_end()))
        self.turn()

    def counts(self) -> dict[str, int]:
        return {"seen": self._holding.seen, "effects": self._holding.effects, "overflow": self._overflow()}

    def _tell(self, actions: list[Action]) -> None:
        for start in range(0, len(actions), _BURST):
            part = actions[start : start + _BURST]
            said = b"".join(netlink.verdict(self._number, action.packet, action.verdict) for action in part)
            if said:
                self.kernel.setblocking(True)
                self.kernel.send(said)
                self.kernel.setblocking(False)
        for action in actions:
            if action.twice and self._raw is not None:
                payload = self._payloads.pop(action.packet)
                # The destination is in the packet's header, at byte 16 (RFC 791).
                with contextlib.suppress(OSError):
                    self._raw.sendto(payload, (socket.inet_ntoa(payload[16:20]), 0))

    def _overflow(self) -> int:
        """Return the packets that the kernel dropped because too many waited: here, or in the socket."""
        for line in Path("/proc/self/net/netfilter/nfnetlink_queue").read_text().splitlines():
            number, _, _, _, _, queue_dropped, user_dropped = map(int, line.split()[:7])
            if number == self._number:
                return queue_dropped + user_dropped
        return 0


def run(task: dict[str, Any]) -> None:
    holding = Holding(task["kind"], task["parameters"], task["seed"])
    queue = Queue(task["queue"], holding, payloads=task["kind"] == "duplicate")
    keeper = os.pidfd_open(task["keeper"])
    _say({"open": True})
    while True:
        ready, _, _ = select.select([queue.kernel.fileno(), 0, keeper], [], [], queue.wait_s())
        queue.turn()
        if keeper in ready:
            return
        if 0 in ready:
            words = os.read(0, 4096).decode().split()
            if not words or "end" in words:
                queue.end()
            if words:
                _say(queue.counts())
            if not words or "end" in words:
                return


def _say(words: dict[str, Any]) -> None:
    # A loadgen that has gone reads nothing: the end of the input says so.
    with contextlib.suppress(OSError):
        os.write(1, json.dumps(words).encode() + b"\n")


def main() -> None:
    # A terminal's Ctrl-C is for loadgen, which ends this process in its turn.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    run(json.loads(sys.argv[1]))


if __name__ == "__main__":
    main()
