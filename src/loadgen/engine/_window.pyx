"""The measure window of one worker's load. `_window.pxd` describes its times."""

from libc.stdint cimport int64_t

from loadgen._request cimport MEASURE


cdef class Window:
    """A measure window, without a planned load at first."""

    def __cinit__(self, Time time, Recorder recorder):
        self.time = time
        self.recorder = recorder
        self.pauses = Pauses(time)

    cdef void plan(self, int64_t start_ns, int64_t warmup_ns, int64_t duration_ns, int64_t patience_ns) noexcept:
        self.start_ns = start_ns
        self.measure_ns = start_ns + warmup_ns
        self.end_ns = self.measure_ns + duration_ns
        self.drained_ns = self.end_ns + patience_ns
        self.answered = self.answered_well = 0
        self.cpu_from_ns = self.cpu_to_ns = self.ended_ns = 0

    cdef void cut(self, int64_t now_ns) noexcept:
        self.end_ns = min(self.end_ns, now_ns)
        self.measure_ns = min(self.measure_ns, self.end_ns)

    cdef void begin(self, int64_t now_ns) noexcept:
        self.pauses.begin(now_ns)
        self.cpu_from_ns = self.time.process_cpu_ns()

    cdef void end(self, int64_t now_ns) noexcept:
        self.answered = self.recorder.answered(MEASURE)
        self.answered_well = self.recorder.answered_well(MEASURE)
        self.prolong(now_ns)

    cdef void prolong(self, int64_t now_ns) noexcept:
        self.pauses.end(now_ns)
        self.cpu_to_ns = self.time.process_cpu_ns()

    cdef int64_t cpu_ns(self) noexcept:
        if self.cpu_from_ns == 0:
            return 0
        return (self.cpu_to_ns or self.time.process_cpu_ns()) - self.cpu_from_ns
