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
    double share      # of the requests that the earlier parts leave


# Keys that have been drawn and wait for the lane that they belong to, in a ring.
cdef enum:
    SHELVED = 256

cdef struct Shelf:
    uint64_t keys[SHELVED]
    uint32_t head
    uint32_t tail


# The keys of a worker's load. Each is drawn once, and then shelved for the lane that it belongs to. A lane whose server
# is slow takes few keys, and loses those that find no room on its shelf: draws do not depend on each other, so that the
# others are as popular as before.
cdef class Draws:
    cdef Keys keys
    cdef Route route
    cdef Shelf *shelves         # one for each lane; NULL for one lane; owned

    # Take keys off shelves of lanes that they no longer belong to.
    cdef void sort(self) noexcept nogil

    # Set the next n keys of a lane, to which some key belongs.
    cdef void take(self, int lane, uint64_t *keys, int n) noexcept nogil
    # Draw some keys and shelve them.
    cdef void draw(self) noexcept nogil


cdef class Mix(Workload):
    cdef Random random          # of commands only; keys draw from their own
    cdef Draws draws
    cdef Commands table
    cdef int lane               # only keys of this lane are taken

    cdef int weigh(self, weights) except -1
    cdef Part parts[MOST_COMMANDS]
    cdef int n_parts


cdef class Prefill(Workload):
    cdef Route route
    cdef int lane               # only keys of this lane are written
    cdef int command            # the command that writes them
    cdef uint64_t next_key      # the first key that is left
    cdef uint64_t last_key      # one past the last key
