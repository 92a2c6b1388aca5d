"""The shipping proxy on a host of a world; `_proxy.pxd` describes what its bytes are held to."""

from collections import deque

from cpython.bytearray cimport PyByteArray_AS_STRING
from libc.stdint cimport int64_t
from libc.string cimport memcmp

from loadgen.engine._reactor cimport Watcher
from loadgen.faults.proxy._pump cimport Connection, Listener, Pump, Side
from loadgen.verify.world._ground cimport Ground, HostTransport

from loadgen.verify.world._network import REFUSING
from loadgen.verify.world._world import BrokenInvariant

cdef int64_t NO_LIMIT = -1
cdef int64_t NS_PER_S = 1_000_000_000

WHOLE = "bytes pass a proxy in order and whole"
DELAYED = "a proxy's latency delays every byte"
LIMITED = "a proxy's bandwidth is not exceeded"


cdef class Bound:
    """What the toxics of one direction do at least."""

    def __cinit__(self):
        self.bytes_per_s = NO_LIMIT


cdef class Way:
    """One direction of a connection."""

    def __cinit__(self, str direction):
        self.direction = direction
        self.held = bytearray()
        self.marks = deque()


cdef class Witness(HostTransport):
    """The streams of a proxy's host, with every byte looked at."""

    def __cinit__(self, Ground ground not None):
        self.sources = {}
        self.targets = {}
        self.awaited = []
        self.bounds = {"upstream": Bound(), "downstream": Bound()}

    def hold(self, str direction, int64_t delay_ns, bytes_per_s, int64_t since_ns):
        """Hold the bytes of one direction that are read from now on to a latency and a rate, None for no rate.

        `since_ns` is the time since which the toxic of the rate has that rate. Call before the toxics change.
        """
        cdef Bound before = self.bounds[direction], bound = Bound.__new__(Bound)
        cdef Way way
        # The toxic of the rate may go on through the change of another one, and make up for a wait from before.
        bound.since_ns = since_ns
        bound.delay_ns = delay_ns
        bound.bytes_per_s = NO_LIMIT if bytes_per_s is None else bytes_per_s
        if bound.bytes_per_s != NO_LIMIT and bound.bytes_per_s == before.bytes_per_s:
            bound.since_ns = min(since_ns, before.since_ns)
            for way in self.sources.values():
                if way.bound is before:
                    # What the proxy holds goes on at once.
                    way.base += len(way.held)
                    way.bound = bound
        self.bounds[direction] = bound

    def call_when_held(self, str direction, int chunks, call):
        """Make a call, once, when so many chunks of one connection wait in the proxy on their way in a direction.

        The call is an event of its own, not a part of the proxy's turn.
        """
        self.awaited.append((direction, chunks, call))

    cdef int call_awaited(self, Way way) except -1:
        for each in [each for each in self.awaited if each[0] == way.direction and each[1] <= len(way.marks)]:
            self.awaited.remove(each)
            self.ground.world.at(self.ground.world.now_ns, each[2])
        return 0

    cdef int add_ways(self, int client, int upstream) except -1:
        self.sources[client] = self.targets[upstream] = Way("upstream")
        self.sources[upstream] = self.targets[client] = Way("downstream")
        return 0

    cdef ssize_t read(self, int stream, char *bytes, size_t size) noexcept nogil:
        cdef ssize_t n = HostTransport.read(self, stream, bytes, size)
        if n > 0:
            with gil:
                try:
                    self.see_read(stream, bytes, n)
                except BaseException as error:
                    self.ground.world.fail(error)
        return n

    cdef ssize_t write(self, int stream, const char *bytes, size_t size) noexcept nogil:
        cdef ssize_t n = HostTransport.write(self, stream, bytes, size)
        if n > 0:
            with gil:
                try:
                    self.see_written(stream, bytes, n)
                except BaseException as error:
                    self.ground.world.fail(error)
        return n

    cdef void close(self, int stream) noexcept nogil:
        HostTransport.close(self, stream)
        with gil:
            self.sources.pop(stream, None)
            self.targets.pop(stream, None)

    cdef int see_read(self, int stream, const char *bytes, Py_ssize_t n) except -1:
        cdef Way way = self.sources[stream]
        cdef Bound bound = self.bounds[way.direction]
        cdef int64_t now_ns = self.ground.time.now_ns()
        if way.bound is not bound:
            way.bound = bound
            way.base = way.read
            way.since_ns = bound.since_ns
        if not way.held:
            # A toxic makes up for waits that were too long, and not for the time in which it had nothing.
            way.since_ns += now_ns - max(way.since_ns, way.empty_ns)
        way.held += bytes[:n]
        way.read += n
        way.marks.append((way.read, now_ns, bound))
        if self.awaited:
            self.call_awaited(way)
        return 0

    cdef int see_written(self, int stream, const char *bytes, Py_ssize_t n) except -1:
        cdef Way way = self.targets[stream]
        cdef Bound bound = self.bounds[way.direction]
        cdef int64_t now_ns = self.ground.time.now_ns(), count, most
        if len(way.held) < n or memcmp(PyByteArray_AS_STRING(way.held), bytes, n):
            raise BrokenInvariant(f"{WHOLE}: at byte {way.written} of a connection's {way.direction} direction")
        del way.held[:n]
        way.written += n
        if not way.held:
            way.empty_ns = now_ns
        while way.marks:
            upto, at_ns, mark_bound = way.marks[0]
            if mark_bound is bound and bound.delay_ns > 0:
                self.delayed += 1
                if now_ns - <int64_t>at_ns < bound.delay_ns:
                    raise BrokenInvariant(
                        f"{DELAYED}: {way.direction}, {now_ns - <int64_t>at_ns} ns, not {bound.delay_ns}")
            if way.written < <int64_t>upto:
                break
            way.marks.popleft()
            if way.written == <int64_t>upto:
                break
        if way.bound is bound and bound.bytes_per_s != NO_LIMIT and way.written > way.base:
            self.limited += 1
            count = way.written - way.base
            # The proxy rounds the time of each chunk down to a ns, and a chunk has a byte at least.
            most = (now_ns - way.since_ns + count) * bound.bytes_per_s // NS_PER_S
            if count > most:
                raise BrokenInvariant(f"{LIMITED}: {way.direction}, {count} bytes, not {most}")
        return 0


