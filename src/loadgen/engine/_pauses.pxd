# How late the worker's loop wakes, and where the time went.
#
# A wake-up that comes more than a millisecond after it was due is a pause. What the kernel has counted meanwhile says
# of which kind: the worker ran (busy), it wanted to run but others had its CPU (queued), or it did neither, because it
# was stopped, the machine slept, or a page had to come from a disk (stopped).

from libc.stdint cimport int64_t

from loadgen.engine._time cimport Time

# What a kernel's timer and a busy loop do on a healthy machine is below this.
cdef enum:
    LATE_NS = 1_000_000

# The kernel's account of this thread, at a time.
cdef struct Account:
    int64_t at_ns
    int64_t cpu_ns
    int64_t queued_ns  # ready to run without a CPU; stays -1 where the kernel does not say


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

    # The time to be watched begins, and what was counted is forgotten; and it ends.
    cdef void begin(self, int64_t now_ns) noexcept
    cdef void end(self, int64_t now_ns) noexcept
    # A wake-up asked for at `due_ns` has come.
    cdef void woke(self, int64_t due_ns, int64_t now_ns) noexcept
    # One in time has: the account before a pause is to be recent.
    cdef void refresh(self, int64_t now_ns) noexcept
    cdef Account account(self, int64_t now_ns) noexcept
