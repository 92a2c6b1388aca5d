"""The counts of one lane since they were last taken. `_moment.pxd` describes them. A moment reads no clock."""

from libc.string cimport memset

from loadgen.engine._sink import END_NAMES

from loadgen._request cimport READ, READ_MANY
from loadgen.engine._histogram cimport (
    Histogram, counts_add, counts_clear, counts_free, counts_init, counts_record, counts_record_censored,
    counts_record_waiting,
)
from loadgen.engine._sink cimport ANSWERED_WITH_ERROR, CORRUPT, TIMED_OUT, UNFINISHED


cdef class Moment:
    """An empty moment, for requests of a table of commands."""

    def __cinit__(self, Commands table not None):
        self.table = table
        self.clear()

    def __dealloc__(self):
        counts_free(&self.good)
        counts_free(&self.bad)

    cdef int begin(self) except -1:
        if self.good.counts == NULL:
            counts_init(&self.good)
        if self.bad.counts == NULL:
            counts_init(&self.bad)
        self.clear()
        return 0

    cdef dict counts(self):
        cdef int command, outcome
        cdef int64_t ok = 0, hits = self.keys_found, misses = self.keys_missed
        for command in range(self.table.count):
            for outcome in range(OUTCOMES):
                ok += self.well[command * OUTCOMES + outcome]
            if self.table.rows[command].kind == READ:
                hits += self.well[command * OUTCOMES + self.table.rows[command].hit]
                misses += self.well[command * OUTCOMES + self.table.rows[command].miss]
        return {
            **{name: self.ended[end] for end, name in enumerate(END_NAMES)},
            "ok": ok,
            "hits": hits,
            "misses": misses,
            "unsent": self.unsent,
            "refused": self.refused,
            "first_failed_ns": self.first_failed_ns,
            "last_failed_ns": self.last_failed_ns,
            "response": Histogram.copy_of(&self.good),
            "bad": Histogram.copy_of(&self.bad),
        }

    cdef int64_t answered(self) noexcept:
        cdef int64_t answered = self.ended[<int>ANSWERED_WITH_ERROR] + self.ended[<int>CORRUPT]
        cdef int i
        for i in range(self.table.count * OUTCOMES):
            answered += self.well[i]
        return answered

    cdef void add(self, Moment more) noexcept:
        cdef int i
        for i in range(self.table.count * OUTCOMES):
            self.well[i] += more.well[i]
        for i in range(<int>ENDS):
            self.ended[i] += more.ended[i]
        self.keys_found += more.keys_found
        self.keys_missed += more.keys_missed
        self.unsent += more.unsent
        self.refused += more.refused
        if more.first_failed_ns:
            self.note_failed(more.first_failed_ns)
            self.note_failed(more.last_failed_ns)
        counts_add(&self.good, &more.good)
        counts_add(&self.bad, &more.bad)

    cdef void clear(self) noexcept:
        memset(self.well, 0, sizeof(self.well))
        memset(self.ended, 0, sizeof(self.ended))
        self.keys_found = self.keys_missed = 0
        self.unsent = self.refused = self.first_failed_ns = self.last_failed_ns = 0
        counts_clear(&self.good)
        counts_clear(&self.bad)

    cdef void note_keys(self, const Request *r, int keys, int found) noexcept nogil:
        if self.has(r) and self.table.rows[r.command].kind == READ_MANY:
            self.keys_found += found
            self.keys_missed += keys - found

    cdef void note_bad(self, const Request *r, End how, int64_t now_ns) noexcept nogil:
        self.ended[<int>how] += 1
        if how == ANSWERED_WITH_ERROR:
            counts_record(&self.bad, now_ns - r.intended_ns)
        elif how == TIMED_OUT or how == UNFINISHED:
            counts_record_censored(&self.bad, now_ns - r.intended_ns)
        # A request that is still open when the drain ends has not failed.
        if how != UNFINISHED:
            self.note_failed(now_ns)

    cdef void note_never_sent(self, int command, int64_t n, int64_t youngest, int64_t oldest) noexcept nogil:
        if not self.table.rows[command].in_total:
            return
        self.ended[<int>UNFINISHED] += n
        self.unsent += n
        counts_record_waiting(&self.bad, n, youngest, oldest)

    cdef void note_unsent(self, const Request *r) noexcept nogil:
        self.unsent += self.has(r)

    cdef void note_failed(self, int64_t now_ns) noexcept nogil:
        if self.first_failed_ns == 0 or now_ns < self.first_failed_ns:
            self.first_failed_ns = now_ns
        if now_ns > self.last_failed_ns:
            self.last_failed_ns = now_ns

    cdef void note_refused(self, int64_t now_ns) noexcept nogil:
        self.refused += 1
        self.note_failed(now_ns)
