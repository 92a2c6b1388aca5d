"""One connection without a socket: requests in flight, matched to replies in order, timed out, lost.

`_pipeline.pxd` has a drawing of the ring.
"""

from libc.stdint cimport int32_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcmp, memcpy, memset

from loadgen._codec cimport ANOTHER_KEY, NEED_MORE, NOT_A_REPLY, REPLY, Decoded
from loadgen._mark cimport identity_of
from loadgen._request cimport ASKS, ERROR_REPLY, HIT
from loadgen.engine._sink cimport ANSWERED_WELL, ANSWERED_WITH_ERROR, CORRUPT, LOST, TIMED_OUT, UNFINISHED, End


cdef int pipeline_init(Pipeline *p, uint32_t depth, int64_t timeout_ns, int barrier) except -1:
    cdef uint32_t slots = 1, most = depth if barrier < 0 else 2 * depth
    while slots < most:
        slots *= 2
    memset(p, 0, sizeof(Pipeline))
    p.ring = <Request *>calloc(slots, sizeof(Request))
    if p.ring == NULL:
        raise MemoryError()
    p.mask = slots - 1
    p.depth = depth
    p.timeout_ns = timeout_ns
    p.barrier = barrier
    return 0


cdef void pipeline_free(Pipeline *p) noexcept:
    free(p.ring)
    p.ring = NULL


cdef Fed pipeline_feed(Pipeline *p, Codec codec, Sink sink, bint scheduled, Cursor *c, int64_t now_ns) noexcept nogil:
    cdef Decoded what
    cdef Request *r
    cdef const char *start
    cdef bint late
    cdef int asked
    p.kept = 0
    p.decoder.behind = p.tail
    if p.expired != p.tail and now_ns - p.ring[p.expired & p.mask].send_ns >= p.timeout_ns:
        pipeline_expire(p, sink, now_ns)
    while True:
        r = &p.ring[p.head & p.mask]
        start = c.at
        p.decoder.asked = r
        p.decoder.number = p.head
        asked = r.command if p.head != p.tail else -1
        if asked >= 0 and r.resent & ASKS:
            # The reply to the ASKING in front of the request.
            what = codec.decode(&p.decoder, c, codec.asked)
            if what == REPLY:
                r.resent &= ~ASKS
                continue
        else:
            what = codec.decode(&p.decoder, c, asked)
        if what == REPLY:
            if p.head == p.tail:
                break
            if p.head == p.written:
                # A server may answer a request before all of it is sent, but only with an error, and only the request
                # that is being sent.
                if p.decoder.outcome != ERROR_REPLY or p.refused_end:
                    break
                p.refused_end = r.end
                p.written += 1
                if scheduled:
                    # The flush will not report this request. It counts as sent when it was encoded.
                    sink.sent(r, r.send_ns - r.ready_ns, 0)
            late = p.head != p.expired
            p.head += 1
            if p.barriers and r.command == p.barrier:
                p.barriers -= 1
            if late:
                sink.late(r)
                continue
            p.expired = p.head
            r.outcome = p.decoder.outcome
            if r.outcome == ERROR_REPLY:
                if sink.redirects(r, p.decoder.error, p.decoder.error_length, now_ns):
                    continue
                sink.ended(r, ANSWERED_WITH_ERROR, True, now_ns)
                sink.error_text(r, p.decoder.error, p.decoder.error_length, now_ns)
            elif r.outcome > ERROR_REPLY:
                r.value = p.decoder.found
                sink.ended(r, ANSWERED_WELL, True, now_ns)
            else:
                if codec.run and r.outcome == HIT:
                    r.value = identity_of(codec.run, r.key, p.decoder.head, p.decoder.head_bytes)
                sink.ended(r, ANSWERED_WELL, True, now_ns)
        elif what == NEED_MORE:
            p.kept = <uint16_t>(c.end - c.at)
            memcpy(p.keep, c.at, p.kept)
            return FED
        elif what != NOT_A_REPLY:
            break
        elif p.pushes != NULL:
            count_push(p.pushes, &p.decoder)
    c.at = start
    if p.head == p.tail:
        return ANSWERS_NOBODY
    leave(p, sink, CORRUPT, now_ns)
    return WRONG_ANSWER if what == ANOTHER_KEY else CORRUPT_REPLY


cdef void count_push(Pushes *pushes, const Decoder *d) noexcept nogil:
    if d.head_bytes != 10 or memcmp(d.head, b"invalidate", 10) != 0:
        pushes.others += 1
    elif d.push_keys < 0:
        pushes.flushes += 1
    else:
        pushes.invalidations += 1
        pushes.keys += d.push_keys


cdef inline void leave(Pipeline *p, Sink sink, End how, int64_t now_ns) noexcept nogil:
    """Remove the oldest request, which has no reply. If the request is still open, its end is `how`."""
    cdef Request *r = &p.ring[p.head & p.mask]
    if p.head == p.expired:
        sink.ended(r, how, r.resent or p.head != p.written, now_ns)
        p.expired += 1
    if p.head == p.written:
        if not r.resent:
            sink.unsent(r)
        p.written += 1
    p.head += 1


cdef void pipeline_expire(Pipeline *p, Sink sink, int64_t now_ns) noexcept nogil:
    cdef Request *r
    while p.expired != p.tail:
        r = &p.ring[p.expired & p.mask]
        if now_ns - r.send_ns < p.timeout_ns:
            return
        sink.ended(r, TIMED_OUT, r.resent or <int32_t>(p.written - p.expired) > 0, r.send_ns + p.timeout_ns)
        p.expired += 1


cdef bint pipeline_is_stalled(const Pipeline *p, int64_t now_ns) noexcept nogil:
    return p.expired != p.head and (p.expired - p.head == p.depth + p.barriers
                                    or now_ns - p.ring[p.head & p.mask].send_ns >= 2 * p.timeout_ns)


cdef void pipeline_abandon(Pipeline *p, Sink sink, uint64_t received, int64_t now_ns) noexcept nogil:
    cdef Request *r
    while p.head != p.tail:
        r = &p.ring[p.head & p.mask]
        if r.end > received and p.head == p.expired and r.command != p.barrier:
            r.resent |= p.head != p.written
            if sink.takes_back(r):
                p.expired += 1
                p.written += p.head == p.written
                p.head += 1
                continue
        leave(p, sink, LOST, now_ns)
    start_anew(p)


cdef void pipeline_finish(Pipeline *p, Sink sink, int64_t now_ns) noexcept nogil:
    while p.head != p.tail:
        leave(p, sink, UNFINISHED, now_ns)
    start_anew(p)


cdef inline void start_anew(Pipeline *p) noexcept nogil:
    memset(&p.decoder, 0, sizeof(p.decoder))
    p.barriers = 0
    p.kept = 0
    p.refused_end = 0
