# memcache's text protocol, client side.

from loadgen._buffer cimport BLOCK
from loadgen._codec cimport Codec
from loadgen._request cimport KINDS

# The bytes before a key's id, in one block to copy.
cdef struct Template:
    char bytes[BLOCK]
    int length


cdef class Memcache(Codec):
    cdef int id_length           # of a key's bytes, those after its prefix
    cdef Py_ssize_t value_bytes
    cdef Template head[KINDS]    # up to the key's id, its prefix too: of a read, a write, a removal
    cdef char set_middle[BLOCK]  # between a set's key and its value: flags, exptime, length
    cdef int set_middle_length
