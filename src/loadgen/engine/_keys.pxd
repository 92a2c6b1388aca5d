# The keys of requests: ids 0 … count-1, drawn by popularity.

from libc.stdint cimport uint64_t

from loadgen.engine._random cimport Random


cdef class Keys:
    cdef Random random
    cdef readonly uint64_t count

    # Return the id of the next key.
    cdef uint64_t draw(self) noexcept nogil
    # Set the ids of the next n keys, as n calls of `draw` would return them.
    cdef void fill(self, uint64_t *ids, int n) noexcept nogil


cdef class Zipf(Keys):
    cdef double exponent
    cdef double h_first, h_last, shortcut  # constants of rejection-inversion
    cdef uint64_t half_mask                # of the permutation that scatters ranks over ids
    cdef int half_bits
    cdef uint64_t round_keys[4]

    cdef double h(self, double x) noexcept nogil
    cdef double h_inverse(self, double u) noexcept nogil
    cdef uint64_t scatter(self, uint64_t rank) noexcept nogil
