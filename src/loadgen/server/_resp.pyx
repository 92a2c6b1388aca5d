"""The built-in server's RESP side. Source: the RESP2 and RESP3 specifications (redis.io/docs/latest/develop/reference/
protocol-spec); where they leave a choice, redis-server 7.0, with which the tests compare the replies byte by byte."""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.object cimport PyObject
from cpython.ref cimport Py_DECREF, Py_INCREF, Py_XDECREF
from libc.stdint cimport int64_t
from libc.stdlib cimport free, realloc
from libc.string cimport memchr, memset

from loadgen.server._connection cimport (
    AWAITED,
    CONTROL,
    DATA,
    LARGE_BYTES,
    SHORT_BYTES,
    Connection,
    read_integer,
    write_decimal,
)

cdef enum:
    MAX_ARGUMENTS = 65536           # no client needs more; Redis accepts 1,048,576, and takes longer for them
    FREE_TABLE = 1024               # arguments of a connection that do not count towards held_bytes
    MAX_COMMAND_BYTES = 1073741824  # Redis' client-query-buffer-limit
    MAX_INLINE_BYTES = 65536        # Redis' PROTO_INLINE_MAX_SIZE
    MAX_HEAD_BYTES = 32             # no valid *N or $N is longer

# The results of read_head beside NEED_MORE and COMPLETE.
cdef enum:
    BAD = 2
    TOO_LONG = 3

cdef inline int read_head(const char *at, Py_ssize_t size, int64_t *value, Py_ssize_t *used) noexcept nogil:
    """Read the decimal and the CRLF of a *N or $N; `at` is behind the first byte, `used` becomes the bytes read."""
    cdef Py_ssize_t n = 0
    cdef int64_t v = 0
    while n < size and c'0' <= at[n] <= c'9' and n < 10:
        v = v * 10 + (at[n] - c'0')
        n += 1
    if n + 1 < size and n > 0 and at[n] == c'\r' and at[n + 1] == c'\n':
        value[0] = v
        used[0] = n + 2
        return COMPLETE
    return read_odd_head(at, size, value, used)


cdef int read_odd_head(const char *at, Py_ssize_t size, int64_t *value, Py_ssize_t *used) noexcept nogil:
    # The head is cut off, negative, or not a number; only the end of its line shows which.
    cdef const char *end = <const char *>memchr(at, c'\n', min(size, <Py_ssize_t>MAX_HEAD_BYTES))
    if end == NULL:
        return TOO_LONG if size >= MAX_HEAD_BYTES else NEED_MORE
    used[0] = end - at + 1
    if end == at or (end - 1)[0] != c'\r' or not read_integer(at, end - at - 1, value):
        return BAD
    return COMPLETE


cdef list split_inline(bytes line):
    """Return an inline command's words, unquoted as in Redis; None when a quote stays open, or no space follows it."""
    cdef const char *at = PyBytes_AS_STRING(line)
    cdef const char *end = at + PyBytes_GET_SIZE(line)
    cdef char quote
    escapes = {c'n': c'\n', c'r': c'\r', c't': c'\t', c'b': c'\b', c'a': c'\a'}
    words = []
    while True:
        while at < end and (at[0] == c' ' or c'\t' <= at[0] <= c'\r'):
            at += 1
        if at == end:
            return words
        word = bytearray()
        quote = 0
        while at < end:
            if quote == 0:
                if at[0] == c' ' or c'\t' <= at[0] <= c'\r':
                    break
                if at[0] == c'"' or at[0] == c"'":
                    quote = at[0]
                else:
                    word.append(<unsigned char>at[0])
            elif at[0] == quote:
                if at + 1 < end and not (at[1] == c' ' or c'\t' <= at[1] <= c'\r'):
                    return None
                quote = 0
                at += 1
                break
            elif at[0] == c'\\' and quote == c"'" and at + 1 < end and at[1] == c"'":
                at += 1
                word.append(c"'")
            elif at[0] == c'\\' and quote == c'"' and at + 1 < end:
                at += 1
                digits = at[1:3] if at[0] == c'x' and end - at > 2 else b""
                try:
                    word.append(int(digits, 16))
                    at += 2
                except ValueError:
                    word.append(escapes.get(at[0], <unsigned char>at[0]))
            else:
                word.append(<unsigned char>at[0])
            at += 1
        if quote != 0:
            return None
        words.append(bytes(word))


cdef inline int execute_parsed(RespConnection c) except -1:
    if c.count > 0:
        c.execute()
    c.at += c.parsed
    return c.end_command()


