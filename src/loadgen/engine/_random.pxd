# Seeded pseudo-random numbers: xoshiro256++ (Blackman and Vigna, 2019), seeded by splitmix64 (Steele et al., 2014).
#
# Every stream of choices (commands, keys, values, arrivals, backoff) has a Random of its own, so that a change in the
# number of draws of one stream does not change the others.

from libc.stdint cimport uint64_t

cdef extern from * nogil:
    """
    #include <stdint.h>
    static inline uint64_t loadgen_mulhi(uint64_t a, uint64_t b) {
        return (uint64_t)(((unsigned __int128)a * b) >> 64);
    }
    """
    uint64_t mulhi "loadgen_mulhi"(uint64_t a, uint64_t b)

cdef struct Random:
    uint64_t s0
    uint64_t s1
    uint64_t s2
    uint64_t s3


cdef inline uint64_t splitmix64(uint64_t *state) noexcept nogil:
    state[0] += <uint64_t>0x9E3779B97F4A7C15
    cdef uint64_t z = state[0]
    z = (z ^ (z >> 30)) * <uint64_t>0xBF58476D1CE4E5B9
    z = (z ^ (z >> 27)) * <uint64_t>0x94D049BB133111EB
    return z ^ (z >> 31)


cdef inline void random_seed(Random *r, uint64_t seed, uint64_t stream) noexcept nogil:
    """Seed a Random: equal (seed, stream) pairs give equal sequences; different streams of one seed are independent."""
    cdef uint64_t state = seed
    state = splitmix64(&state) ^ (stream * <uint64_t>0xD1342543DE82EF95)
    r.s0 = splitmix64(&state)
    r.s1 = splitmix64(&state)
    r.s2 = splitmix64(&state)
    r.s3 = splitmix64(&state)


cdef inline uint64_t random_next(Random *r) noexcept nogil:
    """Return 64 uniform bits."""
    cdef uint64_t sum = r.s0 + r.s3
    cdef uint64_t result = ((sum << 23) | (sum >> 41)) + r.s0
    cdef uint64_t shifted = r.s1 << 17
    r.s2 ^= r.s0
    r.s3 ^= r.s1
    r.s1 ^= r.s2
    r.s0 ^= r.s3
    r.s2 ^= shifted
    r.s3 = (r.s3 << 45) | (r.s3 >> 19)
    return result


cdef inline uint64_t random_below(Random *r, uint64_t bound) noexcept nogil:
    """Return a number uniform in 0 … bound-1, with a bias below bound / 2**64 (Lemire's method without rejection)."""
    return mulhi(random_next(r), bound)


cdef inline double random_unit(Random *r) noexcept nogil:
    """Return a number uniform in [0, 1), on a grid of 2**-53."""
    return <double>(random_next(r) >> 11) * (1.0 / 9007199254740992.0)
