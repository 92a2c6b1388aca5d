# The lane of each key: consistent hashing over the servers of a memcache-like deployment, or the slots of a cluster.

from libc.stdint cimport uint64_t


cdef class Route:
    cdef readonly int lanes

    # Return the number of the lane that a key's id belongs to.
    cdef int owner(self, uint64_t key) noexcept nogil
