"""The clocks of this machine, behind the interface of `_time.pxd`."""

import os

from libc.stdlib cimport strtoll

from loadgen.engine cimport _clock

cdef extern from "<unistd.h>" nogil:
    ssize_t pread(int fd, void *buffer, size_t size, long offset)


cdef class Time:
    """A clock. Only the subclasses can be used."""

    cdef int64_t now_ns(self) noexcept nogil:
        return 0

    cdef int64_t process_cpu_ns(self) noexcept nogil:
        return 0

    cdef int64_t thread_cpu_ns(self) noexcept nogil:
        return 0

    cdef int64_t queued_ns(self) noexcept nogil:
        return -1

    def now(self):
        """Return the monotonic time, in ns."""
        return self.now_ns()


cdef class Monotonic(Time):
    """The kernel's clocks. Only the thread that makes this object may use it: the account read is that thread's."""

    def __cinit__(self):
        self.schedstat = -1
        try:
            self.schedstat = os.open("/proc/thread-self/schedstat", os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            pass  # This kernel keeps no such account, or does not show the account.

    def __dealloc__(self):
        if self.schedstat >= 0:
            os.close(self.schedstat)

    cdef int64_t now_ns(self) noexcept nogil:
        return _clock.monotonic_ns()

    cdef int64_t process_cpu_ns(self) noexcept nogil:
        return _clock.process_cpu_ns()

    cdef int64_t thread_cpu_ns(self) noexcept nogil:
        return _clock.thread_cpu_ns()

    cdef int64_t queued_ns(self) noexcept nogil:
        cdef char text[96]
        cdef char *rest
        cdef ssize_t n = pread(self.schedstat, text, sizeof(text) - 1, 0) if self.schedstat >= 0 else -1
        if n <= 0:
            return -1
        # "<ns on a CPU> <ns waiting for one> <time slices>": proc(5), Documentation/scheduler/sched-stats.
        text[n] = 0
        strtoll(text, &rest, 10)
        return strtoll(rest, NULL, 10)
