# One server's part of a worker: the connections to the server, the requests on them, and the times of requests.
#
# A lane makes requests: first the requeued ones, then those for owed keys, then those that are due by its schedule and
# filled in by its workload. A lane is also the sink of its requests: after an end, it decides what is owed and passes
# the end to the recorder. A lane knows no socket and no clock.

from libc.stdint cimport int64_t, uint32_t, uint64_t

from loadgen._request cimport PHASES, Request
from loadgen._siblings cimport Siblings
from loadgen.engine._busy cimport Busy, Evidence
from loadgen.engine._history cimport History
from loadgen.engine._moment cimport Moment
from loadgen.engine._pipeline cimport Pipeline
from loadgen.engine._recorder cimport Recorder
from loadgen.engine._schedule cimport Schedule
from loadgen.engine._sink cimport Sink
from loadgen.engine._workload cimport Workload

# Keys that are still to be written: keys that a prefill could not store yet, and keys that a read missed with backfill
# on. The ring never overflows, because owed keys are sent first, so that owed keys and requests in flight together are
# never more than all pipelines' slots.
cdef struct Owed:
    uint64_t *keys    # owned
    uint32_t mask
    uint32_t head
    uint32_t tail

# Requests that are sent again, by any connection that has room: those that the server had not received when it closed
# their connection and, in a cluster, those that another node answered by naming this one. Each may be sent from its
# `made_ns` on, in whose order they are. Bounded as `Owed` is; in a cluster, what finds no room is not redirected.
cdef struct Requeued:
    Request *ring     # owned
    uint32_t mask
    uint32_t head
    uint32_t tail

# The result of `take`.
cdef struct Taken:
    uint32_t requests
    bint last         # the last request of the measure window is among them


# What becomes of requests that a node of a cluster answers by naming another node.
cdef class Steering:
    # True when the request is sent again, by this lane or another one.
    cdef bint redirect(self, Lane lane, const Request *r, const char *text, int length, int64_t now_ns) noexcept nogil


