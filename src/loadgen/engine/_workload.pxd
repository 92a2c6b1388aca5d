# The next request: a command by the mix's weights and a key by popularity, or each key of a part of the keyspace once.

from libc.stdint cimport int64_t, uint32_t, uint64_t

from loadgen._request cimport MOST_COMMANDS, Commands, Request
from loadgen.engine._keys cimport Keys
from loadgen.engine._ketama cimport Ketama
from loadgen.engine._random cimport Random


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


cdef class Mix(Workload):
    cdef Random random          # of commands only; keys draw from their own
    cdef Keys keys
    cdef Ketama ketama
    cdef Commands table
    cdef int server             # only keys of this server are drawn, if `routed`
    cdef bint routed            # there is more than one server
    cdef Part parts[MOST_COMMANDS]
    cdef int n_parts

    cdef uint64_t own_key(self) noexcept nogil


cdef class Prefill(Workload):
    cdef Ketama ketama
    cdef int server             # only keys of this server are written
    cdef int command            # the command that writes them
    cdef uint64_t next_key      # the first key that is left
    cdef uint64_t last_key      # one past the last key
