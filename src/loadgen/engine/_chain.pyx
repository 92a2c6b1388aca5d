"""The keys of a request where keys have owners: the slots of a cluster, or the servers that keys are hashed to.

A request has its first key and those behind it with the same owner, in the order of their ids. Behind an owner's last
key comes its first. A request of an owner with too few keys has them all, and is shorter.
"""

from libc.stdint cimport uint32_t, uint64_t
from libc.stdlib cimport calloc, free, malloc

from loadgen.engine._sharding cimport route_of
from loadgen.engine._slots cimport BySlot, Slots


cdef class Chain(Siblings):
    """Requests of keys that belong to the same lane of a route, which does not change.

    The chain takes four bytes for each of `count` keys, which are at most 2**32.
    """

    def __cinit__(self, uint64_t count, int most, Route route not None):
        cdef uint64_t key
        cdef int lane
        if count > <uint64_t>1 << 32:
            raise ValueError(f"{count} keys are too many for a chain of keys of one owner")
        self.route = route
        self.next = <uint32_t *>malloc(count * sizeof(uint32_t))
        self.sizes = <uint32_t *>calloc(route.lanes, sizeof(uint32_t))
        first = <uint32_t *>calloc(route.lanes, sizeof(uint32_t))
        last = <uint32_t *>calloc(route.lanes, sizeof(uint32_t))
        try:
            if self.next == NULL or self.sizes == NULL or first == NULL or last == NULL:
                raise MemoryError()
            for key in range(count):
                lane = route.owner(key)
                if self.sizes[lane]:
                    self.next[last[lane]] = <uint32_t>key
                else:
                    first[lane] = <uint32_t>key
                last[lane] = <uint32_t>key
                self.sizes[lane] += 1
            for lane in range(route.lanes):
                if self.sizes[lane]:
                    self.next[last[lane]] = first[lane]
        finally:
            free(first)
            free(last)

    def __dealloc__(self):
        free(self.sizes)

    cdef int size(self, uint64_t first) noexcept nogil:
        return <int>min(<uint32_t>self.most, self.sizes[self.route.owner(first)])


cdef Siblings siblings_of(plan):
    cdef Route route = Route()
    keyspace, topology, most = plan.workload.keyspace, plan.target.topology, plan.workload.keys_per_request
    if most > 1 and topology is not None:
        # Slots keep their keys, whatever becomes of their owners.
        route = BySlot(Slots(keyspace.length, keyspace.prefix.encode(), 1)) if topology.slots else route
    elif most > 1:
        route = route_of(plan.target, keyspace.length, keyspace.count, keyspace.prefix.encode())
    return Chain(keyspace.count, most, route) if route.lanes > 1 else Siblings(keyspace.count, most)
