# One accepted connection of the built-in server, below its protocol: where received bytes wait, how replies leave, and
# what happens when a peer does not read them. It knows no command; `_resp` and `_memcache` subclass it.
#
#   read:   the shared read buffer, used by every connection in turn. Only what is left of it after a read, the start of
#           a command whose end has not come, is kept, in the connection's own buffer, and reads go behind it until it
#           is consumed. A large argument is received straight into the bytes object that will be stored.
#   write:  the shared out buffer collects the replies to one read, then one send(2). What the kernel does not take goes
#           to the transport, and until the transport has got rid of it the connection is blocked: it executes no
#           further command and reads nothing. So a peer that does not read costs at most one read, one out buffer and
#           one value. A peer that reads all of it, and asks for much with little, has its turn ended for it: it is
#           blocked until the event loop has been round.
#
# Every byte of input passes `process`, whether it was just read or had to wait. There it goes one of two ways: to
# `consume`, by which a protocol executes all that has come as fast as it can, or, when trouble is planted in the
# server, to `handle_under_faults`, which takes one command at a time and asks `_faults` what is to happen to it.

from libc.stdint cimport int64_t

from loadgen.server._faults cimport Faults
from loadgen.server._store cimport Store

cdef enum:
    READ_BYTES = 262144          # one read of the shared buffer; a loopback socket seldom has more
    OWN_BYTES = 65536            # the least size of a connection's own buffer
    LEAST_READ_BYTES = 16384     # with less room than this, the own buffer is compacted or grown
    OUT_BYTES = 262144           # replies collected before a send
    TURN_BYTES = 1048576         # about so much is answered in one turn; then the others have theirs
    SHORT_BYTES = 1024           # room that any short reply fits in
    LARGE_BYTES = 32768          # an argument or a value of this size is worth a read or a write of its own
    MAX_WINDOW_BYTES = 67108864  # the most that one read may fill
    COMMANDS = 64                # room for a protocol's command numbers
    LEAST_HELD_BYTES = 67108864  # however little the items may take, so much may be held beside them

# What next_command finds. Trouble comes to data commands only: a greeting is answered, and a question about the server.
cdef enum:
    AWAITED = 0  # the next command is not there as a whole
    CONTROL = 1  # a command that is no data command, or a part of a data command that takes no service
    DATA = 2


cdef class Window:
    """What get_buffer returns: memory to read into, borrowed from whoever set it, for the time of one read."""
    cdef char *at
    cdef Py_ssize_t size


cdef class Service:
    """What all connections of one server share: the store, the counts and the buffers."""
    cdef readonly Store store
    cdef readonly Faults faults  # None: none is planted
    cdef bint reads_slowly         # that is planted
    cdef object call_soon          # the event loop's; None before the server listens
    cdef bint in_round             # a connection has been read in this round of the event loop
    cdef readonly int64_t max_item_bytes
    cdef readonly str version
    cdef object stop  # called without arguments when a peer asks the server to end
    cdef readonly set connections
    cdef Window window
    cdef char *read_buffer  # READ_BYTES, owned
    cdef char *out          # OUT_BYTES, owned; empty between two calls of `process`
    cdef Py_ssize_t out_size
    cdef int64_t now_ns  # Unix time of this call of `process`
    cdef double started_at
    # What all connections hold beside the items and what each has for itself (its first OWN_BYTES): commands of which
    # more is to come, and replies that are not read. At the bound a value is refused, and another connection is closed.
    cdef readonly int64_t held_bytes
    cdef readonly int64_t max_held_bytes
    cdef readonly str host
    cdef readonly int port
    # Counts; the arrays are indexed by the protocol's command numbers.
    cdef int64_t calls[COMMANDS]     # executed
    cdef int64_t rejected[COMMANDS]  # not executed: wrong number of arguments, or a planted error
    cdef int64_t failed[COMMANDS]    # executed, answered with an error
    cdef int64_t hits[COMMANDS]      # keys found by the command
    cdef int64_t misses[COMMANDS]
    cdef int64_t bytes_read
    cdef int64_t bytes_written
    cdef int64_t connections_total

    cdef int begin_round(self) except -1
    cdef void reset_counts(self)


