# The measure window of one worker's load: its times, and the replies, pauses and CPU time in it.
#
# A window does not know lanes, connections or modes. The engine calls a window when the window begins, when its time is
# over, and when its last request was sent.

from libc.stdint cimport int64_t

from loadgen.engine._pauses cimport Pauses
from loadgen.engine._recorder cimport Recorder
from loadgen.engine._time cimport Time


cdef class Window:
    cdef Time time
    cdef Recorder recorder
    cdef Pauses pauses        # of this worker, in the window
    cdef int64_t start_ns     # of the warm-up
    cdef int64_t measure_ns   # of the window
    cdef int64_t end_ns       # of the window, unless a number of requests ends it earlier
    cdef int64_t drained_ns   # when requests that are still open count as unfinished
    cdef int64_t ended_ns     # when the window really ended; 0 before
    cdef int64_t answered     # requests of the window that were answered before it ended
    cdef int64_t answered_well  # and those of them that were answered well
    cdef int64_t cpu_from_ns  # the process's CPU clock when the window began; 0 before
    cdef int64_t cpu_to_ns    # the same when its last request was sent; 0 before

    # Set the times of a new load, and forget the load before.
    cdef void plan(self, int64_t start_ns, int64_t warmup_ns, int64_t duration_ns, int64_t patience_ns) noexcept
    # Move the window's end to `now_ns`, if the end is later.
    cdef void cut(self, int64_t now_ns) noexcept
    cdef void begin(self, int64_t now_ns) noexcept
    # End the window: requests that have been answered by now were answered in time.
    cdef void end(self, int64_t now_ns) noexcept
    # Count CPU time and pauses until now, because requests of the window are still being sent after its end.
    cdef void prolong(self, int64_t now_ns) noexcept
    # Return the CPU time of this process over the window, up to now when the window is not over.
    cdef int64_t cpu_ns(self) noexcept
