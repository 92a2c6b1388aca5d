"""The connections of proxies: clients are accepted, upstreams dialled, and their bytes moved through links.

`_pump.pxd` is the design. Links are Python, and are left out while no toxic acts: then each read is followed by a
write, from one buffer, without a Python object.
"""

from heapq import heappop, heappush

from libc.errno cimport EAGAIN
from libc.stdint cimport int64_t
from libc.stdlib cimport free, malloc

from loadgen.engine._transport cimport Address, address_of

from loadgen.faults.proxy.chain.chunk import MOST_BYTES
from loadgen.faults.proxy.chain.chunk import NEVER as NEVER_NS

__all__ = ["Flow", "Pump"]

cdef enum:
    TURNS = 16          # reads of one flow before the others have their turn
    BUFFER = 256 * 1024
    LEAST_TIDIED = 1024  # entries of the heap

cdef int64_t NEVER = NEVER_NS
cdef Py_ssize_t CHUNK = MOST_BYTES


cdef class Watched:
    """What the pump has news of."""


cdef class Listener(Watched):
    """The listener of one proxy."""


cdef class Side(Watched):
    """One end of a connection."""


cdef class Connection:
    """A client's connection and its counterpart."""


cdef class Flow:
    """One direction of a connection. Its proxy changes `link` and then calls `touch`."""

    def touch(self):
        """Act on a change of the link."""
        self.clear = False
        self.owner.listener.pump.advance(self)


