# The server that a key belongs to, of several in a numbered list: jump consistent hash.

from libc.stdint cimport uint8_t, uint64_t

from loadgen.engine._route cimport Route


cdef class Jump(Route):
    cdef int key_length          # the prefix included
    cdef bytes prefix
    cdef const char *prefix_text  # of `prefix`
    cdef int prefix_length
    cdef uint8_t *owners    # the server of every id, for keyspaces that fit a table, else NULL; owned
    cdef uint64_t owned     # ids that the table covers


# Return the bucket of a 64-bit number.
cdef int jump(uint64_t number, int buckets) noexcept nogil
