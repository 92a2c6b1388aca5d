# The accounts of a client, held after every event: no call, connection or turn is lost.
#
#   constructing + active + idle ≤ max size        of each pool
#   opened − closed = active + idle                of each pool
#   a caller waits only where there is no connection for it, and no room for a new one
#   waiting, dialling, sent                        the requests under way, each in the place that its stage names
#   probes ≤ the breaker's                         while a breaker is half-open
#   no deadline has passed                         but while the client's host stands still
#
# The slack of deadlines is the order's window for each event that a call's end may wait for, so none when the order is
# uniform: its window is 0.

from libc.stdint cimport int64_t

from loadgen.client._core cimport Core
from loadgen.client._node cimport Node
from loadgen.client._request cimport Request
from loadgen.verify.world._network cimport Host
from loadgen.verify.world._world cimport Invariant, World


# States that runs are to reach, as places in `seen`.
cdef enum:
    EXHAUSTED = 0         # a pool is full, and a call waits
    PROBED = 1            # a breaker is half-open, and a probe is under way
    ORPHANED = 2          # a dial goes on whose caller is gone
    SHARED = 3            # several requests are under way on one connection
    PINGED = 4            # a health check is under way
    BEHIND_PING = 5       # a request waits behind one
    CUT_IN_LINE = 6       # a reply has come up to a place in its first line
    CUT_IN_VALUE = 7      # … behind it
    CUT_BETWEEN = 8       # … between two replies to one request
    SEEN = 9


# The events that a call's end waits for at its deadline: the timer of the client's host, and a turn that was scheduled
# before the timer came.
cdef enum:
    WAITS = 2


cdef class Calls(Invariant):
    cdef Core core
    cdef World world
    cdef Host host
    cdef readonly int64_t checks
    cdef int64_t seen[SEEN]
    cdef Request overdue      # the first request, when its deadline was found to have passed
    cdef int64_t overdue_ns   # the time of that

    cdef int broken(self, str words) except -1
    cdef int check_requests(self) except -1
    cdef int check_node(self, Node node) except -1
    # See how far the reply to the request that a connection awaits has come.
    cdef int see_reply(self, Request request) except -1
