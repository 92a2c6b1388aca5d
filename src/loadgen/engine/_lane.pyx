"""One server's part of a worker. `_lane.pxd` describes its decisions."""

from libc.stdint cimport uint8_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memset

from loadgen.engine._busy cimport busy_end, busy_ours
from loadgen._request cimport (
    DRAINING, ERROR_REPLY, MEASURE, MISS, NO_COUNTER, PRECHECK, PREFILL, SOME_MISSING, WARMUP,
)
from loadgen.engine._pipeline cimport pipeline_push, pipeline_push_barrier
from loadgen.engine._schedule cimport Closed, Schedule
from loadgen.engine._sink cimport ANSWERED_WELL, ANSWERED_WITH_ERROR, UNFINISHED, End

# The bit of an owed key that says that the key is a counter's. Keys have 53 bits at most.
cdef uint64_t COUNTER = <uint64_t>1 << 63

cdef extern from * nogil:
    int popcount "__builtin_popcountll"(unsigned long long word)

# The time that a healthy machine may take to wake the worker at the end of a window. A request of the window that is
# sent later than this, though there was room for it, is one that the generator did not manage.
cdef int64_t OVERDUE_NS = 10_000_000


cdef class Steering:
    """Steers no request."""

    cdef bint redirect(self, Lane lane, const Request *r, const char *text, int length, int64_t now_ns) noexcept nogil:
        return False


