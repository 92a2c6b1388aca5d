"""What to send next. The sequence depends on the seed alone, not on time or replies."""

from fractions import Fraction

from libc.math cimport pow
from libc.stdint cimport UINT64_MAX, int64_t, uint64_t

from loadgen.engine._keys cimport Zipf
from loadgen.engine._random cimport random_next, random_seed

cdef enum:
    COMMAND_STREAM = 1


# So many of the most popular keys are looked up one by one; the rest is taken to be spread as evenly as the keys are.
cdef enum:
    LOOKED_UP = 1 << 20


def shares(Keys keys, Ketama ketama):
    """How much of the requests each server of a circle gets: fractions that add up to 1."""
    cdef uint64_t rank, last = min(keys.count, <uint64_t>LOOKED_UP)
    even = ketama.shares(keys.count)
    if ketama.servers == 1 or not isinstance(keys, Zipf):
        return even
    cdef Zipf zipf = <Zipf>keys
    cdef list mass = [0.0] * ketama.servers
    for rank in range(last):
        mass[ketama.owner(zipf.scatter(rank))] += pow(rank + 1, -zipf.exponent)
    rest = zipf.h(keys.count + 0.5) - zipf.h(last + 0.5)
    whole = sum(mass) + rest
    return [(head + rest * share) / whole for head, share in zip(mass, even)]


def apportioned(total, shares):
    """Whole numbers in proportion to shares that add up to `total`: by largest remainder, of equal ones the first."""
    parts = [Fraction(share) for share in shares]
    exact = [total * part / sum(parts) for part in parts]
    given = [int(part) for part in exact]
    order = sorted(range(len(exact)), key=lambda i: given[i] - exact[i])
    for i in order[:total - sum(given)]:
        given[i] += 1
    return given


cdef class Workload:
    """What is sent. Only its subclasses can be used."""

    cdef bint next(self, Request *request) noexcept nogil:
        return False

    cdef void mix(self, int64_t n, int64_t *of_command) noexcept nogil:
        pass


cdef class Mix(Workload):
    """Commands by weight and keys by popularity, for one server of a circle.

    `weights` are (name of a command of the table, its weight), any non-negative numbers of which one is above 0.
    """

    def __cinit__(self, weights, Keys keys, Ketama ketama, int server, uint64_t seed, table=None):
        cdef Part *part
        random_seed(&self.random, seed, COMMAND_STREAM)
        self.keys = keys
        self.ketama = ketama
        self.table = Commands() if table is None else table
        self.server = server
        self.routed = ketama.servers > 1
        total = sum(weight for _, weight in weights)
        if total <= 0 or min(weight for _, weight in weights) < 0:
            raise ValueError(f"the weights of a mix are not negative and not all 0, but these are {weights}")
        before = 0
        for name, weight in weights:
            if weight == 0:
                continue
            part = &self.parts[self.n_parts]
            part.command = self.table.number(name)
            part.share = weight / (total - before)
            before += weight
            # A threshold of 2**64 itself does not fit; nobody asks for the last one's.
            part.below = min(int(before * 2**64 / total), UINT64_MAX)
            self.n_parts += 1

    cdef bint next(self, Request *request) noexcept nogil:
        cdef uint64_t draw, key
        cdef int i = 0, last = self.n_parts - 1
        if last:
            # A mix of one command has no draws to make.
            draw = random_next(&self.random)
            while i < last and draw >= self.parts[i].below:
                i += 1
        request.command = self.parts[i].command
        key = self.keys.draw()
        while self.routed and self.ketama.owner(key) != self.server:
            key = self.keys.draw()
        request.key = key
        return True

    cdef void mix(self, int64_t n, int64_t *of_command) noexcept nogil:
        cdef int64_t left = n, here
        cdef int i
        for i in range(self.n_parts):
            here = left if i == self.n_parts - 1 else <int64_t>(left * self.parts[i].share + 0.5)
            of_command[self.parts[i].command] = here
            left -= here

    def drawn(self, int n):
        """The next n requests, as (command, key id)."""
        cdef Request request
        requests = []
        for _ in range(n):
            self.next(&request)
            requests.append((self.table.names[request.command], request.key))
        return requests


cdef class Prefill(Workload):
    """Each key from `first` on and before `last` that belongs to a server, once, written by a command of the table."""

    def __cinit__(self, Ketama ketama, int server, int command, uint64_t first, uint64_t last):
        self.ketama = ketama
        self.server = server
        self.command = command
        self.next_key = first
        self.last_key = last

    cdef bint next(self, Request *request) noexcept nogil:
        while self.next_key < self.last_key and self.ketama.owner(self.next_key) != self.server:
            self.next_key += 1
        if self.next_key == self.last_key:
            return False
        request.command = self.command
        request.key = self.next_key
        self.next_key += 1
        return True
