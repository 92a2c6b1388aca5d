# The whole client as a state machine: nodes, selection, failover, retries, deadlines. Told time and bytes; no I/O.
#
# The shell calls `begin` for each call of a user, `on_open`, `on_refused`, `on_bytes` and `on_close` for what happens
# to connections, and `on_time` at the time that `next_ns` names. Each returns the actions that the shell is to do, in
# order. Time is int ns of one monotonic clock.

from libc.stdint cimport int64_t

from loadgen.client._connection cimport Connection
from loadgen.client._node cimport Node, Owner
from loadgen.client._request cimport Request


cdef class Core(Owner):
    cdef readonly object protocol    # makes the requests
    cdef readonly object selector    # says which node a key belongs to
    cdef readonly tuple nodes
    cdef bint failover, single
    cdef int retries
    cdef int64_t timeout_ns
    cdef Request first               # the requests that have not ended, in the order of their deadlines, …
    cdef Request last                # … which is that of their beginnings
    cdef int64_t under_way           # their number
    cdef bint closing, closed

    cpdef list begin(self, object call, int64_t now_ns)
    cpdef list cancel(self, object call, int64_t now_ns)
    cpdef list on_open(self, Connection connection, int64_t now_ns)
    cpdef list on_refused(self, Connection connection, str why, int64_t now_ns)
    cpdef list on_bytes(self, Connection connection, object data, int64_t now_ns)
    cpdef list on_close(self, Connection connection, str why, int64_t now_ns)
    cpdef list on_time(self, int64_t now_ns)
    cpdef list close(self, int64_t now_ns)
    # The time at which `on_time` is to be called; NEVER, as things are.
    cdef int64_t due_ns(self) except -1

    cpdef int begin_at(self, Request request, int node, int64_t now_ns, list actions) except -1
    # Take a request out of those under way.
    cpdef int forget(self, Request request) except -1
    # Try a request again that failed, where that is allowed: True when it is under way again.
    cpdef bint tries_again(self, Request request, int64_t now_ns, list actions) except -1
    # Return the node at which a request that failed is tried again; None where it is not.
    cpdef object next_node(self, Request request)
    cdef int finish(self, list actions) except -1
