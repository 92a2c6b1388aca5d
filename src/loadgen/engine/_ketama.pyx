"""Ketama, libmemcached's variant without weights: the server that a key belongs to.

Each server has 160 points on a circle of 2**32, four from every MD5 digest of `host:port-n`. A key belongs to the first
point at or after the first four bytes of its own MD5.
"""

from libc.stdint cimport int32_t
from libc.stdlib cimport free, malloc, qsort
from libc.string cimport memcpy, memset

cimport cython

from loadgen._buffer cimport write_key

cdef enum:
    POINTS_PER_SERVER = 160

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


cdef int by_place(const void *a, const void *b) noexcept nogil:
    """Order points by their place and, where two servers have one place, by server."""
    cdef const Point *p = <const Point *>a
    cdef const Point *q = <const Point *>b
    if p.at != q.at:
        return 1 if p.at > q.at else -1
    return (p.server > q.server) - (p.server < q.server)


@cython.final
cdef class Ketama(Route):
    """The circle of the servers named `names` ("host:port", in the config's order) for keys of `key_length` characters.

    Keys begin with `prefix`, which counts among their characters. `count` is the number of ids that will be looked up.
    Raises ValueError when a server would own none of the ids.
    """

    def __cinit__(self, names, int key_length, uint64_t count, bytes prefix=b""):
        cdef uint64_t i
        self.lanes = len(names)
        self.key_length = key_length
        self.prefix = prefix
        self.prefix_text = prefix
        self.prefix_length = len(prefix)
        self.length = POINTS_PER_SERVER * self.lanes
        self.points = <Point *>malloc(max(self.length, 1) * sizeof(Point))
        if self.points == NULL:
            raise MemoryError()
        if self.lanes > 1:
            self.place(names)
        if self.lanes > 1 and self.lanes < 256 and count <= TABLE:
            owners = <uint8_t *>malloc(count)
            if owners == NULL:
                raise MemoryError()
            for i in range(count):
                owners[i] = self.owner(i)
            self.owners, self.owned = owners, count
        idle = [names[s] for s, owned in enumerate(self.shares(count)) if owned == 0]
        if idle:
            raise ValueError(f"none of the {count} keys belongs to {' or '.join(idle)}")

    def __dealloc__(self):
        free(self.points)
        free(self.owners)

    cdef int place(self, names) except -1:
        """Set the points of all servers, in order."""
        cdef uint32_t words[4]
        cdef bytes text
        cdef int server, n, part
        for server, name in enumerate(names):
            for n in range(POINTS_PER_SERVER // 4):
                text = b"%s-%d" % (name.encode(), n)
                md5(text, len(text), words)
                for part in range(4):
                    self.points[server * POINTS_PER_SERVER + 4 * n + part] = Point(words[part], server)
        qsort(self.points, self.length, sizeof(Point), by_place)
        return 0

    cdef int owner(self, uint64_t key) noexcept nogil:
        cdef uint32_t words[4]
        cdef uint32_t at
        cdef int low = 0, high = self.length, middle
        cdef char text[65536]
        if self.lanes == 1:
            return 0
        if self.owners != NULL and key < self.owned:
            return self.owners[key]
        memcpy(text, self.prefix_text, self.prefix_length)
        write_key(text + self.prefix_length, key, self.key_length - self.prefix_length)
        md5(text, self.key_length, words)
        at = words[0]
        while low < high:
            middle = (low + high) // 2
            if self.points[middle].at < at:
                low = middle + 1
            else:
                high = middle
        return self.points[0 if low == self.length else low].server
