"""The lives of connections. `_life.pxd` says what a life is."""

from loadgen.units import NS_PER_S


cdef int lives_init(Lives *lives, life) except -1:
    lives.on = False
    lives.requests = life.reconnect_requests
    lives.time_ns = life.reconnect_ns
    lives.by_reset = life.reconnect_by == "reset"
    return 0


cdef int ramp_init(Ramp *ramp, plan, int index) except -1:
    sizes = [sum(worker.connections) + sum(worker.idle) for worker in plan.workers]
    rate_per_s = plan.wire.life.connect_rate_per_s
    ramp.gap_ns = ramp.offset_ns = ramp.next_ns = 0
    if rate_per_s and sizes[index]:
        ramp.gap_ns = max(1, round(NS_PER_S / rate_per_s * sum(sizes) / sizes[index]))
        ramp.offset_ns = ramp.gap_ns * index // len(sizes)
    return 0


cdef void life_begin(Connection *c, const Lives *lives, int64_t now_ns, double part) noexcept nogil:
    c.born = c.pipe.tail
    c.quota = lives.requests
    c.until_ns = now_ns + <int64_t>(lives.time_ns * part) if lives.time_ns else 0


cdef void life_unbounded(Connection *c) noexcept nogil:
    c.quota = 0
    c.until_ns = 0
