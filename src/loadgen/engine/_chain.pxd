# The keys of a request where keys have owners: all of a request's keys have the same.

from libc.stdint cimport uint32_t, uint64_t

from loadgen._siblings cimport Siblings
from loadgen.engine._route cimport Route


cdef class Chain(Siblings):
    cdef Route route
    cdef uint32_t *sizes   # the keys of each lane of the route; owned


# Return the keys of a plan's requests of several, of one where there are no such requests.
cdef Siblings siblings_of(plan)
