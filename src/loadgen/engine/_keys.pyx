"""The keys of requests: uniform, or Zipf over the ranks of a seeded permutation of the ids."""

from libc.math cimport exp, expm1, fabs, log, log1p, pow
from libc.stdint cimport uint64_t

from loadgen.engine._random cimport Random, random_below, random_next, random_seed, random_unit

# The streams of randomness drawn from a worker's seed by this file.
cdef enum:
    KEY_STREAM = 2
    PERMUTATION_STREAM = 3


cdef class Keys:
    """Ids 0 … count-1, each as likely as the others."""

    def __cinit__(self, uint64_t count, uint64_t seed, *args, **kwargs):
        if count < 1:
            raise ValueError("a keyspace has at least one key")
        self.count = count
        random_seed(&self.random, seed, KEY_STREAM)

    cdef uint64_t draw(self) noexcept nogil:
        return random_below(&self.random, self.count)

    cdef void fill(self, uint64_t *ids, int n) noexcept nogil:
        # The generator's state stays in registers meanwhile.
        cdef Random random = self.random
        cdef int i
        for i in range(n):
            ids[i] = random_below(&random, self.count)
        self.random = random

    def drawn(self, int n):
        """Return the next n ids, as a list."""
        return [self.draw() for _ in range(n)]


cdef class Zipf(Keys):
    """Ids by Zipf's law: the key of rank k is drawn with a probability in proportion to 1 / k**exponent.

    Rejection-inversion (Hörmann and Derflinger, 1996): exact for every exponent > 0 and every count, without a table.
    `layout_seed` fixes which id has which rank, the same for all workers of a run.
    """

    def __cinit__(self, uint64_t count, uint64_t seed, double exponent, uint64_t layout_seed):
        if not exponent > 0:
            raise ValueError(f"a Zipf exponent is above 0, not {exponent}")
        cdef Random layout
        cdef int i
        self.exponent = exponent
        self.h_first = self.h(1.5) - 1
        self.h_last = self.h(count + 0.5)
        self.shortcut = 2 - self.h_inverse(self.h(2.5) - pow(2, -exponent))
        random_seed(&layout, layout_seed, PERMUTATION_STREAM)
        for i in range(4):
            self.round_keys[i] = random_next(&layout)
        self.half_bits = 1
        while (<uint64_t>1 << (2 * self.half_bits)) < count and self.half_bits < 32:
            self.half_bits += 1
        self.half_mask = (<uint64_t>1 << self.half_bits) - 1

    cdef double h(self, double x) noexcept nogil:
        """Return the integral of x**-exponent from 1: (x**(1-s) - 1) / (1-s), and ln x at s = 1."""
        cdef double one_less = 1 - self.exponent
        cdef double ln = log(x)
        return ln if fabs(one_less) < 1e-9 else expm1(one_less * ln) / one_less

    cdef double h_inverse(self, double u) noexcept nogil:
        cdef double one_less = 1 - self.exponent
        return exp(u) if fabs(one_less) < 1e-9 else exp(log1p(u * one_less) / one_less)

    cdef uint64_t draw(self) noexcept nogil:
        cdef double u, x
        cdef uint64_t k
        while True:
            u = self.h_last + random_unit(&self.random) * (self.h_first - self.h_last)
            x = self.h_inverse(u)
            k = 1 if x < 1.5 else self.count if x >= <double>self.count else <uint64_t>(x + 0.5)
            if k - x <= self.shortcut or u >= self.h(k + 0.5) - pow(k, -self.exponent):
                return self.scatter(k - 1)

    cdef void fill(self, uint64_t *ids, int n) noexcept nogil:
        cdef int i
        for i in range(n):
            ids[i] = self.draw()

    cdef uint64_t scatter(self, uint64_t rank) noexcept nogil:
        """Return the id of a rank, by a bijection: a four-round Feistel network over the next even number of bits,
        repeated until the result is an id. A hash modulo count would let popular ranks collide."""
        cdef uint64_t left, right, mixed
        cdef int i
        while True:
            left = rank >> self.half_bits
            right = rank & self.half_mask
            for i in range(4):
                mixed = (right + self.round_keys[i]) * <uint64_t>0x9E3779B97F4A7C15
                mixed ^= mixed >> 29
                mixed = (mixed * <uint64_t>0xBF58476D1CE4E5B9) >> 32
                left, right = right, left ^ (mixed & self.half_mask)
            rank = (left << self.half_bits) | right
            if rank < self.count:
                return rank

    def id_of_rank(self, uint64_t rank):
        """Return the id of the key of rank 0 (the most popular) … count-1."""
        if rank >= self.count:
            raise IndexError(f"there is no rank {rank} among {self.count} keys")
        return self.scatter(rank)


def create(str distribution, uint64_t count, uint64_t seed, double exponent, uint64_t layout_seed):
    """Return the `Keys` of a distribution, by its name in the config."""
    if distribution == "zipf":
        return Zipf(count, seed, exponent, layout_seed)
    return Keys(count, seed)
