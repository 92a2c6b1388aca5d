# The bytes of values: one pool of seeded random bytes, of which every value is a slice.

from libc.stdint cimport uint64_t

from loadgen._mark cimport Marks
from loadgen.engine._random cimport Random

# A value of this size or more is not copied into the out-buffer but spliced from the pool by the kernel call that
# sends it; below, the copy is cheaper than one more piece of a gathered write.
cdef enum:
    SPLICE = 16384
    POOL = 1 << 20

# Values up to this size begin within the pool's first bytes, which stay in the processor's first cache: fetching a
# value from memory would cost more than the rest of its request.
cdef enum:
    WINDOW = 4096


cdef class Values:
    cdef readonly Py_ssize_t value_bytes
    cdef Marks marks         # what values begin with, where the run has a history
    cdef Random random
    cdef uint64_t window
    # POOL bytes, then the first SPLICE of them again; for values up to WINDOW, as many bytes as those reach. Owned.
    cdef char *pool

    # Return the next value's bytes, for values shorter than SPLICE.
    cdef const char *next(self) noexcept nogil

    # Return the place in the pool at which the next spliced value begins; the value wraps round at POOL.
    cdef uint64_t next_start(self) noexcept nogil
