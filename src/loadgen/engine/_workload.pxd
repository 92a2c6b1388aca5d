# The next request: a command by the mix's weights and a key by popularity, or each key of a part of the keyspace once.

from libc.stdint cimport int64_t, uint32_t, uint64_t

from loadgen._request cimport MOST_COMMANDS, Commands, Request
from loadgen.engine._keys cimport Keys
from loadgen.engine._random cimport Random
from loadgen.engine._route cimport Route


cdef class Workload:
    # Set the command and the key of the next n requests, in the slots of a ring from `at` on. Return the number of
    # requests, less than n when the workload has no more.
    cdef uint32_t fill(self, Request *ring, uint32_t mask, uint32_t at, uint32_t n) noexcept nogil
    # Set how many of the first n requests that are counted and never sent have each command: by the weights, and never
    # fewer than of the first n - 1.
    cdef void mix(self, int64_t n, int64_t *of_command) noexcept nogil


# A command of a mix; the parts are in the order of the table.
cdef struct Part:
    int command
    uint64_t below    # a draw of 64 bits below this, and not below an earlier part's, is this command's
    uint64_t counters  # its keys are so many counters; 0: they are those that were drawn
    double share      # of the requests that the earlier parts leave


# Keys that have been drawn and wait for the lane that they belong to, in a ring.
cdef enum:
    SHELVED = 512
    ENOUGH = 256   # on a shelf of another lane, for a lane that is not to run ahead

cdef struct Shelf:
    uint64_t keys[SHELVED]
    uint32_t head
    uint32_t tail


# A lane of a shard, with its part of the shard's requests: a draw of 64 bits below `below`, and not below an earlier
# lane's, is this lane's.
cdef struct Seat:
    int lane
    uint64_t below

cdef enum:
    SEATS = 16   # the most lanes of a shard


# The keys of a worker's load. Each is drawn once, and then shelved for the lane that it belongs to: that of its shard,
# or one of several by their parts. A lane whose server is slow takes few keys. With `together`, the others then wait
# for it, so that each lane keeps its share of the load. Otherwise, and where a lane is `apart`, it loses the keys that
# find no room on its shelf: draws do not depend on each other, so that the others are as popular as before.
cdef class Draws:
    cdef Keys keys
    cdef Route route
    cdef Random random          # of the choice among the lanes of a shard
    cdef int lanes              # for which there are shelves
    cdef Shelf *shelves         # one for each lane; NULL for one lane; owned
    cdef Seat *seats            # SEATS for each shard; NULL: a shard's lane has the shard's number; owned
    cdef bint together
    cdef bint *apart            # by lane; owned
    cdef int waiting            # lanes that have got fewer keys than they asked for, since the others are behind
    cdef bint *waits            # which these are; owned
    cdef bint *barren           # lanes for which no key was drawn, however often: they take any key; owned

    # Take keys off shelves of lanes that they no longer belong to.
    cdef void sort(self) noexcept nogil

    # Set the next n keys of a lane, and return n; less with `together`, when the others are behind. A lane to which no
    # key belongs any more gets keys of others.
    cdef int take(self, int lane, uint64_t *keys, int n) noexcept nogil
    # True when a lane that is not apart has `enough` keys.
    cdef bint is_ahead(self, uint32_t enough) noexcept nogil
    # True once for a lane that waits and may go on: there are keys on its shelf, or the others have caught up.
    cdef bint goes_on(self, int lane) noexcept nogil
    cdef int lane_of(self, uint64_t key) noexcept nogil
    # Divide the requests of a shard among lanes, by their parts.
    cdef int divide(self, int shard, parts) except -1
    # Draw some keys and shelve them.
    cdef void draw(self) noexcept nogil


cdef class Mix(Workload):
    cdef Random random          # of commands only; keys draw from their own
    cdef Draws draws
    cdef Commands table
    cdef int lane               # only keys of this lane are taken
    cdef uint64_t counters      # the number of counters; 0: as many as keys

    # Set the weights, of which one at least is above 0.
    cdef int weigh(self, weights) except -1
    cdef Part parts[MOST_COMMANDS]
    cdef int n_parts


cdef class Prefill(Workload):
    cdef Route route
    cdef int lane               # only keys of this lane are written
    cdef int command            # the command that writes them
    cdef uint64_t next_key      # the first key that is left
    cdef uint64_t last_key      # one past the last key
