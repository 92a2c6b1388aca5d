# The server that a key belongs to, of several: consistent hashing as in memcached's clients.

from libc.stdint cimport uint8_t, uint32_t, uint64_t

from loadgen.engine._route cimport Route

# Up to this many keys, the server of every id is looked up once, when the run starts.
cdef enum:
    TABLE = 1 << 24

# Set four words to the MD5 (RFC 1321) of at most 65,536 bytes, little-endian, as ketama reads it.
cdef void md5(const char *text, int length, uint32_t *state) noexcept nogil

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
