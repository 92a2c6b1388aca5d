# The interface of a wire protocol: two methods, sans-IO. `_resp` and `_memcache` implement it.
#
# A codec knows bytes. It does not know connections, time, or which request a reply answers: it is told the command
# that is next in line and its key, and everything it must remember between two reads lies in the Decoder that the
# caller keeps.

from libc.stdint cimport int64_t, uint8_t, uint32_t

from loadgen._buffer cimport Cursor
from loadgen._request cimport KINDS, Command, Commands, Request

cdef enum Decoded:
    NEED_MORE = 0         # the rest, if any, is a cut-off head; give it again with more behind it
    REPLY = 1             # one reply, for the next command in line
    NOT_A_REPLY = 2       # a push, whole: it answers nobody
    NOT_THE_PROTOCOL = 3  # bytes that cannot be a reply to that command
    ANOTHER_KEY = 4       # the value of another key than was asked for: the replies are out of step

# The longest cut-off head that a caller must keep between reads. A status, an error, an integer or a length is
# always shorter; a longer error is recognised by its beginning and its rest is skipped.
cdef enum:
    HEAD = 512

# Replies to an error carry its text this far, for the first example that users are shown.
cdef enum:
    ERROR_TEXT = 200

cdef struct Decoder:
    const Request *asked  # next in line, for its key; borrowed; NULL where it is not known and not compared
    int64_t skip         # bytes of a body that are still to come and that nobody looks at
    int64_t elements     # elements still to come of the RESP aggregate being skipped
    uint8_t outcome      # what the reply under way will be: an outcome of `_request`
    uint8_t state        # where in a reply we are; each codec names its own, 0 is between replies
    uint32_t error_length
    char error[ERROR_TEXT]  # the text of the last error reply, without its type byte and line end


cdef class Codec:
    cdef readonly Commands commands  # the run's table, whose rows requests and replies are told by
    cdef const Command *rows         # its rows; borrowed from it

    # Bytes that a request takes in the out-buffer at most, a spliced value's not among them.
    cdef readonly Py_ssize_t longest

    # Writes the request at `out`, which has room for `longest` + BLOCK bytes; returns the length. The value of a
    # command that has one is copied from `value`, behind which BLOCK bytes can be read; when `value` is NULL its place
    # stays empty: it belongs before the last two bytes.
    cdef Py_ssize_t encode(self, const Request *request, const char *value, char *out) noexcept nogil

    # Takes at most one reply off the cursor, for a command that is a row of the table, or -1 where no request waits for
    # one. On REPLY, `outcome` has what it said.
    cdef Decoded decode(self, Decoder *d, Cursor *c, int command) noexcept nogil

    # To be called once, by the subclass. None: the table of a run that names no other.
    cdef int use(self, commands) except -1


cdef inline int kind_of(const Command *rows, int command) noexcept nogil:
    """The kind of a row; KINDS for a command below 0."""
    return rows[command].kind if command >= 0 else KINDS
