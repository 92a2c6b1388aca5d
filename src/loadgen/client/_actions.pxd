# The actions that the state machines ask their shell for, in order. Values; no I/O.

from loadgen.client._connection cimport Connection


cdef class Dial:
    cdef readonly Connection connection


cdef class Send:
    cdef readonly Connection connection
    cdef readonly bytes data


cdef class Close:
    cdef readonly Connection connection


cdef class Ended:
    cdef readonly object call        # a `_request.Request` or a `batch.Batch`


cdef class Changed:
    cdef readonly int node
    cdef readonly object transition  # a `breaker.Transition`


cdef class Closed:
    pass


cdef Send send_of(Connection connection, bytes data)
cdef Ended ended_of(object call)
