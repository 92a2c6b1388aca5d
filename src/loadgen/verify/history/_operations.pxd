# Operations in memory, one after the other.

from libc.stdint cimport int64_t, uint64_t

from loadgen.verify.history._operation cimport Operation


cdef class Operations:
    cdef Operation *at          # owned; `count` of `room` are in use
    cdef readonly int64_t count
    cdef int64_t room
    cdef int views              # views of the memory that are in use: it does not move while there is one

    # Append a copy. Returns False where there is no memory for it.
    cdef bint push(self, const Operation *operation) noexcept
    cdef bint reserve(self, int64_t room) noexcept
