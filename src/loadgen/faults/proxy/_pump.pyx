"""The sockets of proxies: connections are accepted and dialled, and their bytes moved through links.

`_pump.pxd` is the design. Links are Python, and are left out while no toxic acts: then each read is followed by a
write, from one buffer, without a Python object.
"""

import os
from heapq import heappop, heappush

from libc.errno cimport EAGAIN, EINTR, ECONNABORTED, errno
from libc.stdint cimport int64_t, uint32_t
from libc.stdlib cimport free, malloc

from loadgen.engine._clock cimport timer_arm, timer_open
from loadgen.engine._time cimport Monotonic
from loadgen.engine._transport cimport Address, address_of

from loadgen.faults.proxy.chain.chunk import MOST_BYTES
from loadgen.faults.proxy.chain.chunk import NEVER as NEVER_NS

__all__ = ["Flow", "Pump"]

cdef extern from * nogil:
    """
    #include <fcntl.h>
    #include <netinet/in.h>
    #include <netinet/tcp.h>
    #include <sys/epoll.h>
    #include <sys/socket.h>
    #include <unistd.h>

    static void loadgen_set_nodelay(int fd) {
        int one = 1;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    }
    static int loadgen_proxy_accept(int fd) {
        int client = accept4(fd, 0, 0, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (client >= 0) loadgen_set_nodelay(client);
        return client;
    }
    static int loadgen_proxy_socket(int family) {
        int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        if (fd >= 0) loadgen_set_nodelay(fd);
        return fd;
    }
    static int loadgen_proxy_error(int fd) {
        int error = 0;
        socklen_t length = sizeof error;
        getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length);
        return error;
    }
    static void loadgen_reset_on_close(int fd) {
        struct linger l = {1, 0};
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &l, sizeof l);
    }
    """
    cdef struct sockaddr:
        pass
    int MSG_NOSIGNAL, EINPROGRESS
    uint32_t EPOLLIN, EPOLLOUT, EPOLLRDHUP, EPOLLHUP, EPOLLERR, EPOLLET
    int EPOLL_CTL_ADD, EPOLL_CLOEXEC
    ctypedef union epoll_data_t:
        void *ptr
    cdef struct epoll_event:
        uint32_t events
        epoll_data_t data
    int epoll_create1(int flags)
    int epoll_ctl(int ep, int what, int fd, epoll_event *event)
    int epoll_wait(int ep, epoll_event *events, int n, int timeout_ms)
    int c_accept "loadgen_proxy_accept"(int fd)
    int c_socket "loadgen_proxy_socket"(int family)
    int c_error "loadgen_proxy_error"(int fd)
    void c_reset_on_close "loadgen_reset_on_close"(int fd)
    int c_connect "connect"(int fd, const sockaddr *to, unsigned int length)
    ssize_t c_send "send"(int fd, const void *bytes, size_t n, int flags)
    ssize_t c_recv "recv"(int fd, void *bytes, size_t n, int flags)
    int c_close "close"(int fd)

cdef enum:
    BATCH = 128         # events of one look
    TURNS = 16          # reads of one flow before the others have their turn
    BUFFER = 256 * 1024
    LEAST_TIDIED = 1024  # entries of the heap

cdef int64_t NEVER = NEVER_NS
cdef Py_ssize_t CHUNK = MOST_BYTES
# Both ends of a connection are watched once, for everything.
cdef uint32_t EVERYTHING = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET
# The time after which connections are accepted again, when there was no descriptor for one.
cdef double RETRY_S = 0.05


