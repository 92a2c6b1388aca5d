"""A world in which time is a number: the engine's clock, streams and reactor in one; see `_simulated.pxd`."""

from collections import deque
from heapq import heappop, heappush

from cpython.bytearray cimport PyByteArray_AS_STRING
from libc.errno cimport EAGAIN, ECONNREFUSED
from libc.stdint cimport int64_t
from libc.string cimport memcpy

cdef int64_t NEVER = 1 << 62


cdef class SimulatedTime(Time):
    """A clock that stands still until the world moves it. No CPU time is used; only waits for a CPU count."""

    cdef int64_t now_ns(self) noexcept nogil:
        return self.at_ns

    cdef int64_t queued_ns(self) noexcept nogil:
        return self.waited_ns


cdef class Stream:
    """A stream from the engine to a server."""

    def __cinit__(self, int number, int port):
        self.number = number
        self.port = port
        self.inbound = bytearray()


cdef class World(Reactor):
    """A world with an engine in it, which begins at `start_ns`.

    `server` has `connected(stream, now_ns)`, which returns True to accept the stream, and `received(stream, data,
    now_ns)`. The server answers through `reply` and `hang_up`, each at a time of its own.
    """

    def __cinit__(self, server, int64_t start_ns=1_000_000_000):
        self.time = self.clock = SimulatedTime()
        self.clock.at_ns = start_ns
        self.server = server
        self.net = Links(self)
        self.events = []
        self.streams = {}
        self.ready = []
        self.handed = deque()
        self.pauses = []

    # ── The server's actions ────────────────────────────────────────────────────────────────────────────────────────

    def reply(self, Stream stream, int64_t at_ns, bytes data):
        """Deliver bytes to the engine's side at a time."""
        def come():
            stream.inbound += data
            self.has_news(stream)
        self.happens(at_ns, come)

    def hang_up(self, Stream stream, int64_t at_ns, int error=0):
        """End a stream from the server's side at a time, in good order or, with an errno, by cutting it off."""
        def end():
            stream.ended = True
            stream.error = error
            self.has_news(stream)
        self.happens(at_ns, end)

    def pause(self, int64_t from_ns, int64_t until_ns, *, bint queued=False):
        """Stop the engine's thread for a while; if `queued`, the thread waits for a CPU.

        Pauses are passed in order, and do not overlap.
        """
        self.pauses.append((from_ns, until_ns, queued))

    cdef Stream stream(self, int number):
        return self.streams[number]

    cdef void happens(self, int64_t at_ns, object what) except *:
        self.event_numbers += 1
        heappush(self.events, (max(at_ns, self.clock.at_ns), self.event_numbers, what))

    cdef void has_news(self, Stream stream) noexcept:
        if not stream.closed and stream not in self.ready:
            self.ready.append(stream)

    # ── A reactor ───────────────────────────────────────────────────────────────────────────────────────────────────

    cdef int watch(self, int number, void *owner, bint writing) noexcept:
        cdef Stream stream = self.streams[number]
        stream.owner = owner
        stream.writing = writing
        if stream.decided and writing or stream.inbound or stream.ended:
            self.has_news(stream)
        return 0

    cdef void forget(self, int number) noexcept:
        cdef Stream stream = self.streams[number]
        stream.owner = NULL

    def soon(self, call, *arguments):
        self.handed.append((call, arguments))

    # ── Time ────────────────────────────────────────────────────────────────────────────────────────────────────────

    def run(self, int64_t until_ns):
        """Run to a time, through every event up to that time."""
        cdef int64_t own_ns, world_ns
        while True:
            while self.handed:
                call, arguments = self.handed.popleft()
                call(*arguments)
            own_ns = self.own_ns()
            world_ns = self.events[0][0] if self.events else NEVER
            if min(own_ns, world_ns) > until_ns:
                break
            if world_ns <= own_ns:
                self.clock.at_ns = world_ns
                _, _, what = heappop(self.events)
                what()
            else:
                self.clock.at_ns = max(own_ns, self.clock.at_ns)
                self.act()
        self.clock.at_ns = until_ns

    cdef int64_t own_ns(self) noexcept:
        """Return the time of the engine's next action: at once, or at its own time; but not in a pause."""
        cdef int64_t at_ns = self.clock.at_ns if self.ready or self.sweeping else max(self.next_ns(), self.clock.at_ns)
        while self.pauses and <int64_t>self.pauses[0][1] <= self.clock.at_ns:
            from_ns, until_ns, queued = self.pauses.pop(0)
            if queued:
                self.clock.waited_ns += until_ns - from_ns
        if self.pauses and <int64_t>self.pauses[0][0] <= at_ns < <int64_t>self.pauses[0][1]:
            return self.pauses[0][1]
        return at_ns

    cdef int act(self) except -1:
        """Wake the engine up once: run what is due, and then report each stream that has something."""
        cdef Stream stream
        # A pause that is over is accounted for before anything is done after it.
        self.own_ns()
        if self.next_ns() <= self.clock.at_ns:
            self.ring()
        ready, self.ready = self.ready, []
        for stream in ready:
            if stream.owner == NULL or self.watcher is None:
                continue
            self.watcher.on_stream(stream.owner, stream.decided and (len(stream.inbound) > 0 or stream.ended),
                                   stream.decided and stream.writing)
            if stream.owner != NULL and (stream.inbound or stream.writing):
                # As with level-triggered epoll: what was not taken is reported again.
                self.has_news(stream)
        if self.sweeping and not self.ready:
            self.sweeping = False
            if self.watcher is not None:
                self.watcher.on_swept()
        return 0


cdef class Links(Transport):
    """The streams of a world: without latency, and with room for everything."""

    def __cinit__(self, World world):
        self.world = world

    cdef int connect(self, const Address *to) noexcept nogil:
        with gil:
            return self.open(to.bytes[2] << 8 | <unsigned char>to.bytes[3])

    cdef int open(self, int port):
        cdef World world = self.world
        cdef Stream stream = Stream(len(world.streams), port)
        world.streams[stream.number] = stream

        def decide():
            stream.decided = True
            if not world.server.connected(stream, world.clock.at_ns):
                stream.error = ECONNREFUSED
            world.has_news(stream)
        world.happens(world.clock.at_ns, decide)
        return stream.number

    cdef int connected(self, int number) noexcept nogil:
        with gil:
            return self.decision(self.world.stream(number))

    cdef int decision(self, Stream stream):
        return 0 if not stream.decided else -stream.error if stream.error else 1

    cdef ssize_t read(self, int number, char *data, size_t size) noexcept nogil:
        with gil:
            return self.take(self.world.stream(number), data, size)

    cdef ssize_t take(self, Stream stream, char *data, size_t size):
        cdef size_t n = min(size, <size_t>len(stream.inbound))
        if n:
            memcpy(data, PyByteArray_AS_STRING(stream.inbound), n)
            del stream.inbound[:n]
            return n
        if stream.ended:
            return -stream.error
        return -EAGAIN

    cdef ssize_t write(self, int number, const char *data, size_t size) noexcept nogil:
        with gil:
            self.give(self.world.stream(number), data[:size])
        return size

    cdef object give(self, Stream stream, bytes data):
        cdef World world = self.world
        world.happens(world.clock.at_ns, lambda: world.server.received(stream, data, world.clock.at_ns))

    cdef bint is_writable(self, int number) noexcept nogil:
        return True

    cdef void close(self, int number) noexcept nogil:
        with gil:
            self.world.stream(number).closed = True
