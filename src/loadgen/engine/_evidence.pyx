"""The evidence of a lane's connections about a pause of the generator."""

from libc.stdint cimport int32_t, int64_t
from libc.string cimport memset

from loadgen.engine._busy cimport Evidence
from loadgen.engine._connection cimport DOWN, READY, connection_room


cdef void evidence_before(Lane lane, Connection *connections, Transport net, int64_t pause_ns) noexcept:
    cdef Connection *c
    cdef int i
    memset(&lane.seen, 0, sizeof(Evidence))
    for i in range(lane.first, lane.first + lane.count):
        c = &connections[i]
        c.written_before = c.pipe.written
        if c.state != READY:
            continue
        lane.seen.ready += 1
        if not c.watched_for_room:
            lane.seen.room |= connection_room(c) != 0
        elif net.is_writable(c.stream):
            lane.seen.stuck += 1
            c.doubt_ns += pause_ns
        else:
            # The server has yet to take the bytes that are on their way.
            lane.seen.owed += 1


cdef void evidence_after(Lane lane, Connection *connections) noexcept:
    cdef Connection *c
    cdef int i
    for i in range(lane.first, lane.first + lane.count):
        c = &connections[i]
        if c.state == READY:
            lane.seen.ready_after += 1
            # Requests that a socket took only now, because it was writable again, were not owed in the pause.
            lane.seen.owed += max(0, <int32_t>(c.written_before - c.pipe.head))
        elif c.state != DOWN:
            lane.seen.opening += 1
