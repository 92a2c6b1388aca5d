"""One connection without a socket: requests in flight, matched to replies in order, timed out, lost.

`_pipeline.pxd` draws it.
"""

from cpython.bytes cimport PyBytes_AS_STRING
from libc.stdint cimport int32_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcpy, memset

from loadgen._request import COMMAND_NAMES, PHASE_NAMES

from loadgen._codec cimport ANOTHER_KEY, NEED_MORE, NOT_A_REPLY, REPLY, Decoded
from loadgen._request cimport COMMANDS, ERROR_REPLY, GET, MEASURE, MISS, PRECHECK, PREFILL, WARMUP


cdef int pipeline_init(Pipeline *p, uint32_t depth, int64_t timeout_ns, Owed *owed, Requeued *requeued) except -1:
    cdef uint32_t slots = 1
    while slots < depth:
        slots *= 2
    memset(p, 0, sizeof(Pipeline))
    p.ring = <Request *>calloc(slots, sizeof(Request))
    if p.ring == NULL:
        raise MemoryError()
    p.mask = slots - 1
    p.depth = depth
    p.timeout_ns = timeout_ns
    p.owed = owed
    p.requeued = requeued
    return 0


cdef void pipeline_free(Pipeline *p) noexcept:
    free(p.ring)
    p.ring = NULL


cdef Fed pipeline_feed(Pipeline *p, Codec codec, Recorder recorder, Cursor *c, int64_t now_ns) noexcept nogil:
    cdef Decoded what
    cdef Request *r
    cdef const char *start
    cdef bint late
    p.kept = 0
    if p.expired != p.tail and now_ns - p.ring[p.expired & p.mask].send_ns >= p.timeout_ns:
        pipeline_expire(p, recorder, now_ns)
    while True:
        r = &p.ring[p.head & p.mask]
        start = c.at
        p.decoder.asked = r
        what = codec.decode(&p.decoder, c, r.command if p.head != p.tail else COMMANDS)
        if what == REPLY:
            if p.head == p.tail:
                break
            if p.head == p.written:
                # Only a refusal can come before the whole request is out, and only of the one that is on its way.
                if p.decoder.outcome != ERROR_REPLY or p.refused_end:
                    break
                p.refused_end = r.end
                p.written += 1
                if recorder.scheduled:
                    # Its bytes were on their way when it was encoded, and nobody will ask when the last one went.
                    recorder.sent(r, r.send_ns - r.ready_ns, 0)
            late = p.head != p.expired
            p.head += 1
            if late:
                recorder.late(r)
                continue
            p.expired = p.head
            recorder.replied(r, p.decoder.outcome, now_ns)
            if p.decoder.outcome == ERROR_REPLY:
                recorder.classified(r.phase, p.decoder.error, p.decoder.error_length)
                if r.phase == PREFILL:
                    owe(p.owed, r.key)
            elif p.decoder.outcome == MISS and r.command == GET and p.owed.backfill and r.phase != PRECHECK:
                owe(p.owed, r.key)
        elif what == NEED_MORE:
            p.kept = <uint16_t>(c.end - c.at)
            memcpy(p.keep, c.at, p.kept)
            return FED
        elif what != NOT_A_REPLY:
            break
    c.at = start
    if p.head == p.tail:
        return ANSWERS_NOBODY
    if p.head == p.expired:
        recorder.corrupt(r)
        if r.phase == PREFILL:
            owe(p.owed, r.key)
        p.expired += 1
    if p.head == p.written:
        if not r.resent:
            recorder.unsent(r)
        p.written += 1
    p.head += 1
    return WRONG_ANSWER if what == ANOTHER_KEY else CORRUPT_REPLY


cdef void pipeline_expire(Pipeline *p, Recorder recorder, int64_t now_ns) noexcept nogil:
    cdef Request *r
    while p.expired != p.tail:
        r = &p.ring[p.expired & p.mask]
        if now_ns - r.send_ns < p.timeout_ns:
            return
        recorder.timed_out(r, r.resent or <int32_t>(p.written - p.expired) > 0, r.send_ns + p.timeout_ns)
        if r.phase == PREFILL:
            owe(p.owed, r.key)
        p.expired += 1


cdef bint pipeline_is_stalled(const Pipeline *p, int64_t now_ns) noexcept nogil:
    return p.expired != p.head and (p.expired - p.head == p.depth
                                    or now_ns - p.ring[p.head & p.mask].send_ns >= 2 * p.timeout_ns)


cdef void pipeline_abandon(Pipeline *p, Recorder recorder, uint64_t received) noexcept nogil:
    cdef Request *r
    cdef bint again
    while p.head != p.tail:
        r = &p.ring[p.head & p.mask]
        again = r.end > received and p.head == p.expired and (r.phase == WARMUP or r.phase == MEASURE)
        if again:
            r.resent |= p.head != p.written
            requeue(p.requeued, r)
            p.expired += 1
        elif p.head == p.expired:
            recorder.lost(r)
            if r.phase == PREFILL:
                owe(p.owed, r.key)
            p.expired += 1
        if p.head == p.written:
            if not (again or r.resent):
                recorder.unsent(r)
            p.written += 1
        p.head += 1
    memset(&p.decoder, 0, sizeof(p.decoder))
    p.kept = 0
    p.refused_end = 0


