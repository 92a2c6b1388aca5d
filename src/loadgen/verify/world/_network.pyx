"""Hosts, links and streams; `_network.pxd` describes them.

A stream is TCP's as its users see it. A segment that is lost arrives after the timeouts of the kernel: 200 ms, doubled
each time (RFC 6298 with Linux' least timeout). A handshake is repeated after 1 s, doubled each time, six times (Linux'
tcp_syn_retries). Closing an end on which bytes were not read resets the stream (RFC 2525, 2.17), and so do bytes that
come to a closed end. After a reset, an end reads what had arrived, then the error.
"""

from libc.errno cimport EAGAIN, ECONNREFUSED, ECONNRESET, EHOSTUNREACH, EPIPE, ETIMEDOUT
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport abort, calloc, free, realloc
from libc.string cimport memcpy, memmove, memset

from loadgen.verify._tape cimport LIKELY, site_of

ACCEPTING, REFUSING, UNANSWERING = ACCEPTS, REFUSES, SILENT

cdef enum:
    MOST_HOSTS = 64
    FIRST_BYTES = 512       # an end's first buffer
    FIRST_SEGMENTS = 8
    TRIES = 7               # packets of one handshake
    LOSSES = 6              # of one segment, one after the other

cdef int64_t RETRANSMIT_NS = 200_000_000
cdef int64_t HANDSHAKE_NS = 1_000_000_000
cdef int64_t NS_PER_S = 1_000_000_000

# The kinds of the network's events. The argument is an end, but for pauses.
cdef enum:
    ARRIVES = 1
    GREETS = 2
    WELCOMES = 3
    REFUSED = 4
    HAS_ROOM = 5
    PAUSES = 6
    RESUMES = 7

cdef int JITTER = site_of("jitter")
cdef int SPLIT = site_of("segment is split")
cdef int SPLIT_AT = site_of("split at")
cdef int LOSS = site_of("segment is lost")


cdef void on_event(void *network, int kind, int64_t argument) noexcept:
    (<Network>network).on_event(kind, argument)


