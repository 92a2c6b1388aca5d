"""One direction of one connection: a chain of stubs, from the bytes that arrive to the bytes that are to be sent.

A link is told the time, and chunks as they arrive. It says if there is room for another chunk, what is to be sent, when
to call `run` again, and when the destination is to be closed. No clock and no sockets.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from loadgen.faults.proxy.chain.chunk import NEVER, Chunk
from loadgen.faults.proxy.chain.draws import Draws
from loadgen.faults.proxy.chain.stub import Outlet, Stub
from loadgen.faults.proxy.chain.toxic import Effects, Toxic
from loadgen.faults.proxy.chain.toxics.noop import Noop

# The first stub of each link has this toxic: it can always be interrupted, and so holds up what arrives.
_ENTRANCE = Toxic("", "", 1.0, Noop(), Effects("noop", ""))


class Link:
    """A link with the toxics of its direction, in their order. `draws_for` makes the draws of a toxic for the link."""

    __slots__ = ("_draws_for", "_outlet", "_stubs", "clear", "resets")

    def __init__(self, toxics: Sequence[Toxic], draws_for: Callable[[Toxic], Draws], now_ns: int) -> None:
        self._draws_for = draws_for
        self._outlet = Outlet()
        self._stubs: list[Stub] = []
        for toxic in reversed((_ENTRANCE, *toxics)):
            after = self._stubs[0] if self._stubs else self._outlet
            self._stubs.insert(0, Stub(toxic, after, draws_for(toxic)))
        for stub in self._stubs:
            stub.begin(now_ns)
        self.resets = any(toxic.behaviour.resets for toxic in toxics)
        """True when the connection is to end by a reset, because a toxic demanded that when the connection was made."""
        self.clear = self._is_clear()
        """True while bytes pass unchanged and at once: whoever has the sockets may then leave the link out."""

    # ── Bytes ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def has_room(self) -> bool:
        """True when another chunk may be fed; while there is none, nothing is to be read from the source."""
        return self._stubs[0].has_room()

    def feed(self, data: bytes, now_ns: int) -> None:
        """Take a chunk that has just arrived, `chunk.MOST_BYTES` at most."""
        self._stubs[0].put(Chunk(data, now_ns))

    def finish(self) -> None:
        """Take note that the source has ended."""
        self.clear = False
        self._stubs[0].end()

    def run(self, now_ns: int) -> None:
        """Do all that is due. Call after each other method, and at `wake_ns`."""
        moved = True
        while moved:
            moved = False
            for stub in reversed(self._stubs):
                moved = stub.step(now_ns) or moved
        self.clear = self._is_clear()

    def take(self) -> bytes | None:
        """Return the next bytes to be sent, or None. Call `run` after the bytes have gone."""
        queue = self._outlet.queue
        return queue.popleft().data if queue else None

    @property
    def ended(self) -> bool:
        """True when the destination is to be closed, after everything that `take` returns has gone."""
        return self._outlet.ended

    @property
    def wake_ns(self) -> int:
        """The time at which something is due; NEVER for none."""
        return min(stub.wake_ns for stub in self._stubs)

    # ── Toxics ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def add(self, toxic: Toxic, now_ns: int) -> None:
        """Add a toxic at the end of the chain. The toxic before it is restarted, and drawn anew."""
        last = self._stubs[-1]
        if not last.interrupt():
            return
        stub = Stub(toxic, self._outlet, self._draws_for(toxic))
        last.after = stub
        self._stubs.append(stub)
        stub.begin(now_ns)
        last.begin(now_ns)
        self.run(now_ns)

    def update(self, toxic: Toxic, now_ns: int) -> None:
        """Restart a toxic whose attributes or toxicity have changed: it hands on what it holds, and is drawn anew."""
        stub = self._stub_of(toxic)
        if stub is not None and stub.interrupt():
            stub.begin(now_ns)
            self.run(now_ns)

    def remove(self, toxic: Toxic, now_ns: int) -> None:
        """Remove a toxic: what waits there goes on at once. The toxic before it is restarted, and drawn anew."""
        stub = self._stub_of(toxic)
        if stub is None or not stub.interrupt():
            return
        toxic.behaviour.on_removed(stub)
        before = self._stubs[self._stubs.index(stub) - 1]
        if not stub.closed:
            # What the toxic before hands on passes through this stub, which is flushed after it.
            is_bridged = before.interrupt()
            stub.flush()
            if is_bridged:
                before.after = stub.after
                self._stubs.remove(stub)
                before.begin(now_ns)
            elif stub.input_ended:
                stub.close()
            else:
                # The toxic before is bound to end and cannot be interrupted: until then this stub passes everything on.
                stub.behaviour = toxic.idle
        self.run(now_ns)

    def _stub_of(self, toxic: Toxic) -> Stub | None:
        return next((stub for stub in self._stubs if stub.toxic is toxic), None)

    def _is_clear(self) -> bool:
        return not self._outlet.queue and all(
            stub.behaviour.passes and not (stub.queue or stub.input_ended or stub.closed) for stub in self._stubs
        )


__all__ = ["NEVER", "Link"]
