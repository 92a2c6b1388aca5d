# The server that a key belongs to, of several: consistent hashing as in memcached's clients.

from libc.stdint cimport uint8_t, uint32_t, uint64_t

from loadgen.engine._route cimport Route

cdef struct Point:
    uint32_t at
    uint32_t server


cdef class Ketama(Route):
    cdef int key_length          # the prefix included
    cdef bytes prefix
    cdef const char *prefix_text  # of `prefix`
    cdef int prefix_length
    cdef Point *points      # sorted by `at`; owned
    cdef int length
    cdef uint8_t *owners    # the server of every id, for keyspaces that fit a table, else NULL; owned
    cdef uint64_t owned     # ids that the table covers

    cdef int place(self, names) except -1
