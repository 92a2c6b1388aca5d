# memcache's meta commands, client side: mg, ms, md, mn.
#
# A request has an opaque token, its number on the connection, which the reply repeats: a reply that is out of step
# shows at once. Silent requests have the flag q: a miss, a value that was stored, and a key that was deleted are not
# answered. An error has no opaque token, and counts for the oldest request that is silent.

from libc.stdint cimport uint32_t, uint64_t

from loadgen._buffer cimport BLOCK, Cursor
from loadgen._codec cimport Codec, Decoded, Decoder
from loadgen._request cimport KINDS, Request

cdef enum:
    OPAQUE = 8        # digits of an opaque token
    LONGEST_KEY = 250

# Bytes around a key, in one block to copy.
cdef struct Piece:
    char bytes[BLOCK]
    int length
    int opaque        # where the digits of the opaque token begin; 0: there are none


cdef class MemcacheMeta(Codec):
    cdef int id_length           # bytes of a key after its prefix
    cdef Py_ssize_t value_bytes
    cdef char prefix[BLOCK]
    cdef int prefix_length
    cdef char counter[BLOCK]     # the same of counters
    cdef int counter_length
    cdef bint opaque             # requests have opaque tokens
    cdef bint base64             # keys are sent in base64
    cdef bint key_returned       # the reply to a read has the key
    cdef bint value_returned     # the reply to a read has the value
    cdef Piece before[KINDS]     # all before a key, its prefix included, unless keys are sent in base64
    cdef Piece behind[2][KINDS]  # from a key to the line's end: of requests with a reply, and of silent ones
    cdef bytes log_in            # the whole request that logs in
    cdef const char *log_in_at   # the same; borrowed
    cdef int log_in_length
    cdef uint64_t hit_head       # the first bytes of a reply with a value of this run's own, as a word
    cdef uint64_t hit_mask       # the bits of the word that are these bytes
    cdef int hit_opaque          # where the digits of the opaque token begin in it
    cdef int hit_line            # where its value begins
    cdef Py_ssize_t hit_bytes    # the length of such a reply; 0: none is looked for
    cdef bint quick              # ids have up to 16 bytes, values fit in a block, and keys are sent as they are

    # A request of any form, and any reply. Methods, so that no compiler puts their frames into `encode` and `decode`.
    cdef Py_ssize_t encode_any(self, const Request *r, uint32_t number, bint silent, const char *value,
                               char *out) noexcept nogil
    cdef Decoded decode_any(self, Decoder *d, Cursor *c, int kind) noexcept nogil
    # The line of a reply, which ends before the line end at `end`.
    cdef Decoded decode_line(self, Decoder *d, Cursor *c, const char *end, int kind, bint silent) noexcept nogil
    # What the flags of a reply say about whose it is: one of `Whose`.
    cdef int whose(self, const Decoder *d, const char *at, const char *end) noexcept nogil
    cdef int write_any_key(self, char *out, uint64_t key, bint counts) noexcept nogil
