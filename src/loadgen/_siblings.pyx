"""The keys of a request of several keys: its first key, and those behind it in the key space, which begins anew.

This file does not know who serves a key. `engine._chain` has the rule for keys that belong to several servers.
"""

from libc.stdint cimport uint64_t
from libc.stdlib cimport free


cdef class Siblings:
    """Requests of `most` keys, or of all keys, of the ids 0 … count-1. Raises ValueError for more than 64 keys."""

    def __cinit__(self, uint64_t count, int most, *args):
        if not 1 <= most <= MOST_KEYS or count < 1:
            raise ValueError(f"a request has 1 to {MOST_KEYS} of the keys, not {most} of {count}")
        self.count = count
        self.most = most

    def __dealloc__(self):
        free(self.next)

    cdef int size(self, uint64_t first) noexcept nogil:
        return <int>min(<uint64_t>self.most, self.count)

    def of(self, uint64_t first):
        """Return the ids of the keys of a request, in their order."""
        keys, key = [], first
        for _ in range(self.size(first)):
            keys.append(key)
            key = self.after(key)
        return keys
