# One worker's loop: it decides which connection sends what, and when. Its pool and its lanes carry that out.
#
# Each server has a lane. With several servers, a route assigns every key to a lane, and a lane that waits delays no
# other.

from libc.stdint cimport int32_t, int64_t, uint32_t, uint64_t

from loadgen._request cimport Commands
from loadgen.engine._choice cimport Choice
from loadgen.engine._cluster cimport Cluster
from loadgen.engine._connection cimport Connection
from loadgen.engine._history cimport History
from loadgen.engine._lane cimport Lane
from loadgen.engine._lanes cimport Lanes
from loadgen.engine._pool cimport Pool, Sender
from loadgen.engine._reactor cimport Reactor
from loadgen.engine._recorder cimport Recorder
from loadgen.engine._schedule cimport Schedule
from loadgen.engine._time cimport Time
from loadgen.engine._transport cimport Transport
from loadgen.engine._window cimport Window

# The modes of an engine. A mode ends by itself: all connected, all keys written, start time reached, window over, all
# answered. The engine calls `notify` at the end of CONNECT, WRITE_KEYS and DRAIN.
cdef enum:
    IDLE = 0
    CONNECT = 1
    WRITE_KEYS = 2
    ARMED = 3    # a load is planned, and its start time is to come
    LOAD = 4
    DRAIN = 5
    DRAINED = 6  # all that was begun is over, and the end has been told


# Requests that are due and have not been sent.
cdef struct Waiting:
    int64_t requests
    int64_t age_ns   # of the oldest


cdef class Engine(Sender):
    cdef Pool pool
    cdef readonly Reactor reactor
    cdef readonly Time time
    cdef Recorder recorder
    cdef readonly History history  # None: no history is kept
    cdef Commands table
    cdef list profile         # of the newest load, its warm-up included
    cdef Choice choice        # picks the connection for a due request
    cdef Window window        # of the newest load
    cdef Lanes lanes
    cdef Cluster cluster      # of the lanes; None: there is none
    cdef object notify        # called with "connected", "written", "drained" when a mode ends
    cdef int mode
    cdef bint poisson
    cdef bint spin
    cdef bint closed_loop     # the newest load is a closed loop
    cdef bint when_drained    # a closed loop refills a pipeline only when none of its requests is open
    cdef uint32_t batch
    cdef int64_t request_timeout_ns
    cdef int64_t tick_ns      # between two checks of all connections
    cdef int64_t quick_tick_ns  # the same while a mode is about to end
    cdef int64_t next_tick_ns
    cdef int64_t wake_ns      # when the timer fires next
    cdef bint sweeping        # a pause is being examined: no due request is sent until all that arrived in it is read
    cdef int64_t paused_from_ns, paused_to_ns  # the bounds of that pause
    cdef uint64_t loads       # the number of loads so far
    cdef Waiting left_waiting  # the backlog at the end of the window
    cdef int64_t left_behind  # requests of the window that were never sent because of the generator alone
    cdef Connection **touched  # connections with requests of the current dispatch; owned
    cdef int n_touched
    cdef bint releasing       # lanes that waited for others are being served
    cdef bint told_stale      # that a topology is wanted
    cdef bint told_of_history  # that the history cannot be written

    # The path of a request, in order.
    cdef void refill(self, Lane lane, Connection *c, int64_t now_ns) noexcept
    cdef void fill_all(self) noexcept
    cdef void dispatch(self, Lane lane, Connection *freed, int64_t now_ns) noexcept
    cdef bint send_due(self, Lane lane, Connection *c, uint32_t most, int64_t now_ns) noexcept

    # In a cluster: new shares; what waited for other lanes, and what was redirected, sent.
    cdef int reshare(self, int64_t now_ns) except -1
    cdef void release(self) noexcept
    cdef void serve_kicked(self, int64_t now_ns) noexcept
    cdef void offer(self, Lane lane, int64_t now_ns) noexcept

    # The measure window: its beginning, the last of its requests sent, an early end, its end.
    cdef void begin_window(self, int64_t now_ns) noexcept
    cdef void issued(self, int64_t now_ns) noexcept
    cdef void cut_window(self, int64_t now_ns) noexcept
    cdef void end_window(self, int64_t now_ns) noexcept
    cdef Waiting waiting(self, int phase, int64_t now_ns) noexcept

    # Time.
    cdef int64_t tick(self, int64_t now_ns) noexcept
    cdef void plan_wake(self, int64_t now_ns) noexcept
    cdef bint wants_connections(self, Lane lane) noexcept
    cdef void finish(self, int64_t now_ns) noexcept
    cdef void leave_all(self, int64_t now_ns) noexcept
    cdef int64_t leave(self, Lane lane, int phase, int64_t until_ns, int64_t now_ns) noexcept
    cdef Transport sockets(self, plan, int index)
    cdef void keep_history(self) noexcept
    cdef void tell(self, str what) noexcept
    cdef Schedule schedule(self, Lane lane, list profile)
    cdef int begin_late(self, Lane lane) except -1
