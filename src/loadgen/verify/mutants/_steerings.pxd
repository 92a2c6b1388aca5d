# Engines of a cluster that have a defect each, in what becomes of a redirected request or of a topology.

from libc.stdint cimport int64_t

from loadgen._request cimport Request
from loadgen.engine._engine cimport Engine
from loadgen.engine._lane cimport Lane, Steering


# A steering that stands before another one.
cdef class Before(Steering):
    cdef Steering behind


cdef class AskForMoved(Before):
    pass


cdef class Twice(Before):
    pass


cdef class GivesUp(Before):
    pass


# An engine whose lanes have another steering than the one that ships.
cdef class Steered(Engine):
    pass
