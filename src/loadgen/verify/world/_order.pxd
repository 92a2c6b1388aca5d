# The order of events of the same time. An order is passed to a world, and sees the events that are due at once.

from libc.stdint cimport int64_t, uint64_t

from loadgen.verify._tape cimport Draws

cdef struct Event:
    int64_t at_ns
    uint64_t number    # of events before it: the order in which they were scheduled
    int64_t argument   # by kind
    int actor          # by the number that the world gave it
    int kind           # the actor's


# The order in which events were scheduled. It draws nothing.
cdef class Order:
    # Return which of `count` > 1 events of one time is next. They stand in the order in which they were scheduled.
    cdef int choose(self, const Event *due, int count) noexcept
    # Return whether the second of two things that are ready in one turn of a thread goes first.
    cdef bint is_swapped(self, int site) noexcept


# Each of the events that are due is as likely to be next.
cdef class Uniform(Order):
    cdef Draws tape
