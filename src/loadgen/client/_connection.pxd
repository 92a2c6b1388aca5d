# A connection as the state machines know it: a number, a state and times, without a socket.

from libc.stdint cimport int64_t

# The part of a pool in which a connection is: the numbers of `_connection.Place`.
cdef enum:
    CONSTRUCTING = 0
    IDLE = 1
    ACTIVE = 2
    CLOSED = 3


cdef class Connection:
    cdef readonly int64_t number   # from 1, in the order of dials to the node
    cdef readonly int node         # the index of the node
    cdef int at_place              # one of the numbers above
    cdef readonly int64_t born_ns  # when the connection was established
    cdef readonly int64_t used_ns  # when a request last ended on the connection
    cdef public object request     # the `_request.Request` whose reply comes next; None on an idle connection
    cdef object last               # the request that was sent last, in the row that begins with `request`
    cdef int load                  # how many requests hold the connection
    cdef bint offered              # in the pool's row of connections that may be shared
    cdef object received           # bytes or bytearray: what came so far of the request's replies
    cdef Py_ssize_t at             # how far the replies to `request` that are complete reach
    cdef list replies              # the replies so far, for a request that awaits several; None for any other
    cdef public object stream      # the owner's own: what carries the bytes. The state machines never touch it
