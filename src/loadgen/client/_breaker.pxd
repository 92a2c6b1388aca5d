# A circuit breaker as a state machine that is told the time: gobreaker v2's behaviour. No I/O, no clock.
#
# A breaker has generations, one for each stay in a state. A generation has a window of buckets: one, or with a rolling
# window one for each period. An operation counts in the bucket in which it began, while that is in the window.

from libc.stdint cimport int64_t

# The numbers of `breaker.State`.
cdef enum:
    CLOSED = 0
    HALF_OPEN = 1
    OPEN = 2


# The right to carry out one operation, which `end` wants back.
cdef class Permit:
    cdef readonly int64_t generation
    cdef readonly int64_t age      # the bucket in which the operation began, counted from the generation's start
    cdef readonly int64_t probe    # the number of a probe with a deadline; 0 for any other operation


# Counts that change.
cdef class Tally:
    cdef int64_t requests, successes, failures, exclusions, consecutive_successes, consecutive_failures

    cdef void clear(self) noexcept
    cdef void succeed(self) noexcept
    cdef void add(self, object outcome) noexcept
    cdef object frozen(self)


# Counts over the last buckets, which roll as the window ages.
cdef class Window:
    cdef Tally total       # the sum of the buckets
    cdef Tally newest
    cdef list buckets
    cdef int64_t size      # of `buckets`
    cdef int64_t age       # of the newest bucket

    cdef void begin(self) noexcept
    # Count an outcome in the bucket of the operation's beginning, if that bucket is still in the window.
    cdef void end(self, object outcome, int64_t age) noexcept
    cdef int clear(self) except -1
    # Move on to an age: the buckets that leave the window are taken off its counts.
    cdef int grow(self, int64_t age) except -1
    cdef int drop(self, Tally oldest) except -1


cdef class Breaker:
    cdef readonly object settings
    cdef readonly list transitions     # the changes of state that nobody has taken yet, the oldest first
    cdef readonly int at_state         # one of the numbers above
    cdef public int64_t max_requests
    cdef int64_t timeout_ns, interval_ns, period_ns, probe_timeout_ns
    cdef object trips                  # that of the settings
    cdef bint rolls
    cdef Window window
    cdef int64_t generation, start_ns
    cdef Permit permit                 # of the generation and its age
    cdef dict probes                   # the deadline of each probe under way, by its number
    cdef int64_t probe                 # the number of the last one
    cdef int64_t due_ns                # the time from which `advance` has something to do

    # Let an operation pass, by a Permit, or not, by a Refusal. A permit goes back by `end`, however the operation ends.
    cpdef object begin(self, int64_t now_ns)
    # Take a permit back. The outcome of an operation that began in an earlier generation is ignored.
    cpdef int end(self, Permit permit, object outcome, int64_t now_ns) except -1
    # Make the transition that time alone has brought. There is one: `due_ns` has come.
    cpdef int advance(self, int64_t now_ns) except -1
    cdef int change(self, int state, int64_t now_ns) except -1
    cdef int start_generation(self, int64_t now_ns) except -1
    # Return the number of the state at a time.
    cdef int state_at(self, int64_t now_ns) except -1
