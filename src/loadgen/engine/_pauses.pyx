"""The late wake-ups of the worker's loop; `_pauses.pxd` describes the kinds of pauses and how they are told apart."""

from libc.stdint cimport int64_t

# The account before a pause is at most this old, so that little of the time before the pause counts as part of it.
cdef int64_t FRESH_NS = 10_000_000


cdef class Pauses:
    """One worker's pauses since `begin`, by the clocks of its thread."""

    def __cinit__(self, Time time):
        self.time = time

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
        a.at_ns = now_ns
        a.cpu_ns = self.time.thread_cpu_ns()
        a.queued_ns = self.time.queued_ns()
        return a

    def counted(self):
        """Return the pauses between `begin` and `end`: fields of `signs.PauseAccount`, by name."""
        return {
            "count": self.count,
            "longest_ns": self.longest_ns,
            "busy_ns": self.busy_ns,
            "queued_ns": self.queued_ns,
            "stopped_ns": self.stopped_ns,
        }

    def wall_ns(self):
        """Return the time that was watched."""
        return self.ended.at_ns - self.began.at_ns

    def without_cpu_ns(self):
        """Return the time ready to run without a CPU, in pauses or not; None where the kernel does not report this."""
        return self.ended.queued_ns - self.began.queued_ns if self.ended.queued_ns >= 0 else None