cdef class Watched:
    """A descriptor that the pump watches."""


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
    """The connections of all proxies of a process, on an event loop.

    `resolve(address, callback)` is called with an upstream's `host:port`, and calls back, now or later, with a list of
    numeric hosts and ports. `tell` receives a line for each connection that is
    opened, closed or cannot be made; it may be None.
    """

    def __cinit__(self, loop, resolve, tell):
        self.epoll = self.timer = -1
        self.time = Monotonic()
        self.loop = loop
        self.resolve = resolve
        self.tell = tell
        self.heap = []
        self.again = []
        self.closed = []
        self.listeners = {}
        self.armed_ns = NEVER
        self.most = LEAST_TIDIED
        self.buffer = <char *>malloc(BUFFER)
        self.epoll = epoll_create1(EPOLL_CLOEXEC)
        self.timer = timer_open()
        if self.buffer == NULL or self.epoll < 0 or self.timer < 0:
            raise OSError("the kernel gives no descriptor for the proxy")
        cdef epoll_event event
        event.events = EPOLLIN | EPOLLET
        event.data.ptr = NULL
        epoll_ctl(self.epoll, EPOLL_CTL_ADD, self.timer, &event)
        loop.add_reader(self.epoll, self.on_ready)

    def __dealloc__(self):
        free(self.buffer)

    def now_ns(self):
        """Return the monotonic time."""
        return self.time.now_ns()

    def listen(self, proxy, int fd):
        """Accept connections for a proxy on a listening socket that does not block, which belongs to the pump now."""
        cdef Listener listener = Listener.__new__(Listener)
        listener.fd = fd
        listener.pump = self
        listener.proxy = proxy
        listener.connections = set()
        self.listeners[proxy] = listener
        self.watch(listener, EPOLLIN | EPOLLET)

    def stop(self, proxy):
        """Close a proxy's listener and all its connections; return the number of connections."""
        cdef Listener listener = self.listeners.pop(proxy)
        cdef int count = len(listener.connections)
        c_close(listener.fd)
        listener.fd = -1
        self.closed.append(listener)
        for connection in list(listener.connections):
            self.drop(connection)
        return count

    def close(self):
        """Close everything."""
        for proxy in list(self.listeners):
            self.stop(proxy)
        self.loop.remove_reader(self.epoll)
        os.close(self.epoll)
        os.close(self.timer)
        self.heap.clear()
        self.again.clear()
        self.closed.clear()

    # ── Events ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def on_ready(self):
        """Serve what is ready, until nothing is or the loop is to have its turn."""
        cdef epoll_event events[BATCH]
        cdef int i, n, _round
        cdef Watched watched
        for _round in range(TURNS):
            n = epoll_wait(self.epoll, events, BATCH, 0)
            for i in range(n):
                if events[i].data.ptr == NULL:
                    self.ring()
                    continue
                watched = <Watched>events[i].data.ptr
                if watched.fd < 0:
                    continue
                if isinstance(watched, Side):
                    self.on_side(<Side>watched, events[i].events)
                else:
                    self.accept_all(<Listener>watched)
            flows, self.again = self.again, []
            for flow in flows:
                (<Flow>flow).queued = False
                self.advance(<Flow>flow)
            self.closed.clear()
            if n <= 0 and not self.again:
                return
        if self.again:
            # What is left is not reported a second time.
            self.loop.call_soon(self.on_ready)

    cdef int watch(self, Watched what, uint32_t events) except -1:
        cdef epoll_event event
        event.events = events
        event.data.ptr = <void *>what
        if epoll_ctl(self.epoll, EPOLL_CTL_ADD, what.fd, &event) < 0:
            raise OSError(errno, os.strerror(errno))
        return 0

    cdef int on_side(self, Side side, uint32_t events) except -1:
        cdef int error
        if side.connecting:
            if not events & (EPOLLOUT | EPOLLERR | EPOLLHUP):
                return 0
            error = c_error(side.fd)
            if error:
                self.close_side(side)
                self.dial_next(side.connection)
                return 0
            side.connecting = False
            # The server may have sent already, and ended even: the same report may say so.
            side.readable = side.writable = True
            side.hung = (events & (EPOLLRDHUP | EPOLLHUP)) != 0
            self.stand(side.connection)
            return 0
        if events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR):
            side.hung = side.readable = True
        if events & EPOLLIN:
            side.readable = True
        if events & EPOLLOUT:
            side.writable = True
        if side.into is not None and side.readable:
            self.advance(side.into)
        if side.out is not None and side.fd >= 0 and events & EPOLLOUT and side.out.pending is not None:
            self.advance(side.out)
        return 0

    # ── Connections ─────────────────────────────────────────────────────────────────────────────────────────────────

    cdef int accept_all(self, Listener listener) except -1:
        """Accept every client that waits, and begin to dial the upstream for it."""
        cdef Connection connection
        cdef Side client
        cdef int fd
        while listener.fd >= 0:
            fd = c_accept(listener.fd)
            if fd < 0:
                if errno == EINTR or errno == ECONNABORTED:
                    continue
                if errno != EAGAIN:
                    self.loop.call_later(RETRY_S, self.accept_later, listener)
                return 0
            listener.proxy.counts.accepted += 1
            listener.accepted += 1
            connection = Connection.__new__(Connection)
            connection.listener = listener
            connection.number = listener.proxy.counts.accepted
            client = Side.__new__(Side)
            client.fd = fd
            client.pump = self
            client.connection = connection
            client.readable = client.writable = True
            connection.client = client
            listener.connections.add(connection)
            self.resolve(listener.proxy.upstream, Dial(self, connection))
        return 0

    def accept_later(self, Listener listener):
        self.accept_all(listener)

    cdef int dial_next(self, Connection connection) except -1:
        """Dial the next address of the upstream. Without another one, the client's connection is closed."""
        cdef Address to
        cdef Side side
        cdef int fd
        while connection.addresses:
            host, port = connection.addresses.pop(0)
            address_of(&to, host, port)
            fd = c_socket(to.family)
            if fd < 0:
                continue
            if c_connect(fd, <const sockaddr *>to.bytes, to.length) < 0 and errno != EINPROGRESS:
                c_close(fd)
                continue
            side = Side.__new__(Side)
            side.fd = fd
            side.pump = self
            side.connection = connection
            side.connecting = True
            connection.upstream = side
            self.watch(side, EVERYTHING)
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
            proxy.flows.add(flow)
        if up.link.resets or down.link.resets:
            c_reset_on_close(client.fd)
            c_reset_on_close(upstream.fd)
        self.say(f"connection {connection.number} of {proxy.name} opened")
        self.watch(client, EVERYTHING)
        self.advance(up)
        if not down.ended:
            self.advance(down)
        return 0

    cdef int close_side(self, Side side) except -1:
        if side.fd >= 0:
            c_close(side.fd)
            side.fd = -1
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
        connection.listener.connections.discard(connection)
        return 0

    # ── Bytes ───────────────────────────────────────────────────────────────────────────────────────────────────────

    cdef int advance(self, Flow flow) except -1:
        """Move what can be moved, and say when to go on."""
        cdef int turns = TURNS
        cdef int64_t now_ns = 0
        cdef bint moved = True
        while moved and not flow.ended:
            if turns == 0:
                if not flow.queued:
                    flow.queued = True
                    self.again.append(flow)
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
        n = c_send(flow.dest.fd, data + flow.at, length, MSG_NOSIGNAL)
        if n < 0:
            if errno == EAGAIN or errno == EINTR:
                flow.dest.writable = errno == EINTR
                return False
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
        n = c_recv(source.fd, self.buffer, BUFFER, 0)
        if n < 0 and (errno == EAGAIN or errno == EINTR):
            source.readable = errno == EINTR
            return source.readable
        if n <= 0:
            self.end_source(flow)
            return True
        flow.received += n
        if n < BUFFER and not source.hung:
            # A short read has emptied the socket: what comes later is reported again (epoll(7)).
            source.readable = False
        if dest.writable:
            sent = c_send(dest.fd, self.buffer, n, MSG_NOSIGNAL)
            if sent < 0:
                if errno != EAGAIN and errno != EINTR:
                    self.end(flow)
                    return False
                dest.writable = errno == EINTR
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
        n = c_recv(source.fd, self.buffer, CHUNK, 0)
        if n < 0 and (errno == EAGAIN or errno == EINTR):
            source.readable = errno == EINTR
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
        elif flow.owner in flow.owner.listener.connections:
            self.close_side(flow.source)
            flow.owner.listener.connections.discard(flow.owner)
            self.say(f"connection {flow.connection} of {flow.proxy.name} closed")
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
        flow.proxy.flows.discard(flow)
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
            timer_arm(self.timer, max(at_ns, 1))
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
            timer_arm(self.timer, max(self.armed_ns, 1))
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
