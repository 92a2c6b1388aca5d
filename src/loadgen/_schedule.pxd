# When to send. A schedule is a row of intended times; whoever asks for the next one before now is late, not excused.
#
# It never skips: a time that nobody could serve yet simply stays the next one. So requests that wait for room cost no
# memory: they are the times between `next_ns` and now.

from libc.stdint cimport int64_t


cdef class Schedule:
    cdef int64_t next_ns  # the intended time of the next request

    # Moves on to the request after it.
    cdef void advance(self) noexcept nogil


cdef class Constant(Schedule):
    cdef readonly double rate_per_s
    cdef double offset    # of the first request, in gaps: what keeps several schedules from beating together
    cdef int64_t start_ns
    cdef int64_t sent
