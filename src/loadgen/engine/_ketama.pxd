# The server that a key belongs to, of several: consistent hashing as in memcached's clients.

from libc.stdint cimport uint32_t

from loadgen.engine._hashed cimport Hashed

cdef struct Point:
    uint32_t at
    uint32_t server


cdef class Ketama(Hashed):
    cdef Point *points      # sorted by `at`; owned
    cdef int length

    cdef int place(self, names) except -1
