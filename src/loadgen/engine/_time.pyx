"""The clocks of this machine, behind the interface of `_time.pxd`."""

import os

from libc.stdlib cimport strtoll

from loadgen.engine cimport _clock

cdef extern from "<unistd.h>" nogil:
    ssize_t pread(int fd, void *buffer, size_t size, long offset)


# A sleep ends late by the timer slack, 50 µs on Linux, and by the wake-up: the last part of a wait spins instead.
cdef enum:
    SPIN_NS = 80_000


cdef class Time:
    """A clock. Only the subclasses can be used."""

    cdef int64_t now_ns(self) noexcept nogil:
        return 0

    cdef int64_t process_cpu_ns(self) noexcept nogil:
        return 0

    cdef int64_t thread_cpu_ns(self) noexcept nogil:
        return 0

    cdef int64_t unix_ns(self) noexcept nogil:
        return 0

    cdef int64_t queued_ns(self) noexcept nogil:
        return -1

    cdef bint wait_until(self, int64_t at_ns) noexcept nogil:
        return False

    def now(self):
        """Return the monotonic time, in ns."""
        return self.now_ns()


cdef class Clocks(Time):
    """The kernel's clocks."""

    cdef int64_t now_ns(self) noexcept nogil:
        return _clock.monotonic_ns()

    cdef int64_t unix_ns(self) noexcept nogil:
        return _clock.unix_ns()

    cdef int64_t process_cpu_ns(self) noexcept nogil:
        return _clock.process_cpu_ns()

    cdef int64_t thread_cpu_ns(self) noexcept nogil:
        return _clock.thread_cpu_ns()

    cdef bint wait_until(self, int64_t at_ns) noexcept nogil:
        if at_ns - _clock.monotonic_ns() > SPIN_NS and not _clock.sleep_until(at_ns - SPIN_NS):
            return False
        while _clock.monotonic_ns() < at_ns:
            pass
        return True


cdef class Monotonic(Clocks):
    """The kernel's clocks, and the account of waits of the thread that makes this object: only that may use it."""

    def __cinit__(self):
        self.schedstat = -1
        try:
            self.schedstat = os.open("/proc/thread-self/schedstat", os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            pass  # This kernel keeps no such account, or does not show the account.

    def __dealloc__(self):
        if self.schedstat >= 0:
            os.close(self.schedstat)

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