cdef class Network:
    """The network of a world, on which at most `buffer_bytes` of each direction of a stream wait to be read."""

    def __cinit__(self, World world not None, int64_t buffer_bytes=1 << 20):
        self.world = world
        self.buffer_bytes = buffer_bytes
        self.grounds = []
        self.pauses = []
        self.links = <Link *>calloc(MOST_HOSTS * MOST_HOSTS, sizeof(Link))
        self.threads = <Thread **>calloc(MOST_HOSTS, sizeof(Thread *))
        if self.links == NULL or self.threads == NULL:
            raise MemoryError()
        self.actor = world.join(self, on_event, True)

    def __dealloc__(self):
        cdef int i
        for i in range(self.n_ends):
            free(self.ends[i].bytes)
            free(self.ends[i].segments)
        if self.threads != NULL:
            for i in range(self.hosts):
                free(self.threads[i])
        free(self.threads)
        free(self.ends)
        free(self.links)
        free(self.listeners)

    cdef Link *link(self, int from_host, int to_host) noexcept nogil:
        return &self.links[from_host * MOST_HOSTS + to_host]

    cdef void tell(self, int end) noexcept:
        if self.ends[end].ground != NULL and not self.ends[end].gone:
            self.news(self.ends[end].ground, end)

    cdef void on_event(self, int kind, int64_t argument) noexcept:
        cdef int end = <int>argument
        if kind == ARRIVES:
            self.arrive(end)
        elif kind == GREETS:
            self.greet(end)
        elif kind == WELCOMES:
            self.welcome(end)
        elif kind == REFUSED:
            if not self.ends[end].gone:
                self.refusals += 1
                self.ends[end].state = FAILED
                self.ends[end].error = ECONNREFUSED
                self.tell(end)
        elif kind == HAS_ROOM:
            self.tell(end)
        else:
            host, waited_ns = self.pauses[end]
            if kind == PAUSES:
                self.threads[<int>host].pauses += 1
                return
            self.threads[<int>host].pauses -= 1
            self.threads[<int>host].waited_ns += waited_ns
            if self.threads[<int>host].pauses == 0:
                for ground in self.grounds[host]:
                    self.resumed(<void *>ground)

    # ── A host's kernel ─────────────────────────────────────────────────────────────────────────────────────────────

    cdef int connect(self, int from_host, int to_host, int port, void *ground) noexcept nogil:
        cdef int n = self.n_ends, capacity
        cdef End *grown
        if to_host < 0 or to_host >= self.hosts:
            return -EHOSTUNREACH
        if n + 2 > self.ends_capacity:
            capacity = max(16, 2 * self.ends_capacity)
            grown = <End *>realloc(self.ends, capacity * sizeof(End))
            if grown == NULL:
                abort()
            self.ends = grown
            self.ends_capacity = capacity
        memset(&self.ends[n], 0, 2 * sizeof(End))
        self.n_ends += 2
        self.ends[n].host = from_host
        self.ends[n + 1].host = to_host
        self.ends[n].port = self.ends[n + 1].port = port
        self.ends[n].ground = ground
        self.world.schedule(self.clock_ns(from_host) + self.link(from_host, to_host).latency_ns, self.actor, GREETS, n)
        return n

    cdef void greet_again(self, int end) noexcept:
        cdef End *e = &self.ends[end]
        cdef int64_t wait_ns = HANDSHAKE_NS << e.tries
        e.tries += 1
        self.handshakes += 1
        if e.tries == TRIES:
            e.state = FAILED
            e.error = ETIMEDOUT
            self.tell(end)
            return
        self.world.schedule(self.world.now_ns + wait_ns, self.actor, GREETS, end)

    cdef void greet(self, int end) noexcept:
        cdef End *e = &self.ends[end]
        cdef End *other = &self.ends[end ^ 1]
        cdef Listener *listener = self.listener(other.host, e.port)
        cdef int64_t back_ns = self.world.now_ns + self.link(other.host, e.host).latency_ns
        if e.gone:
            return
        if self.link(e.host, other.host).cut or not self.threads[other.host].up or (
                listener != NULL and listener.mode == SILENT):
            self.greet_again(end)
            return
        if listener == NULL or listener.mode == REFUSES:
            self.world.schedule(back_ns, self.actor, REFUSED, end)
            return
        self.world.schedule(back_ns, self.actor, WELCOMES, end)

    cdef void welcome(self, int end) noexcept:
        cdef End *e = &self.ends[end]
        if e.gone:
            return
        if self.link(self.ends[end ^ 1].host, e.host).cut:
            self.greet_again(end)
            return
        e.state = CONNECTED
        self.send(end ^ 1, 0, HELLO)
        self.tell(end)

    cdef int connected(self, int end) noexcept nogil:
        cdef End *e = &self.ends[end]
        cdef int error = e.error
        if e.state == CONNECTING:
            return 0
        e.error = 0
        return -error if error else -ECONNRESET if e.broken else 1

    cdef ssize_t read(self, int end, char *into, size_t size) noexcept nogil:
        cdef End *e = &self.ends[end]
        cdef int error
        cdef size_t n = min(size, <size_t>(e.arrived - e.taken))
        if n:
            memcpy(into, e.bytes + (e.taken - e.base), n)
            e.taken += n
            if e.taken == e.written:
                e.base = e.taken
            if self.ends[end ^ 1].starved and self.has_room(end ^ 1):
                self.ends[end ^ 1].starved = False
                self.world.schedule(self.clock_ns(e.host) + self.link(e.host, self.ends[end ^ 1].host).latency_ns,
                                    self.actor, HAS_ROOM, end ^ 1)
            return n
        if e.ended:
            return 0
        if e.error:
            error = e.error
            e.error = 0
            return -error
        return 0 if e.broken else -EAGAIN

    cdef bint has_room(self, int end) noexcept nogil:
        cdef End *other = &self.ends[end ^ 1]
        # As Linux tells it (sk_stream_is_writeable), when a third is free: who writes into every byte that is taken
        # sends ever smaller segments.
        return 3 * <int64_t>(other.written - other.taken) <= 2 * self.buffer_bytes

    cdef ssize_t write(self, int end, const char *bytes, size_t size) noexcept nogil:
        cdef End *e = &self.ends[end]
        cdef End *into = &self.ends[end ^ 1]
        cdef Link *link
        cdef ssize_t taken
        cdef int error = e.error
        cdef int64_t room = self.buffer_bytes - <int64_t>(into.written - into.taken)
        cdef uint64_t at
        if error:
            e.error = 0
            return -error
        if e.broken or e.shut:
            return -EPIPE
        if e.state != CONNECTED or room <= 0:
            e.starved = True
            self.starvations += 1
            return -EAGAIN
        size = min(size, <size_t>room)
        taken = size
        at = into.written
        if not into.gone:
            make_room(into, size)
            memcpy(into.bytes + (at - into.base), bytes, size)
        into.written += size
        # Whoever waits for room from now on is told when there is some.
        e.starved = not self.has_room(end)
        self.starvations += taken == room
        link = self.link(e.host, into.host)
        while link.split and size > 1 and self.world.tape.chance_of(SPLIT, link.split):
            self.splits += 1
            at += 1 + self.world.tape.draw(SPLIT_AT, size - 1)
            size = into.written - at
            self.send(end ^ 1, at, 0)
        self.send(end ^ 1, into.written, 0)
        return taken

    cdef void shut(self, int end) noexcept nogil:
        cdef End *e = &self.ends[end]
        if e.state == CONNECTED and not e.shut and not e.broken and not e.silent:
            e.shut = True
            self.send(end ^ 1, self.ends[end ^ 1].written, END)

    cdef void close(self, int end) noexcept nogil:
        cdef End *e = &self.ends[end]
        if e.gone:
            return
        if e.state == CONNECTED and not e.broken and not e.silent:
            if e.arrived != e.taken or e.resets:
                self.send(end ^ 1, self.ends[end ^ 1].written, BREAK)
                e.broken = True
            else:
                self.shut(end)
        e.gone = True
        e.watched = False
        e.owner = e.ground = NULL
        free(e.bytes)
        e.bytes = NULL
        e.capacity = 0

    cdef int unacknowledged(self, int end) noexcept nogil:
        cdef End *into = &self.ends[end ^ 1]
        self.settle(end ^ 1)
        return <int>(into.written - into.known)

    cdef void settle(self, int end) noexcept nogil:
        """Count what the other end knows by now to have arrived at this one."""
        cdef End *e = &self.ends[end]
        cdef int other = self.ends[end ^ 1].host
        cdef int64_t back_ns = self.link(e.host, other).latency_ns, now_ns = self.clock_ns(other)
        while e.acknowledged != e.next and e.segments[e.acknowledged & e.mask].at_ns + back_ns <= now_ns:
            e.known = e.segments[e.acknowledged & e.mask].upto
            e.acknowledged += 1

    cdef Listener *listener(self, int host, int port) noexcept nogil:
        cdef int i
        for i in range(self.n_listeners):
            if self.listeners[i].host == host and self.listeners[i].port == port:
                return &self.listeners[i]
        return NULL

    cdef int listen(self, int host, int port, int mode, void *ground) except -1:
        cdef Listener *found = self.listener(host, port)
        cdef Listener *grown
        if found == NULL:
            grown = <Listener *>realloc(self.listeners, (self.n_listeners + 1) * sizeof(Listener))
            if grown == NULL:
                raise MemoryError()
            self.listeners = grown
            found = &self.listeners[self.n_listeners]
            self.n_listeners += 1
        found.host, found.port, found.mode, found.ground = host, port, mode, ground
        return 0

    # ── The way of a segment ────────────────────────────────────────────────────────────────────────────────────────

    cdef void send(self, int end, uint64_t upto, int flags) noexcept nogil:
        cdef End *e = &self.ends[end]
        cdef Link *link = self.link(self.ends[end ^ 1].host, e.host)
        cdef int64_t at_ns = self.clock_ns(self.ends[end ^ 1].host), wait_ns = RETRANSMIT_NS
        cdef uint64_t before = e.segments[(e.tail - 1) & e.mask].upto if e.segments != NULL else 0
        self.segments += 1
        if link.bytes_per_s:
            at_ns = max(at_ns, link.free_ns) + <int64_t>((upto - before) * NS_PER_S // link.bytes_per_s)
            link.free_ns = at_ns
        at_ns += link.latency_ns
        if link.jitter_ns:
            at_ns += self.world.tape.draw(JITTER, link.jitter_ns + 1)
        if link.loss:
            for _ in range(LOSSES):
                if not self.world.tape.chance_of(LOSS, link.loss):
                    break
                self.losses += 1
                at_ns += wait_ns
                wait_ns *= 2
        at_ns = e.last_ns = max(at_ns, e.last_ns)
        if e.segments == NULL or e.tail - e.acknowledged > e.mask:
            self.settle(end)
            if e.segments == NULL or e.tail - e.acknowledged > e.mask:
                grow_segments(e)
        e.segments[e.tail & e.mask].at_ns = at_ns
        e.segments[e.tail & e.mask].upto = upto
        e.segments[e.tail & e.mask].flags = flags
        e.tail += 1
        if e.tail - e.next == 1 and not e.held:
            self.world.schedule(at_ns, self.actor, ARRIVES, end)

    cdef void schedule_next(self, int end) noexcept:
        cdef End *e = &self.ends[end]
        if e.next != e.tail and not e.held:
            self.world.schedule(e.segments[e.next & e.mask].at_ns, self.actor, ARRIVES, end)

    cdef void arrive(self, int end) noexcept:
        cdef End *e = &self.ends[end]
        cdef Segment *segment
        cdef Listener *listener
        cdef int flags
        if e.next == e.tail:
            # A reset has dropped what was under way.
            return
        if self.link(self.ends[end ^ 1].host, e.host).cut or not self.threads[e.host].up:
            self.holds += 1
            e.held = True
            return
        segment = &e.segments[e.next & e.mask]
        flags = segment.flags
        if e.gone or e.broken or e.silent:
            self.refuse_bytes(end)
            return
        segment.at_ns = self.world.now_ns
        e.next += 1
        if segment.upto != e.arrived:
            self.world.note_bytes(e.bytes + (e.arrived - e.base), segment.upto - e.arrived)
            e.arrived = segment.upto
        if flags & BREAK:
            self.break_end(end)
            return
        if flags & END:
            e.ended = True
        if flags & HELLO:
            listener = self.listener(e.host, e.port)
            if listener == NULL or listener.mode == REFUSES or listener.ground == NULL:
                self.send(end ^ 1, self.ends[end ^ 1].written, BREAK)
                e.gone = True
            else:
                e.state = CONNECTED
                e.ground = listener.ground
                self.accept(e.ground, end, e.port)
                # The call may have opened streams, which moves the ends.
                self.schedule_next(end)
                return
        else:
            self.tell(end)
        self.schedule_next(end)

    cdef void refuse_bytes(self, int end) noexcept:
        """Drop what comes to an end that is no more; its host answers bytes with a reset."""
        cdef End *e = &self.ends[end]
        cdef Segment *segment
        cdef bint answered = False
        while e.next != e.tail:
            segment = &e.segments[e.next & e.mask]
            answered = answered or segment.upto != e.arrived
            e.next += 1
        # Nothing of it is acknowledged. What had arrived before was, by the end of the stream at the latest.
        e.known = e.arrived
        e.acknowledged = e.next
        if answered and not e.silent and not e.broken:
            e.broken = True
            self.send(end ^ 1, self.ends[end ^ 1].written, BREAK)

    cdef void break_end(self, int end) noexcept:
        """Reset one end: what has arrived can be read, and then there is the error."""
        cdef End *e = &self.ends[end]
        if e.broken:
            return
        self.resets += 1
        e.error = EPIPE if e.ended else ECONNRESET
        e.broken = True
        self.drop_flight(end)
        self.tell(end)

    cdef void drop_flight(self, int end) noexcept:
        cdef End *e = &self.ends[end]
        # An event of the arrival may be left, which finds nothing.
        e.known = e.arrived
        e.acknowledged = e.next = e.tail

    cdef int64_t sent_again_ns(self, int64_t at_ns) noexcept:
        """Return when a segment that was to arrive at a time, and could not, is sent again, from now on."""
        cdef int64_t wait_ns = RETRANSMIT_NS
        while at_ns < self.world.now_ns:
            at_ns += wait_ns
            wait_ns *= 2
        return at_ns

    # ── The Python face ─────────────────────────────────────────────────────────────────────────────────────────────

    def end(self):
        """Forget who has grounds: the world was closed."""
        self.grounds.clear()

    def host(self):
        """Add a host, whose links have no latency and no bound until `set_link`."""
        cdef Host host = Host.__new__(Host)
        cdef Thread *thread
        if self.hosts == MOST_HOSTS:
            raise ValueError(f"a network has {MOST_HOSTS} hosts at most")
        thread = <Thread *>calloc(1, sizeof(Thread))
        if thread == NULL:
            raise MemoryError()
        thread.up = True
        self.threads[self.hosts] = thread
        self.hosts += 1
        self.grounds.append([])
        host.network = self
        host.number = self.hosts - 1
        host.address = f"10.0.0.{self.hosts}"
        return host

    def set_link(self, Host from_host not None, Host to_host not None, *, int64_t latency_ns=0, int64_t jitter_ns=0,
                 int64_t bytes_per_s=0, double split=0.0, double loss=0.0):
        """Set one direction between two hosts. Segments that are under way keep their times."""
        cdef Link *link = self.link(from_host.number, to_host.number)
        link.latency_ns, link.jitter_ns, link.bytes_per_s = latency_ns, jitter_ns, bytes_per_s
        link.split, link.loss = likely(split), likely(loss)

    def cut(self, Host from_host not None, Host to_host not None):
        """Let nothing pass from one host to another: segments wait, handshakes are repeated."""
        self.link(from_host.number, to_host.number).cut = True

    def heal(self, Host from_host not None, Host to_host not None):
        """End a cut. What waits is sent again when the kernel's timeouts say so."""
        self.link(from_host.number, to_host.number).cut = False
        self.release(from_host.number, to_host.number)

    cdef int release(self, int from_host, int to_host) except -1:
        """Let segments go on that waited between two hosts."""
        cdef End *e
        cdef int end
        cdef int64_t at_ns
        for end in range(self.n_ends):
            e = &self.ends[end]
            if e.held and e.host == to_host and self.ends[end ^ 1].host == from_host:
                e.held = False
                if e.next != e.tail:
                    at_ns = self.sent_again_ns(e.segments[e.next & e.mask].at_ns)
                    e.last_ns = max(e.last_ns, at_ns)
                    self.world.schedule(at_ns, self.actor, ARRIVES, end)
        return 0

    def set_listener(self, Host host not None, int port, int mode):
        """Have a port accept, refuse or not answer: one of ACCEPTING, REFUSING, UNANSWERING.

        Who listens on an accepting port says so itself; before that, it is refusing.
        """
        cdef Listener *found = self.listener(host.number, port)
        self.listen(host.number, port, mode, NULL if found == NULL else found.ground)

    def open_ends(self, Host host not None):
        """Return the ends on a host that are connected, and that the host has not closed, oldest first."""
        cdef int i
        return [i for i in range(self.n_ends)
                if self.ends[i].host == host.number and self.ends[i].state == CONNECTED and not self.ends[i].gone]

    def reset(self, int end):
        """Reset both ends of a stream, as a box between its hosts does."""
        self.break_end(end)
        self.break_end(end ^ 1)

    def vanish(self, int end):
        """Reset one end, without a word to the other: what the other sends from now on is never answered."""
        self.break_end(end)
        self.ends[end].silent = True


cdef class Host:
    """A machine with one thread. `Network.host` makes one."""

    def pause(self, int64_t from_ns, int64_t until_ns, *, bint queued=False):
        """Stop the thread for a while; if `queued`, the thread waits for a CPU."""
        cdef Network network = self.network
        network.pauses.append((self.number, until_ns - from_ns if queued else 0))
        network.world.schedule(from_ns, network.actor, PAUSES, len(network.pauses) - 1)
        network.world.schedule(until_ns, network.actor, RESUMES, len(network.pauses) - 1)

    def shift_unix_time(self, int64_t by_ns):
        """Set the host's Unix clock forward or, with a negative time, back."""
        self.network.threads[self.number].unix_shift_ns += by_ns

    def kill(self, *, bint power=True):
        """End all that the host has: streams are closed by its kernel, and ports refuse.

        Without `power` nothing is sent, and nothing is answered, until `restart`.
        """
        cdef Network network = self.network
        cdef int i
        network.threads[self.number].up = power
        network.threads[self.number].until_ns = 0
        for i in range(network.n_listeners):
            if network.listeners[i].host == self.number:
                network.listeners[i].mode = REFUSES
                network.listeners[i].ground = NULL
        for i in range(network.n_ends):
            if network.ends[i].host != self.number or network.ends[i].gone:
                continue
            if not power:
                network.ends[i].shut = network.ends[i].broken = True
            network.close(i)
            network.ends[i].broken = False
        for ground in network.grounds[self.number]:
            ground.end()
        network.grounds[self.number].clear()

    def restart(self):
        """Give the host power again. Its ports refuse until somebody listens, and old streams are answered by resets.
        """
        cdef Network network = self.network
        cdef int host
        if network.threads[self.number].up:
            return
        network.threads[self.number].up = True
        for host in range(network.hosts):
            network.release(host, self.number)


cdef uint64_t likely(double probability) noexcept:
    return <uint64_t>(probability * (<uint64_t>1 << LIKELY) + 0.5)


cdef void make_room(End *e, size_t size) noexcept nogil:
    """Make room for `size` more bytes behind those written: by moving the bytes to the front, or a larger buffer."""
    cdef size_t used = e.written - e.taken, capacity = e.capacity
    cdef char *grown
    if e.written - e.base + size <= e.capacity:
        return
    if e.taken != e.base:
        memmove(e.bytes, e.bytes + (e.taken - e.base), used)
        e.base = e.taken
    if used + size <= capacity:
        return
    capacity = max(<size_t>FIRST_BYTES, 2 * (used + size))
    grown = <char *>realloc(e.bytes, capacity)
    if grown == NULL:
        abort()
    e.bytes = grown
    e.capacity = capacity


cdef void grow_segments(End *e) noexcept nogil:
    cdef uint32_t capacity = FIRST_SEGMENTS if e.segments == NULL else 2 * (e.mask + 1)
    cdef Segment *grown = <Segment *>calloc(capacity, sizeof(Segment))
    cdef uint32_t i = e.acknowledged
    if grown == NULL:
        abort()
    # No range: the indices wrap at 2**32.
    while i != e.tail:
        grown[i & (capacity - 1)] = e.segments[i & e.mask]
        i += 1
    free(e.segments)
    e.segments = grown
    e.mask = capacity - 1


cdef bint parse_address(const char *sockaddr, int hosts, int *host, int *port) noexcept nogil:
    cdef const uint8_t *bytes = <const uint8_t *>sockaddr
    port[0] = bytes[2] << 8 | bytes[3]
    host[0] = bytes[7] - 1
    return bytes[4] == 10 and bytes[5] == 0 and bytes[6] == 0 and 0 <= host[0] < hosts
