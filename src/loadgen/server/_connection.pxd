# One accepted connection of the built-in server, below its protocol: where received bytes wait, how replies leave, and
# what happens when a peer does not read them. `Connection` knows no command; `_resp` and `_memcache` subclass it.
#
#   read:   every connection reads into the shared read buffer. After a read, an incomplete command at the end of the
#           buffer is copied to the connection's own buffer, and further reads go behind it until it is consumed. A
#           large argument is received straight into the bytes object that will be stored.
#   write:  the shared out buffer collects the replies to one read, then one send(2). The bytes that the kernel does not
#           take go to the transport, and the connection is blocked until the transport has sent them: the connection
#           executes no further command and reads nothing. So a peer that does not read costs at most one read, one out
#           buffer and one value. A peer that reads, and whose small commands have large replies, is blocked at the end
#           of its turn, until the event loop's next round.
#
# Every byte of input passes `process`, whether it was just read or had to wait. `process` calls `consume`, by which a
# protocol executes every complete command as fast as it can. When faults are planted in the server, `process` calls
# `handle_under_faults` instead, which takes one command at a time and applies the faults to each.

from libc.stdint cimport int64_t

from loadgen.engine._time cimport Time
from loadgen.server._faults cimport Faults
from loadgen.server._store cimport Store

cdef enum:
    READ_BYTES = 262144          # one read of the shared buffer; a loopback socket seldom has more
    OWN_BYTES = 65536            # the least size of a connection's own buffer
    LEAST_READ_BYTES = 16384     # with less room than this, the own buffer is compacted or grown
    OUT_BYTES = 262144           # replies collected before a send
    TURN_BYTES = 1048576         # replies of one turn, about; then the other connections have theirs
    SHORT_BYTES = 1024           # room that any short reply fits in
    LARGE_BYTES = 32768          # an argument or a value of this size is worth a read or a write of its own
    MAX_WINDOW_BYTES = 67108864  # the most that one read may fill
    COMMANDS = 64                # room for a protocol's command numbers
    LEAST_HELD_BYTES = 67108864  # the least bound on held_bytes, however little the items may take

# Results of next_command. Faults apply to data commands only: greetings and questions about the server are answered.
cdef enum:
    AWAITED = 0  # the next command is incomplete
    CONTROL = 1  # a command that is no data command, or a part of a data command that takes no service
    DATA = 2


cdef class Window:
    """The result of get_buffer: memory to read into, borrowed from its owner for the time of one read."""
    cdef char *at
    cdef Py_ssize_t size


