# The accounts of an engine, held after every event: no request is lost from the counts, no connection from the pool.
#
#   planned = ended + open                     over all phases and commands
#   head ≤ expired, written ≤ tail ≤ head + depth   of each pipeline
#   active, opening                            are the connections that are ready, and those on their way

from libc.stdint cimport int64_t

from loadgen.engine._engine cimport Engine
from loadgen.verify.world._ground cimport Ground
from loadgen.verify.world._world cimport Invariant


cdef class Accounts(Invariant):
    cdef Engine engine
    cdef Ground ground
    cdef int64_t turns   # of the ground when the accounts were last held: only a turn changes them
    cdef readonly int64_t checks

    cdef int broken(self, str words) except -1
