"""The intended times of requests; in a closed loop there are none, and replies make requests due.

This file reads no clock: a schedule is passed its beginning. `_schedule.pxd` describes profile and arrivals.
"""

from libc.math cimport M_PI, cos, fabs, floor, lgamma, log, log1p, sin, sqrt
from libc.stdint cimport int64_t, uint64_t
from libc.stdlib cimport calloc, free, realloc

from loadgen.engine._random cimport Random, random_seed, random_unit

cdef int64_t NEVER = 1 << 62

cdef enum:
    ARRIVAL_STREAM = 7
    # A stretch of a Poisson stream with fewer requests is gone through one by one, so that the stream stays as seeded.
    MANY = 1024
    FEW = 2
    # Halving a bracket this many times alone brings any period below a nanosecond.
    STEPS = 80

cdef double NS = 1e-9

# The integral of a profile that is never reached.
cdef double NOT_DUE = 1e300


cdef class Arrivals:
    """The values of the rate's integral at which requests fall. Only the subclasses can be used."""

    cdef double next(self) noexcept nogil:
        return 0

    cdef int64_t leap(self, double until, int64_t most) noexcept nogil:
        return 0

    def take(self, int n):
        """Return the next n values, as a list."""
        return [self.next() for _ in range(n)]


cdef class Even(Arrivals):
    """At offset, 1 + offset, 2 + offset …: without drift."""

    def __cinit__(self, double offset=0.0):
        self.offset = offset

    cdef double next(self) noexcept nogil:
        self.count += 1
        return self.count - 1 + self.offset

    cdef int64_t leap(self, double until, int64_t most) noexcept nogil:
        # The last few are left, as rounding may move one over the end.
        cdef int64_t n = min(<int64_t>floor(until - self.offset) - self.count - FEW, most)
        if n <= 0:
            return 0
        self.count += n
        return n


cdef class Poisson(Arrivals):
    """A Poisson stream: independent exponential gaps. Several such streams together are a Poisson stream again."""

    def __cinit__(self, uint64_t seed):
        random_seed(&self.random, seed, ARRIVAL_STREAM)

    cdef double next(self) noexcept nogil:
        self.due -= log1p(-random_unit(&self.random))
        return self.due

    cdef int64_t leap(self, double until, int64_t most) noexcept nogil:
        # The number of requests in a stretch has a Poisson distribution, and later requests do not depend on it.
        cdef double mean = until - self.due
        if mean < MANY:
            return 0
        self.due = until
        return min(poisson_number(&self.random, mean), most)


cdef int64_t poisson_number(Random *random, double mean) noexcept nogil:
    """Draw from the Poisson distribution of a mean of at least 10.

    W. Hörmann, "The transformed rejection method for generating Poisson random variables", Insurance: Mathematics and
    Economics 12 (1993), algorithm PTRS.
    """
    cdef double b = 0.931 + 2.53 * sqrt(mean), a = -0.059 + 0.02483 * b, u, v, us, k
    cdef double inverse_alpha = 1.1239 + 1.1328 / (b - 3.4), high = 0.9277 - 3.6224 / (b - 2)
    while True:
        u = random_unit(random) - 0.5
        v = 1 - random_unit(random)
        us = 0.5 - fabs(u)
        if us <= 0:
            continue
        k = floor((2 * a / us + b) * u + mean + 0.43)
        if us >= 0.07 and v <= high:
            return <int64_t>k
        if k < 0 or us < 0.013 and v > us:
            continue
        if log(v * inverse_alpha / (a / (us * us) + b)) <= k * log(mean) - mean - lgamma(k + 1):
            return <int64_t>k


cdef double due_by(const Piece *p, double t) noexcept nogil:
    """Return the requests due from the piece's beginning until t seconds after it."""
    if p.period_s:
        return (p.rate + p.swing) * t - p.swing * p.period_s / (2 * M_PI) * sin(2 * M_PI * t / p.period_s)
    return (p.rate + p.slope * t / 2) * t


