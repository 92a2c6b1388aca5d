"""One worker's loop: it decides what is sent on which connection, and when. `_engine.pxd` lists state and steps."""

from cpython.mem cimport PyMem_Calloc, PyMem_Free

from loadgen._request import PHASE_NAMES

from loadgen._codec cimport is_silent
from loadgen._request cimport DRAINING, MEASURE, PRECHECK, PREFILL, WARMUP, WRITE, Commands
from loadgen.engine._backlog cimport backlog_count
from loadgen.engine._busy cimport busy_block, busy_end, busy_is_behind, busy_paused, pause_kind
from loadgen.engine._choice cimport ROUNDROBIN, Choice
from loadgen.engine._connection cimport (
    CONNECT_TIMEOUT, DOWN, PARKED, READY, STALLED, connection_encode, connection_has_unsent, connection_room,
)
from loadgen.engine._evidence cimport evidence_after, evidence_before
from loadgen.engine._lane cimport Lane, Taken, has_owed, has_requeued, has_requeued_by
from loadgen.engine._lanes cimport UNLIMITED, Lanes
from loadgen.engine._life cimport has_lived
from loadgen.engine._moment cimport Moment
from loadgen.engine._pauses cimport LATE_NS
from loadgen.engine._pipeline cimport pipeline_expire, pipeline_is_stalled, pipeline_open
from loadgen.engine._pool cimport OPENING
from loadgen.engine._schedule cimport NEVER, Closed, Even, Paced, Poisson, Schedule
from loadgen.engine._sink cimport Sink
from loadgen.engine._tls cimport Tls
from loadgen.engine._transport cimport Sockets, Transport
from loadgen.engine._window cimport Window

cdef int64_t MS = 1_000_000

# A lane whose warm-up left a backlog older than this begins the measure window without that backlog. Pauses of a server
# leave younger ones.
cdef int64_t BACKLOG_NS = 200 * MS

# The time in which a worker reads the replies that have arrived from a server that has ended.
cdef int64_t LAST_REPLIES_NS = 100 * MS

# While a lane is blocked, only replies wake the worker, and a pause of the worker would not show. A timer that fires
# this often shows a pause by its lateness.
cdef int64_t BEAT_NS = 1_000_000


