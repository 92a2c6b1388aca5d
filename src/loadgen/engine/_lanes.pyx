"""A worker's lanes, their shares of the load, and how these change in a cluster. `_lanes.pxd` describes them."""

cimport cython

from loadgen.engine import _keys, _workload

from libc.stdint cimport uint32_t

from loadgen._request cimport READ, READ_MANY, WRITE
from loadgen.engine._connection cimport READY, Connection
from loadgen.engine._lane cimport has_owed, owe, take_key
from loadgen.engine._pool cimport SPARE
from loadgen.engine._schedule cimport Paced
from loadgen.engine._sharding cimport route_of
from loadgen.engine._slots cimport SLOTS, BySlot, Slots
from loadgen.engine._workload cimport Mix, Prefill

cdef int64_t UNLIMITED = 1 << 62

# A lane of a cluster has room for so many requests that are to be sent again: with a rate, those of a second at least.
cdef enum:
    LEAST_REQUEUED = 16384


@cython.final
cdef class Lanes:
    """The lanes of worker `index` of a plan, with their connections in a pool, of which none is opened yet."""

    def __cinit__(self, plan, int index, Pool pool not None, Commands table, Recorder recorder, History history=None):
        cdef Slots slots = None
        cdef Lane lane
        self.plan = plan
        self.own = own = plan.workers[index]
        self.index = index
        self.of_workers = [worker.share for worker in plan.workers]
        self.pool = pool
        self.table = table
        self.recorder = recorder
        self.history = history
        self.requests = UNLIMITED
        self.all = []
        keyspace, placements, topology = plan.workload.keyspace, plan.target.placements, plan.target.topology
        prefix = keyspace.prefix.encode()
        if topology is None:
            self.route = route_of(plan.target, keyspace.length, keyspace.count, prefix)
        else:
            slots = Slots(keyspace.length, prefix, topology.shards + SPARE, topology.slots)
            self.steering = self.cluster = Cluster(slots, self.all, recorder)
            self.route = slots if topology.slots else Route()
        shares = [1.0 / len(placements)] * len(placements)
        by_slot = topology is not None and topology.slots
        if plan.target.by_key:
            popularity = _keys.create(keyspace.distribution, keyspace.count, 0, keyspace.zipf_exponent, plan.seed)
            shares = _workload.shares(popularity, BySlot(slots) if by_slot else self.route)
        self.of_slots = shares if by_slot else None
        self.mirrored = plan.target.sharding == "mirrored" and not plan.target.by_key
        self.draws = self.new_draws()
        for placement, connections in zip(placements, own.connections):
            self.add(placement, connections, False)
        if topology is not None:
            self.divide()
            shares = self.shares()
        for lane, share in zip(self.all, shares):
            lane.share = own.share * share
            lane.idle = share == 0

    cdef Draws new_draws(self):
        keyspace, seed = self.plan.workload.keyspace, self.own.seed
        keys = _keys.create(keyspace.distribution, keyspace.count, seed, keyspace.zipf_exponent, self.plan.seed)
        lanes = len(self.plan.target.placements) + SPARE if self.cluster is not None else 0
        return Draws(keys, self.route, lanes, seed)

    cdef Lane add(self, placement, int connections, bint late):
        cdef Lane lane
        plan, own, number = self.plan, self.own, len(self.all)
        slots = connections * plan.wire.pipeline_depth
        if self.cluster is not None:
            # Requests of all lanes may be redirected to this one.
            slots = max(2 * sum(own.connections) * plan.wire.pipeline_depth, LEAST_REQUEUED)
        lane = Lane(self.recorder, slots, backfill=plan.workload.backfill_on_miss, history=self.history,
                    siblings=self.pool.codec.siblings)
        lane.creates = not plan.target.speaks.creates_counters
        lane.counter_command = self.table.number("add") if "add" in self.table.names else 0
        lane.slots = connections * plan.wire.pipeline_depth
        lane.server = number
        lane.name = placement.name
        # A lane that takes any key is the only one of its route.
        lane.shard = placement.shard if plan.target.by_key else 0
        lane.steering = self.steering
        lane.first = self.pool.n_connections
        lane.count = connections
        # Each lane draws its commands by a seed of its own. What is mirrored has the same seeds, keys and times.
        lane.seed = own.seed + (0 if self.mirrored else number) * 0x9E3779B97F4A7C15 & 0xFFFFFFFFFFFFFFFF
        draws = self.new_draws() if self.mirrored else self.draws
        lane.reads, lane.writes = 1, True
        lane.mix = Mix(plan.mix, draws, lane.shard if self.cluster is None else number, lane.seed, self.table,
                       plan.workload.keyspace.counters)
        # Keys are written by the owners of the beginning; where these have changed, nodes redirect.
        route = self.route.copy() if isinstance(self.route, Slots) else self.route
        first, count = (own.prefill_first, own.prefill_count) if placement.writes and not late else (0, 0)
        lane.prefill = Prefill(route, lane.shard, self.table.first(WRITE), first, first + count)
        lane.offset = (self.index + (0 if self.mirrored else number / self.pool.n_servers)) / len(plan.workers)
        self.all.append(lane)
        self.pool.add_server(placement.at)
        for _ in range(connections):
            self.pool.add(number, plan, lane, not placement.writes)
        for _ in range(own.idle[number] if number < len(own.idle) else 0):
            self.pool.add_parked(number, plan, lane)
        self.place(lane, placement)
        return lane

    cdef int place(self, Lane lane, placement) except -1:
        if self.cluster is None:
            return 0
        if placement.writes:
            self.cluster.primaries[placement.shard] = lane.server
        if (lane.reads, lane.writes) != (placement.reads, placement.writes):
            lane.reads, lane.writes = placement.reads, placement.writes
            weights = [(name, weight * self.part(lane, name)) for name, weight in self.plan.mix]
            if any(weight for _, weight in weights):
                (<Mix>lane.mix).weigh(weights)
        if placement.endpoint is None:
            lane.node = ""
        else:
            lane.node = f"{placement.endpoint.address}:{placement.endpoint.port}"
            if placement.writes:
                self.cluster.nodes[lane.node] = lane.server
                self.cluster.nodes[str(placement.endpoint)] = lane.server
        return 0

    # ── Shares ──────────────────────────────────────────────────────────────────────────────────────────────────────

    cdef double part(self, Lane lane, str command) except -1:
        cdef int kind = self.table.rows[self.table.number(command)].kind
        return lane.reads if kind == READ or kind == READ_MANY else lane.writes

    cdef double of_shard(self, Lane lane) except -1:
        whole = sum(weight for _, weight in self.plan.mix)
        return sum(weight * self.part(lane, name) for name, weight in self.plan.mix) / whole

    cdef list shares(self):
        cdef Slots slots = self.cluster.slots
        cdef int slot
        cdef Lane lane
        of_shard = [0.0] * slots.lanes
        if self.of_slots is None:
            of_shard[0] = 1.0
        else:
            for slot in range(SLOTS):
                of_shard[slots.owners[slot]] += self.of_slots[slot]
        return [of_shard[lane.shard] * self.of_shard(lane) for lane in self.all]

    cdef int divide(self) except -1:
        """Divide the requests of each shard among its lanes."""
        cdef Lane lane
        of_shards = {}
        for lane in self.all:
            of_shards.setdefault(lane.shard, []).append((lane.server, self.of_shard(lane)))
        for shard, parts in of_shards.items():
            self.draws.divide(shard, parts)
        return 0

    cdef int apportion(self, int64_t requests) except -1:
        cdef Lane lane
        parts = [UNLIMITED] * len(self.all)
        self.requests = UNLIMITED
        if requests and self.mirrored:
            each = _workload.apportioned(requests // len(self.all), self.of_workers)[self.index]
            parts = [each] * len(self.all)
            self.requests = sum(parts)
        elif requests:
            self.requests = _workload.apportioned(requests, self.of_workers)[self.index]
            parts = _workload.apportioned(self.requests, [lane.share for lane in self.all])
        for lane, part in zip(self.all, parts):
            lane.left = part
        return 0

    cdef int to_go(self) noexcept:
        cdef Lane lane
        cdef int lanes = 0
        for lane in self.all:
            lanes += lane.left > 0
        return lanes

    # ── Changes of a cluster ────────────────────────────────────────────────────────────────────────────────────────

    cdef list follow(self, topology, int64_t now_ns):
        cdef Lane lane
        cdef int slot
        added = []
        self.cluster.nodes.clear()
        for number, placement in enumerate(topology.placements):
            if number < len(self.all):
                lane = <Lane>self.all[number]
                self.pool.move(number, placement.at, now_ns)
                self.place(lane, placement)
            elif number < self.pool.n_servers and placement.shard < self.cluster.slots.lanes:
                added.append(self.add(placement, self.pool.late_connections, True))
        for first, last, shard in topology.slots:
            if shard in self.cluster.primaries:
                for slot in range(first, last + 1):
                    self.cluster.slots.assign(slot, shard)
        return added

    cdef bint reshare(self, int64_t now_ns, bint sending) except -1:
        cdef Lane lane
        cdef bint begins = False
        self.cluster.moved = False
        self.divide()
        self.draws.sort()
        for lane, share in zip(self.all, self.shares()):
            if lane.share == self.own.share * share:
                continue
            lane.share = self.own.share * share
            begins |= lane.idle and share > 0
            lane.idle = share == 0
            if isinstance(lane.schedule, Paced):
                (<Paced>lane.schedule).rescale(now_ns, lane.share)
        if self.requests != UNLIMITED:
            begins |= self.inherit_requests()
        for lane in self.all:
            if lane.idle:
                self.cluster.hand_over(lane)
                if sending:
                    self.inherit_due(lane, now_ns)
        return begins

    cdef bint inherit_requests(self) noexcept:
        """Have one lane send the part of the window that is left of lanes without keys. True when there was any."""
        cdef Lane lane, heir = None
        cdef bint inherits = False
        for lane in self.all:
            if not lane.idle and (heir is None or lane.left > heir.left):
                heir = lane
        if heir is None:
            return False
        for lane in self.all:
            if lane.idle and lane.left:
                heir.left += lane.left
                if heir.schedule.over:
                    heir.schedule.resume()
                lane.left = 0
                inherits = True
        return inherits

    cdef void inherit_due(self, Lane lane, int64_t now_ns) noexcept:
        """Have the others send what a lane without keys was to have sent by now, as far as they have room."""
        cdef Lane to
        cdef int looked = 0, at = 0
        while looked < len(self.all) and lane.has_request_due(now_ns):
            to = <Lane>self.all[at % len(self.all)]
            at += 1
            looked += 1
            if not to.idle and to.take_over(lane, now_ns):
                self.cluster.kicked = True
                looked = 0

    cdef bint inherit_keys(self) noexcept:
        cdef Lane lane, heir
        cdef Prefill left, done
        cdef bint inherits = False
        for lane in self.all:
            left = <Prefill>lane.prefill
            if lane.node or left.next_key == left.last_key and not has_owed(&lane.owed):
                continue
            for heir in self.all:
                done = <Prefill>heir.prefill
                if done.next_key == done.last_key and self.cluster.nodes.get(heir.node) == heir.server:
                    # The nodes redirect what is not theirs.
                    while has_owed(&lane.owed):
                        owe(&heir.owed, take_key(&lane.owed))
                    lane.prefill, heir.prefill = done, left
                    heir.workload = left
                    heir.schedule.resume()
                    inherits = True
                    break
        return inherits

    cdef void look_for_stalls(self) noexcept:
        cdef Connection *c
        cdef Lane lane
        cdef int i, ready, open
        for lane in self.all:
            ready = open = 0
            for i in range(lane.first, lane.first + lane.count):
                c = &self.pool.connections[i]
                ready += c.state == READY
                open += c.state == READY and c.pipe.head != c.pipe.tail
            if self.draws.apart != NULL:
                self.draws.apart[lane.server] = ready == 0 or lane.left == 0 or open and not lane.heard
            lane.heard = False

    # ── Counts ──────────────────────────────────────────────────────────────────────────────────────────────────────

    cdef bint is_behind(self) noexcept:
        """True when requests of the window have yet to be sent."""
        cdef Lane lane
        for lane in self.all:
            if lane.is_behind():
                return True
        return False

    cdef int64_t pending_keys(self) noexcept:
        cdef int64_t keys = 0
        cdef Lane lane
        cdef Prefill prefill
        for lane in self.all:
            prefill = <Prefill>lane.prefill
            keys += prefill.last_key - prefill.next_key + <uint32_t>(lane.owed.tail - lane.owed.head)
            keys += <uint32_t>(lane.requeued.tail - lane.requeued.head)
        return keys

    cdef int64_t overdue(self) noexcept:
        cdef int64_t overdue = 0
        cdef Lane lane
        for lane in self.all:
            overdue += lane.overdue
        return overdue

    cdef dict moments(self):
        """Return what ended since the last call. Attempts to connect count from the start of the load."""
        cdef Lane lane
        return {lane.name: lane.take_moment() for lane in self.all}

    cdef dict nodes(self, int phase):
        """Return the counts of a phase; empty for a single server."""
        cdef Lane lane
        cdef int i
        if len(self.all) < 2:
            return {}
        if self.summed is None:
            self.summed = Moment(self.table)
            self.summed.begin()
        nodes = {}
        for lane in self.all:
            ready = 0
            for i in range(lane.first, lane.first + lane.count):
                ready += self.pool.connections[i].state == READY
            nodes[lane.name] = {**lane.counts(phase, self.summed), "ready": ready, "wanted": lane.count,
                                "share": lane.share}
        return nodes
