"""Defective reactors; `_grounds.pxd` lists them."""

from libc.stdint cimport int64_t

cdef int64_t HORIZON_NS = 512 * 1_000_000


cdef class ShortTimers(Ground):
    """A reactor with a timer wheel of 512 slots of a millisecond, which drops what is beyond."""

    cdef void arm(self) noexcept:
        if self.next_ns() - self.world.now_ns < HORIZON_NS:
            Ground.arm(self)


cdef class LostNews(Ground):
    """A reactor that forgets some of the news that comes while it has other news."""

    cdef void has_news(self, int end) noexcept:
        if self.n_ready and not self.network.ends[end].queued:
            self.news += 1
            if self.news % 8 == 0:
                return
        Ground.has_news(self, end)
