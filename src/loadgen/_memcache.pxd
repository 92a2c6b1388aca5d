# memcache's text protocol, client side.

from loadgen._buffer cimport BLOCK, Cursor
from loadgen._codec cimport Codec, Decoder
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
    cdef char hit_line[BLOCK]    # behind the key of a value as this run's own are: flags, length, line end
    cdef int hit_line_length
    cdef Py_ssize_t hit_bytes    # of such a reply

    # Takes a reply of that kind to the request that is asked for off the cursor, if it is all here.
    cdef bint take_own(self, const Decoder *d, Cursor *c) noexcept nogil
