"""The lane of each key. `_ketama` is one such rule."""

# The shares of more keys than this are counted of so many.
cdef enum:
    COUNTED = 1 << 24


cdef class Route:
    """A route by which every key belongs to lane 0. Subclasses have several lanes."""

    def __cinit__(self, *args, **kwargs):
        self.lanes = 1

    cdef int owner(self, uint64_t key) noexcept nogil:
        return 0

    def shares(self, uint64_t count):
        """Return each lane's part of the keys 0 … count-1: fractions that add up to 1, exact for up to 2**24 keys."""
        cdef uint64_t i, step = 1 if count <= COUNTED else count // COUNTED, seen = 0
        cdef list owned = [0] * self.lanes
        if self.lanes == 1:
            return [1.0]
        for i in range(0, count, step):
            owned[self.owner(i)] += 1
            seen += 1
        return [n / seen for n in owned]

    def owner_of(self, uint64_t key):
        """Return the number of the lane that a key's id belongs to."""
        return self.owner(key)
