"""Jump consistent hash (Lamping, Veach 2014, arxiv.org/abs/1406.2294): no circle, and an even share for each server.

A server is its place in the list: a server that is added at the end takes its share from all others, and no key moves
between those. The number of a key is the first eight bytes of its MD5, little-endian.
"""

from libc.stdint cimport int64_t, uint32_t, uint64_t

cimport cython


cdef int jump(uint64_t number, int buckets) noexcept nogil:
    cdef int64_t bucket = -1, following = 0
    while following < buckets:
        bucket = following
        number = number * 2862933555777941757ULL + 1
        following = <int64_t>((bucket + 1) * (<double>(1LL << 31) / <double>((number >> 33) + 1)))
    return <int>bucket


def bucket(uint64_t number, int buckets):
    """Return the bucket, from 0, that a 64-bit number has among so many."""
    return jump(number, buckets)


@cython.final
cdef class Jump(Hashed):
    """The route over `servers` servers for keys of `key_length` characters, which begin with `prefix`.

    `count` is the number of ids that will be looked up. Raises ValueError when a server would own none of them.
    """

    def __cinit__(self, int servers, int key_length, uint64_t count, bytes prefix=b""):
        self.describe(servers, key_length, prefix)
        self.look_up(count)
        idle = [s + 1 for s, share in enumerate(self.shares(count)) if share == 0]
        if idle:
            raise ValueError(f"none of the {count} keys belongs to server {' or '.join(map(str, idle))} of {servers}")

    cdef int by_digest(self, const uint32_t *words) noexcept nogil:
        return jump(<uint64_t>words[0] | <uint64_t>words[1] << 32, self.lanes)
