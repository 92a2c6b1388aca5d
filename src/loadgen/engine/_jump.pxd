# The server that a key belongs to, of several in a numbered list: jump consistent hash.

from libc.stdint cimport uint64_t

from loadgen.engine._hashed cimport Hashed


cdef class Jump(Hashed):
    pass


cdef int jump(uint64_t number, int buckets) noexcept nogil
