"""The whole client as a state machine. `_core.pxd` is the design."""

from loadgen.client._actions cimport Closed, ended_of
from loadgen.client._node cimport NEVER
from loadgen.client._request cimport NEW

from loadgen.client.errors import BreakerOpen, ConnectionLost, ConnectionRefused, TooManyProbes
from loadgen.client.stats import Stats

cdef tuple UNSENT = (BreakerOpen, TooManyProbes, ConnectionRefused)


cdef class Core(Owner):
    """A client without sockets and clocks."""

    def __init__(self, nodes, selector, protocol, options):
        """Make the machine of nodes, which belong to it from now on. `assembly.assembled` makes them too."""
        cdef Node node
        self.protocol = protocol
        self.selector = selector
        self.nodes = tuple(nodes)
        for node in self.nodes:
            node.belong_to(self)
        self.single = len(self.nodes) == 1
        self.failover = options.failover
        self.retries = options.retries
        self.timeout_ns = options.timeout_ns

    cpdef list begin(self, object call, int64_t now_ns):
        """Carry a call out. `node` of a request without a key, of one that stays, and of each part of a batch, says
        where to."""
        cdef list actions = []
        cdef Request request
        if isinstance(call, Request):
            request = call
            if request.key is not None and not request.stays:
                request.node = 0 if self.single else self.selector.owner(request.key)
            self.begin_at(request, request.node, now_ns, actions)
        else:
            for request in call.parts:
                self.begin_at(request, request.node, now_ns, actions)
        return actions

    cpdef list cancel(self, object call, int64_t now_ns):
        """Abandon a call that the user no longer waits for."""
        cdef list actions = []
        cdef Request request
        for request in ((call,) if isinstance(call, Request) else call.parts):
            if request.listed:
                self.forget(request)
                (<Node>self.nodes[request.node]).cancel(request, now_ns, actions)
        self.finish(actions)
        return actions

    def node_of(self, bytes key not None, int64_t now_ns):
        """Return the node to which a key of a batch goes: its owner, or with failover the first whose breaker is not
        open."""
        if not self.failover:
            return self.selector.owner(key)
        order = self.selector.order(key)
        for node in order:
            if self.nodes[node].admits(now_ns):
                return node
        return order[0]

    cpdef list on_open(self, Connection connection, int64_t now_ns):
        """Take the news that a dial succeeded."""
        cdef list actions = []
        (<Node>self.nodes[connection.node]).on_open(connection, now_ns, actions)
        self.finish(actions)
        return actions

    cpdef list on_refused(self, Connection connection, str why, int64_t now_ns):
        """Take the news that a dial failed, with the reason in words."""
        cdef list actions = []
        (<Node>self.nodes[connection.node]).on_refused(connection, why, now_ns, actions)
        self.finish(actions)
        return actions

    cpdef list on_bytes(self, Connection connection, object data, int64_t now_ns):
        """Take bytes that came on a connection."""
        cdef list actions = []
        (<Node>self.nodes[connection.node]).on_bytes(connection, data, now_ns, actions)
        if self.closing:
            self.finish(actions)
        return actions

    cpdef list on_close(self, Connection connection, str why, int64_t now_ns):
        """Take the news that a connection ended, with the reason in words."""
        cdef list actions = []
        (<Node>self.nodes[connection.node]).on_close(connection, why, now_ns, actions)
        self.finish(actions)
        return actions

    cpdef list on_time(self, int64_t now_ns):
        """Do what is due."""
        cdef list actions = []
        cdef Node node
        cdef Request request
        while self.first is not None and self.first.deadline_ns <= now_ns:
            request = self.first
            (<Node>self.nodes[request.node]).expire(request, now_ns, actions)
        for node in self.nodes:
            node.on_time(now_ns, actions)
        self.finish(actions)
        return actions

    def next_ns(self):
        """Return the time at which `on_time` is to be called; None: not as things are."""
        cdef int64_t due_ns = self.due_ns()
        return None if due_ns == NEVER else due_ns

    cdef int64_t due_ns(self) except -1:
        cdef int64_t earliest = NEVER if self.first is None else self.first.deadline_ns
        cdef Node node
        for node in self.nodes:
            earliest = min(earliest, node.next_ns())
        return earliest

    cpdef list close(self, int64_t now_ns):
        """Accept no more calls, end those that wait, let those under way end by their deadlines, close the rest."""
        cdef list actions = []
        cdef Node node
        self.closing = True
        for node in self.nodes:
            node.close(now_ns, actions)
        self.finish(actions)
        return actions

    def stats(self, int64_t now_ns):
        """Return the statistics at a time."""
        return Stats(now_ns, tuple([node.stats(now_ns) for node in self.nodes]), self.under_way)

    @property
    def is_closed(self):
        """True when the client was closed and no connection is left."""
        return self.closed

    cpdef int begin_at(self, Request request, int node, int64_t now_ns, list actions) except -1:
        """Carry a request out at a node, with a deadline from now on."""
        request.deadline_ns = now_ns + self.timeout_ns
        request.listed = True
        request.before = self.last
        if self.last is None:
            self.first = request
        else:
            self.last.after = request
        self.last = request
        self.under_way += 1
        return (<Node>self.nodes[node]).begin(request, now_ns, actions)

    cpdef int forget(self, Request request) except -1:
        """Take a request out of those under way."""
        assert request.listed, "a request ended twice"
        request.listed = False
        if request.before is None:
            self.first = request.after
        else:
            request.before.after = request.after
        if request.after is None:
            self.last = request.before
        else:
            request.after.before = request.before
        request.before = request.after = None
        self.under_way -= 1
        return 0

    cpdef int on_end(self, Request request, int64_t now_ns, list actions) except -1:
        """A request ended at its node, well or not: try it again where that is allowed, else say that it has ended."""
        if request.error is not None and self.tries_again(request, now_ns, actions):
            return 0
        self.forget(request)
        batch = request.batch
        if batch is None:
            actions.append(ended_of(request))
            return 0
        batch.left -= 1
        if not batch.left:
            actions.append(ended_of(batch))
        return 0

    cpdef bint tries_again(self, Request request, int64_t now_ns, list actions) except -1:
        """Try a request again that failed, where that is allowed: True when it is under way again."""
        if now_ns >= request.deadline_ns or self.closing:
            return False
        node = self.next_node(request)
        if node is None:
            return False
        request.error = None
        request.at_stage = NEW
        request.written = False
        (<Node>self.nodes[node]).begin(request, now_ns, actions)
        return True

    cpdef object next_node(self, Request request):
        """Return the node at which a request that failed is tried again; None where it is not.

        A request that was written is tried again only if it reads, so that nothing is carried out twice.
        """
        if isinstance(request.error, ConnectionLost) and request.reads and request.retries < self.retries:
            request.retries += 1
            return request.node
        unsent = isinstance(request.error, UNSENT) and not request.written
        moves = self.failover and request.key is not None and not request.stays
        if moves and unsent and request.turn + 1 < len(self.nodes):
            request.turn += 1
            return self.selector.order(request.key)[request.turn]
        return None

    cdef int finish(self, list actions) except -1:
        cdef Node node
        if not self.closing or self.closed:
            return 0
        for node in self.nodes:
            if not node.pool.is_empty():
                return 0
        self.closed = True
        actions.append(Closed())
        return 0
