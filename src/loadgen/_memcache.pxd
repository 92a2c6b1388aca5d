# memcache's text protocol, client side.
#
# Silent requests are sets, deletes and adds with `noreply`. Errors are not silent, and do not say which request they
# are of: they count for the oldest that is silent.

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
    cdef Template counter_end[KINDS]  # behind a counter's id
    cdef char set_middle[BLOCK]  # between a set's key and its value: flags, exptime, length
    cdef int set_middle_length
    cdef Template unanswered[KINDS]  # what a silent request has behind its key, up to a value
    cdef bytes log_in            # the whole request that logs in
    cdef const char *log_in_at   # the same; borrowed
    cdef int log_in_length
    cdef char hit_line[BLOCK]    # behind the key, in a reply with a value of this run's own: flags, length, line end
    cdef int hit_line_length
    cdef Py_ssize_t hit_bytes    # the length of such a reply
    cdef bint quick              # keys have up to 16 bytes behind the prefix, and values fit in a block

    # A request of any form, and any reply. Methods, so that no compiler puts their frames into `encode` and `decode`.
    cdef Py_ssize_t encode_any(self, int kind, bint silent, uint64_t key, const char *value, char *out) noexcept nogil
    cdef Py_ssize_t encode_keys(self, uint64_t key, char *out) noexcept nogil
    cdef Decoded decode_any(self, Decoder *d, Cursor *c, int kind) noexcept nogil
    # The values of several keys, from a line on or within a value.
    cdef Decoded take_values(self, Decoder *d, Cursor *c) noexcept nogil
    # Note that the key at that place was found, which is one of the request's. False for any other key.
    cdef bint note_found(self, Decoder *d, const char *at, const char *end) noexcept nogil

    # Take such a reply to `d.asked` off the cursor, which has `hit_bytes` bytes at least; False when it is another one.
    cdef bint take_own(self, const Decoder *d, Cursor *c) noexcept nogil


# Shared with the meta commands, whose errors and log-in are those of the text protocol.
cdef bytes log_in_line(str username, str password)
cdef bint is_error(Decoder *d, const char *at, const char *end) noexcept nogil
cdef Decoded skip_error(Decoder *d, Cursor *c) noexcept nogil
