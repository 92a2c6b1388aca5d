# A server's addresses, which an attempt to connect tries in turn until one of them connects.

from loadgen.engine._transport cimport Address

cdef struct Server:
    Address *addresses  # owned
    int count           # of addresses, at least one
    int first           # the address to begin with: the one at which a connection was made last


# Fill in the addresses of a `plan.Endpoint`.
cdef int server_init(Server *s, endpoint) except -1
cdef void server_free(Server *s) noexcept
