# A world: a clock in ns that moves from event to event, the events to come, and a hash of those that were.
#
# One thread. An event goes to an actor, a piece of the world that schedules events for itself: the network, a host's
# thread. Events of one time run in the order that an `Order` chooses. The world reads no real clock, and no memory
# address, hash order or thread comes into it: the same tape gives the same events, bytes and hash.

from libc.stdint cimport int64_t, uint64_t

from loadgen.verify._tape cimport Draws
from loadgen.verify.world._order cimport Event, Order

# Handle an event. `actor` is the object that joined.
ctypedef void (*Handler)(void *actor, int kind, int64_t argument) noexcept

cdef int64_t NEVER


# A condition that holds after every event.
cdef class Invariant:
    cdef object call   # the Python callable that checks; None in a compiled subclass
    # Return 0, or raise BrokenInvariant with the words of what is broken.
    cdef int check(self) except -1


cdef class World:
    cdef readonly Draws tape
    cdef Order order
    cdef readonly int64_t now_ns
    cdef readonly int64_t events     # those that have run
    cdef uint64_t trace              # the hash of all that happened
    cdef Event *heap                 # the events of later times, as a binary heap by (at_ns, number); owned
    cdef int n_heap
    cdef int heap_capacity
    cdef Event *due                  # the events of now_ns, in the order in which they were scheduled; owned
    cdef int n_due
    cdef int due_capacity
    cdef uint64_t scheduled          # events ever scheduled
    cdef list actors                 # owned, by number
    cdef Handler *handlers           # by number; owned
    cdef list invariants
    cdef dict calls                  # those of `at`, by number
    cdef int64_t call_numbers
    cdef object failure              # the first error of an event, raised by `run`
    cdef list log                    # of every event, when somebody asked for it; None otherwise
    cdef bint stopped                # run no further event: `failure` is set, or `stop` was called

    # Add an actor; return its number. The world keeps it until `close`, which calls its `end()`.
    # With `many`, it stands for many things, one for each argument of its events.
    cdef int join(self, object actor, Handler handler, bint many=*) except -1
    # Schedule an event, no earlier than now.
    cdef void schedule(self, int64_t at_ns, int actor, int kind, int64_t argument) noexcept nogil
    # Stop the world with an error, which `run` raises.
    cdef void fail(self, object error) noexcept
    cdef void push_due(self, const Event *event) noexcept nogil
    cdef void push_heap(self, const Event *event) noexcept nogil
    cdef void pop_heap(self, Event *into) noexcept nogil
    # Make the events due of which the next is chosen. False when none is left up to `until_ns`.
    cdef bint gather(self, int64_t until_ns) noexcept
    # The same for an order with a window. Return the event that has waited for the whole window; -1 for none.
    cdef int gather_window(self, int64_t until_ns) noexcept
    # Put events that are due before their time back, when a run ends.
    cdef void put_back(self) noexcept
    # Run the next event of a time up to `until_ns`. False when there is none, or the world was stopped.
    cdef bint step(self, int64_t until_ns) noexcept
    cdef int check_all(self) except -1

    cdef inline void note(self, uint64_t word) noexcept nogil:
        """Add a word to the trace."""
        cdef uint64_t h = (self.trace ^ word) * <uint64_t>0x9E3779B97F4A7C15
        self.trace = h ^ (h >> 29)

    # Add bytes to the trace.
    cdef void note_bytes(self, const char *bytes, size_t size) noexcept nogil
