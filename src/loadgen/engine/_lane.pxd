# One server's part of a worker: the connections to it, what they are sent, and when.
#
# A lane makes the requests: first those that go out once more, then those that are owed, then those that its schedule
# has due, which its workload fills in. It is also the sink of their ends: it decides what is owed after one, and tells
# the recorder. It knows no socket and no clock.

from libc.stdint cimport int64_t, uint32_t, uint64_t

from loadgen._request cimport Request
from loadgen.engine._busy cimport Busy, Evidence
from loadgen.engine._pipeline cimport Pipeline
from loadgen.engine._recorder cimport Recorder
from loadgen.engine._schedule cimport Schedule
from loadgen.engine._sink cimport Sink
from loadgen.engine._workload cimport Workload

# Keys that somebody still has to write: what a prefill could not store yet, what a read missed with backfill on. It
# never overflows, because whoever sends empties it first, so that keys owed and requests in flight together are never
# more than all pipelines' slots.
cdef struct Owed:
    uint64_t *keys    # owned
    uint32_t mask
    uint32_t head
    uint32_t tail

# Requests that a server which closed their connection had not received: they are for whichever connection has room.
# Bounded as what is owed.
cdef struct Requeued:
    Request *ring     # owned
    uint32_t mask
    uint32_t head
    uint32_t tail

# What there was to send.
cdef struct Taken:
    uint32_t requests
    bint last         # among them is the last one that the measure window is to have


cdef class Lane(Sink):
    cdef Recorder recorder
    cdef int first            # its connections: first … first + count - 1
    cdef int count
    cdef int next             # where the search for room begins
    cdef int server           # its place on the circle
    cdef Workload prefill     # what the prefill sends,
    cdef Workload mix         # and a load,
    cdef Workload workload    # and the one of these that is sent now
    cdef Schedule schedule
    cdef double share         # of the offered rate, in this worker and at this server
    cdef double offset        # of its evenly spaced requests among those of all lanes, in gaps
    cdef uint64_t seed
    cdef Busy busy            # whether what is due waits for room, and whose doing that is
    cdef Evidence seen        # of the pause that is being looked into
    cdef bint in_question     # there is one: something was due in it
    cdef Owed owed
    cdef bint pays            # what is owed is sent
    cdef bint backfill        # a read's miss owes its key
    cdef int owed_command     # what writes a key that is owed
    cdef Requeued requeued
    cdef int64_t measure_ns   # requests from here on are of the phase `after`, and those before of the phase `before`
    cdef int64_t end_ns       # none is due from here on
    cdef int before
    cdef int after
    cdef int64_t left         # requests of the measure window that are still to be sent
    cdef int64_t overdue      # those that were sent long after it closed, for no reason but our own

    cdef int reserve(self, uint64_t slots) except -1

    # The requests from now on.
    cdef void begin(self, Workload workload, Schedule schedule, int owed_command, int before, int after,
                    int64_t measure_ns, int64_t end_ns) noexcept

    # Puts the next requests that are to go out now, up to so many, into the pipeline, which has room for them.
    cdef Taken take(self, Pipeline *p, uint32_t most, int64_t now_ns) noexcept
    cdef void take_requeued(self, Pipeline *p, int64_t now_ns) noexcept
    cdef void take_owed(self, Pipeline *p, int64_t now_ns) noexcept
    cdef void take_asked(self, Pipeline *p, uint32_t most, int64_t now_ns) noexcept
    cdef void take_due(self, Pipeline *p, uint32_t most, int64_t now_ns) noexcept

    # Whether any request is to go out now.
    cdef bint has_due(self, int64_t now_ns) noexcept
    # Whether requests of the window have yet to be sent.
    cdef bint is_behind(self) noexcept
    # Nothing is owed any more, and nothing will be sent that is.
    cdef void forgive(self) noexcept
    # What goes out once more has not, and never will.
    cdef void finish_requeued(self, int64_t now_ns) noexcept


cdef inline bint has_owed(const Owed *o) noexcept nogil:
    return o.head != o.tail


cdef inline void owe(Owed *o, uint64_t key) noexcept nogil:
    o.keys[o.tail & o.mask] = key
    o.tail += 1


cdef inline bint has_requeued(const Requeued *q) noexcept nogil:
    return q.head != q.tail


cdef inline void requeue(Requeued *q, const Request *r) noexcept nogil:
    q.ring[q.tail & q.mask] = r[0]
    q.tail += 1


cdef inline void take_requeued(Requeued *q, Request *r) noexcept nogil:
    """The oldest, into the slot of a new request. There must be one."""
    r[0] = q.ring[q.head & q.mask]
    q.head += 1
