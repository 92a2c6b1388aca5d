# What became of one lane's requests of the measure window since the counts were last taken: a moment of a server, of
# some hundred milliseconds, or a whole window.
#
# A series of moments shows when a server went away and when it was back. Requests that are left out of totals do not
# count, so the moments of all lanes together are the window's totals.

from libc.stdint cimport int64_t

from loadgen._request cimport MEASURE, MOST_COMMANDS, OUTCOMES, Commands, Request
from loadgen.engine._histogram cimport Counts, counts_record
from loadgen.engine._sink cimport ANSWERED_WELL, ENDS, End


cdef class Moment:
    cdef Commands table
    cdef int64_t well[MOST_COMMANDS * OUTCOMES]  # requests that were answered well, by command and outcome
    cdef int64_t keys_found       # by reads of several keys that were answered well
    cdef int64_t keys_missed
    cdef int64_t ended[ENDS]      # the others, by end
    cdef int64_t unsent           # timeouts, lost and unfinished requests whose last byte was never sent
    cdef int64_t refused          # attempts to connect that failed, since the load began
    cdef int64_t first_failed_ns  # 0: nothing failed
    cdef int64_t last_failed_ns
    cdef Counts good              # response times of `well`
    cdef Counts bad               # of error replies; of timeouts and unfinished requests the age

    # Begin to count, from nothing. Before, there are no tables to count in.
    cdef int begin(self) except -1
    # Return the fields of `snapshot.NodeCounts` by name.
    cdef dict counts(self)
    # Return the requests that were answered: well, by an error, or by garbage.
    cdef int64_t answered(self) noexcept
    cdef void add(self, Moment more) noexcept
    cdef void clear(self) noexcept

    # Count the keys of a request of several that was answered well.
    cdef void note_keys(self, const Request *r, int keys, int found) noexcept nogil
    # Count a request that was not answered well.
    cdef void note_bad(self, const Request *r, End how, int64_t now_ns) noexcept nogil
    # Count n requests of one command of the window that were due and never sent, as `Recorder.never_sent` does.
    cdef void note_never_sent(self, int command, int64_t n, int64_t youngest, int64_t oldest) noexcept nogil
    cdef void note_unsent(self, const Request *r) noexcept nogil
    cdef void note_failed(self, int64_t now_ns) noexcept nogil
    cdef void note_refused(self, int64_t now_ns) noexcept nogil

    cdef inline bint has(self, const Request *r) noexcept nogil:
        return r.phase == MEASURE and self.table.rows[r.command].in_total

    cdef inline void note_ended(self, const Request *r, End how, int64_t now_ns) noexcept nogil:
        if not self.has(r):
            return
        if how != ANSWERED_WELL:
            self.note_bad(r, how, now_ns)
            return
        self.well[r.command * OUTCOMES + r.outcome] += 1
        counts_record(&self.good, now_ns - r.intended_ns)
