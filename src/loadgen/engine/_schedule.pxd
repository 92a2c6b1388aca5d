# The intended times of requests. A schedule is a row of intended times; a request that is sent after its time is late,
# and its time stays the same.
#
# A schedule never skips a time: a time that could not be served yet stays the next one. So requests that wait for room
# cost no memory: they are the times between `next_ns` and now.
#
# A schedule consists of a profile and arrivals. The profile has the rate over time, as pieces, and so the number of
# requests due by a time: the integral of the rate. Arrivals are the values of that integral at which requests fall:
# 0, 1, 2 … is an even row; sums of exponential draws with mean 1 are a Poisson stream. A piece turns such a value back
# into a time.

from libc.stdint cimport int64_t, uint64_t

from loadgen.engine._random cimport Random

cdef int64_t NEVER  # the next time of a schedule that has ended, and of a closed one


cdef class Arrivals:
    # Return the integral of the rate at which the next request falls, never smaller than the one before.
    cdef double next(self) noexcept nogil
    # Pass over requests that fall below `until`, at most `most`, where that is quicker than one by one; return their
    # number. Any of these requests may be left to be taken one by one.
    cdef int64_t leap(self, double until, int64_t most) noexcept nogil


cdef class Even(Arrivals):
    cdef double offset  # of the first request, in gaps: offsets keep several schedules from sending together
    cdef int64_t count


cdef class Poisson(Arrivals):
    cdef Random random
    cdef double due


# A stretch in which the rate changes linearly from one value to another or, with a period, swings between the two.
cdef struct Piece:
    double start_ns   # after the schedule's beginning
    double length_s
    double rate       # per s, at the piece's beginning
    double slope      # per s²; 0 with a period
    double swing      # half of the way from the lowest to the highest rate; 0 without a period
    double period_s
    double before     # requests due in the earlier pieces
    double requests   # due in this piece


# A closed loop's schedule, or a row of intended times.
cdef class Schedule:
    cdef bint closed      # the reply to a request makes the next one due; requests have no times of their own
    cdef bint over        # `end` has been called
    cdef int64_t next_ns  # the intended time of the next request; NEVER in a closed loop
    cdef int64_t taken_ns  # the intended time of the last request that `skip` took

    # Move on to the request after the next.
    cdef void advance(self) noexcept nogil
    # Take every request that is due before a time, at most `most`, and return how many. However many these are, the
    # call takes no longer than for a few thousand.
    cdef int64_t skip(self, int64_t until_ns, int64_t most) noexcept nogil
    # Return how many are due from the next one on and before a time: for a Poisson stream, the expected number.
    cdef int64_t due_before(self, int64_t until_ns) noexcept nogil
    # End the schedule: no further request follows.
    cdef void end(self) noexcept nogil
    # After an end, go on where the row was.
    cdef void resume(self) noexcept nogil

    cdef inline bint is_due(self, int64_t now_ns, int64_t end_ns) noexcept nogil:
        """True when a request is to be sent now; False for a request that belongs to a time from `end_ns` on."""
        if self.closed:
            return not self.over and now_ns < end_ns
        return self.next_ns <= now_ns and self.next_ns < end_ns


cdef class Closed(Schedule):
    pass


# A change of a schedule's share of the profile: from the integral `base` of the profile on, where `due` requests were
# due by the shares before, each unit of that integral is `factor` requests.
cdef struct Share:
    double base
    double due
    double factor


cdef class Paced(Schedule):
    cdef Arrivals arrivals
    cdef double falls_at  # the value at which the next request falls
    cdef Share *shares    # the changes, in order; NULL: none; owned
    cdef int n_shares
    cdef double scale     # the share at the beginning
    cdef Piece *pieces    # owned
    cdef int n_pieces
    cdef int at           # the piece that next_ns lies in
    cdef int64_t start_ns

    # Return the integral of the profile up to a time, times the share at the beginning.
    cdef double of_profile(self, int64_t until_ns) noexcept nogil
    # Return the integral of the rate, up to a time.
    cdef double integral(self, int64_t until_ns) noexcept nogil
    # Return the integral of the profile at which `due` requests are due; NOT_DUE when they never are.
    cdef double base_of(self, double due) noexcept nogil
    # Set next_ns by `falls_at`.
    cdef void place(self) noexcept nogil
