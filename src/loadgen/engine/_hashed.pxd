# Routes by the MD5 of a key, as memcached's clients have them.

from libc.stdint cimport uint8_t, uint32_t, uint64_t

from loadgen.engine._route cimport Route

# Set four words to the MD5 (RFC 1321) of at most 65,536 bytes, little-endian, as ketama reads it.
cdef void md5(const char *text, int length, uint32_t *state) noexcept nogil


cdef class Hashed(Route):
    cdef int key_length          # the prefix included
    cdef bytes prefix
    cdef const char *prefix_text  # of `prefix`
    cdef int prefix_length
    cdef uint8_t *owners    # the server of every id, for keyspaces that fit a table, else NULL; owned
    cdef uint64_t owned     # ids that the table covers

    # Set the servers' number and what keys look like; the subclass's own state is set after that.
    cdef int describe(self, int servers, int key_length, bytes prefix) except -1
    # Look the server of each of so many ids up, once, where they fit a table.
    cdef int look_up(self, uint64_t count) except -1
    # Return the server of a key by its digest, where there are several.
    cdef int by_digest(self, const uint32_t *words) noexcept nogil