cdef class RespConnection(Connection):
    def __init__(self, service):
        Connection.__init__(self, service)
        self.protocol = 2
        self.bulk = -1

    def __dealloc__(self):
        cdef Py_ssize_t i
        for i in range(self.capacity):
            Py_XDECREF(self.arguments[i].own)
        free(self.arguments)

    # ---- parsing

    cdef int consume(self) except -1:
        while not self.blocked and not self.closing and self.parse() == COMPLETE:
            execute_parsed(self)
        return 0

    cdef int next_command(self) except -1:
        if self.parse() != COMPLETE:
            return AWAITED
        return DATA if self.count > 0 and self.is_data() else CONTROL

    cdef bint execute_command(self) except -1:
        execute_parsed(self)
        return True

    cdef int refuse_command(self) except -1:
        self.reject()
        self.error(b"ERR planted")
        self.at += self.parsed
        return self.end_command()

    cdef int parse(self) except -1:
        cdef const char *at = self.data + self.at
        cdef Py_ssize_t size = self.size - self.at
        cdef Py_ssize_t used = 0
        cdef int64_t value = 0
        cdef int status
        if self.expected == 0:
            if size == 0:
                return NEED_MORE
            if at[0] != c'*':
                return self.parse_inline(at, size)
            status = read_head(at + 1, size - 1, &value, &used)
            if status == NEED_MORE:
                return NEED_MORE
            if status == TOO_LONG:
                return self.protocol_error(b"too big mbulk count string")
            if status == BAD or value > MAX_ARGUMENTS:
                return self.protocol_error(b"invalid multibulk length")
            self.parsed = 1 + used
            if value <= 0:
                return COMPLETE
            self.expected = value
        while self.count < self.expected:
            if self.count == self.capacity and not self.grow_arguments():
                return self.protocol_error(b"too big command")
            status = self.parse_argument()
            if status != COMPLETE:
                return status
        return COMPLETE

    cdef int parse_argument(self) except -1:
        cdef const char *at = self.data + self.at + self.parsed
        cdef Py_ssize_t size = self.size - self.at - self.parsed
        cdef Argument *argument = &self.arguments[self.count]
        cdef Py_ssize_t used = 0
        cdef int64_t value = 0
        cdef int status
        cdef bytes own
        if self.bulk < 0:
            if size == 0:
                return NEED_MORE
            if at[0] != c'$':
                return self.protocol_error(b"expected '$', got '" + at[:1] + b"'")
            status = read_head(at + 1, size - 1, &value, &used)
            if status == NEED_MORE:
                return NEED_MORE
            if status == TOO_LONG:
                return self.protocol_error(b"too big bulk count string")
            if status == BAD or not 0 <= value <= MAX_BULK_BYTES:
                return self.protocol_error(b"invalid bulk length")
            self.total += value
            if self.total > MAX_COMMAND_BYTES:
                return self.protocol_error(b"too big command")
            self.bulk = value
            self.parsed += 1 + used
            at += 1 + used
            size -= 1 + used
            argument.size = self.bulk
            if self.bulk >= LARGE_BYTES and size < self.bulk:
                if self.bulk > self.service.max_item_bytes or not self.hold(
                    &self.held_large, self.held_large + self.bulk
                ):
                    self.refused = True
                    argument.size = 0
                    self.receive_large(NULL, self.at + self.parsed, self.bulk)
                else:
                    own = PyBytes_FromStringAndSize(NULL, self.bulk)
                    Py_INCREF(own)
                    argument.own = <PyObject *>own
                    self.receive_large(PyBytes_AS_STRING(own), self.at + self.parsed, self.bulk)
                # The argument's bytes are not in the input: the next bytes there are its CRLF.
                self.bulk = 0
                return NEED_MORE
            argument.start = self.parsed
        if size < self.bulk + 2:
            return NEED_MORE
        if at[self.bulk] != c'\r' or at[self.bulk + 1] != c'\n':
            return self.protocol_error(b"expected CRLF after a bulk string")
        self.parsed += self.bulk + 2
        self.bulk = -1
        self.count += 1
        return COMPLETE

    cdef int parse_inline(self, const char *at, Py_ssize_t size) except -1:
        cdef const char *end = <const char *>memchr(at, c'\n', size)
        cdef Py_ssize_t length
        if end == NULL:
            return self.protocol_error(b"too big inline request") if size > MAX_INLINE_BYTES else NEED_MORE
        length = end - at
        words = split_inline(at[:length - 1] if length > 0 and at[length - 1] == c'\r' else at[:length])
        if words is None:
            return self.protocol_error(b"unbalanced quotes in request")
        self.parsed = length + 1
        for word in words:
            if self.count == self.capacity and not self.grow_arguments():
                return self.protocol_error(b"too big command")
            Py_INCREF(word)
            self.arguments[self.count].own = <PyObject *>word
            self.arguments[self.count].size = len(word)
            self.count += 1
        return COMPLETE

    cdef bint grow_arguments(self) except -1:
        # The table grows with the arguments that have come, not with those that were announced.
        cdef Py_ssize_t capacity = max(<Py_ssize_t>8, 2 * self.capacity)
        cdef Argument *grown
        if capacity > FREE_TABLE and not self.hold(&self.held_table, capacity * <int64_t>sizeof(Argument)):
            return False
        grown = <Argument *>realloc(self.arguments, capacity * sizeof(Argument))
        if grown == NULL:
            raise MemoryError()
        memset(grown + self.capacity, 0, (capacity - self.capacity) * sizeof(Argument))
        self.arguments = grown
        self.capacity = capacity
        return True

    cdef int end_command(self) except -1:
        cdef Py_ssize_t i
        for i in range(self.count):
            if self.arguments[i].own != NULL:
                Py_DECREF(<object>self.arguments[i].own)
                self.arguments[i].own = NULL
        if self.capacity > FREE_TABLE:
            free(self.arguments)
            self.arguments = NULL
            self.capacity = 0
            self.hold(&self.held_table, 0)
        if self.held_large > 0:
            self.hold(&self.held_large, 0)
        self.expected = self.count = self.parsed = self.total = 0
        self.refused = False
        return 0

    cdef bytes too_much(self):
        return b"-OOM the commands in progress take more memory than the server has for them\r\n"

    cdef int protocol_error(self, bytes text) except -1:
        self.reply_bytes(b"-ERR Protocol error: " + text + b"\r\n")
        self.close_after_replies()
        return NEED_MORE

    # ---- the arguments of the command in hand

    cdef inline const char *at_argument(self, Py_ssize_t i) noexcept:
        """Return the address of the argument's bytes, valid until the command ends; `arguments[i].size` is the size."""
        if self.arguments[i].own != NULL:
            return PyBytes_AS_STRING(<bytes>self.arguments[i].own)
        return self.data + self.at + self.arguments[i].start

    cdef bytes argument(self, Py_ssize_t i):
        cdef Argument *argument = &self.arguments[i]
        if argument.own != NULL:
            return <bytes>argument.own
        return PyBytes_FromStringAndSize(self.data + self.at + argument.start, argument.size)

    # Every subclass has these three; `_resp.pxd` says what they do.

    cdef int execute(self) except -1:
        raise NotImplementedError

    cdef bint is_data(self) except -1:
        raise NotImplementedError

    cdef int reject(self) except -1:
        raise NotImplementedError

    # ---- replies

    cdef int integer(self, int64_t value) except -1:
        return self.head(c':', value)

    cdef int head(self, char kind, int64_t size) except -1:
        cdef char *start = self.reply_room(SHORT_BYTES)
        cdef char *at = start
        at[0] = kind
        at = write_decimal(at + 1, size)
        at[0] = c'\r'
        at[1] = c'\n'
        self.service.out_size += at + 2 - start
        return 0

    cdef int bulk_string(self, bytes value) except -1:
        self.head(c'$', PyBytes_GET_SIZE(value))
        return self.reply_value(value, b"\r\n", 2)

    cdef int null(self) except -1:
        return self.reply(b"$-1\r\n", 5) if self.protocol == 2 else self.reply(b"_\r\n", 3)

    cdef int error(self, bytes text) except -1:
        self.failed = True
        # An error is one line, whatever a client put into its command.
        return self.reply_bytes(b"-" + text.replace(b"\r", b" ").replace(b"\n", b" ") + b"\r\n")

    cdef int ok(self) except -1:
        return self.reply(b"+OK\r\n", 5)

    cdef int answer(self, value) except -1:
        """Reply an int, bytes (bulk), str (simple), None, list, dict or frozenset; the last two are arrays in RESP2."""
        if value is None:
            self.null()
        elif isinstance(value, int):
            self.integer(value)
        elif isinstance(value, bytes):
            self.bulk_string(value)
        elif isinstance(value, str):
            self.reply_bytes(b"+" + value.encode() + b"\r\n")
        elif isinstance(value, dict):
            if self.protocol == 2:
                self.head(c'*', 2 * len(value))
            else:
                self.head(c'%', len(value))
            for name, part in value.items():
                self.answer(name)
                self.answer(part)
        else:
            self.head(c'~' if self.protocol == 3 and isinstance(value, frozenset) else c'*', len(value))
            for part in value:
                self.answer(part)
        return 0

    cdef int text(self, bytes value) except -1:
        """Reply lines for people: a bulk string in RESP2, a verbatim string in RESP3."""
        if self.protocol == 2:
            return self.bulk_string(value)
        self.head(c'=', len(value) + 4)
        self.reply(b"txt:", 4)
        return self.reply_value(value, b"\r\n", 2)
