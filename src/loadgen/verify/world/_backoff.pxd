# The waits of an engine before it opens connections again, held after every turn of its thread.
#
#   A connection that has failed n times in a row is not opened again before half of min(100 ms · 2ⁿ⁻¹, longest).
#
# A row is that of one connection, not of its server, and ends when the connection is ready. The end of a connection
# that was ready is the first of a row. These are no failures, as the engine may open the connection at once: the server
# ended a connection that was ready; the server closed a connection on its greeting, which is then asked by GET, once;
# in a cluster, the connection's lane has got another node.
# The connect phase, in which every connection is opened once, is not held to waits.

from libc.stdint cimport int64_t, uint32_t

from loadgen.engine._engine cimport Engine
from loadgen.verify.world._ground cimport Ground
from loadgen.verify.world._world cimport Invariant


# A connection as it was after the last turn, and its row of failures.
cdef struct Seen:
    int state
    int stream
    uint32_t first       # the place in its pipeline at which it last became ready: another one for each time
    int failures
    int64_t failed_ns    # of the last failure
    void *endpoint       # of its server; borrowed from the pool, and only compared


cdef class Backoff(Invariant):
    cdef Engine engine
    cdef Ground ground
    cdef int64_t turns       # of the ground when the waits were last held
    cdef int64_t longest_ns
    cdef readonly int64_t judged   # the times that a connection was opened again after failures
    cdef Seen *seen          # by connection; owned

    cdef int look(self, int i) except -1
    cdef int64_t least_ns(self, int failures) noexcept
