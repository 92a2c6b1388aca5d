# The order of events that are due at once. An order is passed to a world.
#
# Events of one time are due at once. An order with a window has those of the next `window_ns` due too: it may run an
# event while one of an earlier time waits, for the window at most. The clock never goes back: what has waited runs
# late.

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
    cdef readonly int64_t window_ns
    # An actor has joined the world. `many`: it stands for many things, one for each argument of its events.
    cdef void joined(self, int actor, bint many) noexcept
    # Return which of `count` > 1 events that are due is next. They stand in the order of their times, and of one time
    # in that in which they were scheduled, but for those scheduled since the first was due.
    cdef int choose(self, const Event *due, int count) noexcept
    # Return whether the second of two things that are ready in one turn of a thread goes first.
    cdef bint is_swapped(self, int site) noexcept


# Each of the events that are due is as likely to be next.
cdef class Uniform(Order):
    cdef Draws tape


# Probabilistic concurrency testing (Burckhardt and others: A Randomized Scheduler with Probabilistic Guarantees of
# Finding Bugs, ASPLOS 2010). Each actor, and each end of a stream, has a drawn priority, and of what is due the highest
# goes first. At `changes` drawn places of a run of about `events` events, whoever runs falls below all others: a bug
# that shows when `changes` + 1 events come in one order is found with a probability that has a bound. In virtual time
# hardly two events are due at once, hence the window: whoever is low waits as long as others have events in it. A
# window far below the least timeout keeps timeouts what they are. The world's own calls, which begin and end faults,
# come first.
cdef class Priorities(Order):
    cdef Draws tape
    cdef int64_t *priorities     # by the number of a thing; 0: not drawn yet. Owned
    cdef int64_t capacity
    cdef int many                # the actor that stands for many things; 0: none
    cdef int64_t events          # chosen so far
    cdef int64_t *change_at      # the counts of events at which priorities change, sorted; owned
    cdef int changes
    cdef int changed

    cdef int64_t *priority(self, const Event *event) noexcept