cdef double time_of(const Piece *p, double due) noexcept nogil:
    """Return the inverse of `due_by`, in ns."""
    if p.period_s:
        return time_of_swing(p, due) * 1e9
    if p.slope == 0:
        # Rounded once, so that a row at 3/s has every third request on a whole second.
        return due * 1e9 / p.rate
    # The root of a quadratic, in the form that loses no digits where the slope is small.
    cdef double speed = sqrt(max(p.rate * p.rate + 2 * p.slope * due, 0))
    return 2e9 * due / (p.rate + speed) if due > 0 else 0


cdef double time_of_swing(const Piece *p, double due) noexcept nogil:
    """Return the same in seconds for a rate that swings, by Newton's method inside a bracket."""
    cdef double middle = p.rate + p.swing
    cdef double low = floor(due / (middle * p.period_s)) * p.period_s, high = low + p.period_s
    cdef double t = due / middle, excess, rate, guess
    for _ in range(STEPS):
        excess = due_by(p, t) - due
        if excess > 0:
            high = t
        else:
            low = t
        rate = middle - p.swing * cos(2 * M_PI * t / p.period_s)
        guess = t - excess / rate if rate > 0 else low
        if fabs(guess - t) < NS / 2:
            return guess
        t = guess if low < guess < high else (low + high) / 2
    return t


cdef class Schedule:
    """The intended times of requests. Only the subclasses can be used."""

    cdef void advance(self) noexcept nogil:
        pass

    cdef int64_t skip(self, int64_t until_ns, int64_t most) noexcept nogil:
        return 0

    cdef int64_t due_before(self, int64_t until_ns) noexcept nogil:
        return 0

    cdef void end(self) noexcept nogil:
        self.over = True
        self.next_ns = NEVER

    cdef void resume(self) noexcept nogil:
        self.over = False


cdef class Closed(Schedule):
    """A closed loop's schedule: a request is due whenever there is room, so no request is late or left behind."""

    def __cinit__(self):
        self.closed = True
        self.next_ns = NEVER