cdef class Engine(Sender):
    """The engine of worker `index` of `plan`, on a reactor and a transport (None: the kernel's sockets).

    `connect()`, `write_keys()`, `load()` and `stop()` begin a mode. At the end of a mode, and outside of the engine's
    own code, `notify` is called with "connected", "written" or "drained". `counts(phase)` may be called at any time.

    A history, which belongs to the engine from now on, has a record of each request. When the history can no longer be
    written, `notify` is called with "history failed", once.
    """

    def __cinit__(self, plan, int index, notify, Reactor reactor, Transport net=None, History history=None):
        own = plan.workers[index]
        self.notify = notify
        self.reactor = reactor
        self.time = reactor.time
        self.table = Commands(plan.commands)
        self.recorder = Recorder(False, self.table)
        self.history = history
        if history is not None:
            history.table = self.table
        self.batch = plan.wire.batch_size
        self.poisson = plan.load.arrival == "poisson"
        self.spin = plan.wire.spin
        self.closed_loop = True
        self.when_drained = plan.wire.refill == "drained"
        self.request_timeout_ns = plan.wire.request_timeout_ns
        self.tick_ns = min(max(plan.wire.request_timeout_ns // 10, MS), 100 * MS)
        self.window = Window(self.time, self.recorder)
        self.choice = Choice(plan.wire.request_distribution, own.seed)
        net = self.sockets(plan, index) if net is None else net
        if plan.target.tls is not None:
            net = Tls(net, plan.target.tls)
        self.pool = Pool(plan, index, self.table, reactor, net, self, history)
        self.touched = <Connection **>PyMem_Calloc(max(self.pool.capacity, 1), sizeof(Connection *))
        if self.touched == NULL:
            raise MemoryError()
        self.lanes = Lanes(plan, index, self.pool, self.table, self.recorder, history)
        self.cluster = self.lanes.cluster
        self.quick_tick_ns = max(MS, self.pool.n_connections * 1000)
        reactor.serve(self.pool)

    def __dealloc__(self):
        PyMem_Free(self.touched)

    cdef Transport sockets(self, plan, int index):
        """Return the kernel's sockets. The workers' first connections come from one source address after the other."""
        return Sockets(plan.wire.life, sum([sum(each.connections) for each in plan.workers[:index]]))

    # ── The path of a request ───────────────────────────────────────────────────────────────────────────────────────

    cdef void fill(self, Connection *c, int64_t now_ns) noexcept:
        """Send on a connection that has room, as much as is due and finds room."""
        cdef Lane lane = <Lane>c.sink
        if self.mode != LOAD and self.mode != DRAIN and self.mode != WRITE_KEYS:
            return
        if lane.schedule.closed:
            self.refill(lane, c, now_ns)
        elif lane.busy.blocked or has_owed(&lane.owed) or has_requeued(&lane.requeued):
            self.dispatch(lane, c, now_ns)
        if self.cluster is not None:
            if self.cluster.kicked:
                self.serve_kicked(now_ns)
            if self.lanes.draws.waiting:
                self.release()

    cdef void refill(self, Lane lane, Connection *c, int64_t now_ns) noexcept:
        """Fill a connection's room in a closed loop, batch by batch."""
        cdef uint32_t room
        cdef bint more = True, again = False
        if self.when_drained and self.mode == LOAD and pipeline_open(&c.pipe):
            return
        while more and c.state == READY:
            room = min(connection_room(c), self.batch)
            if room == 0:
                return
            if again:
                # Writing the previous batch took time.
                now_ns = self.time.now_ns()
            again = True
            more = self.send_due(lane, c, room, now_ns)
            if connection_has_unsent(c) and not c.watched_for_room:
                self.pool.flush(c, now_ns)

    cdef bint send_due(self, Lane lane, Connection *c, uint32_t most, int64_t now_ns) noexcept:
        """Encode the requests to send now, at most `most`, for which there is room. False when there were fewer."""
        cdef Taken taken = lane.take(&c.pipe, most, now_ns)
        cdef uint32_t n = taken.requests
        if n and c.pipe.barrier >= 0 and is_silent(self.pool.codec, &c.pipe.ring[(c.pipe.tail - 1) & c.pipe.mask]):
            lane.take_barrier(&c.pipe, now_ns)
            n += 1
        connection_encode(c, n, self.pool.codec, self.pool.values)
        if taken.last:
            self.issued(now_ns)
        return taken.requests == most

    cdef void fill_all(self) noexcept:
        cdef int i
        for i in range(self.pool.n_connections):
            if self.pool.connections[i].state == READY:
                self.fill(&self.pool.connections[i], self.time.now_ns())

    cdef void dispatch(self, Lane lane, Connection *freed, int64_t now_ns) noexcept:
        """Send a lane's due requests. A request without room stays due, and counts from its intended time.

        In a blocked lane only `freed` has room. When `freed` is NULL, any connection may have room.
        """
        cdef Connection *c
        cdef Connection *gathering = NULL
        cdef uint32_t most
        cdef bint any_has_room = freed == NULL or not lane.busy.blocked
        cdef int i
        if self.sweeping:
            return
        self.n_touched = 0
        while True:
            if not lane.has_due(now_ns):
                if busy_end(&lane.busy):
                    self.plan_wake(now_ns)
                break
            most = 1
            if gathering != NULL and connection_room(gathering):
                c = gathering
            elif any_has_room:
                c = self.choice.of(lane, self.pool.connections)
                if self.choice.rule == ROUNDROBIN and c != NULL and not c.watched_for_room:
                    gathering = c
            elif freed != NULL and freed.state == READY and connection_room(freed):
                c = freed
            else:
                c = NULL
            if c == NULL:
                busy_block(&lane.busy, now_ns)
                break
            if c == gathering and c.pipe.tail - c.pipe.written < self.batch:
                most = min(connection_room(c), self.batch - (c.pipe.tail - c.pipe.written))
            self.send_due(lane, c, most, now_ns)
            c.doubt_ns = max(c.doubt_ns, lane.busy.doubt_ns)
            if not c.touched:
                c.touched = True
                self.touched[self.n_touched] = c
                self.n_touched += 1
            if c.out_end - c.out_at and c.pipe.tail - c.pipe.written >= self.batch and not c.watched_for_room:
                self.pool.flush(c, self.time.now_ns())
                gathering = NULL
        for i in range(self.n_touched):
            c = self.touched[i]
            c.touched = False
            if c.state == READY and not c.watched_for_room and connection_has_unsent(c):
                self.pool.flush(c, self.time.now_ns())

    # ── In a cluster ──────────────────────────────────────────────────────────────────────────────────────────────────

    cdef int reshare(self, int64_t now_ns) except -1:
        """Give each lane its share of the load anew, after slots have changed owners."""
        if self.lanes.reshare(now_ns, self.mode == LOAD or self.mode == DRAIN) and self.closed_loop:
            self.fill_all()
        return 0

    cdef void release(self) noexcept:
        """Serve the lanes that have waited for the others and may go on."""
        cdef Lane lane
        cdef Connection *c
        cdef int i
        if self.releasing:
            return
        self.releasing = True
        for lane in self.lanes.all:
            if not self.lanes.draws.goes_on(lane.server):
                continue
            for i in range(lane.first, lane.first + lane.count):
                c = &self.pool.connections[i]
                if c.state == READY and connection_room(c):
                    self.fill(c, self.time.now_ns())
        self.releasing = False

    cdef void serve_kicked(self, int64_t now_ns) noexcept:
        """Have requests that were redirected sent, and a topology asked for that is wanted."""
        cdef Lane lane
        self.cluster.kicked = False
        if self.cluster.stale and not self.told_stale:
            self.told_stale = True
            self.tell("stale")
        for lane in self.lanes.all:
            if has_requeued_by(&lane.requeued, now_ns):
                self.offer(lane, now_ns)
        self.plan_wake(now_ns)

    cdef void offer(self, Lane lane, int64_t now_ns) noexcept:
        """Have a lane's connections with room send what is to be sent again."""
        cdef Connection *c
        cdef int i
        if self.mode != LOAD and self.mode != DRAIN and self.mode != WRITE_KEYS:
            return
        if not lane.schedule.closed:
            self.dispatch(lane, NULL, now_ns)
            return
        for i in range(lane.first, lane.first + lane.count):
            c = &self.pool.connections[i]
            if c.state == READY and connection_room(c) and has_requeued_by(&lane.requeued, now_ns):
                self.refill(lane, c, now_ns)

    # ── The measure window ──────────────────────────────────────────────────────────────────────────────────────────

    cdef void begin_window(self, int64_t now_ns) noexcept:
        cdef Lane lane
        self.pool.phase = MEASURE
        self.window.begin(now_ns)
        for lane in self.lanes.all:
            if lane.schedule.next_ns < self.window.measure_ns - BACKLOG_NS:
                # Otherwise the window would begin with the warm-up's backlog, and show that instead of the load.
                self.leave(lane, WARMUP, self.window.measure_ns, now_ns)
                # The requests that waited because of pauses in the warm-up are gone. Those pauses must not count for
                # the waits of later requests.
                if busy_end(&lane.busy):
                    busy_block(&lane.busy, self.window.measure_ns)
        if self.lanes.to_go() == 0 and self.mode == LOAD:
            # This worker has no request of the window.
            self.mode = DRAIN
            self.next_tick_ns = now_ns

    cdef void issued(self, int64_t now_ns) noexcept:
        """A lane has sent all its requests of the window. After the last lane, the drain begins."""
        cdef Lane lane
        if self.lanes.to_go() or self.mode != LOAD:
            return
        self.mode = DRAIN
        self.window.drained_ns = now_ns + self.request_timeout_ns
        if self.pool.phase == WARMUP:
            self.begin_window(now_ns)
        for lane in self.lanes.all:
            lane.forgive()
        self.next_tick_ns = now_ns
        self.plan_wake(now_ns)

    cdef void cut_window(self, int64_t now_ns) noexcept:
        """Move the window's end to `now_ns`, if the end is later."""
        cdef Lane lane
        self.window.cut(now_ns)
        for lane in self.lanes.all:
            lane.end_ns = self.window.end_ns
            lane.measure_ns = min(lane.measure_ns, self.window.end_ns)

    cdef void end_window(self, int64_t now_ns) noexcept:
        """End the window: its time is over or, with a number of requests, no more replies are awaited."""
        cdef Window w = self.window
        cdef Lane lane
        for lane in self.lanes.all:
            lane.end_window()
        self.left_waiting = self.waiting(MEASURE, min(now_ns, w.end_ns))
        self.pool.phase = DRAINING
        w.end(now_ns)
        if self.mode == LOAD:
            w.ended_ns = w.end_ns
        else:
            w.ended_ns = self.pool.heard_ns if w.answered == self.lanes.requests > 0 else now_ns

    cdef Waiting waiting(self, int phase, int64_t now_ns) noexcept:
        cdef Waiting waiting
        cdef int64_t before, n, from_ns = self.window.start_ns, until_ns = min(now_ns, self.window.measure_ns)
        cdef Lane lane
        if phase == MEASURE:
            from_ns, until_ns = self.window.measure_ns, min(now_ns, self.window.end_ns)
        waiting.requests = waiting.age_ns = 0
        for lane in self.lanes.all:
            before = lane.schedule.due_before(min(from_ns, until_ns))
            n = lane.schedule.due_before(until_ns) - before
            if phase == MEASURE:
                n = min(n, lane.left)
            if n > 0:
                waiting.requests += n
                waiting.age_ns = max(waiting.age_ns, until_ns - max(lane.schedule.next_ns, from_ns))
        return waiting

    # ── Time ────────────────────────────────────────────────────────────────────────────────────────────────────────

    cdef void on_timer(self) noexcept:
        cdef int64_t now_ns = self.time.now_ns()
        cdef bint begins = self.mode == ARMED and now_ns >= self.window.start_ns
        cdef Lane lane
        if now_ns > self.pool.late_ns:
            self.woke_late(now_ns)
        elif self.mode == LOAD and self.pool.phase == MEASURE:
            self.window.pauses.refresh(now_ns)
        if begins:
            self.mode = LOAD
            self.pool.phase = WARMUP
        if self.mode == LOAD:
            if self.pool.phase == WARMUP and now_ns >= self.window.measure_ns:
                self.begin_window(now_ns)
            # The replies that arrived in a pause are read before the replies in time are counted.
            if self.mode == LOAD and now_ns >= self.window.end_ns and not self.sweeping:
                self.end_window(now_ns)
                self.mode = DRAIN
                for lane in self.lanes.all:
                    lane.forgive()
        if self.pool.is_ramping():
            self.pool.open_more(now_ns)
        if begins and self.closed_loop:
            self.fill_all()
        if not self.closed_loop and (self.mode == LOAD or self.mode == DRAIN):
            for lane in self.lanes.all:
                if not lane.busy.blocked:
                    self.dispatch(lane, NULL, now_ns)
        if self.cluster is not None:
            self.serve_kicked(now_ns)
        # No tick during a sweep: a reply that arrived in the pause must not be taken for a timeout or a missing reply.
        if now_ns >= self.next_tick_ns and not self.sweeping:
            self.next_tick_ns = now_ns + self.tick(now_ns)
        self.plan_wake(now_ns)

    # ── Pauses ──────────────────────────────────────────────────────────────────────────────────────────────────────

    cdef void woke_late(self, int64_t now_ns) noexcept:
        """Record a pause of the worker. If requests were due in it, gather evidence of who made them wait.

        For that evidence, the reactor reads all that arrived in the pause before anything is sent.
        """
        cdef Lane lane
        self.pool.late_ns = NEVER
        # In the drain, pauses matter while requests of the window are still being sent.
        if (self.mode == LOAD and self.pool.phase == MEASURE) or (self.mode == DRAIN and self.lanes.is_behind()):
            self.window.pauses.woke(self.wake_ns, now_ns)
        if self.closed_loop or self.sweeping or (self.mode != LOAD and self.mode != DRAIN):
            return
        self.paused_from_ns = self.wake_ns
        self.paused_to_ns = now_ns
        for lane in self.lanes.all:
            lane.in_question = (lane.busy.blocked or has_requeued(&lane.requeued)
                                or lane.schedule.next_ns < min(now_ns, self.window.end_ns))
            if lane.in_question:
                evidence_before(lane, self.pool.connections, self.pool.net, now_ns - self.wake_ns)
                self.sweeping = True
        if self.sweeping:
            self.reactor.sweep()

    cdef void on_swept(self) noexcept:
        cdef int64_t now_ns = self.time.now_ns()
        cdef Lane lane
        self.sweeping = False
        if self.closed_loop or (self.mode != LOAD and self.mode != DRAIN):
            return
        for lane in self.lanes.all:
            if lane.in_question:
                lane.in_question = False
                evidence_after(lane, self.pool.connections)
                busy_paused(&lane.busy, pause_kind(&lane.seen), self.paused_from_ns, self.paused_to_ns,
                            self.paused_from_ns if has_requeued(&lane.requeued) else lane.schedule.next_ns)
            self.dispatch(lane, NULL, now_ns)
        self.plan_wake(now_ns)

    cdef int64_t tick(self, int64_t now_ns) noexcept:
        """Check every connection for timeouts, stalls and retries that are due, and end a mode that is over.

        Return the time until the next tick, in ns.
        """
        cdef int i
        cdef int64_t open = 0
        cdef bint waiting = False, opening
        cdef Connection *c
        cdef Lane lane
        if self.history is not None and self.history.error:
            self.keep_history()
        if self.cluster is not None:
            if self.cluster.moved:
                self.reshare(now_ns)
            self.lanes.look_for_stalls()
            if self.lanes.draws.waiting:
                self.release()
        for i in range(self.pool.n_connections):
            c = &self.pool.connections[i]
            if c.state == READY:
                if c.pipe.head == c.pipe.tail:
                    if self.pool.lives.on and has_lived(c, now_ns) and self.wants_more(c):
                        self.pool.renew(c, now_ns)
                    continue
                pipeline_expire(&c.pipe, <Sink>c.sink, now_ns)
                # In the drain, a new connection would gain nothing.
                if self.mode != DRAIN and pipeline_is_stalled(&c.pipe, now_ns):
                    self.pool.fail(c, STALLED, now_ns)
                elif self.when_drained and self.mode == LOAD and self.closed_loop:
                    # Timeouts may have drained the pipeline, and then no reply triggers the refill.
                    self.fill(c, now_ns)
                open += pipeline_open(&c.pipe)
            elif c.state == DOWN:
                if now_ns >= c.retry_ns and self.pool.opening < OPENING and self.wants_connections(<Lane>c.sink):
                    self.pool.open_one(c, now_ns)
            elif c.state != PARKED and now_ns >= c.deadline_ns:
                self.pool.fail(c, CONNECT_TIMEOUT, now_ns)
        if self.mode == WRITE_KEYS:
            if self.cluster is not None and self.lanes.inherit_keys():
                self.fill_all()
            for lane in self.lanes.all:
                for i in range(lane.first, lane.first + lane.count):
                    if not has_owed(&lane.owed) and not has_requeued_by(&lane.requeued, now_ns):
                        break
                    c = &self.pool.connections[i]
                    if c.state == READY:
                        self.fill(c, now_ns)
            open += self.lanes.pending_keys()
            if open == 0:
                self.mode = IDLE
                self.keep_history()
                self.tell("written")
        elif self.mode == DRAIN:
            waiting = self.lanes.is_behind()
            if waiting:
                # Requests of the window are still being sent: that time belongs to the window.
                self.window.prolong(now_ns)
            # The server knows of a renewed connection before we do: it is to be in both accounts.
            opening = self.pool.lives.on and self.pool.opening > 0
            if open + waiting + opening == 0 or now_ns >= self.window.drained_ns:
                # Not now_ns: requests sent since this wake-up began would have a negative age.
                self.finish(self.time.now_ns())
        if self.mode == LOAD or self.mode == IDLE or self.mode == DRAINED or waiting:
            return self.tick_ns
        return min(self.tick_ns, self.quick_tick_ns)

    cdef void plan_wake(self, int64_t now_ns) noexcept:
        cdef int64_t wake_ns = self.next_tick_ns
        cdef Lane lane
        if self.mode == ARMED:
            wake_ns = min(wake_ns, self.window.start_ns)
        if self.mode == LOAD:
            wake_ns = min(wake_ns, self.window.measure_ns if now_ns < self.window.measure_ns else self.window.end_ns)
            for lane in self.lanes.all:
                if not lane.busy.blocked:
                    wake_ns = min(wake_ns, lane.schedule.next_ns)
        if self.pool.is_ramping():
            wake_ns = min(wake_ns, self.pool.ramp.next_ns)
        if self.mode == LOAD or self.mode == DRAIN:
            for lane in self.lanes.all:
                if lane.busy.blocked:
                    wake_ns = min(wake_ns, now_ns + BEAT_NS)
        if self.cluster is not None:
            for lane in self.lanes.all:
                # What may be sent already waits for room.
                if has_requeued(&lane.requeued) and not has_requeued_by(&lane.requeued, now_ns):
                    wake_ns = min(wake_ns, lane.requeued.ring[lane.requeued.head & lane.requeued.mask].made_ns)
        self.wake_ns = max(wake_ns, now_ns)
        self.pool.late_ns = NEVER if self.sweeping else self.wake_ns + LATE_NS
        self.reactor.wake_at(wake_ns)

    cdef bint wants_connections(self, Lane lane) noexcept:
        """True when a lane has something to send, so that its connections that are down are to be opened."""
        if self.mode == DRAIN:
            return lane.is_behind()
        return self.mode == WRITE_KEYS or self.mode == ARMED or self.mode == LOAD

    cdef void recycled(self, Connection *c, int64_t now_ns) noexcept:
        if not self.wants_connections(<Lane>c.sink):
            return
        if self.pool.opening < OPENING:
            self.pool.open_one(c, now_ns)
        else:
            self.next_tick_ns = min(self.next_tick_ns, now_ns + self.quick_tick_ns)
            self.plan_wake(now_ns)

    cdef bint wants_more(self, Connection *c) noexcept:
        return self.wants_connections(<Lane>c.sink)

    cdef void leave_all(self, int64_t now_ns) noexcept:
        """End all open and requeued requests as unfinished."""
        cdef Lane lane
        self.pool.leave_all(now_ns)
        for lane in self.lanes.all:
            lane.finish_requeued(now_ns)

    cdef void finish(self, int64_t now_ns) noexcept:
        """End the drain. Requests that are still open or were never sent are unfinished."""
        cdef Lane lane
        cdef bint behind
        if self.mode == DRAIN and self.pool.phase == MEASURE:
            self.end_window(now_ns)
        elif self.window.ended_ns == 0:
            self.window.ended_ns = self.window.end_ns
        self.leave_all(now_ns)
        for lane in self.lanes.all:
            behind = busy_is_behind(&lane.busy, self.window.end_ns, now_ns)
            self.leave(lane, WARMUP, min(self.window.measure_ns, self.window.end_ns), now_ns)
            self.left_behind += behind * self.leave(lane, MEASURE, self.window.end_ns, now_ns)
        self.mode = DRAINED
        if self.spin:
            self.reactor.spin(False)
        self.keep_history()
        self.tell("drained")

    cdef int64_t leave(self, Lane lane, int phase, int64_t until_ns, int64_t now_ns) noexcept:
        """Count a phase's unsent requests that are due before `until_ns` as unfinished, and return their number."""
        cdef int64_t most = lane.left if phase == MEASURE else UNLIMITED
        cdef Moment moment = lane.moment if lane.watched else None
        cdef int64_t n = backlog_count(lane.schedule, lane.mix, self.recorder, moment, phase, until_ns, now_ns, most)
        if phase == MEASURE:
            lane.left -= n
        if self.history is not None:
            self.history.undrawn += n
        return n

    cdef void keep_history(self) noexcept:
        """Write the records that are there. Tell of a history that cannot be written."""
        if self.history is None:
            return
        self.history.flush()
        if self.history.error and not self.told_of_history:
            self.told_of_history = True
            self.tell("history failed")

    cdef void all_tried(self) noexcept:
        self.mode = IDLE
        self.tell("connected")

    cdef void tell(self, str what) noexcept:
        self.reactor.soon(self.notify, what)

    # ── The worker's calls ──────────────────────────────────────────────────────────────────────────────────────────

    def connect(self, bint fresh=False):
        """Open every connection that is down, and greet the server on it. Failed ones are retried during the load.

        After a load, first replace the connections on which replies may still arrive; with `fresh`, replace all.
        """
        cdef int64_t now_ns = self.time.now_ns()
        self.mode = CONNECT
        self.pool.phase = PRECHECK
        self.next_tick_ns = now_ns
        self.pool.open_all(fresh, now_ns)
        self.plan_wake(now_ns)

    def write_keys(self):
        """Write every key of this worker's share until each has been stored once."""
        cdef int64_t now_ns = self.time.now_ns()
        cdef Lane lane
        self.mode = WRITE_KEYS
        self.pool.phase = PREFILL
        self.pool.end_lives()
        self.pool.scheduled = False
        for lane in self.lanes.all:
            lane.begin(lane.prefill, Closed(), self.table.first(WRITE), PREFILL, PREFILL, 0, NEVER)
        self.fill_all()
        self.next_tick_ns = now_ns
        self.plan_wake(now_ns)

    def load(self, int64_t start_ns, int64_t warmup_ns, int64_t duration_ns, profile, requests=0, bint moments=False):
        """Send load from the monotonic time `start_ns`, which may be past, and measure the last `duration_ns` of it.

        With `requests`, the measure window has exactly that many over all workers, each lane its part by its share of
        the rate. The window then ends with its last reply, or after `duration_ns` when some are not sent by then.

        `profile` is the run's, as `Paced` takes it, and empty for a closed loop. The warm-up has the rate with which
        the profile begins. The counts of an earlier load are dropped. With `moments`, or with several servers,
        `moments()` has counts.
        """
        cdef int64_t now_ns = self.time.now_ns()
        cdef Lane lane
        self.window.plan(start_ns, warmup_ns, duration_ns, self.request_timeout_ns)
        self.mode = ARMED
        self.next_tick_ns = now_ns
        self.loads += 1
        self.closed_loop = not profile
        self.recorder.scheduled = self.pool.scheduled = not self.closed_loop
        for phase in (WARMUP, MEASURE, DRAINING):
            self.recorder.clear(phase)
            self.pool.rx[phase] = self.pool.tx[phase] = 0
            self.pool.clear_connect_times(phase)
        self.pool.begin_lives(start_ns)
        self.left_behind = 0
        self.lanes.apportion(requests)
        if profile:
            _, rate_per_s, _, _ = profile[0]
            profile = [(warmup_ns, rate_per_s, rate_per_s, 0), *profile]
        self.profile = profile
        # Where a cluster's nodes differ in speed, each still gets its share of a closed loop.
        self.lanes.draws.together = self.closed_loop and self.cluster is not None
        backfill = self.table.number("backfill") if "backfill" in self.table.names else 0
        for lane in self.lanes.all:
            lane.begin_counts(moments or len(self.lanes.all) > 1 or self.cluster is not None)
            lane.begin(lane.mix, self.schedule(lane, profile), backfill, WARMUP, MEASURE, self.window.measure_ns,
                       self.window.end_ns)
        if self.spin:
            self.reactor.spin(True)
        self.plan_wake(now_ns)

    cdef Schedule schedule(self, Lane lane, list profile):
        """Return a lane's schedule for a new load. A profile's first segment is the warm-up; without one: closed."""
        if not profile:
            return Closed()
        # Each load has a random stream of its own, so that a rate that is tried twice meets different arrivals.
        arrivals = Poisson(lane.seed + self.loads) if self.poisson else Even(lane.offset)
        if lane.share > 0:
            paced = Paced(profile if lane.left else profile[:1], lane.share, arrivals)
            paced.begin(self.window.start_ns)
        else:
            paced = Paced(profile, 1.0, arrivals)
            paced.begin(self.window.start_ns)
            paced.rescale(self.window.start_ns, 0)
        return paced

    def reroute(self, topology):
        """Take over a later `plan.Topology`: new nodes of lanes, new lanes, and who owns which slots.

        Connections to a node that no longer serves its lane are closed when their open requests have been answered. A
        lane beyond those that there is room for is left out.
        """
        cdef int64_t now_ns = self.time.now_ns()
        cdef Lane lane
        for lane in self.lanes.follow(topology, now_ns):
            self.begin_late(lane)
        self.reshare(now_ns)
        self.cluster.stale = self.told_stale = False
        self.next_tick_ns = min(self.next_tick_ns, now_ns)
        self.fill_all()
        self.plan_wake(now_ns)

    cdef int begin_late(self, Lane lane) except -1:
        """Have a lane take part in the load under way, of which it has no share yet."""
        cdef bint under_way = self.mode == ARMED or self.mode == LOAD
        if self.mode == WRITE_KEYS:
            # The lanes of the beginning write every key; this one writes again what was lost on the way to it.
            lane.begin(lane.prefill, Closed(), self.table.first(WRITE), PREFILL, PREFILL, 0, NEVER)
        lane.idle = True
        lane.left = UNLIMITED if under_way and self.lanes.requests == UNLIMITED else 0
        lane.begin_counts(True)
        backfill = self.table.number("backfill") if "backfill" in self.table.names else 0
        if under_way:
            lane.begin(lane.mix, self.schedule(lane, self.profile), backfill, WARMUP, MEASURE, self.window.measure_ns,
                       self.window.end_ns)
        return 0

    def stop(self):
        """End the window now and drain. Requests that were planned for later do not count.

        Nothing happens when all that was begun is over: the order to stop may come after "drained" was told.
        """
        cdef int64_t now_ns = self.time.now_ns()
        if self.mode == LOAD:
            self.cut_window(now_ns)
            self.window.drained_ns = self.window.end_ns + self.request_timeout_ns
            self.next_tick_ns = now_ns
            self.plan_wake(now_ns)
        elif self.mode != DRAIN and self.mode != DRAINED:
            # Without the cut, requests of this load's schedule, or of a stopped load's, would still fall due.
            self.cut_window(now_ns)
            self.finish(now_ns)

    def end_drain(self):
        """End a drain, after `stop`, as soon as the replies that have arrived are read: no other reply will come."""
        cdef int64_t now_ns = self.time.now_ns()
        if self.mode == LOAD or self.mode == DRAIN:
            self.window.drained_ns = min(self.window.drained_ns, now_ns + LAST_REPLIES_NS)
            self.next_tick_ns = min(self.next_tick_ns, self.window.drained_ns)
            self.plan_wake(now_ns)

    def close(self):
        """Close every descriptor. Requests that are still open count as unfinished."""
        self.leave_all(self.time.now_ns())
        self.mode = IDLE
        self.pool.close()
        if self.history is not None:
            self.history.close()

    def connection_counts(self):
        """Return the fields of `snapshot.ConnectionCounts`, by name."""
        return self.pool.connection_counts()

    def failure_counts(self):
        """Return the number of failed attempts and lost connections, by reason."""
        return self.pool.failure_counts()

    def push_counts(self):
        """Return what was pushed on the connections, by the words of `phase.Push`."""
        return self.pool.push_counts()

    def down(self):
        """Return the number of connections to each server that are not ready."""
        return self.pool.down()

    def failure_examples(self):
        """Return the texts of the first failure of each reason and of the first error reply of each class."""
        return {**self.pool.failure_examples(), **self.recorder.examples()}

    def signs(self):
        """Return the measure window's fields of `signs.WorkerSigns` by name, its pauses as those of `PauseAccount`.

        All but `overdue` also cover the time after the window in which its requests are still being sent.
        """
        pauses = self.window.pauses
        return {
            "wall_ns": pauses.wall_ns(),
            "cpu_ns": self.window.cpu_ns(),
            "queued_ns": pauses.without_cpu_ns(),
            "pauses": pauses.counted(),
            "overdue": self.left_behind + self.lanes.overdue(),
        }

    def counts(self, phase):
        """Return the `Recorder.counts` of a phase, one of PHASE_NAMES, with the bytes received and sent in it.

        For the measure phase, `answered_in_time` and `ok_in_time` are its requests that were answered, and answered
        well, before the window ended; for other phases 0. With several servers, `nodes` are, by server, the fields of
        `snapshot.NodeCounts`.
        """
        cdef int number = PHASE_NAMES.index(phase)
        cdef int64_t answered = 0, ok = 0
        if number == MEASURE:
            answered = self.window.answered if self.pool.phase == DRAINING else self.recorder.answered(MEASURE)
            ok = self.window.answered_well if self.pool.phase == DRAINING else self.recorder.answered_well(MEASURE)
        return {
            **self.recorder.counts(number),
            **self.pool.connect_times(number),
            "rx_bytes": self.pool.rx[number],
            "tx_bytes": self.pool.tx[number],
            "answered_in_time": answered,
            "ok_in_time": ok,
            "nodes": self.lanes.nodes(number),
        }

    def moments(self):
        """Return, by server, the fields of `snapshot.NodeCounts` by name, of what ended since the last call.

        They are of requests of the measure window. Attempts to connect count from the start of the load.
        """
        return self.lanes.moments()

    def backlog(self, phase):
        """Return a phase's number of due and unsent requests and the oldest's age in ns: fields of `snapshot.Backlog`.

        For a phase that is over, the values are those at its end. For a Poisson stream, the number is the expected one.
        """
        cdef int number = PHASE_NAMES.index(phase)
        cdef Waiting waiting
        waiting.requests = waiting.age_ns = 0
        if number == WARMUP or number == MEASURE:
            waiting = self.left_waiting if number == MEASURE and self.pool.phase == DRAINING else (
                self.waiting(number, self.time.now_ns()))
        return waiting

    def window_end_ns(self):
        """Return the monotonic time of the window's end; 0 before. With a number of requests: of the last reply."""
        return self.window.ended_ns

    def cpu_ns(self):
        """Return the CPU time of this process over the measure window, up to now when the window is not over."""
        return self.window.cpu_ns()
