"""A circuit breaker as a state machine that is told the time: gobreaker v2's behaviour. No I/O, no clock.

A breaker refuses operations on a node that fails, and finds out by a few probes when the node is well again. The rules
are those of github.com/sony/gobreaker/v2 2.4.0, which tests/client/data holds recorded traces of. Every transition is
lazy: the next `begin`, `end`, `state` or `counts` makes it. These differences are deliberate:

- Nothing is called back. `transitions` collects the changes, and the owner takes them when it holds nothing.
- A probe may have a deadline (`probe_timeout_ns`), after which it counts as a failure. A probe that never ends blocks
  gobreaker's half-open state for ever.
- `counts` moves on to the present first. gobreaker's Counts() has the past's until the next request.
"""

from loadgen.client.breaker import DEFAULT_TIMEOUT_NS as _DEFAULT_TIMEOUT_NS
from loadgen.client.breaker import Counts, Outcome, Refusal, State, Transition

cdef int64_t NEVER = 1 << 62

cdef tuple STATES = tuple(State)
# Looked up once: an attribute of an enumeration costs more than a breaker does.
cdef object SUCCESS = Outcome.SUCCESS, FAILURE = Outcome.FAILURE
cdef object REFUSED = Refusal.OPEN, TOO_MANY_PROBES = Refusal.TOO_MANY_PROBES


cdef class Permit:
    """The right to carry out one operation. Only a breaker makes permits."""


cdef Permit permit_of(int64_t generation, int64_t age, int64_t probe):
    cdef Permit permit = Permit.__new__(Permit)
    permit.generation = generation
    permit.age = age
    permit.probe = probe
    return permit


cdef class Tally:

    cdef void clear(self) noexcept:
        self.requests = self.successes = self.failures = self.exclusions = 0
        self.consecutive_successes = self.consecutive_failures = 0

    cdef void succeed(self) noexcept:
        self.successes += 1
        self.consecutive_successes += 1
        self.consecutive_failures = 0

    cdef void add(self, object outcome) noexcept:
        if outcome is SUCCESS:
            self.succeed()
        elif outcome is FAILURE:
            self.failures += 1
            self.consecutive_failures += 1
            self.consecutive_successes = 0
        else:
            self.exclusions += 1

    cdef object frozen(self):
        return Counts(
            self.requests,
            self.successes,
            self.failures,
            self.exclusions,
            self.consecutive_successes,
            self.consecutive_failures,
        )


cdef class Window:

    def __cinit__(self, int64_t size):
        self.total = Tally()
        self.buckets = [Tally() for _ in range(size)]
        self.size = size
        self.clear()

    cdef void begin(self) noexcept:
        self.total.requests += 1
        self.newest.requests += 1

    cdef void end(self, object outcome, int64_t age) noexcept:
        if 0 <= self.age - age < self.size:
            self.total.add(outcome)
            (<Tally>self.buckets[age % self.size]).add(outcome)

    cdef int clear(self) except -1:
        cdef Tally bucket
        self.total.clear()
        for bucket in self.buckets:
            bucket.clear()
        self.age = 0
        self.newest = self.buckets[0]
        return 0

    cdef int grow(self, int64_t age) except -1:
        if age - self.age >= self.size:
            self.clear()
            self.age = age
        while self.age < age:
            self.age += 1
            self.drop(self.buckets[self.age % self.size])
        self.newest = self.buckets[self.age % self.size]
        return 0

    cdef int drop(self, Tally oldest) except -1:
        cdef Tally total = self.total, bucket
        cdef int64_t successes = 0, failures = 0
        for bucket in self.buckets:
            if bucket is not oldest:
                successes += bucket.successes
                failures += bucket.failures
        # A run of successes or failures becomes shorter only if it began in the oldest bucket.
        if total.consecutive_successes == oldest.consecutive_successes + successes:
            total.consecutive_successes = max(0, total.consecutive_successes - oldest.consecutive_successes)
        if total.consecutive_failures == oldest.consecutive_failures + failures:
            total.consecutive_failures = max(0, total.consecutive_failures - oldest.consecutive_failures)
        total.requests = max(0, total.requests - oldest.requests)
        total.successes = max(0, total.successes - oldest.successes)
        total.failures = max(0, total.failures - oldest.failures)
        total.exclusions = max(0, total.exclusions - oldest.exclusions)
        oldest.clear()
        return 0


