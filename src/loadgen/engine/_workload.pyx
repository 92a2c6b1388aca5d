"""The next request. The sequence of requests depends on the seed alone, not on time or replies."""

from fractions import Fraction

from libc.math cimport pow
from libc.stdint cimport UINT64_MAX, int64_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free

cimport cython

from loadgen._request cimport INCREMENT
from loadgen.engine._keys cimport Zipf
from loadgen.engine._random cimport Random, random_next, random_seed

cdef enum:
    COMMAND_STREAM = 1
    SEAT_STREAM = 9

# Keys are drawn this many at a time.
cdef enum:
    FILLED_AT_ONCE = 64
    DRAWN_AT_ONCE = 4 * FILLED_AT_ONCE  # by the face for tests


# After so many draws without a key for a lane, all of its keys have gone to other nodes.
cdef enum:
    IN_VAIN = 1 << 14

# So many of the most popular keys are looked up one by one; the others are assumed to be spread as evenly as all keys.
cdef enum:
    LOOKED_UP = 1 << 20


def shares(Keys keys, Route route):
    """Return each lane's share of the requests: fractions that add up to 1."""
    cdef uint64_t rank, last = min(keys.count, <uint64_t>LOOKED_UP)
    even = route.shares(keys.count)
    if route.lanes == 1 or not isinstance(keys, Zipf):
        return even
    cdef Zipf zipf = <Zipf>keys
    cdef list mass = [0.0] * route.lanes
    for rank in range(last):
        mass[route.owner(zipf.scatter(rank))] += pow(rank + 1, -zipf.exponent)
    rest = zipf.h(keys.count + 0.5) - zipf.h(last + 0.5)
    whole = sum(mass) + rest
    return [(head + rest * share) / whole for head, share in zip(mass, even)]


def apportioned(total, shares):
    """Return whole numbers with the sum `total`, in proportion to shares: by largest remainder, of equals the first."""
    parts = [Fraction(share) for share in shares]
    exact = [total * part / sum(parts) for part in parts]
    given = [int(part) for part in exact]
    order = sorted(range(len(exact)), key=lambda i: given[i] - exact[i])
    for i in order[:total - sum(given)]:
        given[i] += 1
    return given


cdef class Workload:
    """The requests to send. Only the subclasses can be used."""

    cdef uint32_t fill(self, Request *ring, uint32_t mask, uint32_t at, uint32_t n) noexcept nogil:
        return 0

    cdef void mix(self, int64_t n, int64_t *of_command) noexcept nogil:
        pass