cdef class Pump:
    """The connections of all proxies. Only the subclasses can be used.

    `resolve(address, callback)` is called with an upstream's `host:port`, and calls back, now or later, with a list of
    numeric hosts and ports. `tell` receives a line for each connection that is
    opened, closed or cannot be made; it may be None.
    """

    def __cinit__(self, *arguments, resolve, tell=None, **options):
        self.resolve = resolve
        self.tell = tell
        self.heap = []
        self.again = []
        self.closed = []
        self.listeners = {}
        self.armed_ns = NEVER
        self.most = LEAST_TIDIED
        self.buffer = <char *>malloc(BUFFER)
        if self.buffer == NULL:
            raise MemoryError()

    def __dealloc__(self):
        free(self.buffer)

    def now_ns(self):
        """Return the monotonic time."""
        return self.time.now_ns()

    cdef Listener listen_with(self, Listener listener, object proxy, int stream):
        """Fill in the listener of a proxy; it belongs to the pump then."""
        listener.stream = stream
        listener.pump = self
        listener.proxy = proxy
        listener.connections = {}
        self.listeners[proxy] = listener
        return listener

    def stop(self, proxy):
        """Close a proxy's listener and all its connections; return the number of connections."""
        cdef Listener listener = self.listeners.pop(proxy)
        cdef int count = len(listener.connections)
        self.close_listener(listener)
        listener.stream = -1
        self.closed.append(listener)
        for connection in [*listener.connections]:
            self.drop(connection)
        return count

    def close(self):
        """Close everything."""
        for proxy in [*self.listeners]:
            self.stop(proxy)
        self.heap.clear()
        self.again.clear()
        self.closed.clear()

    # ── Of a subclass ───────────────────────────────────────────────────────────────────────────────────────────────

    # Every subclass has each of these; `_pump.pxd` says what they do.

    cdef int watch(self, Side side) except -1:
        raise NotImplementedError

    cdef int close_listener(self, Listener listener) except -1:
        raise NotImplementedError

    cdef int wake_at(self, int64_t at_ns) except -1:
        raise NotImplementedError

    cdef int turn(self) except -1:
        raise NotImplementedError

    # ── News ────────────────────────────────────────────────────────────────────────────────────────────────────────

    cdef int on_side(self, Side side, bint readable, bint writable, bint hung) except -1:
        """Act on news of a stream: bytes, room, or `hung`, when it ended or failed."""
        cdef int result
        if side.connecting:
            result = self.net.connected(side.stream)
            if result == 0:
                return 0
            if result < 0:
                self.close_side(side)
                self.dial_next(side.connection)
                return 0
            side.connecting = False
            # The server may have sent already, and ended even: the same report may say so.
            side.readable = side.writable = True
            side.hung = hung
            self.stand(side.connection)
            return 0
        if hung:
            side.hung = True
        if readable or hung:
            side.readable = True
        if writable:
            side.writable = True
        if side.into is not None and side.readable:
            self.advance(side.into)
        if side.out is not None and side.stream >= 0 and writable and side.out.pending is not None:
            self.advance(side.out)
        return 0

    cdef int go_on(self) except -1:
        """Let each flow that has had its turn have the next one. `again` has those that want yet another."""
        cdef Flow flow
        flows, self.again = self.again, []
        for flow in flows:
            flow.queued = False
            self.advance(flow)
        self.closed.clear()
        return 0

    # ── Connections ─────────────────────────────────────────────────────────────────────────────────────────────────

    cdef int accepted(self, Listener listener, int stream) except -1:
        """Take a client's stream, and begin to dial the upstream for it."""
        cdef Connection connection = Connection.__new__(Connection)
        cdef Side client = Side.__new__(Side)
        listener.proxy.counts.accepted += 1
        listener.accepted += 1
        connection.listener = listener
        connection.number = listener.proxy.counts.accepted
        client.stream = stream
        client.pump = self
        client.connection = connection
        client.readable = client.writable = True
        connection.client = client
        listener.connections[connection] = None
        self.resolve(listener.proxy.upstream, Dial(self, connection))
        return 0

    cdef int dial_next(self, Connection connection) except -1:
        """Dial the next address of the upstream. Without another one, the client's connection is closed."""
        cdef Address to
        cdef Side side
        cdef int stream
        while connection.addresses:
            host, port = connection.addresses.pop(0)
            address_of(&to, host, port)
            stream = self.net.connect(&to)
            if stream < 0:
                continue
            side = Side.__new__(Side)
            side.stream = stream
            side.pump = self
            side.connection = connection
            side.connecting = True
            connection.upstream = side
            self.watch(side)
            return 0
        proxy = connection.listener.proxy
        proxy.counts.unreachable += 1
        self.say(f"connection {connection.number} of {proxy.name} closed: {proxy.upstream} cannot be reached")
        self.drop(connection)
        return 0

    cdef int stand(self, Connection connection) except -1:
        """Begin to move bytes, both ends being connected."""
        cdef Flow up = Flow.__new__(Flow), down = Flow.__new__(Flow), flow
        cdef Side client = connection.client, upstream = connection.upstream
        proxy = connection.listener.proxy
        ways = ((up, "upstream", client, upstream), (down, "downstream", upstream, client))
        for flow, direction, source, dest in ways:
            flow.proxy = proxy
            flow.owner = connection
            flow.connection = connection.number
            flow.direction = direction
            flow.source = source
            flow.dest = dest
            flow.armed_ns = NEVER
            flow.link = proxy.link(direction, connection.number)
            flow.clear = flow.link.clear
            (<Side>source).into = flow
            (<Side>dest).out = flow
            proxy.flows[flow] = None
        if up.link.resets or down.link.resets:
            self.net.reset_on_close(client.stream)
            self.net.reset_on_close(upstream.stream)
        self.say(f"connection {connection.number} of {proxy.name} opened")
        self.watch(client)
        self.advance(up)
        if not down.ended:
            self.advance(down)
        return 0

    cdef int close_side(self, Side side) except -1:
        if side.stream >= 0:
            self.net.close(side.stream)
            side.stream = -1
            self.closed.append(side)
        return 0

    cdef int drop(self, Connection connection) except -1:
        """Close both ends at once, whatever is under way."""
        cdef Flow flow
        cdef Side side
        for side in (connection.client, connection.upstream):
            if side is None:
                continue
            flow = side.into
            self.close_side(side)
            if flow is not None and not flow.ended:
                flow.ended = True
                self.count(flow)
        connection.listener.connections.pop(connection, None)
        return 0

    # ── Bytes ───────────────────────────────────────────────────────────────────────────────────────────────────────

    cdef int advance(self, Flow flow) except -1:
        """Move what can be moved, and say when to go on."""
        cdef int turns = TURNS
        cdef int64_t now_ns = 0
        cdef bint moved = True
        if flow.ended:
            return self.discard(flow)
        while moved and not flow.ended:
            if turns == 0:
                if not flow.queued:
                    flow.queued = True
                    self.again.append(flow)
                    self.turn()
                break
            turns -= 1
            moved = self.drain(flow)
            if flow.ended:
                return 0
            if not flow.clear:
                now_ns = self.time.now_ns()
                moved = self.go_through(flow, now_ns) or moved
            elif flow.pending is None:
                moved = self.pass_through(flow) or moved
        if not (flow.clear or flow.ended):
            self.arm(flow)
        return 0

    cdef bint drain(self, Flow flow) except -1:
        """Write what is pending; return True when any of it has gone."""
        cdef ssize_t n
        cdef Py_ssize_t length
        cdef const char *data
        if flow.pending is None or not flow.dest.writable:
            return False
        data = flow.pending
        length = len(flow.pending) - flow.at
        n = self.net.write(flow.dest.stream, data + flow.at, length)
        if n < 0:
            if n == -EAGAIN:
                flow.dest.writable = False
            else:
                self.end(flow)
            return False
        flow.sent += n
        flow.at += n
        if n == length:
            flow.pending = None
            flow.at = 0
        return True

    cdef bint pass_through(self, Flow flow) except -1:
        """Read once and write that at once; return True when more may be there."""
        cdef ssize_t n, sent = 0
        cdef Side source = flow.source, dest = flow.dest
        if not source.readable or flow.source_ended:
            return False
        n = self.net.read(source.stream, self.buffer, BUFFER)
        if n == -EAGAIN:
            source.readable = False
            return False
        if n <= 0:
            self.end_source(flow)
            return True
        flow.received += n
        if n < BUFFER and not source.hung:
            # A short read has emptied the stream: what comes later is reported again (epoll(7)).
            source.readable = False
        if dest.writable:
            sent = self.net.write(dest.stream, self.buffer, n)
            if sent < 0:
                if sent != -EAGAIN:
                    self.end(flow)
                    return False
                dest.writable = False
                sent = 0
            flow.sent += sent
        if sent < n:
            flow.pending = self.buffer[sent:n]
            flow.at = 0
        return True

    cdef bint go_through(self, Flow flow, int64_t now_ns) except -1:
        """Move chunks through the link; return True when anything went on."""
        link = flow.link
        cdef bint moved = self.read_chunk(flow, now_ns)
        link.run(now_ns)
        if flow.pending is not None:
            return moved
        data = link.take()
        if data is not None:
            if data:
                flow.pending = data
                flow.at = 0
            return True
        if link.ended:
            self.end(flow)
            return False
        if link.clear:
            flow.clear = True
            return True
        return moved

    cdef bint read_chunk(self, Flow flow, int64_t now_ns) except -1:
        """Read a chunk into the link, when there is one and room for it; return True when one came, or the end."""
        cdef ssize_t n
        cdef Side source = flow.source
        if flow.source_ended or not source.readable or not flow.link.has_room():
            return False
        n = self.net.read(source.stream, self.buffer, CHUNK)
        if n == -EAGAIN:
            source.readable = False
            return False
        if n <= 0:
            self.end_source(flow)
            return True
        flow.received += n
        flow.link.feed(self.buffer[:n], now_ns)
        return True

    cdef int end_source(self, Flow flow) except -1:
        """Tell the link that nothing more comes."""
        flow.source_ended = True
        flow.clear = False
        flow.link.finish()
        return 0

    cdef int end(self, Flow flow) except -1:
        """Close the destination, the whole socket as Toxiproxy does: the other direction loses its source."""
        cdef Flow other = flow.dest.into
        flow.ended = True
        self.close_side(flow.dest)
        self.count(flow)
        if other is not None and not other.ended:
            if not other.source_ended:
                self.end_source(other)
            self.advance(other)
            self.discard(flow)
        elif flow.owner in flow.owner.listener.connections:
            self.close_side(flow.source)
            flow.owner.listener.connections.pop(flow.owner, None)
            self.say(f"connection {flow.connection} of {flow.proxy.name} closed")
        return 0

    cdef int discard(self, Flow flow) except -1:
        """Drop what comes for a destination that is closed.

        The source would wait for ever to write it, and not read the rest of the other direction, which is its own end.
        """
        cdef int turns = TURNS
        cdef ssize_t n
        cdef Side source = flow.source
        while source.stream >= 0 and source.readable:
            if turns == 0:
                if not flow.queued:
                    flow.queued = True
                    self.again.append(flow)
                    self.turn()
                return 0
            turns -= 1
            n = self.net.read(source.stream, self.buffer, BUFFER)
            source.readable = n > 0
        return 0

    cdef int say(self, str line) except -1:
        if self.tell is not None:
            self.tell(line)
        return 0

    cdef int count(self, Flow flow) except -1:
        """Add an ended flow to its proxy's counts."""
        traffic = flow.proxy.traffic[flow.direction]
        traffic[0] += flow.received
        traffic[1] += flow.sent
        flow.proxy.flows.pop(flow, None)
        return 0

    # ── Time ────────────────────────────────────────────────────────────────────────────────────────────────────────

    cdef int arm(self, Flow flow) except -1:
        """Have the flow go on at the time that its link says, or before: it then says the time again."""
        cdef int64_t at_ns = flow.link.wake_ns
        if at_ns >= flow.armed_ns:
            return 0
        flow.armed_ns = at_ns
        self.entries += 1
        heappush(self.heap, (at_ns, self.entries, flow))
        if len(self.heap) > self.most:
            self.tidy()
        if at_ns < self.armed_ns:
            self.armed_ns = at_ns
            self.wake_at(at_ns)
        return 0

    cdef int tidy(self) except -1:
        """Throw away the entries of the heap that no flow waits for any more."""
        cdef Flow flow
        kept = {}
        for entry in self.heap:
            flow = entry[2]
            if flow.armed_ns == <int64_t>entry[0] and not flow.ended:
                kept[flow] = entry
        self.heap = sorted(kept.values())
        self.most = max(LEAST_TIDIED, 2 * len(self.heap))
        return 0

    cdef int ring(self) except -1:
        """Go on with every flow whose time has come."""
        cdef int64_t now_ns = self.time.now_ns()
        cdef Flow flow
        while self.heap and <int64_t>self.heap[0][0] <= now_ns:
            at_ns, _, flow = heappop(self.heap)
            # A flow that was armed for an earlier time since then has had another entry.
            if flow.armed_ns == <int64_t>at_ns and not flow.ended:
                flow.armed_ns = NEVER
                self.advance(flow)
        self.armed_ns = <int64_t>self.heap[0][0] if self.heap else NEVER
        if self.armed_ns != NEVER:
            self.wake_at(self.armed_ns)
        return 0


cdef class Dial:
    """The continuation of an accepted connection, when its upstream's addresses are known."""

    cdef Pump pump
    cdef Connection connection

    def __cinit__(self, Pump pump, Connection connection):
        self.pump = pump
        self.connection = connection

    def __call__(self, addresses):
        if self.connection in self.connection.listener.connections:
            self.connection.addresses = list(addresses)
            self.pump.dial_next(self.connection)
