"""The actions that the state machines ask their shell for, in order. Values; no I/O."""

cimport cython


cdef class Dial:
    """Open a connection to its node, and tell `on_open` or `on_refused`."""

    __match_args__ = ("connection",)

    def __init__(self, Connection connection not None):
        self.connection = connection


@cython.freelist(256)
cdef class Send:
    """Write bytes to a connection."""

    __match_args__ = ("connection", "data")


@cython.freelist(256)
cdef class Ended:
    """A call ended: its request's `reply` or `error` is there, or those of each part of a batch."""

    __match_args__ = ("call",)


cdef class Close:
    """Close a connection at once, or stop its dial. Nothing that happens to it later needs to be told."""

    __match_args__ = ("connection",)

    def __init__(self, Connection connection not None):
        self.connection = connection


cdef class Changed:
    """A node's breaker changed its state."""

    __match_args__ = ("node", "transition")

    def __init__(self, int node, transition):
        self.node = node
        self.transition = transition


cdef class Closed:
    """Everything is closed."""


cdef Send send_of(Connection connection, bytes data):
    cdef Send action = Send.__new__(Send)
    action.connection = connection
    action.data = data
    return action


cdef Ended ended_of(object call):
    cdef Ended action = Ended.__new__(Ended)
    action.call = call
    return action


Action = Dial | Send | Close | Ended | Changed | Closed
Actions = list[Action]
