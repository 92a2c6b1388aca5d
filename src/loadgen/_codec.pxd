# The interface of a wire protocol: two methods, sans-IO. `_resp`, `_memcache`, `_meta` and `_binary` implement it.
#
# A codec knows bytes. It does not know connections, time, or which request a reply answers: the caller passes the
# command that is next in line and its key, and keeps the Decoder, which has all state between two reads.
#
# A codec may send requests that are *silent*: the server answers them only if there is something to say, such as a
# value. The bytes of a later reply then say that the request next in line had none.

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy

from loadgen._buffer cimport Cursor
from loadgen._mark cimport MARK_BYTES
from loadgen._request cimport KINDS, WARMUP, Command, Commands, Request
from loadgen._siblings cimport Siblings

cdef enum Decoded:
    NEED_MORE = 0         # any rest is a cut-off head, to be passed again with more bytes behind it
    REPLY = 1             # one reply, for the next command in line
    NOT_A_REPLY = 2       # a whole push, which answers no request
    NOT_THE_PROTOCOL = 3  # bytes that cannot be a reply to that command
    ANOTHER_KEY = 4       # the reply to another request, by its key or number: the replies are out of step

# The longest cut-off head that a caller must keep between reads. A status, an integer or a length is always shorter. A
# longer error is recognised by its beginning, and its rest is skipped.
cdef enum:
    HEAD = 512

# The most bytes of an error's text that a Decoder keeps, for the first example that users are shown.
cdef enum:
    ERROR_TEXT = 200

cdef struct Decoder:
    const Request *asked  # next in line, for its key; borrowed; NULL: the key is not known and not compared
    uint32_t number      # of `asked` on its connection; used where `asked` is known
    uint32_t behind      # the number of the connection's next request: that of each one in flight is below
    int64_t skip         # bytes of a body that are still to come and are skipped
    int64_t elements     # elements still to come of the RESP aggregate being skipped
    uint8_t outcome      # the outcome of the reply under way, one of `_request`
    uint8_t state        # the position within a reply; each codec has its own states, 0 is between replies
    uint8_t pushed       # elements of the push under way whose first line has been read
    int64_t push_keys    # the elements of its second element, an array; -1 when that is null, 0 when it is neither
    uint64_t found       # of several keys, a bit for each that was found or stored so far, the first key's lowest
    uint64_t key         # the key whose turn it is
    int index            # the place of that key among the request's
    uint8_t head_left    # bytes of a value's head that are still to come
    uint8_t head_bytes   # bytes of it that are there
    char head[MARK_BYTES]  # the first bytes of the value under way, or of the last one
    uint32_t error_length
    char error[ERROR_TEXT]  # the text of the last error reply, without its type byte and line end


cdef class Codec:
    cdef readonly Commands commands  # the run's table, whose row numbers identify commands
    cdef const Command *rows         # the table's rows; borrowed from it
    cdef int asked                   # the first row of a command that any server answers
    cdef uint64_t run                # what this run's values are marked with (`_mark`); 0: they are not

    cdef Siblings siblings           # the keys of a request of several
    cdef Py_ssize_t between_values   # of a request with several values: the bytes from one to the next, without values

    # The most bytes that a request takes in the out-buffer, its value included, and a barrier behind it.
    cdef readonly Py_ssize_t longest
    cdef int behind_value            # bytes of a request behind its value
    cdef bint silent[KINDS + 1]      # requests of that kind are silent in a load; the last is of no kind

    # Write the request at `out`, which has room for `longest` + BLOCK bytes, and return the length. The value of a
    # command that has one is copied from `value`, behind which BLOCK bytes can be read. When `value` is NULL, the value
    # is left out; its place is before the last `behind_value` bytes. `number` is the request's on its connection.
    cdef Py_ssize_t encode(self, const Request *request, uint32_t number, const char *value, char *out) noexcept nogil

    # Take at most one reply off the cursor. `command` is a row of the table, or -1 where no request waits for a reply.
    # On REPLY, the Decoder's `outcome` is that of the reply, or of the silence of `asked`, for which no byte is taken
    # off. After a HIT, its `head` has the value's first `head_bytes`
    # bytes, MARK_BYTES or all of fewer, if values are marked.
    cdef Decoded decode(self, Decoder *d, Cursor *c, int command) noexcept nogil

    # Set the table (None: the default one), the mark, and the keys of requests of several (None: ten in a row), once,
    # by the subclass. Raises ValueError for a mark where values have no room for one.
    cdef int use(self, commands, run, Py_ssize_t value_bytes, siblings=*) except -1
    # Return the number of values of a request.
    cdef int values(self, const Request *request) noexcept nogil

    # Return the bytes of a request without its value, for people.
    cdef bytes shown(self, const Request *request, uint32_t number)


# Return the key of a counter up to its id, for keys that begin with `prefix`.
cdef bytes counter_prefix(bytes prefix)


cdef inline void keep_head(Decoder *d, const char *at, int64_t here) noexcept nogil:
    """Keep the part of the value's head that is in the next `here` bytes of its body, if any."""
    cdef uint8_t n
    if d.head_left and here > 0:
        n = <uint8_t>min(here, <int64_t>d.head_left)
        memcpy(d.head + d.head_bytes, at, n)
        d.head_bytes += n
        d.head_left -= n


cdef inline void begin_head(Decoder *d, int64_t length) noexcept nogil:
    """Begin to keep the head of a value of this length."""
    d.head_bytes = 0
    d.head_left = <uint8_t>min(length, <int64_t>MARK_BYTES)


cdef inline void take_head(Decoder *d, const char *value) noexcept nogil:
    """Keep the head of a value that is here as a whole, and is long enough for a mark."""
    memcpy(d.head, value, MARK_BYTES)
    d.head_bytes = MARK_BYTES


cdef inline int kind_of(const Command *rows, int command) noexcept nogil:
    """Return the kind of a row; KINDS for a command below 0."""
    return rows[command].kind if command >= 0 else KINDS


cdef inline bint is_silent(Codec codec, const Request *r) noexcept nogil:
    """True for a request of a load that the server answers only if there is something to say.

    A prefill and a greeting have to know what became of each request.
    """
    return codec.silent[codec.rows[r.command].kind] and r.phase >= WARMUP
