# What to send next: a command by the mix's weights, and a key.

from libc.stdint cimport int64_t, uint64_t

from loadgen.engine._keys cimport Keys
from loadgen.engine._ketama cimport Ketama
from loadgen.engine._random cimport Random
from loadgen._request cimport Request


cdef class Workload:
    cdef Random random          # of commands only; keys draw from their own
    cdef Keys keys
    cdef Ketama ketama
    cdef int server             # only keys of this server are drawn …
    cdef bint routed            # … when there is more than one
    cdef uint64_t get_below     # a draw of 64 bits below this is a GET,
    cdef uint64_t set_below     # below this a SET, otherwise a DELETE
    cdef double gets            # the part of GETs among all, and of SETs among the others
    cdef double sets
    cdef int only               # PING, or -1 for the mix

    # The command of the next request.
    cdef int next_command(self) noexcept nogil
    # How many requests of each command are among the first n that are counted and never sent: as the weights say, and
    # never fewer than among the first n - 1.
    cdef void mix(self, int64_t n, int64_t *of_command) noexcept nogil
    # Fills in the command and the key.
    cdef void next(self, Request *request) noexcept nogil
