"""The bytes of values: random and seeded, so that nothing on the way to the server can compress them."""

from cpython.bytes cimport PyBytes_FromStringAndSize
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy

from loadgen.engine._random cimport random_next, random_seed

cdef enum:
    VALUE_STREAM = 4
    POOL_STREAM = 5


cdef class Values:
    """Values of one size, slices of a pool of seeded random bytes."""

    def __cinit__(self, Py_ssize_t value_bytes, uint64_t seed):
        cdef Random bits
        cdef Py_ssize_t i, size = WINDOW + WINDOW if value_bytes <= WINDOW else POOL
        self.value_bytes = value_bytes
        self.window = WINDOW if value_bytes <= WINDOW else POOL
        self.pool = <char *>malloc(size + SPLICE)
        if self.pool == NULL:
            raise MemoryError()
        random_seed(&bits, seed, POOL_STREAM)
        for i in range(0, size, 8):
            (<uint64_t *>(self.pool + i))[0] = random_next(&bits)
        memcpy(self.pool + size, self.pool, min(size, <Py_ssize_t>SPLICE))
        random_seed(&self.random, seed, VALUE_STREAM)

    def __dealloc__(self):
        free(self.pool)

    cdef const char *next(self) noexcept nogil:
        return self.pool + (random_next(&self.random) & (self.window - 1))

    cdef uint64_t next_start(self) noexcept nogil:
        return random_next(&self.random) & (POOL - 1)

    def drawn(self):
        """Return the next value, as bytes."""
        cdef uint64_t start
        if self.value_bytes < SPLICE:
            return PyBytes_FromStringAndSize(self.next(), self.value_bytes)
        start = self.next_start()
        pool = PyBytes_FromStringAndSize(self.pool, POOL)
        rounds = (start + self.value_bytes) // POOL + 1
        return (pool * rounds)[start:start + self.value_bytes]