cdef class Paced(Schedule):
    """A row of intended times.

    `profile` is [(length_ns, from_per_s, to_per_s, period_ns), …] as in `plan.Segment`, with each rate multiplied by
    `scale`. The schedule ends with the profile.
    """

    def __cinit__(self, profile, double scale, Arrivals arrivals):
        cdef Piece *p
        cdef double start_ns = 0, before = 0
        self.pieces = <Piece *>calloc(max(len(profile), 1), sizeof(Piece))
        if self.pieces == NULL:
            raise MemoryError()
        for length_ns, from_per_s, to_per_s, period_ns in profile:
            if min(from_per_s, to_per_s) < 0 or scale < 0 or length_ns < 0:
                raise ValueError(f"no rate and no length is below 0, but here is {from_per_s, to_per_s, length_ns}")
            p = &self.pieces[self.n_pieces]
            p.start_ns = start_ns
            p.length_s = length_ns / 1e9
            p.rate = from_per_s * scale
            p.period_s = period_ns / 1e9
            if period_ns:
                p.swing = (to_per_s - from_per_s) / 2 * scale
            elif length_ns:
                p.slope = (to_per_s - from_per_s) * scale / p.length_s
            p.before = before
            p.requests = due_by(p, p.length_s)
            before += p.requests
            start_ns += length_ns
            self.n_pieces += 1
        self.arrivals = arrivals
        self.scale = scale
        self.next_ns = NEVER

    def __dealloc__(self):
        free(self.pieces)
        free(self.shares)

    def begin(self, int64_t start_ns):
        """Place the row's beginning at a monotonic time. To be called once."""
        self.start_ns = start_ns
        self.advance()

    def rescale(self, int64_t from_ns, double scale):
        """Multiply the profile's rates by another scale, from a monotonic time on; the scale so far is above 0.

        What was due before that time stays due at its time.
        """
        cdef Share *shares = <Share *>realloc(self.shares, (self.n_shares + 1) * sizeof(Share))
        if shares == NULL:
            raise MemoryError()
        self.shares = shares
        # The next request may be due before that time; what follows it is placed when its turn comes.
        shares[self.n_shares] = Share(self.of_profile(from_ns), self.integral(from_ns), scale / self.scale)
        self.n_shares += 1
        if self.next_ns >= from_ns and not self.over:
            self.at = 0
            self.place()

    cdef void resume(self) noexcept nogil:
        self.over = False
        self.at = 0
        self.place()

    cdef double base_of(self, double due) noexcept nogil:
        cdef int i
        cdef Share *s
        for i in range(self.n_shares - 1, -1, -1):
            s = &self.shares[i]
            if due >= s.due:
                return s.base + (due - s.due) / s.factor if s.factor > 0 else NOT_DUE
        return due

    cdef void advance(self) noexcept nogil:
        self.falls_at = self.arrivals.next()
        self.place()

    cdef void place(self) noexcept nogil:
        cdef double base = self.falls_at if self.n_shares == 0 else self.base_of(self.falls_at)
        cdef Piece *p
        while self.at < self.n_pieces:
            p = &self.pieces[self.at]
            if base - p.before < p.requests:
                self.next_ns = self.start_ns + <int64_t>(p.start_ns + time_of(p, base - p.before))
                return
            if base == NOT_DUE:
                # A later share may have it due in this piece.
                break
            self.at += 1
        self.next_ns = NEVER

    cdef int64_t skip(self, int64_t until_ns, int64_t most) noexcept nogil:
        cdef int64_t n = 0, leapt
        cdef double until = self.integral(until_ns)
        while n < most and self.next_ns < until_ns:
            self.taken_ns = self.next_ns
            n += 1
            leapt = self.arrivals.leap(until, most - n)
            if leapt:
                n += leapt
                # The last request is due no later than this, and little earlier.
                self.taken_ns = until_ns - 1
            self.advance()
        return n

    cdef int64_t due_before(self, int64_t until_ns) noexcept nogil:
        if self.next_ns >= until_ns:
            return 0
        return 1 + <int64_t>max(0, self.integral(until_ns) - self.integral(self.next_ns))

    cdef double integral(self, int64_t until_ns) noexcept nogil:
        cdef double base = self.of_profile(until_ns)
        cdef int i
        cdef Share *s
        for i in range(self.n_shares - 1, -1, -1):
            s = &self.shares[i]
            if base >= s.base:
                return s.due + (base - s.base) * s.factor
        return base

    cdef double of_profile(self, int64_t until_ns) noexcept nogil:
        cdef int i = 0 if self.n_shares else self.at
        cdef double t
        cdef Piece *p
        if self.n_pieces == 0:
            return 0
        p = &self.pieces[self.n_pieces - 1]
        while i < self.n_pieces:
            p = &self.pieces[i]
            t = (until_ns - self.start_ns - p.start_ns) / 1e9
            if t < p.length_s:
                return p.before + (due_by(p, t) if t > 0 else 0)
            i += 1
        return p.before + p.requests

    cdef void end(self) noexcept nogil:
        self.over = True
        self.at = self.n_pieces
        self.next_ns = NEVER

    def skipped(self, int64_t until_ns, int64_t most):
        """Take every request due before a time, at most `most`; return how many, and the last one's time in ns."""
        n = self.skip(until_ns, most)
        return n, self.taken_ns

    def due(self, int64_t until_ns):
        """Return how many are due from the next one on and before a time: for a Poisson stream, the expected number."""
        return self.due_before(until_ns)

    def times(self, int n):
        """Return the next n intended times in ns, as a list; shorter when the profile ends."""
        row = []
        while len(row) < n and self.next_ns != NEVER:
            row.append(self.next_ns)
            self.advance()
        return row
