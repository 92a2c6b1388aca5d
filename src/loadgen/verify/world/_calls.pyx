"""The accounts of a client, held after every event; `_calls.pxd` lists them."""

from libc.stdint cimport int64_t

from loadgen.client._breaker cimport HALF_OPEN
from loadgen.client._connection cimport ACTIVE, Connection
from loadgen.client._pool cimport Pool
from loadgen.client._request cimport DIALLING, SENT, WAITING
from loadgen.verify.world._network cimport Thread

from loadgen.verify.world._world import BrokenInvariant

cdef tuple NAMES = (
    "a pool is exhausted, and a call waits",
    "a breaker is half-open, with a probe under way",
    "a dial goes on whose caller is gone",
    "requests share a connection",
    "a health check is under way",
    "a request waits behind a health check",
    "a reply is cut in its first line",
    "a reply is cut behind its first line",
    "the replies to a batch are cut between two",
)


cdef class Calls(Invariant):
    """The accounts of the client with this core, on this host. They hold from its making on."""

    def __init__(self, Core core not None, Host host not None):
        self.core = core
        self.host = host
        self.world = host.network.world

    def reached(self):
        """Return for each state, by its name, after how many events it was there."""
        return {NAMES[i]: self.seen[i] for i in range(SEEN)}

    cdef int broken(self, str words) except -1:
        raise BrokenInvariant(words)

    cdef int check(self) except -1:
        cdef Node node
        self.checks += 1
        self.check_requests()
        for node in self.core.nodes:
            self.check_node(node)
        return 0

    cdef int check_requests(self) except -1:
        cdef Request request = self.core.first
        cdef Connection connection
        cdef int64_t listed = 0, waiting = 0, dialling = 0, now_ns = self.world.now_ns, deadline_ns = 0
        cdef int64_t waiters = 0, dials = 0
        cdef Node node
        cdef const Thread *thread = self.host.network.threads[self.host.number]
        cdef bint runs = thread.up and thread.pauses == 0 and thread.until_ns <= now_ns
        if request is None or request.deadline_ns >= now_ns or not runs:
            self.overdue = None
        elif self.overdue is not request:
            # The client's own events may be yet to come, of the same time or within the order's window.
            self.overdue, self.overdue_ns = request, now_ns
        elif self.overdue_ns + WAITS * self.world.order.window_ns < now_ns:
            self.broken(f"a call ends by its deadline: not {now_ns - request.deadline_ns} ns after it")
        while request is not None:
            listed += 1
            if request.deadline_ns < deadline_ns:
                self.broken("deadlines pass in the order of calls")
            deadline_ns = request.deadline_ns
            if request.at_stage == WAITING:
                waiting += 1
            elif request.at_stage == DIALLING:
                dialling += 1
            elif request.at_stage == SENT:
                connection = request.connection
                if connection is None or connection.at_place != ACTIVE:
                    self.broken("a request that was sent has a connection that is in use")
                if connection.request is request:
                    self.see_reply(request)
            else:
                self.broken(f"a request under way is in a stage of those: {request.at_stage}")
            request = request.after
        if listed != self.core.under_way:
            self.broken(f"the client counts the requests under way: {self.core.under_way}, and {listed} are")
        for node in self.core.nodes:
            waiters += len(node.pool.waiters)
            dials += len(node.pool.dialled_ns)
        if waiting != waiters:
            self.broken(f"who waits for a connection is in a pool's row: {waiting} wait, and {waiters} are in it")
        if dialling != dials:
            self.broken(f"who waits for a dial is known to a pool: {dialling} wait, and {dials} are known")
        return 0

    cdef int check_node(self, Node node) except -1:
        cdef Pool pool = node.pool
        cdef int64_t idle = len(pool.idle), constructing = len(pool.constructing)
        cdef Connection connection
        if pool.waiters:
            if pool.has_room(self.world.now_ns):
                self.broken(f"nobody waits while there is room: {len(pool.waiters)} do, and {idle} are idle")
            self.seen[EXHAUSTED] += 1
        if constructing + pool.active + idle > pool.max_size:
            self.broken(f"a pool has {pool.max_size} connections at most: {constructing} + {pool.active} + {idle}")
        if min(pool.active, idle, constructing) < 0 or pool.opened_in_all - pool.closed_in_all != pool.active + idle:
            self.broken(
                f"a pool's connections add up: {pool.opened_in_all} - {pool.closed_in_all} are open, and "
                f"{pool.active} + {idle} are there")
        if pool.doomed:
            self.broken("a connection that a pool has given up is closed at once")
        if constructing != len(node.dials):
            self.broken(f"each dial has a deadline: {constructing} go on, and {len(node.dials)} have one")
        if constructing > len(pool.dialled_ns):
            self.seen[ORPHANED] += 1
        if node.breaker is not None and node.breaker.at_state == HALF_OPEN and node.breaker.probes:
            if len(node.breaker.probes) > node.breaker.max_requests:
                self.broken(
                    f"a half-open breaker has {node.breaker.max_requests} probes at most: {len(node.breaker.probes)}")
            self.seen[PROBED] += 1
        if node.pings:
            self.seen[PINGED] += 1
            for connection in node.pings:
                if connection.request is not None and (<Request>connection.request).following is not None:
                    self.seen[BEHIND_PING] += 1
        return 0

    cdef int see_reply(self, Request request) except -1:
        cdef Connection connection = request.connection
        if request.following is not None:
            self.seen[SHARED] += 1
        if connection.at:
            self.seen[CUT_BETWEEN] += 1
        elif connection.received:
            self.seen[CUT_IN_VALUE if b"\r\n" in connection.received else CUT_IN_LINE] += 1
        return 0
