# The late wake-ups of the worker's loop, and the causes of the lost time.
#
# A wake-up that comes more than a millisecond after it was due is a pause. The kernel's account of that time shows the
# kind: the worker ran (busy), the worker wanted to run but others had its CPU (queued), or the worker did neither,
# because it was stopped, the machine slept, or a page had to come from a disk (stopped).

from libc.stdint cimport int64_t

from loadgen.engine._time cimport Time

# On a healthy machine, a kernel's timer and a busy loop are late by less than this.
cdef enum:
    LATE_NS = 1_000_000

# The kernel's account of this thread, at a time.
cdef struct Account:
    int64_t at_ns
    int64_t cpu_ns
    int64_t queued_ns  # ready to run without a CPU; stays -1 where the kernel does not report this


cdef class Pauses:
    cdef Time time
    cdef Account began
    cdef Account before
    cdef Account ended
    cdef int64_t count
    cdef int64_t longest_ns
    cdef int64_t busy_ns
    cdef int64_t queued_ns
    cdef int64_t stopped_ns

    # Begin the time to be watched, with all counts at 0.
    cdef void begin(self, int64_t now_ns) noexcept
    # End the time to be watched.
    cdef void end(self, int64_t now_ns) noexcept
    # Count a pause: a wake-up that was due at `due_ns` has come.
    cdef void woke(self, int64_t due_ns, int64_t now_ns) noexcept
    # Note a wake-up in time, so that the account before a pause is recent.
    cdef void refresh(self, int64_t now_ns) noexcept
    cdef Account account(self, int64_t now_ns) noexcept
