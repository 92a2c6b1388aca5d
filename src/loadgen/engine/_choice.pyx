"""The choice of a connection for a due request. `_choice.pxd` lists the rules."""

from libc.stdint cimport uint64_t

from loadgen.engine._connection cimport READY, connection_room
from loadgen.engine._random cimport random_below, random_seed

cdef enum:
    CHOICE_STREAM = 8

RULES = {"roundrobin": ROUNDROBIN, "greedy": GREEDY, "random": RANDOM, "least_inflight": LEAST_INFLIGHT}


cdef class Choice:
    """A choice by the rule of that name, one of RULES. Random choices depend on the seed alone."""

    def __cinit__(self, str rule, uint64_t seed):
        self.rule = RULES[rule]
        random_seed(&self.random, seed, CHOICE_STREAM)

    cdef Connection *of(self, Lane lane, Connection *connections) noexcept:
        cdef int at = lane.next
        cdef Connection *c
        if self.rule == LEAST_INFLIGHT:
            return self.least_inflight(lane, connections)
        if self.rule == GREEDY:
            at = 0
        elif self.rule == RANDOM:
            at = random_below(&self.random, lane.count)
        for _ in range(lane.count):
            if at >= lane.count:
                at = 0
            c = &connections[lane.first + at]
            at += 1
            if c.state == READY and connection_room(c):
                lane.next = at
                return c
        return NULL

    cdef Connection *least_inflight(self, Lane lane, Connection *connections) noexcept:
        cdef int at = lane.next, chosen = 0
        cdef Connection *c
        cdef Connection *least = NULL
        for _ in range(lane.count):
            if at >= lane.count:
                at = 0
            c = &connections[lane.first + at]
            at += 1
            if c.state == READY and connection_room(c) and (
                    least == NULL or c.pipe.tail - c.pipe.head < least.pipe.tail - least.pipe.head):
                least, chosen = c, at
                if c.pipe.tail == c.pipe.head:
                    break
        lane.next = chosen
        return least
