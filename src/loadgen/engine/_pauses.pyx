"""How late the worker's loop wakes, and where the time went. `_pauses.pxd` says what is told apart, and how."""

import os

from libc.stdint cimport int64_t
from libc.stdlib cimport strtoll

from loadgen.engine._clock cimport thread_cpu_ns

cdef extern from "<unistd.h>" nogil:
    ssize_t pread(int fd, void *buffer, size_t size, long offset)

# The account before a pause is at most this old, so that little of what happened before it is taken for part of it.
cdef int64_t FRESH_NS = 10_000_000


cdef class Pauses:
    """One worker's pauses since `begin`. To be used by one thread, whose account it reads."""

    def __cinit__(self):
        self.schedstat = -1
        try:
            self.schedstat = os.open("/proc/thread-self/schedstat", os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            pass  # This kernel keeps no such account, or does not show it.

    def __dealloc__(self):
        if self.schedstat >= 0:
            os.close(self.schedstat)

    cdef void begin(self, int64_t now_ns) noexcept:
        self.count = self.longest_ns = self.busy_ns = self.queued_ns = self.stopped_ns = 0
        self.began = self.before = self.ended = self.account(now_ns)

    cdef void end(self, int64_t now_ns) noexcept:
        self.ended = self.account(now_ns)

    cdef void woke(self, int64_t due_ns, int64_t now_ns) noexcept:
        cdef int64_t late_ns = now_ns - due_ns, queued_ns, busy_ns
        cdef Account now
        now = self.account(now_ns)
        queued_ns = min(late_ns, now.queued_ns - self.before.queued_ns)
        busy_ns = min(late_ns - queued_ns, now.cpu_ns - self.before.cpu_ns)
        self.count += 1
        self.longest_ns = max(self.longest_ns, late_ns)
        self.queued_ns += queued_ns
        self.busy_ns += busy_ns
        self.stopped_ns += late_ns - queued_ns - busy_ns
        self.before = now

    cdef void refresh(self, int64_t now_ns) noexcept:
        if now_ns - self.before.at_ns >= FRESH_NS:
            self.before = self.account(now_ns)

    cdef Account account(self, int64_t now_ns) noexcept:
        cdef Account a
        cdef char text[96]
        cdef char *rest
        cdef ssize_t n = pread(self.schedstat, text, sizeof(text) - 1, 0) if self.schedstat >= 0 else -1
        a.at_ns = now_ns
        a.cpu_ns = thread_cpu_ns()
        a.queued_ns = 0
        if n > 0:
            # "<ns on a CPU> <ns waiting for one> <time slices>": proc(5), Documentation/scheduler/sched-stats.
            text[n] = 0
            strtoll(text, &rest, 10)
            a.queued_ns = strtoll(rest, NULL, 10)
        return a

    def counted(self):
        """The pauses between `begin` and `end`: fields of `signs.PauseAccount`, by name."""
        return {
            "count": self.count,
            "longest_ns": self.longest_ns,
            "busy_ns": self.busy_ns,
            "queued_ns": self.queued_ns,
            "stopped_ns": self.stopped_ns,
        }

    def wall_ns(self):
        """How long was watched."""
        return self.ended.at_ns - self.began.at_ns

    def without_cpu_ns(self):
        """How long the thread was ready to run and had no CPU, pauses or not; None where the kernel does not say."""
        return self.ended.queued_ns - self.began.queued_ns if self.schedstat >= 0 else None
