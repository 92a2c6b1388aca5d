"""A host as the Python code on it has it; see `_resident.pxd`."""

import contextvars
import sys

from cpython.contextvars cimport PyContext_Enter, PyContext_Exit
from libc.stdint cimport int64_t

from loadgen.verify.world._ground cimport Ground
from loadgen.verify.world._world cimport World

from loadgen.verify.world._network import REFUSING


cdef class Resident(Streams):
    """The streams of a host, whose protocols run in a copy of the present context, its clock, and its turns' calls."""

    def __cinit__(self, Ground ground not None):
        self.network = ground.network
        self.host = ground.host
        self.time = <HostTime>ground.time
        self.context = contextvars.copy_context()

    # ── Time ────────────────────────────────────────────────────────────────────────────────────────────────────────

    @property
    def now_ns(self):
        """The monotonic time of the host, which is ahead of the world's while the host is busy."""
        return self.time.now_ns()

    def unix_ns(self):
        """Return the Unix time by the host's clock."""
        return self.time.unix_ns()

    def wait(self, int64_t wait_ns):
        """Have the host's thread do nothing else for a time."""
        self.time.wait_until(self.time.now_ns() + wait_ns)

    @property
    def runs(self):
        """True when the host's thread can run now: it is not paused, not busy, and has power."""
        return (self.time.thread.pauses == 0 and self.time.thread.up
                and self.time.thread.until_ns <= self.network.world.now_ns)

    def soon(self, call):
        """Call `call` in the next turn of the host's thread: at once, or when it runs again."""
        self.ground.soon(call)

    def at(self, int64_t at_ns, call):
        """Call `call` in a turn of the host's thread, at a time or as soon after it as the thread runs."""
        self.ground.at(at_ns, call)

    def ring(self, int64_t at_ns, call):
        """Call `call` at a time as an event of the host's thread, whether or not the thread runs."""
        self.network.world.at(at_ns, call, actor=self.ground.actor)

    def later(self, double wait_s, call):
        """Call `call` after a time in seconds, as `loop.call_later` does."""
        self.ground.at(self.time.now_ns() + <int64_t>(wait_s * 1e9), call)

    # ── Streams ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def ignore(self, int port):
        """Refuse streams that come to a port."""
        self.factories.pop(port, None)
        self.network.set_listener(self.host, port, REFUSING)

    def is_listening(self, int port):
        """True when somebody listens on a port."""
        return port in self.factories

    def on_accept(self, int end, int port):
        PyContext_Enter(self.context)
        try:
            Streams.on_accept(self, end, port)
        finally:
            PyContext_Exit(self.context)

    cdef void on_stream(self, void *owner, bint readable, bint writable) noexcept:
        PyContext_Enter(self.context)
        Streams.on_stream(self, owner, readable, writable)
        PyContext_Exit(self.context)

    def end(self):
        """Forget all streams, calls and ports: the host was killed."""
        self.ground.end()
        self.factories.clear()
        self.transports.clear()


def advance(World world not None, soon, int64_t until_ns):
    """Let a world go on until `soon` has something. False when no event up to a time is left. Raises what events raise.
    """
    hook = sys.unraisablehook
    sys.unraisablehook = world.on_unraisable
    try:
        while not soon:
            if not world.step(until_ns):
                break
    finally:
        sys.unraisablehook = hook
        world.put_back()
    if world.failure is not None:
        raise world.failure
    return bool(soon)
