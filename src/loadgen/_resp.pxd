# RESP2 and RESP3, client side. Of the requests only HELLO depends on the version; replies show theirs.

from libc.stdint cimport int64_t, uint64_t

from loadgen._buffer cimport BLOCK, Cursor
from loadgen._codec cimport Codec, Decoded, Decoder
from loadgen._request cimport MOST_COMMANDS

# The bytes of a command of the table. The constant parts are blocks that are copied whole.
cdef struct Form:
    char head[BLOCK]     # all before the key's id, the prefix included
    int head_length
    char middle[BLOCK]   # between the key and the value
    int middle_length    # 0: the command has no value
    const char *whole    # all bytes of a command without a key, or all before a counter's id; borrowed from `wholes`
    int whole_length
    bint counts          # its key is a counter, behind whose id `middle` ends the command
    bint quick           # its key has up to 16 bytes behind the prefix, and its value, if any, fits in a block


cdef class Resp(Codec):
    cdef int id_length        # bytes of a key after its prefix
    cdef Py_ssize_t value_bytes
    cdef Form forms[MOST_COMMANDS]
    cdef list wholes          # owns the bytes that the forms borrow
    cdef char each_key[BLOCK]    # before the id of each of several keys
    cdef int each_key_length
    cdef char each_value[BLOCK]  # between such a key and its value
    cdef int each_value_length
    cdef uint64_t hit_head    # the length line of this run's own values, in the lowest bytes
    cdef uint64_t hit_mask    # the mask of those bytes
    cdef Py_ssize_t hit_bytes  # the length of a reply with such a value; 0: such a reply has no fast path

    # A request of any form, and any reply. Methods, so that no compiler puts their frames into `encode` and `decode`.
    cdef Py_ssize_t encode_any(self, const Form *form, uint64_t key, const char *value, char *out) noexcept nogil
    cdef Py_ssize_t encode_many(self, bint writes, uint64_t key, const char *value, char *out) noexcept nogil
    cdef Decoded decode_any(self, Decoder *d, Cursor *c, int kind) noexcept nogil
    # True when a request may be answered by so many elements.
    cdef bint has_keys(self, const Decoder *d, int64_t elements) noexcept nogil
