"""A world's clock, events and trace; `_world.pxd` describes them."""

import sys

from cpython.bytes cimport PyBytes_AS_STRING
from cpython.exc cimport PyErr_CheckSignals
from cpython.object cimport PyObject
from libc.stdint cimport int64_t, uint64_t
from libc.stdlib cimport abort, free, realloc
from libc.string cimport memcpy, memmove

cdef int64_t NEVER = <int64_t>1 << 62

# The kind of the world's own events, whatever actor they are for. No actor has it.
cdef enum:
    CALL = 0

# A world can be interrupted after so many events, less one: a power of two, less one.
cdef enum:
    SIGNALS_EVERY = 0xFFFF


class BrokenInvariant(Exception):
    """A condition that must hold after every event does not."""


cdef class Invariant:
    """A condition that holds after every event: `check()` returns what is broken in words, or nothing."""

    def __init__(self, check=None):
        self.call = check

    cdef int check(self) except -1:
        broken = self.call() if self.call is not None else ""
        if broken:
            raise BrokenInvariant(broken)
        return 0


cdef class World:
    """A world whose every choice is drawn from `tape`, and whose clock begins at `start_ns`."""

    def __cinit__(self, Draws tape not None, Order order not None, int64_t start_ns=1_000_000_000):
        self.tape = tape
        self.order = order
        self.now_ns = start_ns
        self.actors = []
        self.invariants = []
        self.calls = {}
        self.join(None, NULL)

    def __dealloc__(self):
        free(self.heap)
        free(self.due)
        free(self.handlers)

    # ── Actors and events ───────────────────────────────────────────────────────────────────────────────────────────

    cdef int join(self, object actor, Handler handler, bint many=False) except -1:
        cdef Handler *grown = <Handler *>realloc(self.handlers, (len(self.actors) + 1) * sizeof(Handler))
        if grown == NULL:
            raise MemoryError()
        self.handlers = grown
        self.handlers[len(self.actors)] = handler
        self.actors.append(actor)
        self.order.joined(len(self.actors) - 1, many)
        return len(self.actors) - 1

    cdef void schedule(self, int64_t at_ns, int actor, int kind, int64_t argument) noexcept nogil:
        cdef Event event
        event.at_ns = max(at_ns, self.now_ns)
        event.number = self.scheduled
        event.argument = argument
        event.actor = actor
        event.kind = kind
        self.scheduled += 1
        if event.at_ns == self.now_ns:
            self.push_due(&event)
        else:
            self.push_heap(&event)

    cdef void push_due(self, const Event *event) noexcept nogil:
        if self.n_due == self.due_capacity:
            self.due = grown_events(self.due, &self.due_capacity)
        self.due[self.n_due] = event[0]
        self.n_due += 1

    cdef void push_heap(self, const Event *event) noexcept nogil:
        cdef int at = self.n_heap, above
        if self.n_heap == self.heap_capacity:
            self.heap = grown_events(self.heap, &self.heap_capacity)
        self.n_heap += 1
        while at:
            above = (at - 1) >> 1
            if not is_before(event, &self.heap[above]):
                break
            self.heap[at] = self.heap[above]
            at = above
        self.heap[at] = event[0]

    cdef void pop_heap(self, Event *into) noexcept nogil:
        cdef const Event *last
        cdef int at = 0, below
        into[0] = self.heap[0]
        self.n_heap -= 1
        last = &self.heap[self.n_heap]
        while True:
            below = 2 * at + 1
            if below >= self.n_heap:
                break
            if below + 1 < self.n_heap and is_before(&self.heap[below + 1], &self.heap[below]):
                below += 1
            if not is_before(&self.heap[below], last):
                break
            self.heap[at] = self.heap[below]
            at = below
        self.heap[at] = last[0]

    cdef bint step(self, int64_t until_ns) noexcept:
        cdef Event event
        cdef int chosen = -1
        if self.stopped:
            return False
        if self.order.window_ns:
            chosen = self.gather_window(until_ns)
            if self.n_due == 0:
                return False
        elif self.n_due == 0 and not self.gather(until_ns):
            return False
        if chosen < 0:
            chosen = self.order.choose(self.due, self.n_due) if self.n_due > 1 else 0
        event = self.due[chosen]
        self.now_ns = max(self.now_ns, event.at_ns)
        self.n_due -= 1
        memmove(&self.due[chosen], &self.due[chosen + 1], (self.n_due - chosen) * sizeof(Event))
        self.events += 1
        self.note(<uint64_t>self.now_ns)
        self.note(<uint64_t>event.actor << 32 ^ <uint64_t>event.kind << 48 ^ <uint64_t>event.argument)
        if self.log is not None:
            self.log.append((self.now_ns, event.actor, event.kind, event.argument, self.trace))
        if event.kind != CALL:
            self.handlers[event.actor](<PyObject *>self.actors[event.actor], event.kind, event.argument)
        else:
            try:
                self.calls.pop(event.argument)()
            except BaseException as error:
                self.fail(error)
        if self.invariants and not self.stopped:
            try:
                self.check_all()
            except BaseException as error:
                self.fail(error)
        return True

    cdef bint gather(self, int64_t until_ns) noexcept:
        cdef Event event
        if self.n_heap == 0 or self.heap[0].at_ns > until_ns:
            return False
        self.now_ns = self.heap[0].at_ns
        while self.n_heap and self.heap[0].at_ns == self.now_ns:
            self.pop_heap(&event)
            self.push_due(&event)
        return True

    cdef int gather_window(self, int64_t until_ns) noexcept:
        cdef Event event
        cdef int64_t earliest_ns = NEVER
        cdef int i, first = -1
        for i in range(self.n_due):
            if self.due[i].at_ns < earliest_ns:
                earliest_ns, first = self.due[i].at_ns, i
        if self.n_heap and self.heap[0].at_ns < earliest_ns:
            earliest_ns = self.heap[0].at_ns
        until_ns = min(until_ns, earliest_ns + self.order.window_ns)
        while self.n_heap and self.heap[0].at_ns <= until_ns:
            self.pop_heap(&event)
            self.push_due(&event)
        return first if self.now_ns >= earliest_ns + self.order.window_ns else -1

    cdef void put_back(self) noexcept:
        cdef int i, kept = 0
        for i in range(self.n_due):
            if self.due[i].at_ns > self.now_ns:
                self.push_heap(&self.due[i])
            else:
                self.due[kept] = self.due[i]
                kept += 1
        self.n_due = kept

    cdef int check_all(self) except -1:
        cdef Invariant invariant
        for invariant in self.invariants:
            invariant.check()
        return 0

    cdef void fail(self, object error) noexcept:
        if self.failure is None:
            self.failure = error
        self.stopped = True

    cdef void note_bytes(self, const char *bytes, size_t size) noexcept nogil:
        cdef uint64_t word
        cdef uint64_t words[4]
        cdef uint64_t lanes[4]
        cdef int i
        self.note(size)
        if size >= sizeof(words):
            # Four multiplications at a time: each waits for none of the others.
            for i in range(4):
                lanes[i] = self.trace + i
            while size >= sizeof(words):
                memcpy(words, bytes, sizeof(words))
                for i in range(4):
                    lanes[i] = (lanes[i] ^ words[i]) * <uint64_t>0x9E3779B97F4A7C15
                    lanes[i] ^= lanes[i] >> 29
                bytes += sizeof(words)
                size -= sizeof(words)
            for i in range(4):
                self.note(lanes[i])
        while size >= 8:
            memcpy(&word, bytes, 8)
            self.note(word)
            bytes += 8
            size -= 8
        if size:
            word = 0
            memcpy(&word, bytes, size)
            self.note(word)

    # ── The Python face ─────────────────────────────────────────────────────────────────────────────────────────────

    def at(self, int64_t at_ns, call, *, int actor=0):
        """Call `call` at a time, or now when that has passed, as an event of the actor."""
        self.call_numbers += 1
        self.calls[self.call_numbers] = call
        self.schedule(at_ns, actor, CALL, self.call_numbers)

    def note_text(self, bytes text not None):
        """Add a text to the trace: what was decided or seen outside of events."""
        self.note_bytes(PyBytes_AS_STRING(text), len(text))

    def hold(self, Invariant invariant not None):
        """Check an invariant after every event from now on."""
        self.invariants.append(invariant)

    def run(self, int64_t until_ns):
        """Run through every event up to a time. True when the clock is at that time; False after `stop`.

        Raises the first error of an event, also one that compiled code could not raise, and BrokenInvariant.
        """
        hook = sys.unraisablehook
        sys.unraisablehook = self.on_unraisable
        try:
            while self.step(until_ns):
                if self.events & SIGNALS_EVERY == 0:
                    PyErr_CheckSignals()
        finally:
            sys.unraisablehook = hook
            self.put_back()
        if self.failure is not None:
            raise self.failure
        if self.stopped:
            self.stopped = False
            return False
        self.now_ns = max(self.now_ns, until_ns)
        return True

    def on_unraisable(self, raised):
        """Stop the world with an error that compiled code could not raise."""
        self.fail(raised.exc_value or RuntimeError(str(raised.err_msg)))

    @property
    def window_ns(self):
        """The longest time that an event waits for others, by the order's choice."""
        return self.order.window_ns

    def next_ns(self):
        """Return the time of the next event; None when there is none."""
        if self.n_due:
            return self.now_ns
        return self.heap[0].at_ns if self.n_heap else None

    def stop(self):
        """End `run` after this event."""
        self.stopped = True

    def digest(self):
        """Return the hash of all that happened so far, 16 hexadecimal digits."""
        return f"{self.trace:016x}"

    def keep_log(self):
        """Keep every event from now on, for `logged`."""
        self.log = []

    def logged(self):
        """Return the events that were kept: time, name and number of the actor, kind, argument, and the trace."""
        return [(at_ns, type(self.actors[actor]).__name__ if actor else "", actor, kind, argument, trace)
                for at_ns, actor, kind, argument, trace in self.log or ()]

    def close(self):
        """End all actors, and drop them, calls and invariants, which refer to the world."""
        self.n_due = self.n_heap = 0
        self.stopped = True
        for actor in self.actors[1:]:
            actor.end()
        self.actors.clear()
        self.calls.clear()
        self.invariants.clear()


cdef inline bint is_before(const Event *a, const Event *b) noexcept nogil:
    return a.at_ns < b.at_ns or a.at_ns == b.at_ns and a.number < b.number


cdef Event *grown_events(Event *events, int *capacity) noexcept nogil:
    cdef Event *grown
    capacity[0] = max(64, 2 * capacity[0])
    grown = <Event *>realloc(events, capacity[0] * sizeof(Event))
    if grown == NULL:
        # No event can be left out, and no caller can be told.
        abort()
    return grown
