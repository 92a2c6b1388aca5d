# The pool of connections of one node, as a state machine that is told the time. No I/O, no clock.
#
# A pool never dials and never closes: it says which connection is to be dialled for whom, and which are to be closed.

from libc.stdint cimport int64_t

from loadgen.client._connection cimport Connection


cdef class Pool:
    cdef readonly object settings
    cdef readonly int node
    cdef readonly list doomed         # the connections that the pool has given up
    cdef int64_t max_size, max_lifetime_ns, max_idle_ns
    cdef int pipeline                 # requests that may hold a connection at the same time
    cdef object shared                # a deque of active connections, of which some can be held by one request more
    cdef object idle                  # a deque, in the order in which the connections came to rest
    cdef object next_idle             # takes the connection out of it that is used next
    cdef readonly dict constructing   # for whom each connection is dialled; None after its caller gave up
    cdef object waiters               # since when each caller has waited, in the order of arrival (an OrderedDict)
    cdef readonly dict dialled_ns     # since when each caller has waited whose connection is dialled
    cdef int64_t active               # connections
    cdef int64_t numbers              # connections made
    cdef int64_t opened_in_all, closed_in_all, acquires, waits, wait_ns, cancelled
    cdef public int64_t failed_dials

    # Ask for a connection: return an active one, one to be dialled for the waiter, or None while it waits.
    cdef Connection acquire_for(self, object waiter, int64_t now_ns)
    cpdef object grant(self, int64_t now_ns)
    cpdef object opened(self, Connection connection, int64_t now_ns)
    cpdef object failed(self, Connection connection)
    cdef int take_back(self, Connection connection, int64_t now_ns, bint used) except -1
    cpdef int discard(self, Connection connection) except -1
    cpdef int give_up(self, object waiter) except -1
    cpdef list take_idle(self, int64_t now_ns)
    cpdef bint is_old(self, Connection connection, int64_t now_ns) except -1

    cdef bint has_waiting(self) except -1
    # True when a connection can be had without waiting.
    cdef bint has_room(self, int64_t now_ns) except -1
    cdef bint may_dial(self)
    # Return the active connection that is shared next, or None.
    cdef Connection sharable(self, int64_t now_ns)
    cdef Connection take(self, object waiter, int64_t since_ns, int64_t now_ns)
    cdef void count_acquired(self, int64_t since_ns, int64_t now_ns) noexcept
    cdef int activate(self, Connection connection) except -1
    # Offer an active connection to other requests, where connections are shared.
    cdef int offer(self, Connection connection) except -1
    cdef int rest(self, Connection connection) except -1
    cdef int close(self, Connection connection) except -1
    cdef bint is_unused(self, Connection connection, int64_t now_ns) noexcept
    cdef bint is_empty(self)
