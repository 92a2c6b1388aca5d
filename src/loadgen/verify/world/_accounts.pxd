# The accounts of an engine, held after every event: no request is lost from the counts, no connection from the pool.
#
#   planned = ended + open                     over all phases and commands
#   head ≤ expired, written ≤ tail ≤ head + depth   of each pipeline
#   active, opening                            are the connections that are ready, and those on their way

from libc.stdint cimport int64_t

from loadgen.engine._engine cimport Engine
from loadgen.verify.world._ground cimport Ground
from loadgen.verify.world._world cimport Invariant


cdef enum:
    MOST_IN_USE = 128  # slots of the recorder: all of them, with the commands that there are


cdef class Accounts(Invariant):
    cdef Engine engine
    cdef Ground ground
    cdef int64_t turns   # of the ground when the accounts were last held: only a turn changes them
    cdef readonly int64_t checks
    cdef int used[MOST_IN_USE]  # the recorder's slots in which requests were planned; looked up when the sums differ
    cdef int in_use

    cdef int look_up(self) except -1
    cdef int64_t unended(self) noexcept
    cdef int broken(self, str words) except -1