cdef class News(Watcher):
    """The receiver of the ground's reports."""

    cdef void on_stream(self, void *owner, bint readable, bint writable) noexcept:
        self.pump.report(owner, readable, writable)

    cdef void on_timer(self) noexcept:
        try:
            self.pump.ring()
        except BaseException as error:
            self.pump.ground.world.fail(error)


cdef class GroundPump(Pump):
    """The connections of one proxy on a ground of its host."""

    def __cinit__(self, Ground ground not None, *, resolve, tell=None):
        cdef News news = News()
        self.ground = ground
        self.time = ground.time
        self.net = self.witness = Witness(ground)
        news.pump = self
        ground.serve(news)

    def listen(self, proxy, int port):
        """Accept connections for a proxy on a port of the host."""
        cdef Listener listener = self.listen_with(Listener.__new__(Listener), proxy, port)

        def come(int end, int port):
            # A stream is accepted in a turn of the host's thread, not while it is paused.
            self.ground.soon(self.accept, listener, end)

        self.ground.listen(port, come)

    def accept(self, Listener listener, int end):
        """Take a stream that has come, unless the proxy has been stopped since."""
        if listener.stream < 0:
            self.net.close(end)
        else:
            self.accepted(listener, end)

    cdef int report(self, void *owner, bint readable, bint writable) noexcept:
        cdef Side side = <Side>owner
        try:
            self.on_side(side, readable, writable, self.ground.has_hung(side.stream))
            self.closed.clear()
        except BaseException as error:
            self.ground.world.fail(error)
        return 0

    # ── What a pump asks for ────────────────────────────────────────────────────────────────────────────────────────

    cdef int watch(self, Side side) except -1:
        cdef Connection connection = side.connection
        if side is connection.upstream:
            self.witness.add_ways(connection.client.stream, side.stream)
        self.ground.watch_edges(side.stream, <void *>side)
        return 0

    cdef int close_listener(self, Listener listener) except -1:
        self.ground.network.set_listener(self.ground.host, listener.stream, REFUSING)
        return 0

    cdef int wake_at(self, int64_t at_ns) except -1:
        Ground.wake_at(self.ground, at_ns)
        return 0

    cdef int turn(self) except -1:
        if not self.turning:
            self.turning = True
            self.ground.soon(self.next_turns)
        return 0

    def next_turns(self):
        """Let flows go on that have had their turn."""
        self.turning = False
        self.go_on()
