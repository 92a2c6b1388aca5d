"""Jump consistent hash (Lamping, Veach 2014, arxiv.org/abs/1406.2294): no circle, and an even share for each server.

A server is its place in the list: a server that is added at the end takes its share from all others, and no key moves
between those. The number of a key is the first eight bytes of its MD5, little-endian.
"""

from libc.stdint cimport int64_t, uint32_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy

cimport cython

from loadgen._buffer cimport write_key
from loadgen.engine._ketama cimport TABLE, md5


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
cdef class Jump(Route):
    """The route over `servers` servers for keys of `key_length` characters, which begin with `prefix`.

    `count` is the number of ids that will be looked up. Raises ValueError when a server would own none of them.
    """

    def __cinit__(self, int servers, int key_length, uint64_t count, bytes prefix=b""):
        cdef uint64_t i
        self.lanes = servers
        self.key_length = key_length
        self.prefix = prefix
        self.prefix_text = prefix
        self.prefix_length = len(prefix)
        if 1 < self.lanes < 256 and count <= TABLE:
            owners = <uint8_t *>malloc(count)
            if owners == NULL:
                raise MemoryError()
            for i in range(count):
                owners[i] = self.owner(i)
            self.owners, self.owned = owners, count
        idle = [s + 1 for s, share in enumerate(self.shares(count)) if share == 0]
        if idle:
            raise ValueError(f"none of the {count} keys belongs to server {' or '.join(map(str, idle))} of {servers}")

    def __dealloc__(self):
        free(self.owners)

    cdef int owner(self, uint64_t key) noexcept nogil:
        cdef uint32_t words[4]
        cdef char text[65536]
        if self.lanes == 1:
            return 0
        if self.owners != NULL and key < self.owned:
            return self.owners[key]
        memcpy(text, self.prefix_text, self.prefix_length)
        write_key(text + self.prefix_length, key, self.key_length - self.prefix_length)
        md5(text, self.key_length, words)
        return jump(<uint64_t>words[0] | <uint64_t>words[1] << 32, self.lanes)