@cython.final
cdef class Draws:
    """Keys by popularity, for the lanes of a route.

    With `lanes`, the requests of each shard of the route are those of lane 0 until they are divided among lanes.
    """

    def __cinit__(self, Keys keys not None, Route route not None, int lanes=0, uint64_t seed=0):
        self.keys = keys
        self.route = route
        self.lanes = lanes or route.lanes
        random_seed(&self.random, seed, SEAT_STREAM)
        if self.lanes == 1:
            return
        self.shelves = <Shelf *>calloc(self.lanes, sizeof(Shelf))
        self.apart = <bint *>calloc(self.lanes, sizeof(bint))
        self.waits = <bint *>calloc(self.lanes, sizeof(bint))
        self.barren = <bint *>calloc(self.lanes, sizeof(bint))
        if lanes:
            self.seats = <Seat *>calloc(route.lanes * SEATS, sizeof(Seat))
        if (self.shelves == NULL or self.apart == NULL or self.waits == NULL or self.barren == NULL
                or lanes and self.seats == NULL):
            raise MemoryError()

    def __dealloc__(self):
        free(self.shelves)
        free(self.seats)
        free(self.apart)
        free(self.waits)
        free(self.barren)

    cdef int divide(self, int shard, parts) except -1:
        cdef Seat *seat = &self.seats[shard * SEATS]
        cdef Seat *end = seat + SEATS
        whole, before = sum(part for _, part in parts), 0
        for lane, part in parts:
            if part and seat != end:
                before += part
                seat.lane, seat.below = lane, min(int(before * 2**64 / whole), UINT64_MAX)
                seat += 1
        if seat != &self.seats[shard * SEATS]:
            (seat - 1).below = UINT64_MAX
        return 0

    cdef int lane_of(self, uint64_t key) noexcept nogil:
        cdef int shard = self.route.owner(key)
        cdef const Seat *seat
        cdef uint64_t draw
        if self.seats == NULL:
            return shard
        seat = &self.seats[shard * SEATS]
        if seat.below == UINT64_MAX:
            return seat.lane
        draw = random_next(&self.random)
        while draw >= seat.below and seat.below != UINT64_MAX:
            seat += 1
        return seat.lane

    cdef int take(self, int lane, uint64_t *keys, int n) noexcept nogil:
        cdef Shelf *shelf
        cdef int i, draws
        if self.shelves == NULL:
            self.keys.fill(keys, n)
            return n
        shelf = &self.shelves[lane]
        for i in range(n):
            draws = 0
            while shelf.head == shelf.tail and not self.barren[lane]:
                if self.together and self.is_ahead(ENOUGH):
                    self.waiting += not self.waits[lane]
                    self.waits[lane] = True
                    return i
                self.draw()
                draws += 1
                self.barren[lane] = draws == IN_VAIN and shelf.head == shelf.tail
            if shelf.head == shelf.tail:
                # What the lane still has to send goes to its node, which names the key's own.
                keys[i] = self.keys.draw()
                continue
            keys[i] = shelf.keys[shelf.head & SHELVED - 1]
            shelf.head += 1
        return n

    cdef bint goes_on(self, int lane) noexcept nogil:
        if not self.waits[lane]:
            return False
        if self.shelves[lane].head == self.shelves[lane].tail and self.is_ahead(ENOUGH // 2):
            return False
        self.waits[lane] = False
        self.waiting -= 1
        return True

    cdef bint is_ahead(self, uint32_t enough) noexcept nogil:
        cdef int lane
        for lane in range(self.lanes):
            if self.shelves[lane].tail - self.shelves[lane].head >= enough and not self.apart[lane]:
                return True
        return False

    cdef void sort(self) noexcept nogil:
        cdef Shelf *shelf
        cdef uint32_t at, end
        cdef int lane
        for lane in range(self.lanes if self.shelves != NULL else 0):
            self.barren[lane] = False
            shelf = &self.shelves[lane]
            at, end = shelf.head, shelf.tail
            shelf.tail = shelf.head
            while at != end:
                if self.lane_of(shelf.keys[at & SHELVED - 1]) == lane:
                    shelf.keys[shelf.tail & SHELVED - 1] = shelf.keys[at & SHELVED - 1]
                    shelf.tail += 1
                at += 1

    cdef void draw(self) noexcept nogil:
        cdef uint64_t drawn[FILLED_AT_ONCE]
        cdef Shelf *shelf
        cdef int i
        self.keys.fill(drawn, FILLED_AT_ONCE)
        for i in range(FILLED_AT_ONCE):
            shelf = &self.shelves[self.lane_of(drawn[i])]
            if shelf.tail - shelf.head < SHELVED:
                shelf.keys[shelf.tail & SHELVED - 1] = drawn[i]
                shelf.tail += 1


@cython.final
cdef class Mix(Workload):
    """Commands by weight, and the keys of one lane, which takes them from the draws of all.

    `weights` are (name of a command of the table, weight): non-negative numbers, of which at least one is above 0. The
    counter of a key is that of its id, modulo `counters`; 0: each key has a counter.
    """

    def __cinit__(self, weights, Draws draws not None, int lane, uint64_t seed, table=None, uint64_t counters=0):
        random_seed(&self.random, seed, COMMAND_STREAM)
        self.draws = draws
        self.table = Commands() if table is None else table
        self.lane = lane
        self.counters = counters
        self.weigh(weights)

    cdef int weigh(self, weights) except -1:
        cdef Part *part
        total = sum(weight for _, weight in weights)
        if total <= 0 or min(weight for _, weight in weights) < 0:
            raise ValueError(f"the weights of a mix are not negative and not all 0, but these are {weights}")
        before = 0
        self.n_parts = 0
        for name, weight in weights:
            if weight == 0:
                continue
            part = &self.parts[self.n_parts]
            part.command = self.table.number(name)
            part.counters = self.counters if self.table.rows[part.command].kind == INCREMENT else 0
            part.share = weight / (total - before)
            before += weight
            # A threshold of 2**64 itself does not fit; the last part's threshold is not used.
            part.below = min(int(before * 2**64 / total), UINT64_MAX)
            self.n_parts += 1
        return 0

    cdef uint32_t fill(self, Request *ring, uint32_t mask, uint32_t at, uint32_t n) noexcept nogil:
        cdef uint64_t keys[FILLED_AT_ONCE]
        cdef uint32_t start = at, end = at + n
        cdef int m, taken
        while at != end:
            m = min(end - at, <uint32_t>FILLED_AT_ONCE)
            taken = self.draws.take(self.lane, keys, m)
            assign(self, ring, mask, at, keys, taken)
            at += taken
            if taken < m:
                break
        return at - start

    cdef void mix(self, int64_t n, int64_t *of_command) noexcept nogil:
        cdef int64_t left = n, here
        cdef int i
        for i in range(self.n_parts):
            here = left if i == self.n_parts - 1 else <int64_t>(left * self.parts[i].share + 0.5)
            of_command[self.parts[i].command] = here
            left -= here

    def drawn(self, int n):
        """Return the next n requests, as (command, key id)."""
        cdef Request ring[DRAWN_AT_ONCE]
        cdef int i
        requests = []
        while n:
            i = min(n, DRAWN_AT_ONCE)
            self.fill(ring, DRAWN_AT_ONCE - 1, 0, i)
            requests += [(self.table.names[request.command], request.key) for request in ring[:i]]
            n -= i
        return requests


cdef inline void assign(Mix mix, Request *ring, uint32_t mask, uint32_t at, const uint64_t *keys, int n) noexcept nogil:
    """Set these keys, and commands by weight. A mix of one command draws no random number."""
    cdef Random random = mix.random  # The generator's state stays in registers meanwhile.
    cdef const Part *part
    cdef Request *r
    cdef uint64_t draw
    cdef int i, last = mix.n_parts - 1
    for i in range(n):
        r = &ring[(at + i) & mask]
        r.key = keys[i]
        part = mix.parts
        if last:
            draw = random_next(&random)
            while part != &mix.parts[last] and draw >= part.below:
                part += 1
        r.command = part.command
        if part.counters:
            r.key %= part.counters
    mix.random = random


@cython.final
cdef class Prefill(Workload):
    """Each key from `first` on and before `last` that belongs to a lane, once, written by a command of the table."""

    def __cinit__(self, Route route not None, int lane, int command, uint64_t first, uint64_t last):
        self.route = route
        self.lane = lane
        self.command = command
        self.next_key = first
        self.last_key = last

    cdef uint32_t fill(self, Request *ring, uint32_t mask, uint32_t at, uint32_t n) noexcept nogil:
        cdef uint32_t filled = 0
        cdef Request *r
        while filled < n and self.next_key < self.last_key:
            if self.route.owner(self.next_key) == self.lane:
                r = &ring[(at + filled) & mask]
                r.command = self.command
                r.key = self.next_key
                filled += 1
            self.next_key += 1
        return filled
