"""The order of events of the same time; `_order.pxd` lists the orders."""

from libc.stdint cimport int64_t
from libc.stdlib cimport abort, calloc, free, qsort, realloc
from libc.string cimport memset

from loadgen.verify._tape cimport site_of

cdef int NEXT = site_of("next event")
cdef int PRIORITY = site_of("priority")
cdef int CHANGE = site_of("change of a priority")

cdef enum:
    MOST_ACTORS = 4096       # of which each has a priority of its own
    PRIORITIES = 1 << 20     # drawn ones; those of changes are below


cdef class Order:
    """The order in which events were scheduled."""

    cdef void joined(self, int actor, bint many) noexcept:
        pass

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


cdef class Priorities(Order):
    """The event of the highest priority of those that are due within `window_ns`.

    `changes` times in about `events` events, what runs falls below all others.
    """

    def __cinit__(self, Draws tape not None, int64_t events, int changes, int64_t window_ns):
        cdef int i
        self.tape = tape
        self.window_ns = window_ns
        self.changes = changes
        self.change_at = <int64_t *>calloc(max(1, changes), sizeof(int64_t))
        if self.change_at == NULL:
            raise MemoryError()
        for i in range(changes):
            self.change_at[i] = <int64_t>tape.draw(CHANGE, max(1, events))
        qsort(self.change_at, changes, sizeof(int64_t), by_size)

    def __dealloc__(self):
        free(self.priorities)
        free(self.change_at)

    cdef void joined(self, int actor, bint many) noexcept:
        if many and not self.many:
            self.many = actor

    cdef int64_t *priority(self, const Event *event) noexcept:
        cdef int64_t thing = event.actor % MOST_ACTORS, capacity
        if self.many and event.actor == self.many:
            thing = MOST_ACTORS + event.argument
        if thing >= self.capacity:
            capacity = max(2 * MOST_ACTORS, 2 * thing)
            self.priorities = <int64_t *>realloc(self.priorities, capacity * sizeof(int64_t))
            if self.priorities == NULL:
                abort()
            memset(self.priorities + self.capacity, 0, (capacity - self.capacity) * sizeof(int64_t))
            self.capacity = capacity
        if self.priorities[thing] == 0:
            self.priorities[thing] = self.changes + 1 + <int64_t>self.tape.draw(PRIORITY, PRIORITIES)
        return &self.priorities[thing]

    cdef int choose(self, const Event *due, int count) noexcept:
        cdef int i, chosen = 0
        cdef int64_t found, highest = -1
        self.events += 1
        for i in range(count):
            if due[i].actor == 0:
                # In the order of their times.
                return i
            found = self.priority(&due[i])[0]
            if found > highest:
                highest, chosen = found, i
        if self.changed < self.changes and self.events > self.change_at[self.changed]:
            # The lowest are those that fell first.
            self.changed += 1
            self.priority(&due[chosen])[0] = self.changed
        return chosen

    cdef bint is_swapped(self, int site) noexcept:
        return self.tape.draw(site, 2)


cdef int by_size(const void *a, const void *b) noexcept nogil:
    cdef int64_t x = (<const int64_t *>a)[0], y = (<const int64_t *>b)[0]
    return (x > y) - (x < y)
