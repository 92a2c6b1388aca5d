# A request to one node, with its own history: bytes, deadline, connection, outcome. No I/O.
#
# A request is handed to one node. Where it is tried again, it is the same request with the same deadline.

from libc.stdint cimport int64_t

from loadgen.client._connection cimport Connection

# How far a request is: the numbers of `_request.Stage`.
cdef enum:
    NEW = 0
    WAITING = 1
    DIALLING = 2
    SENT = 3
    DONE = 4


cdef class Request:
    # What a command of a protocol is made of.
    cdef readonly str name          # the operation
    cdef readonly bytes data        # what is sent
    cdef public object parse        # reads one reply (`reply.Parser`)
    cdef readonly object expected   # what the reply must be about; of a batch, a sequence with one value for each reply
    cdef readonly object key        # chooses the node, and errors carry it; None for a batch
    cdef readonly Py_ssize_t replies  # of a batch, whose `reply` is the list of them; 0 for a request with one reply
    cdef public bint reads          # carrying the request out twice does no harm
    cdef public object follow       # makes the operation's next request of a reply, for the same connection; or None

    # These change as the request is carried out.
    cdef public int node            # the index of the node; -1 before there is one
    cdef public bint stays          # `node` is set beforehand, and no other node will do
    cdef readonly int turn          # the position of the node in the key's order of preference
    cdef public int retries
    cdef readonly int64_t deadline_ns
    cdef int at_stage               # one of the numbers above
    cdef bint written               # given to a connection: from then on the server may carry the request out
    cdef public Connection connection
    cdef object permit              # the breaker's
    cdef public object reply
    cdef public object error        # an `errors.CacheError`, or None
    cdef public object batch        # the `batch.Batch` that the request is a part of
    cdef public object owner        # the caller's own, such as a future. The state machines never touch it

    cdef Request following          # the request that was sent next on the same connection

    # The neighbours in the core's list of requests under way, while `listed`.
    cdef Request before
    cdef Request after
    cdef bint listed


# The same as Request(name, data, parse, key, key=key, reads=reads), without Python's arguments.
cdef Request request_of_key(str name, bytes data, object parse, bytes key, bint reads)


# The row of a connection: the requests that were sent on it and have no reply yet, in the order of their replies.
# `connection.request` is the first, `connection.last` the last, and `following` leads from one to the next.
cdef int join_row(Request request, Connection connection) except -1
# Take the first request out of the row.
cdef int leave_row(Request first, Connection connection) except -1
# Take the whole row off the connection, and return its first request.
cdef Request row_taken(Connection connection)
# Take a request out of a row that was taken off, and return the first of those that are left.
cdef Request row_without(Request first, Request gone)