cdef class Service:
    """The state that all connections of one server share: the store, the counts and the buffers."""
    cdef readonly Store store
    cdef Time time                 # the clocks of everything here, the faults' too
    cdef readonly Faults faults    # None when no faults are planted
    cdef bint reads_slowly         # slow reading is planted
    cdef object call_soon          # the event loop's; None before the server listens
    cdef object call_later         # the same
    cdef bint in_round             # input was read in this round of the event loop; set only when faults take time
    cdef readonly int64_t max_item_bytes
    cdef readonly str version
    cdef object stop  # called without arguments when a peer asks the server to end
    cdef readonly set connections
    cdef Window window
    cdef char *read_buffer  # READ_BYTES, owned
    cdef char *out          # OUT_BYTES, owned; empty between two calls of `process`
    cdef Py_ssize_t out_size
    cdef int64_t now_ms  # Unix time of this call of `process`
    cdef int64_t started_ns  # monotonic
    cdef int64_t last_id     # of a connection
    # The bytes that all connections hold beside the items and beside the first OWN_BYTES of each: incomplete commands,
    # and replies that are not read. At the bound a large value is refused; a connection that holds anything else is
    # closed.
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
    cdef int fd            # the transport's; -1 where it has none: its `write` then takes all replies
    cdef readonly int64_t id
    cdef bint full     # the transport holds bytes that the kernel has not taken
    cdef bint resting  # the turn is over, until the event loop's next round
    cdef bint blocked  # full or resting
    cdef int64_t turn_left  # bytes of replies left in the turn
    cdef bint paused   # reading is paused: blocked or slowed
    cdef bint overfull  # no room is left for further input: the connection is turned away
    cdef bint closing  # no command is executed any more; closes when the replies are out

    # This connection's parts of the service's held_bytes.
    cdef int64_t held_own       # `own`, beyond its first OWN_BYTES
    cdef int64_t held_large     # large arguments
    cdef int64_t held_table     # the protocol's table of arguments
    cdef int64_t held_unread    # bytes that wait in the transport

    # The state of the faults on this connection.
    cdef int64_t data_commands  # served so far
    cdef bint dropping          # input is read and dropped: nothing is executed or answered any more
    cdef bint slowed            # no read before read_at_ns, a monotonic time
    cdef int64_t read_at_ns

    cdef char *own  # owned, NULL when there is none; own[own_start:own_end] is input not yet consumed
    cdef Py_ssize_t own_start
    cdef Py_ssize_t own_end
    cdef Py_ssize_t own_capacity

    cdef char *large_at         # where the rest of a large argument goes; NULL: the rest is dropped
    cdef Py_ssize_t large_left  # bytes of the argument still to come; reads go nowhere else until this is 0

    # The input in hand, during `process`: everything before data + at is consumed.
    cdef char *data
    cdef Py_ssize_t size
    cdef Py_ssize_t at

    # The protocol's. Execute the commands in data from `at` on, and move `at` behind each. Return when no complete
    # command is left, or the connection is blocked, closing, or waiting for a large argument. The next call gets the
    # bytes that were left and those that came after them.
    cdef int consume(self) except -1
    # The same command by command, for `handle_under_faults`. Return the kind of the input at `at`: AWAITED, CONTROL or
    # DATA.
    cdef int next_command(self) except -1
    # Execute the command that next_command found. False: the peer does not read, and a later call sends the rest.
    cdef bint execute_command(self) except -1
    # Answer that command, which must be DATA, with a planted error instead.
    cdef int refuse_command(self) except -1
    # Receive the rest of an argument into `into`, or drop it for NULL. The argument's `total` bytes start at
    # data + start, and data ends before they do.
    cdef int receive_large(self, char *into, Py_ssize_t start, Py_ssize_t total) except -1

    cdef int process(self, char *data, Py_ssize_t size) except -1
    cdef int go_on(self) except -1
    cdef int handle_under_faults(self) except -1
    cdef int slow_down(self, Py_ssize_t read_bytes) except -1
    cdef int keep_rest(self) except -1
    cdef bint make_room(self, Py_ssize_t room) except -1  # False: held_bytes would exceed its bound
    # Set one of this connection's parts of held_bytes. False: the bound would be exceeded, and nothing has changed.
    cdef bint hold(self, int64_t *part, int64_t size) noexcept
    cdef int release_held(self) except -1  # frees `own` and sets all parts to 0
    cdef int turn_away(self) except -1  # replies too_much and closes the connection
    cdef int wait_for_peer(self, object rest, Py_ssize_t size) except -1  # passes the transport what is not sent
    cdef int spend(self, Py_ssize_t size) except -1
    # The protocol's: the reply to a connection that holds too much.
    cdef bytes too_much(self)

    # Return room for a reply of up to `size` ≤ OUT_BYTES bytes; the caller writes the reply and adds to out_size.
    cdef char *reply_room(self, Py_ssize_t size) except NULL
    cdef int reply(self, const char *text, Py_ssize_t size) except -1
    cdef int reply_bytes(self, bytes text) except -1
    # Reply a value and the bytes that end it; a large value is not copied.
    cdef int reply_value(self, bytes value, const char *end, Py_ssize_t end_size) except -1
    cdef int flush(self) except -1
    cdef int write(self, const char *at, Py_ssize_t size) except -1
    cdef int close_after_replies(self) except -1


cdef char *write_decimal(char *out, int64_t value) noexcept nogil
cdef bint read_integer(const char *at, Py_ssize_t size, int64_t *value) noexcept nogil