cdef class Lane(Sink):
    cdef Steering steering    # None: not in a cluster
    cdef uint32_t slots       # requests that its connections can have in flight
    cdef int shard            # whose keys it has; its number without a cluster
    cdef str node             # the address of its node, as nodes of a cluster write it
    cdef double reads         # the part of the shard's reads that it sends
    cdef bint writes          # it sends the shard's writes
    cdef bint heard           # a request has been answered since the last look
    cdef bint idle            # no key belongs to it now, so that its load has no requests
    cdef Recorder recorder
    cdef History history      # None: no history is kept
    cdef Moment moment        # what it counted in the window since that was last taken
    cdef Moment earlier       # what was taken of it before, so that the two together are the window
    cdef bint watched         # the moment counts
    cdef int64_t in_time      # requests that were answered before the window ended; -1: it has not
    cdef int64_t opened_in[PHASES]   # connections that became ready, by the phase of that event
    cdef int64_t refused_in[PHASES]  # attempts that failed
    cdef int64_t closed_in[PHASES]   # ready connections that ended
    cdef int first            # its connections: first … first + count - 1
    cdef int count
    cdef int next             # the connection at which the next search for room begins
    cdef int server           # the server's number, on ketama's circle too
    cdef str name             # the server's name in outputs: its endpoint, as the user wrote it
    cdef Workload prefill     # the requests of a prefill
    cdef Workload mix         # the requests of a load
    cdef Workload workload    # whichever of the two is sent now
    cdef Schedule schedule
    cdef double share         # of the offered rate, in this worker and at this server
    cdef double offset        # of the lane's evenly spaced requests among those of all lanes, in gaps
    cdef uint64_t seed
    cdef Busy busy            # whether due requests wait for room, and who makes them wait
    cdef Evidence seen        # of the pause that is being examined
    cdef bint in_question     # a pause in which something was due is being examined
    cdef Owed owed
    cdef bint pays            # owed keys are sent
    cdef bint backfill        # a read that misses owes its key
    cdef int owed_command     # the command that writes an owed key
    cdef int counter_command  # the command that creates an owed counter
    cdef bint creates         # an increment of a counter that is not there owes the counter
    cdef Siblings siblings    # the keys of a request of several; None: there is no such request
    cdef Requeued requeued
    cdef int64_t measure_ns   # requests from this time on belong to the phase `after`, earlier ones to `before`
    cdef int64_t end_ns       # no request is due from this time on
    cdef int before
    cdef int after
    cdef int64_t left         # requests of the measure window that are still to be sent
    cdef int64_t overdue      # requests of the window that were sent long after its end because of the generator alone

    # Make room for the keys that `slots` requests owe, of `keys` each, and for these requests.
    cdef int reserve(self, uint64_t slots, int keys) except -1
    # Count the keys of a request of several, or a counter that was not there, and owe what is to be written.
    cdef void ended_apart(self, const Request *r) noexcept nogil

    # Set the source and the times of the requests from now on.
    cdef void begin(self, Workload workload, Schedule schedule, int owed_command, int before, int after,
                    int64_t measure_ns, int64_t end_ns) noexcept

    # Count the window's requests from nothing, if `watched`, and connections' events of a load's phases anyway.
    cdef int begin_counts(self, bint watched) except -1
    # The window ends: what is answered from now on is late.
    cdef void end_window(self) noexcept
    # Return the fields of `snapshot.NodeCounts` by name, of what ended since the last call; the times of failures too.
    cdef dict take_moment(self)
    # Return the same for a whole phase so far, the window's requests in the measure phase, without times. `whole` is
    # written over.
    cdef dict counts(self, int phase, Moment whole)

    # Push the requests to send now, at most `most`, into a pipeline that has room for them.
    cdef Taken take(self, Pipeline *p, uint32_t most, int64_t now_ns) noexcept

    # Push a barrier behind the newest request, which is silent.
    cdef void take_barrier(self, Pipeline *p, int64_t now_ns) noexcept

    # True when a request is to be sent now.
    cdef bint has_due(self, int64_t now_ns) noexcept
    # True when the schedule has a request due that is still to be made.
    cdef bint has_request_due(self, int64_t now_ns) noexcept
    # Make the next due request of another lane's schedule, with a key of this lane, and send it as one that is sent
    # again. False when there is no room.
    cdef bint take_over(self, Lane other, int64_t now_ns) noexcept
    # True when requests of the window have yet to be sent.
    cdef bint is_behind(self) noexcept
    # Drop the owed keys, and send none from now on.
    cdef void forgive(self) noexcept
    # End the requeued requests as unfinished.
    cdef void finish_requeued(self, int64_t now_ns) noexcept


cdef inline bint has_owed(const Owed *o) noexcept nogil:
    return o.head != o.tail


cdef inline void owe(Owed *o, uint64_t key) noexcept nogil:
    o.keys[o.tail & o.mask] = key
    o.tail += 1


cdef inline uint64_t take_key(Owed *o) noexcept nogil:
    """Remove the oldest owed key, and return it. There must be one."""
    o.head += 1
    return o.keys[(o.head - 1) & o.mask]


cdef inline bint has_requeued(const Requeued *q) noexcept nogil:
    return q.head != q.tail


cdef inline bint has_requeued_by(const Requeued *q, int64_t now_ns) noexcept nogil:
    """True when a request may be sent again now."""
    return q.head != q.tail and q.ring[q.head & q.mask].made_ns <= now_ns


cdef inline bint is_full(const Requeued *q) noexcept nogil:
    return q.tail - q.head > q.mask


cdef inline bint is_half_full(const Requeued *q) noexcept nogil:
    return q.tail - q.head > q.mask // 2


cdef inline void requeue(Requeued *q, const Request *r) noexcept nogil:
    """Add a request, behind those that may be sent no later. There must be room."""
    cdef uint32_t at = q.tail
    q.tail += 1
    while at != q.head and q.ring[(at - 1) & q.mask].made_ns > r.made_ns:
        q.ring[at & q.mask] = q.ring[(at - 1) & q.mask]
        at -= 1
    q.ring[at & q.mask] = r[0]


cdef inline void take_requeued(Requeued *q, Request *r) noexcept nogil:
    """Move the oldest request into the slot of a new request. There must be one."""
    r[0] = q.ring[q.head & q.mask]
    q.head += 1