cdef class Lane(Sink):
    """A lane that has nothing to send yet."""

    def __cinit__(self, Recorder recorder, uint64_t slots, *, bint backfill=False, History history=None,
                  Siblings siblings=None):
        self.recorder = recorder
        self.history = history
        self.moment = Moment(recorder.table)
        self.earlier = Moment(recorder.table)
        self.backfill = backfill
        self.schedule = Closed()
        self.schedule.end()
        self.siblings = siblings
        self.reserve(slots, siblings.most if backfill and siblings is not None else 1)

    def __dealloc__(self):
        free(self.owed.keys)
        free(self.requeued.ring)

    cdef int reserve(self, uint64_t slots, int keys) except -1:
        cdef uint64_t n = 1, owed
        while n < slots:
            n *= 2
        owed = n
        while owed < slots * keys:
            owed *= 2
        self.owed.keys = <uint64_t *>calloc(owed, sizeof(uint64_t))
        self.requeued.ring = <Request *>calloc(n, sizeof(Request))
        if self.owed.keys == NULL or self.requeued.ring == NULL:
            raise MemoryError()
        self.owed.mask = owed - 1
        self.requeued.mask = n - 1
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

    # ── Counts ──────────────────────────────────────────────────────────────────────────────────────────────────────

    cdef int begin_counts(self, bint watched) except -1:
        self.watched = watched
        self.in_time = -1
        for phase in (WARMUP, MEASURE, DRAINING):
            self.opened_in[phase] = self.refused_in[phase] = self.closed_in[phase] = 0
        if watched:
            self.moment.begin()
            self.earlier.begin()
        else:
            self.moment.clear()
            self.earlier.clear()
        return 0

    cdef void end_window(self) noexcept:
        self.in_time = self.earlier.answered() + self.moment.answered()

    cdef dict take_moment(self):
        counts = self.moment.counts()
        if self.watched:
            self.earlier.add(self.moment)
        self.moment.clear()
        return counts

    cdef dict counts(self, int phase, Moment whole):
        whole.clear()
        if phase == MEASURE and self.watched:
            whole.add(self.earlier)
            whole.add(self.moment)
        counts = whole.counts()
        counts["answered_in_time"] = whole.answered() if phase != MEASURE or self.in_time < 0 else self.in_time
        # Connections that open or end in the drain do so in the measure phase, as all that happens in the drain.
        drained = DRAINING if phase == MEASURE else phase
        own = phase != drained
        counts["opened"] = self.opened_in[phase] + own * self.opened_in[drained]
        counts["refused"] = self.refused_in[phase] + own * self.refused_in[drained]
        counts["closed"] = self.closed_in[phase] + own * self.closed_in[drained]
        counts["first_failed_ns"] = counts["last_failed_ns"] = 0
        return counts

    # ── Requests ────────────────────────────────────────────────────────────────────────────────────────────────────

    cdef Taken take(self, Pipeline *p, uint32_t most, int64_t now_ns) noexcept:
        cdef Taken taken
        cdef uint32_t first = p.tail
        cdef int64_t left = self.left
        while has_requeued_by(&self.requeued, now_ns) and p.tail - first < most:
            take_again(self, p, now_ns)
        # No owed key is sent after the window's end, even before the engine has ended the window.
        while self.pays and has_owed(&self.owed) and now_ns < self.end_ns and p.tail - first < most:
            take_owed(self, p, now_ns)
        if self.schedule.closed:
            take_asked(self, p, first + most - p.tail, now_ns)
        else:
            take_due(self, p, first + most - p.tail, now_ns)
        taken.requests = p.tail - first
        taken.last = left != 0 and self.left == 0
        if taken.last:
            self.schedule.end()
        return taken

    cdef void take_barrier(self, Pipeline *p, int64_t now_ns) noexcept:
        cdef uint8_t phase = p.ring[(p.tail - 1) & p.mask].phase
        cdef Request *r = pipeline_push_barrier(p)
        r.key = 0
        r.phase = phase
        r.intended_ns = r.made_ns = r.send_ns = r.ready_ns = now_ns
        self.recorder.note_planned(r)

    cdef bint has_due(self, int64_t now_ns) noexcept:
        return (has_requeued_by(&self.requeued, now_ns) or self.schedule.is_due(now_ns, self.end_ns)
                or self.pays and has_owed(&self.owed) and now_ns < self.end_ns)

    cdef bint has_request_due(self, int64_t now_ns) noexcept:
        cdef Schedule schedule = self.schedule
        return (not schedule.closed and schedule.is_due(now_ns, self.end_ns)
                and (self.left > 0 or schedule.next_ns < self.measure_ns))

    cdef bint take_over(self, Lane other, int64_t now_ns) noexcept:
        cdef Request r
        if is_half_full(&self.requeued):
            return False
        memset(&r, 0, sizeof(Request))
        r.intended_ns = other.schedule.next_ns
        r.phase = other.before if r.intended_ns < other.measure_ns else other.after
        r.made_ns = r.send_ns = r.ready_ns = now_ns
        self.workload.fill(&r, 0, 0, 1)
        other.schedule.advance()
        if r.phase == MEASURE:
            other.left -= 1
        self.recorder.note_planned(&r)
        requeue(&self.requeued, &r)
        return True

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
            if self.history is not None:
                self.history.ended(&r, UNFINISHED, r.resent, now_ns, self.server)
            if self.watched:
                self.moment.note_ended(&r, UNFINISHED, now_ns)
            if not r.resent:
                self.unsent(&r)

    # ── Ends of requests ────────────────────────────────────────────────────────────────────────────────────────────

    cdef void planned(self, const Request *r) noexcept nogil:
        self.recorder.note_planned(r)

    cdef void ended(self, const Request *r, End how, bint sent, int64_t now_ns) noexcept nogil:
        self.recorder.note_ended(r, how, sent, now_ns)
        if self.watched:
            self.moment.note_ended(r, how, now_ns)
        if self.history is not None and how != ANSWERED_WITH_ERROR:
            self.history.ended(r, how, sent, now_ns, self.server)
        if how == ANSWERED_WELL:
            self.heard = True
            if r.outcome > ERROR_REPLY:
                self.ended_apart(r)
            elif self.backfill and r.outcome == MISS and r.phase != PRECHECK:
                owe(&self.owed, r.key)
        elif r.phase == PREFILL and how != UNFINISHED:
            # The request's key has yet to be stored.
            owe(&self.owed, r.key)

    cdef void ended_apart(self, const Request *r) noexcept nogil:
        cdef uint64_t key = r.key
        cdef int keys, i
        if r.outcome == NO_COUNTER:
            if self.creates:
                owe(&self.owed, key | COUNTER)
            return
        if self.siblings is None:
            return
        keys = self.siblings.size(key)
        self.recorder.note_keys(r, keys, popcount(r.value))
        if self.watched:
            self.moment.note_keys(r, keys, popcount(r.value))
        if self.backfill and r.outcome == SOME_MISSING:
            for i in range(keys):
                if not r.value >> i & 1:
                    owe(&self.owed, key)
                key = self.siblings.after(key)

    cdef void sent(self, const Request *r, int64_t ours_ns, int64_t doubt_ns) noexcept nogil:
        self.recorder.sent(r, ours_ns, doubt_ns)

    cdef void unsent(self, const Request *r) noexcept nogil:
        self.recorder.unsent(r)
        if self.watched:
            self.moment.note_unsent(r)

    cdef void late(self, const Request *r) noexcept nogil:
        self.recorder.late(r)

    cdef void error_text(self, const Request *r, const char *text, int length, int64_t now_ns) noexcept nogil:
        self.recorder.error_text(r, text, length, now_ns)
        if self.history is not None:
            self.history.refused(r, text, length, now_ns, self.server)

    cdef bint redirects(self, const Request *r, const char *text, int length, int64_t now_ns) noexcept nogil:
        return (self.steering is not None and r.phase != PRECHECK
                and self.steering.redirect(self, r, text, length, now_ns))

    cdef void opened(self, int phase) noexcept nogil:
        self.opened_in[phase] += 1

    cdef void refused(self, int phase, int64_t now_ns) noexcept nogil:
        self.refused_in[phase] += 1
        if self.watched:
            self.moment.note_refused(now_ns)

    cdef void closed(self, int phase) noexcept nogil:
        self.closed_in[phase] += 1

    cdef bint takes_back(self, const Request *r) noexcept nogil:
        if r.phase != WARMUP and r.phase != MEASURE:
            return False
        requeue(&self.requeued, r)
        return True


