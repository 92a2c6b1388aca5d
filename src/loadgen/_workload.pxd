# What to send next: a command by the mix's weights, and a key.

from libc.stdint cimport uint64_t

from loadgen._keys cimport Keys
from loadgen._ketama cimport Ketama
from loadgen._random cimport Random
from loadgen._request cimport Request


cdef class Workload:
    cdef Random random          # of commands only; keys draw from their own
    cdef Keys keys
    cdef Ketama ketama
    cdef int server             # only keys of this server are drawn …
    cdef bint routed            # … when there is more than one
    cdef uint64_t get_below     # a draw of 64 bits below this is a GET,
    cdef uint64_t set_below     # below this a SET, otherwise a DELETE
    cdef int only               # PING, or -1 for the mix

    # Only the command of the next request, for one that is counted and never sent: a key costs several times as much.
    cdef int next_command(self) noexcept nogil
    # Fills in the command and the key.
    cdef void next(self, Request *request) noexcept nogil
