# The counts of one lane since they were last taken: a moment of a server, of some hundred milliseconds.
#
# A series of moments shows when a server went away and when it was back. Only requests of the measure window count,
# without those that are left out of totals, so that the failures of all moments together are the window's own.

from libc.stdint cimport int64_t

from loadgen._request cimport MEASURE, Commands, Request
from loadgen.engine._histogram cimport Counts, counts_record
from loadgen.engine._sink cimport ANSWERED_WELL, ENDS, UNFINISHED, End


cdef class Moment:
    cdef Commands table
    cdef int64_t ended[ENDS]
    cdef int64_t refused          # attempts to connect that failed
    cdef int64_t first_failed_ns  # 0: nothing failed
    cdef int64_t last_failed_ns
    cdef Counts response          # of requests that were answered well

    # Return the fields of `snapshot.NodeCounts` by name, and begin a new moment.
    cdef dict take(self)
    cdef void clear(self) noexcept

    cdef inline void note_failed(self, int64_t now_ns) noexcept nogil:
        if self.first_failed_ns == 0 or now_ns < self.first_failed_ns:
            self.first_failed_ns = now_ns
        if now_ns > self.last_failed_ns:
            self.last_failed_ns = now_ns

    cdef inline void note_refused(self, int64_t now_ns) noexcept nogil:
        self.refused += 1
        self.note_failed(now_ns)

    cdef inline void note_ended(self, const Request *r, End how, int64_t now_ns) noexcept nogil:
        if r.phase != MEASURE or not self.table.rows[r.command].in_total:
            return
        self.ended[<int>how] += 1
        if how == ANSWERED_WELL:
            counts_record(&self.response, now_ns - r.intended_ns)
        elif how != UNFINISHED:
            self.note_failed(now_ns)
