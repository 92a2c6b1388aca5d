"""One server's part of a worker. `_lane.pxd` says what it decides."""

from libc.stdlib cimport calloc, free

from loadgen.engine._busy cimport busy_end, busy_ours
from loadgen._request cimport MEASURE, MISS, PRECHECK, PREFILL, WARMUP
from loadgen.engine._schedule cimport Closed, Schedule
from loadgen.engine._sink cimport ANSWERED_WELL, UNFINISHED, End

# What a healthy machine may take to wake us at the end of a window. Requests of the window that are sent later than
# this, though there was room for them, are ones that the generator did not manage.
cdef int64_t OVERDUE_NS = 10_000_000


cdef class Lane(Sink):
    """A lane that has nothing to send yet."""

    def __cinit__(self, Recorder recorder, uint64_t slots, *, bint backfill=False):
        self.recorder = recorder
        self.backfill = backfill
        self.schedule = Closed()
        self.schedule.end()
        self.reserve(slots)

    def __dealloc__(self):
        free(self.owed.keys)
        free(self.requeued.ring)

    cdef int reserve(self, uint64_t slots) except -1:
        """What is owed and requeued is never more than what all its connections can have in flight."""
        cdef uint64_t n = 1
        while n < slots:
            n *= 2
        self.owed.keys = <uint64_t *>calloc(n, sizeof(uint64_t))
        self.requeued.ring = <Request *>calloc(n, sizeof(Request))
        if self.owed.keys == NULL or self.requeued.ring == NULL:
            raise MemoryError()
        self.owed.mask = self.requeued.mask = n - 1
        return 0

    cdef void begin(self, Workload workload, Schedule schedule, int owed_command, int before, int after,
                    int64_t measure_ns, int64_t end_ns) noexcept:
        self.workload = workload
        self.schedule = schedule
        self.owed_command = owed_command
        self.before = before
        self.after = after
        self.measure_ns = measure_ns
        self.end_ns = end_ns
        self.pays = True
        self.in_question = False
        self.overdue = 0
        busy_end(&self.busy)

    # ── Requests ────────────────────────────────────────────────────────────────────────────────────────────────────

    cdef Taken take(self, Pipeline *p, int64_t now_ns) noexcept:
        cdef Request *r = &p.ring[p.tail & p.mask]
        cdef bint owed
        if has_requeued(&self.requeued):
            take_requeued(&self.requeued, r)
            p.tail += 1
            # Until now it waited for the server, which had closed its connection, but for our pauses.
            r.ready_ns = now_ns - min(self.busy.dry_ns, now_ns - r.intended_ns)
            r.made_ns = r.send_ns = now_ns
            return TAKEN
        # Nothing begins after the end of the window, also where that is not heard of yet.
        owed = self.pays and has_owed(&self.owed) and now_ns < self.end_ns
        if not owed and not self.schedule.is_due(now_ns, self.end_ns):
            return NOTHING_DUE
        r.intended_ns = now_ns if owed or self.schedule.closed else self.schedule.next_ns
        r.phase = self.before if r.intended_ns < self.measure_ns else self.after
        if owed:
            r.key = self.owed.keys[self.owed.head & self.owed.mask]
            r.command = self.owed_command
            self.owed.head += 1
        elif r.phase == MEASURE and self.left == 0 or not self.workload.next(r):
            self.schedule.end()
            return NOTHING_DUE
        p.tail += 1
        r.resent = False
        r.made_ns = r.send_ns = now_ns
        if self.schedule.closed:
            r.ready_ns = now_ns
        else:
            if not owed:
                self.schedule.advance()
            r.ready_ns = now_ns - busy_ours(&self.busy, r.intended_ns, now_ns)
            # But for us it would have gone in the window.
            self.overdue += now_ns > self.end_ns + OVERDUE_NS and r.ready_ns < self.end_ns
        self.recorder.note_planned(r)
        if owed or r.phase != MEASURE:
            return TAKEN
        self.left -= 1
        if self.left:
            return TAKEN
        self.schedule.end()
        return TAKEN_LAST

    cdef bint has_due(self, int64_t now_ns) noexcept:
        return (has_requeued(&self.requeued) or self.schedule.is_due(now_ns, self.end_ns)
                or self.pays and has_owed(&self.owed) and now_ns < self.end_ns)

    cdef bint is_behind(self) noexcept:
        return has_requeued(&self.requeued) or self.schedule.next_ns < self.end_ns

    cdef void forgive(self) noexcept:
        self.owed.head = self.owed.tail
        self.pays = False

    cdef void finish_requeued(self, int64_t now_ns) noexcept:
        cdef Request r
        while has_requeued(&self.requeued):
            take_requeued(&self.requeued, &r)
            self.recorder.ended(&r, UNFINISHED, r.resent, now_ns)
            if not r.resent:
                self.recorder.unsent(&r)

    # ── Their ends ──────────────────────────────────────────────────────────────────────────────────────────────────

    cdef void planned(self, const Request *r) noexcept nogil:
        self.recorder.note_planned(r)

    cdef void ended(self, const Request *r, End how, bint sent, int64_t now_ns) noexcept nogil:
        self.recorder.note_ended(r, how, sent, now_ns)
        if how == ANSWERED_WELL:
            if self.backfill and r.outcome == MISS and r.phase != PRECHECK:
                owe(&self.owed, r.key)
        elif r.phase == PREFILL and how != UNFINISHED:
            # Its key has yet to be stored.
            owe(&self.owed, r.key)

    cdef void sent(self, const Request *r, int64_t ours_ns, int64_t doubt_ns) noexcept nogil:
        self.recorder.sent(r, ours_ns, doubt_ns)

    cdef void unsent(self, const Request *r) noexcept nogil:
        self.recorder.unsent(r)

    cdef void late(self, const Request *r) noexcept nogil:
        self.recorder.late(r)

    cdef void error_text(self, const Request *r, const char *text, int length) noexcept nogil:
        self.recorder.error_text(r, text, length)

    cdef bint takes_back(self, const Request *r) noexcept nogil:
        if r.phase != WARMUP and r.phase != MEASURE:
            return False
        requeue(&self.requeued, r)
        return True
