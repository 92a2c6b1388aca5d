"""A server's addresses as the kernel takes them. `_server.pxd` describes each function."""

from cpython.mem cimport PyMem_Calloc, PyMem_Free

from loadgen.engine._transport cimport address_of, name_host, unix_address_of


cdef int server_init(Server *s, endpoint) except -1:
    cdef int place
    s.first = 0
    s.count = 1 if endpoint.path else len(endpoint.addresses)
    s.addresses = <Address *>PyMem_Calloc(s.count, sizeof(Address))
    if s.addresses == NULL:
        raise MemoryError()
    if endpoint.path:
        return unix_address_of(s.addresses, endpoint.path)
    for place, numeric in enumerate(endpoint.addresses):
        address_of(&s.addresses[place], numeric, endpoint.port)
        name_host(&s.addresses[place], endpoint.host)
    return 0


cdef void server_free(Server *s) noexcept:
    PyMem_Free(s.addresses)
    s.addresses = NULL
