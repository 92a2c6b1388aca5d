# Which connection a due request goes to, where a schedule says when requests are due.
#
# Every rule passes over connections that are not ready or have no room.

from loadgen.engine._connection cimport Connection
from loadgen.engine._lane cimport Lane
from loadgen.engine._random cimport Random

cdef enum:
    ROUNDROBIN = 0       # the next one round for each send: requests that fall due together go together
    GREEDY = 1           # the first one
    RANDOM = 2           # any one, each as likely
    LEAST_INFLIGHT = 3   # the one with the fewest requests in flight; of several, the next one round


cdef class Choice:
    cdef int rule
    cdef Random random

    # A lane's connection for the next due request; NULL when none has room. `connections` are the worker's.
    cdef Connection *of(self, Lane lane, Connection *connections) noexcept
    cdef Connection *least_inflight(self, Lane lane, Connection *connections) noexcept
