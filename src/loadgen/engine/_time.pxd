# The monotonic time and the CPU time used: int64 nanoseconds. The engine, its pool, its pauses and its reactor read
# clocks only through a `Time`, so that they run in a simulated world too.

from libc.stdint cimport int64_t


cdef class Time:
    # Return the monotonic time.
    cdef int64_t now_ns(self) noexcept nogil
    # Return the CPU time that this process, or this thread, has used.
    cdef int64_t process_cpu_ns(self) noexcept nogil
    cdef int64_t thread_cpu_ns(self) noexcept nogil
    # Return the time that this thread has been ready to run and had no CPU; -1 where the kernel does not report this.
    cdef int64_t queued_ns(self) noexcept nogil


cdef class Monotonic(Time):
    cdef int schedstat  # a descriptor of /proc's file of this thread; -1 where there is none
