# The monotonic time, Unix time and the CPU time used: int64 nanoseconds. The engine, its pool, its pauses, its reactor
# and the built-in server read clocks only through a `Time`, so that they run in a simulated world too.

from libc.stdint cimport int64_t


cdef class Time:
    # Return the monotonic time.
    cdef int64_t now_ns(self) noexcept nogil
    # Return the time since 1970, which may be set at any moment.
    cdef int64_t unix_ns(self) noexcept nogil
    # Return the CPU time that this process, or this thread, has used.
    cdef int64_t process_cpu_ns(self) noexcept nogil
    cdef int64_t thread_cpu_ns(self) noexcept nogil
    # Return the time that this thread has been ready to run and had no CPU; -1 where the kernel does not report this.
    cdef int64_t queued_ns(self) noexcept nogil
    # Have this thread do nothing else until a monotonic time. False when a signal ended the wait before that.
    cdef bint wait_until(self, int64_t at_ns) noexcept nogil


# The kernel's clocks, for any thread. It keeps no account of waits for a CPU.
cdef class Clocks(Time):
    pass


cdef class Monotonic(Clocks):
    cdef int schedstat  # a descriptor of /proc's file of this thread; -1 where there is none
