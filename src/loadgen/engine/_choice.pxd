# The choice of a connection for a request that is due by a schedule.
#
# Every rule skips connections that are not ready or have no room.

from loadgen.engine._connection cimport Connection
from loadgen.engine._lane cimport Lane
from loadgen.engine._random cimport Random

cdef enum:
    ROUNDROBIN = 0       # the next connection in a circle, for each send: requests that fall due together go together
    GREEDY = 1           # the first connection
    RANDOM = 2           # any connection, each equally likely; if it is skipped, the next in the circle
    LEAST_INFLIGHT = 3   # the connection with the fewest requests in flight; of several, the next in the circle


cdef class Choice:
    cdef int rule
    cdef Random random

    # Return a lane's connection for the next due request; NULL when none has room. `connections` are the worker's.
    cdef Connection *of(self, Lane lane, Connection *connections) noexcept
    cdef Connection *least_inflight(self, Lane lane, Connection *connections) noexcept
