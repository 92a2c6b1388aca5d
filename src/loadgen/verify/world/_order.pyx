"""The order of events of the same time; `_order.pxd` lists the orders."""

from loadgen.verify._tape cimport site_of

cdef int NEXT = site_of("next event")


cdef class Order:
    """The order in which events were scheduled."""

    cdef int choose(self, const Event *due, int count) noexcept:
        return 0

    cdef bint is_swapped(self, int site) noexcept:
        return False


cdef class Uniform(Order):
    """Any event of those that are due, drawn from a tape."""

    def __cinit__(self, Draws tape not None):
        self.tape = tape

    cdef int choose(self, const Event *due, int count) noexcept:
        return <int>self.tape.draw(NEXT, count)

    cdef bint is_swapped(self, int site) noexcept:
        return self.tape.draw(site, 2)
