# The keys of a request of several keys. A request names its first key only; the others follow from it.

from libc.stdint cimport uint32_t, uint64_t

# The most keys of a request: a request has one bit for each, which says that the key was found.
cdef enum:
    MOST_KEYS = 64


cdef class Siblings:
    cdef readonly uint64_t count  # keys are the ids 0 … count-1
    cdef readonly int most        # the keys of a request, where there are so many
    cdef uint32_t *next           # the key behind each; NULL: its id plus one, and 0 behind the last; owned

    # Return the number of keys of a request with this first key.
    cdef int size(self, uint64_t first) noexcept nogil

    cdef inline uint64_t after(self, uint64_t key) noexcept nogil:
        """Return the key behind a key of a request."""
        if self.next != NULL:
            return self.next[key]
        return key + 1 if key + 1 < self.count else 0


cdef inline uint64_t all_of(int keys) noexcept nogil:
    """Return the bits of so many keys, of which there is one at least."""
    return (<uint64_t>-1) >> (MOST_KEYS - keys)
