# memcache's binary protocol, client side: Get, GetK, Set, Delete, No-op, their quiet forms, and SASL PLAIN.
#
# Every message begins with a header of 24 bytes:
#
#     0 magic   1 opcode   2 key length   4 extras length   5 data type   6 status   8 body length   12 opaque   16 CAS
#
# The opaque is the request's number on the connection, which the reply repeats, an error's too. Silent requests are
# the quiet forms: a miss, a value that was stored, and a key that was deleted are not answered.

from libc.stdint cimport uint8_t, uint32_t, uint64_t

from loadgen._buffer cimport BLOCK, Cursor
from loadgen._codec cimport Codec, Decoded, Decoder
from loadgen._request cimport KINDS, Request

cdef enum:
    HEADER = 24
    FLAGS = 4          # the extras of a value: its flags
    SHAPE = 12         # the bytes of a header before its opaque
    LONGEST_KEY = 250

# A request up to its key: a header, and extras.
cdef struct Form:
    char bytes[BLOCK]
    int length


cdef class MemcacheBinary(Codec):
    cdef int id_length           # bytes of a key after its prefix
    cdef int key_length
    cdef Py_ssize_t value_bytes
    cdef char prefix[BLOCK]
    cdef int prefix_length
    cdef char counter[BLOCK]     # the same of counters
    cdef int counter_length
    cdef bint key_returned       # reads are GetK, whose reply has the key
    cdef Form forms[2][KINDS]    # of requests with a reply, and of silent ones
    cdef char hits[2][SHAPE]     # the beginning of a reply with a value of this run's own
    cdef Py_ssize_t hit_bytes    # the length of such a reply
    cdef bytes log_in            # the whole request that logs in, but for its opaque
    cdef const char *log_in_at   # the same; borrowed
    cdef int log_in_length
    cdef bint quick              # ids have up to 16 bytes, and values fit in a block

    # A request of any form, and any reply. Methods, so that no compiler puts their frames into `encode` and `decode`.
    cdef Py_ssize_t encode_any(self, const Request *r, uint32_t number, bint silent, const char *value,
                               char *out) noexcept nogil
    cdef Decoded decode_any(self, Decoder *d, Cursor *c, int kind) noexcept nogil
    # A reply from its header on, which is to be the answer to the request next in line.
    cdef Decoded begin(self, Decoder *d, Cursor *c, int kind, uint8_t opcode) noexcept nogil
    cdef bint is_asked_key(self, const char *at, uint64_t key) noexcept nogil