cdef inline void take_again(Lane lane, Pipeline *p, int64_t now_ns) noexcept:
    cdef Request *r = &p.ring[p.tail & p.mask]
    take_requeued(&lane.requeued, r)
    p.tail += 1
    # The request has waited for the server, which had closed its connection, except in the generator's own pauses.
    r.ready_ns = now_ns - min(lane.busy.dry_ns, now_ns - r.intended_ns)
    r.made_ns = r.send_ns = now_ns


cdef inline void take_owed(Lane lane, Pipeline *p, int64_t now_ns) noexcept:
    cdef Request *r = pipeline_push(p)
    cdef uint64_t key = take_key(&lane.owed)
    r.key = key & ~COUNTER
    r.command = lane.counter_command if key & COUNTER else lane.owed_command
    r.phase = lane.before if now_ns < lane.measure_ns else lane.after
    r.intended_ns = r.made_ns = r.send_ns = r.ready_ns = now_ns
    lane.recorder.note_planned(r)


cdef inline void take_asked(Lane lane, Pipeline *p, uint32_t most, int64_t now_ns) noexcept:
    """Push requests of a closed loop, in which a request is due as soon as there is room."""
    cdef uint8_t phase = lane.before if now_ns < lane.measure_ns else lane.after
    cdef Request *r
    cdef uint32_t n = most, i
    if lane.schedule.over or now_ns >= lane.end_ns or lane.steering is not None and is_held(lane, phase):
        return
    if phase == MEASURE:
        n = min(n, lane.left)
    n = lane.workload.fill(p.ring, p.mask, p.tail, n)
    for i in range(n):
        r = &p.ring[(p.tail + i) & p.mask]
        r.phase = phase
        r.resent = False
        r.intended_ns = r.made_ns = r.send_ns = r.ready_ns = now_ns
        lane.recorder.note_planned(r)
    p.tail += n
    if phase == MEASURE:
        lane.left -= n
    if n < most and phase == PREFILL:
        lane.schedule.end()


cdef bint is_held(Lane lane, uint8_t phase) noexcept nogil:
    """True while a lane of a cluster makes no requests in a closed loop: no key is its own, or too many wait."""
    return lane.idle and phase != PREFILL or lane.requeued.tail - lane.requeued.head >= lane.slots


cdef inline void take_due(Lane lane, Pipeline *p, uint32_t most, int64_t now_ns) noexcept:
    """Push the requests of a schedule whose time has come."""
    cdef uint32_t first = p.tail, i
    cdef Request *r
    while p.tail - first < most and lane.schedule.is_due(now_ns, lane.end_ns):
        r = &p.ring[p.tail & p.mask]
        r.intended_ns = lane.schedule.next_ns
        r.phase = lane.before if r.intended_ns < lane.measure_ns else lane.after
        if r.phase == MEASURE and lane.left == 0:
            lane.schedule.end()
            break
        pipeline_push(p)
        r.made_ns = r.send_ns = now_ns
        lane.schedule.advance()
        r.ready_ns = now_ns - busy_ours(&lane.busy, r.intended_ns, now_ns)
        # Without the generator's delay, the request would have been sent in the window.
        if r.phase == MEASURE:
            lane.overdue += now_ns > lane.end_ns + OVERDUE_NS and r.ready_ns < lane.end_ns
            lane.left -= 1
    lane.workload.fill(p.ring, p.mask, first, p.tail - first)
    for i in range(p.tail - first):
        lane.recorder.note_planned(&p.ring[(first + i) & p.mask])
