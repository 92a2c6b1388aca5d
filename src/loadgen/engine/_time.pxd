# What time it is, and what CPU time has been used: int64 nanoseconds. The engine, its pool, its pauses and its reactor
# read clocks only through this, so that they run in a simulated world too.

from libc.stdint cimport int64_t


cdef class Time:
    # The monotonic clock.
    cdef int64_t now_ns(self) noexcept nogil
    # CPU time that this process, or this thread, has used.
    cdef int64_t process_cpu_ns(self) noexcept nogil
    cdef int64_t thread_cpu_ns(self) noexcept nogil
    # How long this thread has been ready to run and had no CPU; -1 where the kernel does not say.
    cdef int64_t queued_ns(self) noexcept nogil


cdef class Monotonic(Time):
    cdef int schedstat  # a descriptor of /proc's file of this thread; -1 where there is none
