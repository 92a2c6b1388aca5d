# RESP2 and RESP3 in the built-in server: commands parsed in place, and replies of every kind. `RespConnection` knows no
# command; `_redis` subclasses it.
#
# A command's arguments are spans of the input in hand, relative to the command's first byte, so that the spans stay
# right when the input moves. A large argument, and every word of an inline command, is a bytes object of its own. After
# the input has ended, parsing continues where it stopped: no argument is parsed twice, wherever the reads cut it.

from cpython.object cimport PyObject
from libc.stdint cimport int64_t

from loadgen.server._connection cimport Connection

cdef enum:
    MAX_BULK_BYTES = 536870912  # Redis' proto-max-bulk-len

# The results of parse.
cdef enum:
    NEED_MORE = 0
    COMPLETE = 1

cdef struct Argument:
    Py_ssize_t start  # of its bytes, counted from the command's first byte
    Py_ssize_t size
    PyObject *own  # bytes, owned by this field; NULL: the bytes are in the input


cdef class RespConnection(Connection):
    cdef int protocol  # 2 or 3
    cdef bint failed  # an error was replied to the command in hand

    cdef Argument *arguments  # owned
    cdef Py_ssize_t capacity
    cdef Py_ssize_t expected  # arguments that the command has; 0: its head has not been read
    cdef Py_ssize_t count     # arguments that are complete
    cdef Py_ssize_t parsed    # bytes of the command that are parsed
    cdef Py_ssize_t bulk      # size of the argument whose bytes are next; -1: its head is next
    cdef int64_t total        # bytes of all arguments, to bound the command
    cdef bint refused         # an argument was too large, to store or to hold, and was dropped on arrival

    cdef int parse(self) except -1
    cdef int parse_inline(self, const char *at, Py_ssize_t size) except -1
    cdef int parse_argument(self) except -1
    cdef bint grow_arguments(self) except -1  # False: held_bytes would exceed its bound
    cdef int end_command(self) except -1
    cdef int protocol_error(self, bytes text) except -1

    cdef const char *at_argument(self, Py_ssize_t i) noexcept
    cdef bytes argument(self, Py_ssize_t i)

    # The subclass's. Execute the command in hand, which has at least a name, and reply to it.
    cdef int execute(self) except -1
    # True when the command in hand is a data command, in the sense of next_command.
    cdef bint is_data(self) except -1
    # Count the command in hand as not executed.
    cdef int reject(self) except -1

    cdef int integer(self, int64_t value) except -1
    cdef int bulk_string(self, bytes value) except -1
    cdef int null(self) except -1
    cdef int head(self, char kind, int64_t size) except -1
    cdef int error(self, bytes text) except -1
    cdef int ok(self) except -1
    cdef int text(self, bytes value) except -1
    cdef int answer(self, value) except -1