cdef class Breaker:
    """One breaker. Times are int ns of one monotonic clock and never go back."""

    def __init__(self, settings, int64_t now_ns):
        cdef int64_t size = 1
        self.settings = settings
        self.trips = settings.trips
        self.transitions = []
        self.probes = {}
        self.max_requests = settings.max_requests or 1
        self.timeout_ns = settings.timeout_ns if settings.timeout_ns > 0 else _DEFAULT_TIMEOUT_NS
        self.probe_timeout_ns = settings.probe_timeout_ns
        self.interval_ns = max(0, settings.interval_ns)
        if settings.interval_ns > 0 and settings.bucket_period_ns > 0:
            self.period_ns = settings.bucket_period_ns
            size = (self.interval_ns + self.period_ns - 1) // self.period_ns
            self.interval_ns = size * self.period_ns
        self.window = Window(size)
        self.rolls = size >= 2
        self.at_state = CLOSED
        self.start_generation(now_ns)

    cpdef object begin(self, int64_t now_ns):
        """Let an operation pass, by a Permit, or not, by a Refusal. A permit goes back by `end`, however the operation
        ends."""
        cdef Tally counted
        if now_ns >= self.due_ns:
            self.advance(now_ns)
        if self.at_state == CLOSED:
            self.window.begin()
            return self.permit
        if self.at_state == OPEN:
            return REFUSED
        counted = self.window.total
        if max(0, counted.requests - counted.exclusions) >= self.max_requests:
            return TOO_MANY_PROBES
        self.window.begin()
        if not self.probe_timeout_ns:
            return self.permit
        self.probe += 1
        self.probes[self.probe] = now_ns + self.probe_timeout_ns
        self.due_ns = min(self.probes.values()) + 1
        return permit_of(self.permit.generation, self.permit.age, self.probe)

    cpdef int end(self, Permit permit, object outcome, int64_t now_ns) except -1:
        """Take a permit back. The outcome of an operation that began in an earlier generation is ignored."""
        if now_ns >= self.due_ns:
            self.advance(now_ns)
        if permit.generation != self.generation:
            return 0
        if permit.probe:
            del self.probes[permit.probe]
            self.due_ns = min(self.probes.values(), default=NEVER - 1) + 1
        if self.at_state == HALF_OPEN and outcome is FAILURE:
            return self.change(OPEN, now_ns)
        self.window.end(outcome, permit.age)
        if self.at_state == HALF_OPEN and outcome is SUCCESS:
            if self.window.total.consecutive_successes >= self.max_requests:
                self.change(CLOSED, now_ns)
        elif outcome is FAILURE and self.trips(self.window.total.frozen()):
            self.change(OPEN, now_ns)
        return 0

    def state(self, int64_t now_ns):
        """Return the state at a time."""
        return STATES[self.state_at(now_ns)]

    def counts(self, int64_t now_ns):
        """Return the counts at a time, without what has left the window."""
        self.state_at(now_ns)
        return self.window.total.frozen()

    cdef int state_at(self, int64_t now_ns) except -1:
        if now_ns >= self.due_ns:
            self.advance(now_ns)
        return self.at_state

    cpdef int advance(self, int64_t now_ns) except -1:
        """Make the transition that time alone has brought. There is one: its time has come."""
        cdef int64_t age
        if self.at_state == OPEN:
            self.change(HALF_OPEN, now_ns)
        elif self.at_state == HALF_OPEN:
            self.change(OPEN, now_ns)
        elif self.rolls:
            age = (now_ns - self.start_ns) // self.period_ns
            self.window.grow(age)
            self.permit = permit_of(self.generation, age, 0)
            self.due_ns = self.start_ns + (age + 1) * self.period_ns
        else:
            self.start_generation(now_ns)
        return 0

    cdef int change(self, int state, int64_t now_ns) except -1:
        self.transitions.append(Transition(now_ns, STATES[self.at_state], STATES[state]))
        self.at_state = state
        self.start_generation(now_ns)
        return 0

    cdef int start_generation(self, int64_t now_ns) except -1:
        self.generation += 1
        self.start_ns = now_ns
        self.window.clear()
        self.probes.clear()
        self.permit = permit_of(self.generation, 0, 0)
        # Times that are strictly in the past have passed, hence the 1.
        if self.at_state == OPEN:
            self.due_ns = now_ns + self.timeout_ns + 1
        elif self.at_state == HALF_OPEN or not self.interval_ns:
            self.due_ns = NEVER
        elif self.rolls:
            self.due_ns = now_ns + self.period_ns
        else:
            self.due_ns = now_ns + self.interval_ns + 1
        return 0
