"""Ketama, libmemcached's variant without weights: the server that a key belongs to.

Each server has 160 points on a circle of 2**32, four from every MD5 digest of `host:port-n`. A key belongs to the first
point at or after the first four bytes of its own MD5.
"""

from libc.stdint cimport uint32_t, uint64_t
from libc.stdlib cimport free, malloc, qsort

cimport cython

from loadgen.engine._hashed cimport md5

cdef enum:
    POINTS_PER_SERVER = 160

cdef int by_place(const void *a, const void *b) noexcept nogil:
    """Order points by their place and, where two servers have one place, by server."""
    cdef const Point *p = <const Point *>a
    cdef const Point *q = <const Point *>b
    if p.at != q.at:
        return 1 if p.at > q.at else -1
    return (p.server > q.server) - (p.server < q.server)


@cython.final
cdef class Ketama(Hashed):
    """The circle of the servers named `names` ("host:port", in the config's order) for keys of `key_length` characters.

    Keys begin with `prefix`, which counts among their characters. `count` is the number of ids that will be looked up.
    Raises ValueError when a server would own none of the ids.
    """

    def __cinit__(self, names, int key_length, uint64_t count, bytes prefix=b""):
        self.describe(len(names), key_length, prefix)
        self.length = POINTS_PER_SERVER * self.lanes
        self.points = <Point *>malloc(max(self.length, 1) * sizeof(Point))
        if self.points == NULL:
            raise MemoryError()
        if self.lanes > 1:
            self.place(names)
        self.look_up(count)
        idle = [names[s] for s, owned in enumerate(self.shares(count)) if owned == 0]
        if idle:
            raise ValueError(f"none of the {count} keys belongs to {' or '.join(idle)}")

    def __dealloc__(self):
        free(self.points)

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

    cdef int by_digest(self, const uint32_t *words) noexcept nogil:
        cdef uint32_t at = words[0]
        cdef int low = 0, high = self.length, middle
        while low < high:
            middle = (low + high) // 2
            if self.points[middle].at < at:
                low = middle + 1
            else:
                high = middle
        return self.points[0 if low == self.length else low].server
