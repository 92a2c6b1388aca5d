# memcache's text protocol, client side.

from libc.stdint cimport uint64_t

from loadgen._buffer cimport BLOCK, Cursor
from loadgen._codec cimport Codec, Decoded, Decoder
from loadgen._request cimport KINDS

# The bytes before a key's id, in one block to copy.
cdef struct Template:
    char bytes[BLOCK]
    int length


cdef class Memcache(Codec):
    cdef int id_length           # bytes of a key after its prefix
    cdef Py_ssize_t value_bytes
    cdef Template head[KINDS]    # all before the key's id, the prefix included: of a read, a write, a removal
    cdef char set_middle[BLOCK]  # between a set's key and its value: flags, exptime, length
    cdef int set_middle_length
    cdef char hit_line[BLOCK]    # behind the key, in a reply with a value of this run's own: flags, length, line end
    cdef int hit_line_length
    cdef Py_ssize_t hit_bytes    # the length of such a reply
    cdef bint quick              # keys have up to 16 bytes behind the prefix, and values fit in a block

    # A request of any form, and any reply. Methods, so that no compiler puts their frames into `encode` and `decode`.
    cdef Py_ssize_t encode_any(self, int kind, uint64_t key, const char *value, char *out) noexcept nogil
    cdef Decoded decode_any(self, Decoder *d, Cursor *c, int kind) noexcept nogil

    # Take such a reply to `d.asked` off the cursor, which has `hit_bytes` bytes at least; False when it is another one.
    cdef bint take_own(self, const Decoder *d, Cursor *c) noexcept nogil
