# RESP2 and RESP3, client side. Nothing in a request depends on the version: HELLO asks for it, replies show theirs.

from libc.stdint cimport uint64_t

from loadgen._buffer cimport BLOCK
from loadgen._codec cimport Codec
from loadgen._request cimport MOST_COMMANDS

# How a command of the table is written. What never changes of it stands in blocks that are copied whole.
cdef struct Form:
    char head[BLOCK]     # up to the key's id, its prefix too
    int head_length
    char middle[BLOCK]   # between the key and the value
    int middle_length    # 0: it has no value
    const char *whole    # of a command without a key: all of it; borrowed
    int whole_length


cdef class Resp(Codec):
    cdef int id_length        # of a key's bytes, those after its prefix
    cdef Py_ssize_t value_bytes
    cdef Form forms[MOST_COMMANDS]
    cdef list wholes          # whose bytes the forms borrow
    cdef uint64_t hit_head    # a value's length line as this run's own values have it, in the lowest bytes …
    cdef uint64_t hit_mask    # … which these are
    cdef Py_ssize_t hit_bytes  # of such a reply; 0 where it is not looked for
