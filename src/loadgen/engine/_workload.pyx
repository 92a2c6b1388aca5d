"""What to send next. The sequence depends on the seed alone, not on time or replies."""

from fractions import Fraction

from libc.math cimport pow
from libc.stdint cimport UINT64_MAX, int64_t, uint64_t

from loadgen._request import COMMAND_NAMES

from loadgen.engine._keys cimport Zipf
from loadgen.engine._random cimport random_next, random_seed
from loadgen._request cimport DELETE, GET, PING, SET

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
    """Commands by weight and keys by popularity, for one server of a circle.

    `weights` are (get, set, delete), any non-negative numbers, or None for PINGs only.
    """

    def __cinit__(self, weights, Keys keys, Ketama ketama, int server, uint64_t seed):
        random_seed(&self.random, seed, COMMAND_STREAM)
        self.keys = keys
        self.ketama = ketama
        self.server = server
        self.routed = ketama.servers > 1
        self.only = PING if weights is None else -1
        if weights is not None:
            total = sum(weights)
            if total <= 0 or min(weights) < 0:
                raise ValueError(f"the weights of a mix are not negative and not all 0, but these are {weights}")
            # Thresholds of 2**64 itself do not fit; the top draw then still is the last command with a weight.
            self.get_below = min(int(weights[0] * 2**64 / total), UINT64_MAX)
            self.set_below = min(int((weights[0] + weights[1]) * 2**64 / total), UINT64_MAX)
            self.gets = weights[0] / total
            self.sets = weights[1] / (weights[1] + weights[2]) if weights[1] + weights[2] else 1
            if weights[1] == weights[2] == 0:
                self.only = GET
            elif weights[2] == 0 and weights[0] == 0:
                self.only = SET

    cdef int next_command(self) noexcept nogil:
        cdef uint64_t draw
        if self.only >= 0:
            return self.only
        draw = random_next(&self.random)
        return GET if draw < self.get_below else SET if draw <= self.set_below else DELETE

    cdef void mix(self, int64_t n, int64_t *of_command) noexcept nogil:
        if self.only >= 0:
            of_command[self.only] = n
            return
        of_command[GET] = <int64_t>(n * self.gets + 0.5)
        of_command[SET] = <int64_t>((n - of_command[GET]) * self.sets + 0.5)
        of_command[DELETE] = n - of_command[GET] - of_command[SET]

    cdef void next(self, Request *request) noexcept nogil:
        cdef uint64_t key
        request.command = self.next_command()
        key = self.keys.draw()
        while self.routed and self.ketama.owner(key) != self.server:
            key = self.keys.draw()
        request.key = key

    def drawn(self, int n):
        """The next n requests, as (command, key id)."""
        cdef Request request
        requests = []
        for _ in range(n):
            self.next(&request)
            requests.append((COMMAND_NAMES[request.command], request.key))
        return requests
