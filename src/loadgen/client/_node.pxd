# One node of the client as a state machine: breaker, pool and connections. Told time and bytes; no I/O, no clock.
#
# A request that the breaker lets pass acquires a connection of the pool, is sent, and ends by its reply, by an error,
# or by its deadline. A connection whose request was abandoned is closed and never used again, so that a late reply
# reaches no other request. Requests that share a connection (`pipeline`) are answered in the order in which they were
# sent; when one of them is abandoned, the others are lost with the connection.
#
# Each method that is told something appends to `actions` what the shell is to do.

from libc.stdint cimport int64_t

from loadgen.client._breaker cimport Breaker
from loadgen.client._connection cimport Connection
from loadgen.client._pool cimport Pool
from loadgen.client._request cimport Request

# Later than any time.
cdef int64_t NEVER


# What is told that a request has ended at its node, well or not.
cdef class Owner:
    cpdef int on_end(self, Request request, int64_t now_ns, list actions) except -1


cdef class Node:
    cdef readonly int index
    cdef readonly str name              # `host:port`, for sentences and for selection
    cdef readonly Breaker breaker       # None for none
    cdef readonly Pool pool
    cdef readonly Owner owner
    cdef object protocol                # makes the requests of health checks
    cdef object failures                # `failures.Failures`
    cdef dict dials                     # the deadline of each dial, the earliest first
    cdef readonly dict pings            # the deadline of each health check, the earliest first
    cdef int64_t connect_timeout_ns, health_interval_ns
    cdef readonly int64_t health_timeout_ns
    cdef int64_t checked_ns             # when idle connections were last checked
    cdef bint closing
    cdef int64_t operations, timeouts, unsolicited, abandoned

    # Carry a request out. Where it ends at once, the owner is told before this returns.
    cdef int begin(self, Request request, int64_t now_ns, list actions) except -1
    cpdef int cancel(self, Request request, int64_t now_ns, list actions) except -1
    cdef int expire(self, Request request, int64_t now_ns, list actions) except -1
    cdef int on_open(self, Connection connection, int64_t now_ns, list actions) except -1
    cdef int on_refused(self, Connection connection, str why, int64_t now_ns, list actions) except -1
    cpdef int on_bytes(self, Connection connection, object data, int64_t now_ns, list actions) except -1
    cdef int on_close(self, Connection connection, str why, int64_t now_ns, list actions) except -1
    cdef int on_time(self, int64_t now_ns, list actions) except -1
    cdef int64_t next_ns(self) except -1
    cdef int close(self, int64_t now_ns, list actions) except -1

    cdef int give(self, Request request, Connection connection, int64_t now_ns, list actions) except -1
    cdef int send(self, Request request, Connection connection, list actions) except -1
    # Read the replies that begin at an index and are complete; return the end of the last one, -1 while one is missing.
    cdef Py_ssize_t parse(self, Request request, Connection connection, object received, Py_ssize_t at) except -2
    # Every reply to the request is there.
    cdef int complete(self, Request request, Connection connection, int64_t now_ns, list actions) except -1
    # Find the end of a request with all replies; `refused` are those that are errors.
    cpdef int conclude(self, Request request, object refused, int64_t now_ns, list actions) except -1
    # Account for a request that has ended.
    cpdef int account(self, Request request, object outcome, int64_t now_ns, list actions) except -1
    cdef int fail(self, Request request, object error, object outcome, int64_t now_ns, list actions) except -1
    # Take a request out of whatever part it is in; its connection, if any, is closed. Those that shared it are lost
    # with this outcome.
    cpdef int abandon(self, Request request, object outcome, int64_t now_ns, list actions) except -1
    # Fail a row of requests whose connection is gone.
    cdef int fail_row(self, Request first, str why, object outcome, int64_t now_ns, list actions) except -1
    # The breaker has opened: what waits for a connection would only wait for the same failure.
    cdef int refuse_waiting(self, int64_t now_ns, list actions) except -1
    # An established connection is of no more use: the request whose reply came next, if any, fails by an error, and
    # those behind it are lost, for this reason.
    cdef int lose(self, Connection connection, object error, str why, int64_t now_ns, list actions) except -1
    # Give what has become free to those who wait, and close what the pool has given up.
    cpdef int settle(self, int64_t now_ns, list actions) except -1
    cdef int close_doomed(self, list actions) except -1
    cdef int tell_transitions(self, list actions) except -1
    cpdef int check_health(self, int64_t now_ns, list actions) except -1
    cdef object timeout(self, object key, str fact)
