# memcache's text protocol in the built-in server: parsing in place, the commands, memcached's wording.
#
# A line is executed when its newline has come. A storage command is then kept until its data block has come; a get of
# many keys is kept between two keys while the peer does not read. So a connection is always in one of three states: at
# a line, in a storage command, or in a get.

from libc.stdint cimport int64_t, uint32_t, uint64_t

from loadgen.server._connection cimport Connection

cdef enum:
    MAX_KEY_BYTES = 250
    MAX_TOKENS = 24  # of a line that is not a get; the rest of the line is ignored

# The commands' numbers, for the counts.
cdef enum:
    NO_COMMAND = -1
    GET = 0
    SET = 1
    ADD = 2
    REPLACE = 3
    APPEND = 4
    PREPEND = 5
    CAS = 6
    DELETE = 7
    INCR = 8
    DECR = 9
    TOUCH = 10
    FLUSH = 11
    CAS_BAD = 12  # no command: a cas whose item had been changed

cdef struct Token:
    const char *at  # borrowed from the input in hand
    Py_ssize_t size

cdef struct Storage:  # a storage command that waits for its data
    int command       # SET, ADD, … ; -1: no such command waits
    bint noreply
    bint dropped  # the answer has been given; the data is skipped
    uint32_t flags
    int64_t expires_at_ms
    uint64_t version  # cas: the version that the client has seen
    Py_ssize_t size   # of the data, without the CRLF


cdef class MemcacheConnection(Connection):
    cdef Storage storage
    cdef bytes key             # of the storage command
    cdef bytes large           # the storage command's data, when large
    cdef bint large_received   # all of the data is in `large`, or was dropped
    cdef Py_ssize_t scanned    # bytes of the line at `at` in which no newline was found
    cdef Py_ssize_t next_key   # in a get: where in the line the next key is sought; 0: not in a get
    cdef Py_ssize_t line_size  # of the get's line, without CR and LF
    cdef bint with_version     # the get is a gets

    cdef int read_line(self) except -1
    cdef int execute(self, const char *line, Py_ssize_t size) except -1
    cdef int execute_any(self, const char *line, Py_ssize_t size) except -1
    cdef int start_get(self, Py_ssize_t keys_at, Py_ssize_t size, bint with_version) except -1
    cdef int continue_get(self) except -1
    cdef int get_item(self, const char *key, Py_ssize_t size) except -1
    cdef int start_storage(self, int command, Token *tokens, int count) except -1
    cdef int continue_storage(self) except -1
    cdef int refuse_storage(self, int command, bytes text) except -1
    cdef int store_item(self, bytes value) except -1
    cdef int say(self, bytes text, bint noreply) except -1


cdef inline int go_on(MemcacheConnection c) except -1:
    """Continue the get, the storage command or the line that the connection is in, if there is enough input."""
    if c.next_key > 0:
        return c.continue_get()
    if c.storage.command != NO_COMMAND:
        return c.continue_storage()
    return c.read_line()
