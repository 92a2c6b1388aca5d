"""The pool of connections of one node, as a state machine that is told the time. No I/O, no clock.

A pool never dials and never closes: it says which connection is to be dialled for whom, and which are to be closed.
The rules are those of github.com/jackc/puddle v2. A caller gets an idle connection, or has one constructed while the
pool has room, or waits in the order of arrival. A construction is not bound to its caller: when the caller has given
up, the connection becomes idle. Upstream counts no failed constructions; `PoolStats` does.

Two kinds differ in the order of idle connections:

- `puddle`: a stack. The connection that was used last comes first, so that few connections are busy and the others age.
  Upstream's stack has generations, which order what a health check could not take; ours takes every idle connection.
- `channel`: a queue. The connection that has been idle for longest comes first, so that all are used evenly.

With `pipeline` above 1, a connection is shared: when no connection is idle and the pool is full, a caller gets one that
fewer than so many requests hold, each such connection in turn. It is released when all of them have released it.

At all times: constructing + idle + active = total ≤ max size, and opened − closed = idle + active.
"""

from collections import OrderedDict, deque

from loadgen.client._connection cimport ACTIVE, CLOSED, IDLE

from loadgen.client.pool import PoolStats


cdef class Pool:
    """The connections of one node. Times are int ns of one monotonic clock.

    A caller is named by a hashable value of its own, the waiter. After each call, `grant` is to be called until it
    returns None, and the connections in `doomed` are to be closed and taken out of the list.
    """

    def __init__(self, str kind, settings, int node=0):
        self.settings = settings
        self.node = node
        self.max_size = settings.max_size
        self.max_lifetime_ns = settings.max_lifetime_ns
        self.max_idle_ns = settings.max_idle_ns
        self.pipeline = settings.pipeline
        self.shared = deque()
        self.doomed = []
        self.idle = deque()
        self.next_idle = self.idle.pop if kind == "puddle" else self.idle.popleft
        self.constructing = {}
        self.waiters = OrderedDict()
        self.dialled_ns = {}

    def __class_getitem__(cls, waiter):
        """Name the type of the waiters, for readers and for mypy."""
        return cls

    def acquire(self, waiter, int64_t now_ns):
        """Ask for a connection: return an active one, one to be dialled for the waiter, or None while it waits."""
        return self.acquire_for(waiter, now_ns)

    cdef Connection acquire_for(self, object waiter, int64_t now_ns):
        if self.waiters or not self.has_room(now_ns):
            self.waiters[waiter] = now_ns
            return None
        return self.take(waiter, now_ns, now_ns)

    cpdef object grant(self, int64_t now_ns):
        """Serve the caller that has waited for longest, if there is a connection for it or room for a new one."""
        if not self.waiters or not self.has_room(now_ns):
            return None
        waiter, since_ns = self.waiters.popitem(last=False)
        return waiter, self.take(waiter, since_ns, now_ns)

    cpdef object opened(self, Connection connection, int64_t now_ns):
        """Take a connection that is established: return the waiter whose it is now, or None when it is idle."""
        waiter = self.constructing.pop(connection)
        self.opened_in_all += 1
        connection.born_ns = connection.used_ns = now_ns
        if waiter is None:
            self.rest(connection)
            return None
        self.activate(connection)
        self.acquires += 1
        self.waits += 1
        self.wait_ns += now_ns - <int64_t>self.dialled_ns.pop(waiter)
        return waiter

    cpdef object failed(self, Connection connection):
        """Take the news that a dial failed: return whose it was, or None where the caller had given up."""
        waiter = self.constructing.pop(connection)
        self.failed_dials += 1
        connection.at_place = CLOSED
        if waiter is not None:
            del self.dialled_ns[waiter]
        return waiter

    def release(self, Connection connection not None, int64_t now_ns, *, bint used=True):
        """Take an active connection back, to be used again unless it is too old. A health check is no use.

        A connection that others still hold stays active.
        """
        self.take_back(connection, now_ns, used)

    cdef int take_back(self, Connection connection, int64_t now_ns, bint used) except -1:
        connection.load -= 1
        if used:
            connection.used_ns = now_ns
        if connection.load:
            return self.offer(connection)
        self.active -= 1
        if self.is_old(connection, now_ns):
            return self.close(connection)
        return self.rest(connection)

    cpdef int discard(self, Connection connection) except -1:
        """Take a connection out, idle or active, that must not be used again."""
        if connection.at_place == ACTIVE:
            self.active -= 1
        else:
            self.idle.remove(connection)
        return self.close(connection)

    cpdef int give_up(self, object waiter) except -1:
        """Forget a caller that waits, or for whom a connection is dialled; its dial goes on."""
        self.cancelled += 1
        if self.waiters.pop(waiter, None) is None:
            del self.dialled_ns[waiter]
            for connection, whose in self.constructing.items():
                if whose == waiter:
                    self.constructing[connection] = None
                    break
        return 0

    cpdef list take_idle(self, int64_t now_ns):
        """Acquire every idle connection for a health check; those past a limit are closed instead."""
        cdef Connection connection
        cdef list taken = []
        while self.idle:
            connection = self.next_idle()
            if self.is_old(connection, now_ns) or self.is_unused(connection, now_ns):
                self.close(connection)
            else:
                self.activate(connection)
                taken.append(connection)
        return taken

    def waiting(self):
        """Return the callers that wait for a connection to be free, the longest first."""
        return list(self.waiters)

    def dialling(self):
        """Return the connections under construction."""
        return list(self.constructing)

    def close_idle(self):
        """Close every idle connection."""
        while self.idle:
            self.close(self.next_idle())

    def stats(self):
        """Return the pool as it is now."""
        return PoolStats(
            len(self.constructing),
            len(self.idle),
            self.active,
            len(self.waiters),
            self.max_size,
            self.opened_in_all,
            self.closed_in_all,
            self.failed_dials,
            self.acquires,
            self.waits,
            self.wait_ns,
            self.cancelled,
        )

    @property
    def has_waiters(self):
        """True while a caller waits for a connection to be free."""
        return self.has_waiting()

    cdef bint has_waiting(self) except -1:
        return bool(self.waiters)

    cdef bint is_empty(self):
        return not (self.active or self.idle or self.constructing)

    cdef bint has_room(self, int64_t now_ns) except -1:
        return self.may_dial() or self.sharable(now_ns) is not None

    cdef bint may_dial(self):
        return self.active + len(self.constructing) < self.max_size

    cdef Connection sharable(self, int64_t now_ns):
        cdef Connection connection
        while self.shared:
            connection = self.shared[0]
            if (
                connection.at_place == ACTIVE
                and connection.load < self.pipeline
                and not self.is_old(connection, now_ns)
            ):
                return connection
            self.shared.popleft()
            connection.offered = False
        return None

    cdef Connection take(self, object waiter, int64_t since_ns, int64_t now_ns):
        cdef Connection connection
        while self.idle:
            connection = self.next_idle()
            if self.is_old(connection, now_ns) or self.is_unused(connection, now_ns):
                self.close(connection)
                continue
            self.activate(connection)
            self.count_acquired(since_ns, now_ns)
            return connection
        if not self.may_dial():
            connection = self.sharable(now_ns)
            connection.load += 1
            self.shared.rotate(-1)
            self.count_acquired(since_ns, now_ns)
            return connection
        self.numbers += 1
        connection = Connection(self.numbers, self.node)
        self.constructing[connection] = waiter
        self.dialled_ns[waiter] = since_ns
        return connection

    cdef void count_acquired(self, int64_t since_ns, int64_t now_ns) noexcept:
        self.acquires += 1
        if since_ns != now_ns:
            self.waits += 1
            self.wait_ns += now_ns - since_ns

    cdef int activate(self, Connection connection) except -1:
        connection.at_place = ACTIVE
        connection.load = 1
        self.active += 1
        return self.offer(connection)

    cdef int offer(self, Connection connection) except -1:
        if self.pipeline > 1 and not connection.offered:
            connection.offered = True
            self.shared.append(connection)
        return 0

    cdef int rest(self, Connection connection) except -1:
        connection.at_place = IDLE
        self.idle.append(connection)
        return 0

    cdef int close(self, Connection connection) except -1:
        connection.at_place = CLOSED
        self.closed_in_all += 1
        self.doomed.append(connection)
        return 0

    cpdef bint is_old(self, Connection connection, int64_t now_ns) except -1:
        """Return True for a connection that has reached the limit of its age."""
        return 0 < self.max_lifetime_ns <= now_ns - connection.born_ns

    cdef bint is_unused(self, Connection connection, int64_t now_ns) noexcept:
        return 0 < self.max_idle_ns <= now_ns - connection.used_ns
