"""The server of a key by its MD5: the digest, and a table of the servers of ids. The rules are subclasses."""

from libc.stdint cimport int32_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy, memset

from loadgen._buffer cimport write_key

# Up to this many keys, the server of every id is looked up once, when the run starts.
cdef enum:
    TABLE = 1 << 24

cdef int32_t SHIFTS[16]
SHIFTS[:] = [7, 12, 17, 22, 5, 9, 14, 20, 4, 11, 16, 23, 6, 10, 15, 21]
cdef uint32_t SINES[64]


def _fill_sines():
    from math import floor, sin
    for i in range(64):
        SINES[i] = floor(abs(sin(i + 1)) * 2**32)


_fill_sines()


cdef void md5(const char *text, int length, uint32_t *state) noexcept nogil:
    # hashlib would need a Python object per key, and with a large keyspace each request looks up its key.
    cdef uint32_t block[16]
    cdef char *bytes = <char *>block
    cdef uint32_t a, b, c, d, f, rotated
    cdef int done = 0, here, i, g
    cdef bint padded = False, finished = False
    state[0], state[1], state[2], state[3] = 0x67452301, <uint32_t>0xEFCDAB89, <uint32_t>0x98BADCFE, 0x10325476
    while not finished:
        here = min(64, length - done)
        memset(block, 0, 64)
        memcpy(bytes, text + done, here)
        done += here
        if here < 64 and not padded:
            bytes[here] = <char>0x80
            padded = True
            finished = here < 56
        elif padded:
            finished = True
        if finished:
            block[14] = <uint32_t>length << 3
        a, b, c, d = state[0], state[1], state[2], state[3]
        for i in range(64):
            if i < 16:
                f, g = (b & c) | (~b & d), i
            elif i < 32:
                f, g = (d & b) | (~d & c), (5 * i + 1) & 15
            elif i < 48:
                f, g = b ^ c ^ d, (3 * i + 5) & 15
            else:
                f, g = c ^ (b | ~d), (7 * i) & 15
            f = f + a + SINES[i] + block[g]
            rotated = (f << SHIFTS[(i >> 4) * 4 + (i & 3)]) | (f >> (32 - SHIFTS[(i >> 4) * 4 + (i & 3)]))
            a, d, c, b = d, c, b, b + rotated
        state[0] += a
        state[1] += b
        state[2] += c
        state[3] += d


cdef class Hashed(Route):
    """A route by the keys' digests. Only the subclasses can be used."""

    def __dealloc__(self):
        free(self.owners)

    cdef int describe(self, int servers, int key_length, bytes prefix) except -1:
        self.lanes = servers
        self.key_length = key_length
        self.prefix = prefix
        self.prefix_text = prefix
        self.prefix_length = len(prefix)
        return 0

    cdef int look_up(self, uint64_t count) except -1:
        cdef uint64_t i
        if not 1 < self.lanes < 256 or count > TABLE:
            return 0
        owners = <uint8_t *>malloc(count)
        if owners == NULL:
            raise MemoryError()
        for i in range(count):
            owners[i] = self.owner(i)
        self.owners, self.owned = owners, count
        return 0

    cdef int by_digest(self, const uint32_t *words) noexcept nogil:
        return 0

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
        return self.by_digest(words)
