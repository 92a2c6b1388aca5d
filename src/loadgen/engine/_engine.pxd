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
from loadgen.engine._moment cimport Moment
from loadgen.engine._pool cimport Pool, Sender
from loadgen.engine._reactor cimport Reactor
from loadgen.engine._recorder cimport Recorder
from loadgen.engine._route cimport Route
from loadgen.engine._schedule cimport Schedule
from loadgen.engine._time cimport Time
from loadgen.engine._transport cimport Transport
from loadgen.engine._window cimport Window
from loadgen.engine._workload cimport Draws

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
    cdef Moment summed        # to add moments in; None until there is a use
    cdef readonly History history  # None: no history is kept
    cdef Commands table
    cdef Route route          # the shard of each key
    cdef Draws draws
    cdef bint mirrored        # each lane has the same requests at the same times
    cdef Cluster cluster      # None: there is none
    cdef object plan
    cdef list slot_shares     # in a cluster: each slot's part of the requests
    cdef list profile         # of the newest load, its warm-up included
    cdef Choice choice        # picks the connection for a due request
    cdef Window window        # of the newest load
    cdef list lanes
    cdef int index            # of the worker
    cdef list shares          # each worker's share of the load
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
    cdef int64_t requests     # of this worker's measure window; UNLIMITED: as many as the window's time allows
    cdef int lanes_to_go      # lanes that still have requests of the window to send
    cdef Waiting left_waiting  # the backlog at the end of the window
    cdef int64_t left_behind  # requests of the window that were never sent because of the generator alone
    cdef Connection **touched  # connections with requests of the current dispatch; owned
    cdef int n_touched
    cdef bint releasing       # lanes that waited for others are being served
    cdef bint told_stale      # that a topology is wanted
    cdef bint told_of_history  # that the history cannot be written

    # Lanes.
    cdef Lane add_lane(self, placement, int connections)
    cdef int place(self, Lane lane, placement) except -1
    cdef list lane_shares(self)
    cdef Draws new_draws(self)
    cdef double part(self, Lane lane, str command) except -1
    cdef double of_shard(self, Lane lane) except -1
    cdef int divide(self) except -1
    cdef int reshare(self, int64_t now_ns) except -1
    cdef void hand_over_due(self, Lane lane, int64_t now_ns) noexcept
    cdef void look_for_stalls(self) noexcept
    cdef void release(self) noexcept
    cdef void serve_kicked(self, int64_t now_ns) noexcept
    cdef void offer(self, Lane lane, int64_t now_ns) noexcept

    # The path of a request, in order.
    cdef void refill(self, Lane lane, Connection *c, int64_t now_ns) noexcept
    cdef void fill_all(self) noexcept
    cdef void dispatch(self, Lane lane, Connection *freed, int64_t now_ns) noexcept
    cdef bint send_due(self, Lane lane, Connection *c, uint32_t most, int64_t now_ns) noexcept
    cdef void inherit_keys(self) noexcept
    cdef int64_t pending_keys(self) noexcept

    cdef bint is_behind(self) noexcept

    # The measure window: its beginning, the last of its requests sent, an early end, its end.
    cdef void begin_window(self, int64_t now_ns) noexcept
    cdef void issued(self, int64_t now_ns) noexcept
    cdef void cut_window(self, int64_t now_ns) noexcept
    cdef void end_window(self, int64_t now_ns) noexcept
    cdef Waiting waiting(self, int phase, int64_t now_ns) noexcept
    # Return, by server, the fields of `snapshot.NodeCounts` of a phase by name; empty for a single server.
    cdef dict nodes(self, int phase)

    # Time.
    cdef int64_t tick(self, int64_t now_ns) noexcept
    cdef void plan_wake(self, int64_t now_ns) noexcept
    cdef bint wants_connections(self, Lane lane) noexcept
    cdef void finish(self, int64_t now_ns) noexcept
    cdef void leave_all(self, int64_t now_ns) noexcept
    cdef int64_t leave(self, Lane lane, int phase, int64_t until_ns, int64_t now_ns) noexcept
    cdef Transport sockets(self, plan)
    cdef void keep_history(self) noexcept
    cdef void tell(self, str what) noexcept
    cdef Schedule schedule(self, Lane lane, list profile)
    cdef int begin_late(self, Lane lane) except -1
    cdef int64_t overdue(self) noexcept