cdef class Connection:
    cdef Service service
    cdef object transport  # None before connection_made and after connection_lost
    cdef int fd            # the transport's; -1 when there is none
    cdef readonly int64_t id
    cdef bint full     # the transport holds bytes that the kernel has not taken
    cdef bint resting  # its turn is over
    cdef bint blocked  # either of these
    cdef int64_t turn_left  # bytes of replies
    cdef bint paused   # reading is paused: blocked or slowed
    cdef bint overfull  # no room is left for what comes next: it is turned away
    cdef bint closing  # no command is executed any more; closes when the replies are out

    # Its parts of the service's held_bytes.
    cdef int64_t held_own       # of `own`
    cdef int64_t held_large     # of large arguments
    cdef int64_t held_table     # of what a protocol keeps for each argument
    cdef int64_t held_unread    # of what waits in the transport

    # What is planted on this connection.
    cdef int64_t data_commands  # so far
    cdef bint deaf              # reads, and neither executes nor answers anything any more
    cdef bint slowed            # does not read before read_at_ns, a monotonic time
    cdef int64_t read_at_ns

    cdef char *own  # owned, NULL when there is none; own[own_start:own_end] is input not yet consumed
    cdef Py_ssize_t own_start
    cdef Py_ssize_t own_end
    cdef Py_ssize_t own_capacity

    cdef char *large_at         # where the rest of a large argument goes; NULL: it is dropped
    cdef Py_ssize_t large_left  # how much of it is still to come; reads go nowhere else until it is 0

    # The input in hand, during `process`: everything before data + at is consumed.
    cdef char *data
    cdef Py_ssize_t size
    cdef Py_ssize_t at

    # The protocol: executes the commands in data from `at` on, moves `at` behind each, and returns when there is no
    # whole one left, or the connection is blocked, closing, or waiting for a large argument. It is called again with
    # the bytes it left and what came after them.
    cdef int consume(self) except -1
    # The same command by command, for `handle_under_faults`. What is at `at`: AWAITED, CONTROL or DATA.
    cdef int next_command(self) except -1
    # Executes what next_command found. False: the peer does not read, and the rest of its answer comes by a next call.
    cdef bint execute_command(self) except -1
    # Answers it with a planted error instead; it must be DATA.
    cdef int refuse_command(self) except -1
    # The argument's `total` bytes start at data + start, and data ends before them: the rest is received into `into`.
    cdef int receive_large(self, char *into, Py_ssize_t start, Py_ssize_t total) except -1

    cdef int process(self, char *data, Py_ssize_t size) except -1
    cdef int go_on(self) except -1
    cdef int handle_under_faults(self) except -1
    cdef int slow_down(self, Py_ssize_t read_bytes) except -1
    cdef int keep_rest(self) except -1
    cdef bint make_room(self, Py_ssize_t room) except -1  # False: it would hold too much
    # One of its parts of held_bytes becomes `size`. False: that is too much, and nothing has changed.
    cdef bint hold(self, int64_t *part, int64_t size) noexcept
    cdef int let_go(self) except -1    # its parts become nothing
    cdef int turn_away(self) except -1  # closes it, after saying that it holds too much
    cdef int wait_for_peer(self, object rest, Py_ssize_t size) except -1  # what the kernel has not taken
    cdef int spend(self, Py_ssize_t size) except -1
    # The protocol: what is said then.
    cdef bytes too_much(self)

    # Room for a reply of up to `size` ≤ OUT_BYTES bytes; the caller writes it and adds to out_size what it wrote.
    cdef char *reply_room(self, Py_ssize_t size) except NULL
    cdef int reply(self, const char *text, Py_ssize_t size) except -1
    cdef int reply_bytes(self, bytes text) except -1
    # A value and what ends it; a large value is not copied.
    cdef int reply_value(self, bytes value, const char *end, Py_ssize_t end_size) except -1
    cdef int flush(self) except -1
    cdef int write(self, const char *at, Py_ssize_t size) except -1
    cdef int close_after_replies(self) except -1


cdef char *write_decimal(char *out, int64_t value) noexcept nogil
cdef bint read_integer(const char *at, Py_ssize_t size, int64_t *value) noexcept nogil
