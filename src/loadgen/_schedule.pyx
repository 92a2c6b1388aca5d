"""When to send, where a schedule says so; in a closed loop there is none, and replies do.

This file reads no clock: a schedule is told when it begins.
"""


cdef class Schedule:
    """A row of intended times. Only its subclasses can be used."""

    cdef void advance(self) noexcept nogil:
        pass

    def begin(self, int64_t start_ns):
        """Places the row's beginning at a monotonic time."""
        raise NotImplementedError

    def times(self, int n):
        """The next n intended times in ns, as a list."""
        row = []
        for _ in range(n):
            row.append(self.next_ns)
            self.advance()
        return row


cdef class Constant(Schedule):
    """Evenly spaced: request k at start + (k + offset) / rate, without drift."""

    def __cinit__(self, double rate_per_s, double offset=0.0):
        if not rate_per_s > 0:
            raise ValueError(f"a rate is above 0, not {rate_per_s}")
        self.rate_per_s = rate_per_s
        self.offset = offset

    def begin(self, int64_t start_ns):
        self.start_ns = start_ns
        self.sent = -1
        self.advance()

    cdef void advance(self) noexcept nogil:
        self.sent += 1
        self.next_ns = self.start_ns + <int64_t>((self.sent + self.offset) * 1e9 / self.rate_per_s)