cdef void pipeline_finish(Pipeline *p, Recorder recorder, int64_t now_ns) noexcept nogil:
    cdef Request *r
    while p.head != p.tail:
        r = &p.ring[p.head & p.mask]
        if p.head == p.expired:
            recorder.unfinished(r, r.resent or p.head != p.written, now_ns)
            p.expired += 1
        if p.head == p.written:
            if not r.resent:
                recorder.unsent(r)
            p.written += 1
        p.head += 1
    memset(&p.decoder, 0, sizeof(p.decoder))
    p.kept = 0
    p.refused_end = 0


cdef class InventedPipeline:
    """A pipeline with invented bytes and times: its face for tests.

    Requests are written at once; `recorder` has what became of them.
    """

    cdef Pipeline p
    cdef Owed owed
    cdef uint64_t owed_keys[1024]
    cdef Requeued queue
    cdef Request queued[1024]
    cdef uint64_t ended  # requests ever pushed: each counts as one byte
    cdef readonly Recorder recorder
    cdef Codec codec

    def __cinit__(self, Codec codec, Recorder recorder, uint32_t depth, int64_t timeout_ns, *, bint backfill=False):
        if depth > 1024:
            raise ValueError("this face holds at most 1024 requests")
        pipeline_init(&self.p, depth, timeout_ns, &self.owed, &self.queue)
        self.codec = codec
        self.recorder = recorder
        self.owed.keys = self.owed_keys
        self.owed.mask = self.queue.mask = 1023
        self.queue.ring = self.queued
        self.owed.backfill = backfill

    def __dealloc__(self):
        pipeline_free(&self.p)

    @property
    def room(self):
        return pipeline_room(&self.p)

    @property
    def open(self):
        """Requests that can still end well."""
        return pipeline_open(&self.p)

    def push(self, str command, str phase, int64_t intended_ns, int64_t send_ns, *, uint64_t key=0, bint written=True):
        """Sends a request. Raises ValueError when there is no room."""
        if pipeline_room(&self.p) == 0:
            raise ValueError("the pipeline is full")
        cdef Request *r = pipeline_push(&self.p)
        r.command = COMMAND_NAMES.index(command)
        r.phase = PHASE_NAMES.index(phase)
        r.key = key
        r.intended_ns = intended_ns
        r.send_ns = r.ready_ns = send_ns
        r.end = self.ended = self.ended + 1
        self.recorder.planned(r)
        if written:
            self.p.written = self.p.tail
            if self.recorder.scheduled:
                self.recorder.sent(r, 0, 0)

    def feed(self, bytes data, int64_t now_ns):
        """Receives bytes. Returns "fed", "answers nobody", "corrupt reply" or "wrong answer"."""
        cdef bytes text = self.p.keep[:self.p.kept] + data
        cdef Cursor c
        c.at = PyBytes_AS_STRING(text)
        c.end = c.at + len(text)
        return ("fed", "answers nobody", "corrupt reply", "wrong answer")[
            <int>pipeline_feed(&self.p, self.codec, self.recorder, &c, now_ns)]

    def expire(self, int64_t now_ns):
        """Counts what is past its timeout. Returns whether the connection would be closed as stalled."""
        pipeline_expire(&self.p, self.recorder, now_ns)
        return bool(pipeline_is_stalled(&self.p, now_ns))

    def abandon(self, received=None):
        """The connection went, after the server had received so many of all requests pushed so far; None: all."""
        pipeline_abandon(&self.p, self.recorder, self.ended if received is None else received)

    def take_requeued(self, int64_t send_ns):
        """Sends the oldest request that was requeued. Raises ValueError when there is none."""
        if not has_requeued(&self.queue):
            raise ValueError("nothing is requeued")
        cdef Request *r = pipeline_push(&self.p)
        take_requeued(&self.queue, r)
        r.send_ns = send_ns
        r.end = self.ended = self.ended + 1
        self.p.written = self.p.tail
        if self.recorder.scheduled:
            self.recorder.sent(r, 0, 0)

    @property
    def requeued(self):
        """How many requests wait to be sent on another connection."""
        return <int>(self.queue.tail - self.queue.head)

    def finish(self, int64_t now_ns):
        pipeline_finish(&self.p, self.recorder, now_ns)

    def owed_now(self):
        """The keys that have to be written, oldest first; they are taken out."""
        keys = [self.owed.keys[i & self.owed.mask] for i in range(self.owed.head, self.owed.tail)]
        self.owed.head = self.owed.tail
        return keys
