# The measure window of one worker's load: when it begins and ends, and what the worker and its process did in it.
#
# A window knows times and counts. It does not know lanes, connections or modes: the engine says when a window begins,
# when its time is over, and when its last request was sent.

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
    cdef int64_t drained_ns   # requests that are open then count as unfinished
    cdef int64_t ended_ns     # when the window ended, as it did; 0 before
    cdef int64_t answered     # requests of the window that were answered before it ended
    cdef int64_t answered_well  # and those of them that were answered well
    cdef int64_t cpu_from_ns  # the process's CPU clock when the window began; 0 before
    cdef int64_t cpu_to_ns    # the same when its last request was sent; 0 before

    # Set the times of a new load, and forget the load before.
    cdef void plan(self, int64_t start_ns, int64_t warmup_ns, int64_t duration_ns, int64_t patience_ns) noexcept
    # The window ends now, if its end is still to come.
    cdef void cut(self, int64_t now_ns) noexcept
    cdef void begin(self, int64_t now_ns) noexcept
    # The window's time is over: what has been answered by now was answered in time.
    cdef void end(self, int64_t now_ns) noexcept
    # Requests of the window are still being sent after its end: CPU time and pauses until now belong to the window.
    cdef void prolong(self, int64_t now_ns) noexcept
    # The CPU time of this process over the window, as far as it has come.
    cdef int64_t cpu_ns(self) noexcept
