"""A request to one node, with its own history. `_request.pxd` is the design."""

from enum import IntEnum

cimport cython


class Stage(IntEnum):
    """How far a request is."""

    NEW = 0
    WAITING = 1
    """For a connection of the pool to be free."""
    DIALLING = 2
    """For the connection that is dialled for it."""
    SENT = 3
    """Given to a connection to be written; its reply is awaited."""
    DONE = 4


cdef tuple STAGES = tuple(Stage)


@cython.freelist(256)
cdef class Request:
    """One request, which a text or a meta command makes, and which the machines carry through to its end."""

    def __cinit__(self):
        self.node = -1

    def __init__(
        self,
        str name,
        bytes data,
        parse,
        expected=None,
        *,
        bytes key=None,
        Py_ssize_t replies=0,
        bint reads=False,
        follow=None,
    ):
        self.name = name
        self.data = data
        self.parse = parse
        self.expected = expected
        self.key = key
        self.replies = replies
        self.reads = reads
        self.follow = follow

    @property
    def stage(self):
        return STAGES[self.at_stage]

    def go_on_as(self, Request following):
        """Become the next request of the same operation."""
        self.data = following.data
        self.parse = following.parse
        self.follow = following.follow


cdef Request request_of_key(str name, bytes data, object parse, bytes key, bint reads):
    cdef Request request = Request.__new__(Request)
    request.name = name
    request.data = data
    request.parse = parse
    request.expected = key
    request.key = key
    request.reads = reads
    return request


cdef int join_row(Request request, Connection connection) except -1:
    request.connection = connection
    if connection.request is None:
        connection.request = request
    else:
        (<Request>connection.last).following = request
    connection.last = request
    return 0


cdef int leave_row(Request first, Connection connection) except -1:
    connection.request = first.following
    if first.following is None:
        connection.last = None
    first.connection = first.following = None
    return 0


cdef Request row_taken(Connection connection):
    cdef Request first = connection.request
    connection.request = connection.last = None
    return first


cdef Request row_without(Request first, Request gone):
    cdef Request before = first
    if first is gone:
        first = gone.following
    else:
        while before is not None and before.following is not gone:
            before = before.following
        assert before is not None, "a request is not in the row of its connection"
        before.following = gone.following
    gone.connection = gone.following = None
    return first
