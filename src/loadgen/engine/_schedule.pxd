# When to send. A schedule is a row of intended times; whoever asks for the next one before now is late, not excused.
#
# It never skips: a time that nobody could serve yet simply stays the next one. So requests that wait for room cost no
# memory: they are the times between `next_ns` and now.
#
# Two things make a schedule. A profile says how the rate runs over time, as pieces, and so how many requests are due by
# when: the integral of the rate. Arrivals say at which values of that integral requests fall: 0, 1, 2 … is an even row;
# sums of exponential draws with mean 1 are a Poisson stream. A piece turns such a value back into a time.

from libc.stdint cimport int64_t, uint64_t

from loadgen.engine._random cimport Random

cdef int64_t NEVER  # the next time of a schedule that has ended


cdef class Arrivals:
    # The integral of the rate at which the next request falls. Never smaller than the one before.
    cdef double next(self) noexcept nogil
    # Passes over requests that fall below `until`, of `most` at most, where that is quicker than one by one: how many.
    # It may leave any number of them to be taken one by one.
    cdef int64_t leap(self, double until, int64_t most) noexcept nogil


cdef class Even(Arrivals):
    cdef double offset  # of the first request, in gaps: what keeps several schedules from beating together
    cdef int64_t count


cdef class Poisson(Arrivals):
    cdef Random random
    cdef double due


# A stretch over which the rate runs straight from one value to another or, with a period, swings between the two.
cdef struct Piece:
    double start_ns   # after the schedule's beginning
    double length_s
    double rate       # per s, where it begins
    double slope      # per s²; 0 with a period
    double swing      # half of the way from the lowest to the highest rate; 0 without a period
    double period_s
    double before     # requests due in the pieces before it
    double requests   # due in it


# A closed loop's schedule, or a row of intended times.
cdef class Schedule:
    cdef bint closed      # the reply to a request makes the next one due: always, and at no time of its own
    cdef bint over        # `end` has been called
    cdef int64_t next_ns  # the intended time of the next request; NEVER in a closed loop
    cdef int64_t taken_ns  # and of the last one that `skip` took

    # Moves on to the request after the next.
    cdef void advance(self) noexcept nogil
    # Takes every request that is due before a time, of `most` at most, and says how many those are. However many, it
    # takes no longer than a few thousand of them would.
    cdef int64_t skip(self, int64_t until_ns, int64_t most) noexcept nogil
    # How many are due from the next one on and before a time: of a Poisson stream, as many as can be expected.
    cdef int64_t due_before(self, int64_t until_ns) noexcept nogil
    # There is none after those that it has given.
    cdef void end(self) noexcept nogil

    cdef inline bint is_due(self, int64_t now_ns, int64_t end_ns) noexcept nogil:
        """Whether a request is to go out now; none is that would belong to a time from `end_ns` on."""
        if self.closed:
            return not self.over and now_ns < end_ns
        return self.next_ns <= now_ns and self.next_ns < end_ns


cdef class Closed(Schedule):
    pass


cdef class Paced(Schedule):
    cdef Arrivals arrivals
    cdef Piece *pieces    # owned
    cdef int n_pieces
    cdef int at           # the piece that next_ns lies in
    cdef int64_t start_ns

    # The integral of the rate, up to a time.
    cdef double integral(self, int64_t until_ns) noexcept nogil
