"""The counts of one lane since they were last taken. `_moment.pxd` describes them. A moment reads no clock."""

from libc.string cimport memset

from loadgen.engine._sink import END_NAMES

from loadgen.engine._histogram cimport Histogram, counts_clear, counts_free, counts_init


cdef class Moment:
    """An empty moment, for requests of a table of commands."""

    def __cinit__(self, Commands table not None):
        self.table = table
        counts_init(&self.response)

    def __dealloc__(self):
        counts_free(&self.response)

    cdef dict take(self):
        taken = {name: self.ended[end] for end, name in enumerate(END_NAMES)}
        taken["refused"] = self.refused
        taken["first_failed_ns"] = self.first_failed_ns
        taken["last_failed_ns"] = self.last_failed_ns
        taken["response"] = Histogram.copy_of(&self.response)
        self.clear()
        return taken

    cdef void clear(self) noexcept:
        memset(self.ended, 0, sizeof(self.ended))
        self.refused = self.first_failed_ns = self.last_failed_ns = 0
        counts_clear(&self.response)
