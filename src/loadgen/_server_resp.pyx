# cython: boundscheck=True, wraparound=True
# (A command's words are Python lists here. The hot paths index C pointers, which neither setting touches.)
"""The built-in server's RESP side. Sources: the RESP2 and RESP3 specifications (redis.io/docs/latest/develop/reference/
protocol-spec), and the answers of redis-server 7.0, which the tests compare byte by byte."""

import fnmatch
import os
import time

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.object cimport PyObject
from cpython.ref cimport Py_DECREF, Py_INCREF, Py_XDECREF
from libc.stdint cimport int64_t
from libc.stdlib cimport free, realloc
from libc.string cimport memchr, memset

from loadgen._server_connection cimport LARGE_BYTES, SHORT_BYTES, Connection, Service, read_integer, write_decimal
from loadgen._store cimport Item, Store, value_of

cdef enum:
    MAX_ARGUMENTS = 1048576         # Redis before 7.0
    MAX_BULK_BYTES = 536870912      # Redis' proto-max-bulk-len
    MAX_COMMAND_BYTES = 1073741824  # Redis' client-query-buffer-limit
    MAX_INLINE_BYTES = 65536        # Redis' PROTO_INLINE_MAX_SIZE
    MAX_HEAD_BYTES = 32             # no valid *N or $N is longer

# What parse says.
cdef enum:
    NEED_MORE = 0
    COMPLETE = 1

# What read_head says beside NEED_MORE and COMPLETE.
cdef enum:
    BAD = 2
    TOO_LONG = 3

# The replies' version of Redis: some programs look for features by it.
REDIS_VERSION = "7.0.0"

_MILLISECOND = 1_000_000
_SECOND = 1_000_000_000
_MAX_EXPIRY_NS = 2**62

# The numbers of the commands that are executed without a look into _TABLE: their places in it.
cdef enum:
    GET = 0
    SET = 1
    DEL = 2
    PING = 3

# Name, arity as Redis counts it (with the name; negative: at least), flags, first and last key, group, summary.
_TABLE = (
    ("get", 2, "readonly fast", 1, 1, "string", "Returns the value of a key."),
    ("set", -3, "write denyoom", 1, 1, "string", "Sets the value of a key."),
    ("del", -2, "write", 1, -1, "generic", "Deletes keys."),
    ("ping", -1, "fast", 0, 0, "connection", "Answers PONG, or the message."),
    ("unlink", -2, "write fast", 1, -1, "generic", "Deletes keys."),
    ("exists", -2, "readonly fast", 1, -1, "generic", "Counts the keys that exist."),
    ("expire", 3, "write fast", 1, 1, "generic", "Sets a key's time to live in seconds."),
    ("pexpire", 3, "write fast", 1, 1, "generic", "Sets a key's time to live in milliseconds."),
    ("ttl", 2, "readonly fast", 1, 1, "generic", "Returns a key's time to live in seconds."),
    ("pttl", 2, "readonly fast", 1, 1, "generic", "Returns a key's time to live in milliseconds."),
    ("persist", 2, "write fast", 1, 1, "generic", "Takes a key's time to live away."),
    ("echo", 2, "fast", 0, 0, "connection", "Answers the message."),
    ("hello", -1, "fast", 0, 0, "connection", "Chooses the protocol's version."),
    ("auth", -2, "fast", 0, 0, "connection", "Authenticates; there is no password to give."),
    ("select", 2, "fast", 0, 0, "connection", "Chooses the database; there is only 0."),
    ("client", -2, "", 0, 0, "connection", "SETNAME, GETNAME, SETINFO, ID, LIST, INFO, NO-EVICT, REPLY ON."),
    ("quit", -1, "fast", 0, 0, "connection", "Answers OK and closes the connection."),
    ("reset", 1, "fast", 0, 0, "connection", "Resets the connection's name and protocol."),
    ("info", -1, "", 0, 0, "server", "Describes the server and its counts."),
    ("config", -2, "admin", 0, 0, "server", "GET and RESETSTAT."),
    ("command", -1, "", 0, 0, "server", "Describes the commands: COUNT, DOCS, INFO, LIST."),
    ("dbsize", 1, "readonly fast", 0, 0, "server", "Counts the keys."),
    ("flushall", -1, "write", 0, 0, "server", "Removes every key."),
    ("flushdb", -1, "write", 0, 0, "server", "Removes every key."),
    ("time", 1, "fast", 0, 0, "server", "Returns the server's time."),
    ("shutdown", -1, "admin", 0, 0, "server", "Ends the server."),
)

_NUMBERS = {name.upper().encode(): number for number, (name, *_) in enumerate(_TABLE)}


cdef inline int read_head(const char *at, Py_ssize_t size, int64_t *value, Py_ssize_t *used) noexcept nogil:
    """Reads the decimal and the CRLF of a *N or $N; `at` is behind the first byte, `used` what was read."""
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
    # Cut off, negative, or not a number; which of them can only be said when its line has ended.
    cdef const char *end = <const char *>memchr(at, c'\n', min(size, <Py_ssize_t>MAX_HEAD_BYTES))
    if end == NULL:
        return TOO_LONG if size >= MAX_HEAD_BYTES else NEED_MORE
    used[0] = end - at + 1
    if end == at or (end - 1)[0] != c'\r' or not read_integer(at, end - at - 1, value):
        return BAD
    return COMPLETE


cdef inline bint is_word(const char *at, const char *upper, int size) noexcept nogil:
    """Whether the letters at `at` are those of `upper`, in either case."""
    cdef int i
    for i in range(size):
        if (at[i] & 0xDF) != upper[i]:
            return False
    return True


cdef list split_inline(bytes line):
    """An inline command's words, unquoted as Redis does it; None when a quote is open, or no space follows it."""
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


cdef class RespConnection(Connection):
    def __init__(self, service):
        Connection.__init__(self, service)
        self.protocol = 2
        self.name = b""
        self.bulk = -1

    def __dealloc__(self):
        cdef Py_ssize_t i
        for i in range(self.capacity):
            Py_XDECREF(self.arguments[i].own)
        free(self.arguments)

    # ---- parsing

    cdef int consume(self) except -1:
        while not self.blocked and not self.closing and self.parse() == COMPLETE:
            if self.count > 0:
                self.execute()
            self.at += self.parsed
            self.end_command()
        return 0

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
            if self.count == self.capacity:
                self.grow_arguments()
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
                if self.bulk > self.service.max_item_bytes:
                    self.refused = True
                    argument.size = 0
                    self.receive_large(NULL, self.at + self.parsed, self.bulk)
                else:
                    own = PyBytes_FromStringAndSize(NULL, self.bulk)
                    Py_INCREF(own)
                    argument.own = <PyObject *>own
                    self.receive_large(PyBytes_AS_STRING(own), self.at + self.parsed, self.bulk)
                # Its bytes are not in the input: what comes next there is its CRLF.
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
            if self.count == self.capacity:
                self.grow_arguments()
            Py_INCREF(word)
            self.arguments[self.count].own = <PyObject *>word
            self.arguments[self.count].size = len(word)
            self.count += 1
        return COMPLETE

    cdef int grow_arguments(self) except -1:
        # The table grows with the arguments that have come, not with those that were announced.
        cdef Py_ssize_t capacity = max(<Py_ssize_t>8, 2 * self.capacity)
        cdef Argument *grown = <Argument *>realloc(self.arguments, capacity * sizeof(Argument))
        if grown == NULL:
            raise MemoryError()
        memset(grown + self.capacity, 0, (capacity - self.capacity) * sizeof(Argument))
        self.arguments = grown
        self.capacity = capacity
        return 0

    cdef int end_command(self) except -1:
        cdef Py_ssize_t i
        for i in range(self.count):
            if self.arguments[i].own != NULL:
                Py_DECREF(<object>self.arguments[i].own)
                self.arguments[i].own = NULL
        if self.capacity > 1024:
            free(self.arguments)
            self.arguments = NULL
            self.capacity = 0
        self.expected = self.count = self.parsed = self.total = 0
        self.refused = False
        return 0

    cdef int protocol_error(self, bytes text) except -1:
        self.reply_bytes(b"-ERR Protocol error: " + text + b"\r\n")
        self.close_after_replies()
        return NEED_MORE

    # ---- executing

    cdef inline const char *at_argument(self, Py_ssize_t i) noexcept:
        """The argument's first byte, valid until the command ends; `arguments[i].size` is its size."""
        if self.arguments[i].own != NULL:
            return PyBytes_AS_STRING(<bytes>self.arguments[i].own)
        return self.data + self.at + self.arguments[i].start

    cdef bytes argument(self, Py_ssize_t i):
        cdef Argument *argument = &self.arguments[i]
        if argument.own != NULL:
            return <bytes>argument.own
        return PyBytes_FromStringAndSize(self.data + self.at + argument.start, argument.size)

    cdef int execute(self) except -1:
        cdef Argument *first = &self.arguments[0]
        cdef const char *name = self.data + self.at + first.start
        if first.own == NULL and not self.refused:
            if first.size == 3 and self.count == 2 and is_word(name, b"GET", 3):
                self.service.calls[GET] += 1
                return self.get_item()
            if first.size == 3 and self.count == 3 and is_word(name, b"SET", 3):
                self.service.calls[SET] += 1
                return self.set_item()
            if first.size == 3 and self.count == 2 and is_word(name, b"DEL", 3):
                self.service.calls[DEL] += 1
                return self.integer(
                    self.service.store.remove(self.at_argument(1), self.arguments[1].size, self.service.now_ns)
                )
            if first.size == 4 and self.count == 1 and is_word(name, b"PING", 4):
                self.service.calls[PING] += 1
                return self.reply(b"+PONG\r\n", 7)
        return self.execute_any()

    cdef int get_item(self) except -1:
        cdef Item *item = self.service.store.find(self.at_argument(1), self.arguments[1].size, self.service.now_ns)
        if item == NULL:
            self.service.misses[GET] += 1
            return self.null()
        self.service.hits[GET] += 1
        return self.bulk_string(value_of(item))

    cdef int set_item(self) except -1:
        if not self.service.store.put(self.at_argument(1), self.arguments[1].size, self.argument(2), 0, 0):
            self.service.failed[SET] += 1
            return self.out_of_memory()
        return self.reply(b"+OK\r\n", 5)

    cdef int execute_any(self) except -1:
        cdef int number
        name = self.argument(0)
        found = _NUMBERS.get(name.upper())
        if found is None:
            return self.unknown_command(name)
        number = found
        arity = _TABLE[number][1]
        if self.count != arity if arity > 0 else self.count < -arity:
            self.service.rejected[number] += 1
            return self.wrong_arity(_TABLE[number][0].encode())
        self.service.calls[number] += 1
        self.failed = False
        if self.refused:
            self.out_of_memory()
        else:
            _HANDLERS[number](self, [self.argument(i) for i in range(self.count)])
        self.service.failed[number] += self.failed
        return 0

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

    cdef int out_of_memory(self) except -1:
        return self.error(b"OOM command not allowed when used memory > 'maxmemory'.")

    cdef int unknown_command(self, bytes name) except -1:
        shown = b""
        for i in range(1, self.count):
            if len(shown) >= 128:
                break
            shown += b"'" + self.argument(i)[:128 - len(shown)] + b"' "
        return self.error(b"ERR unknown command '" + name[:128] + b"', with args beginning with: " + shown)

    cdef int wrong_arity(self, bytes name) except -1:
        return self.error(b"ERR wrong number of arguments for '" + name + b"' command")

    cdef int unknown_subcommand(self, list args) except -1:
        return self.error(b"ERR unknown subcommand '" + args[1][:128] + b"'. Try " + args[0].upper() + b" HELP.")

    cdef int syntax_error(self) except -1:
        return self.error(b"ERR syntax error")

    cdef int ok(self) except -1:
        return self.reply(b"+OK\r\n", 5)

    cdef int answer(self, value) except -1:
        """Any reply: int, bytes (bulk), str (simple), None, list, dict, frozenset; the last two are arrays in RESP2."""
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
        """Lines for people: a bulk string in RESP2, a verbatim string in RESP3."""
        if self.protocol == 2:
            return self.bulk_string(value)
        self.head(c'=', len(value) + 4)
        self.reply(b"txt:", 4)
        return self.reply_value(value, b"\r\n", 2)


# ---- commands, one function each; `args` has the command's name first

cdef Item *peek(RespConnection c, bytes key) noexcept:
    return c.service.store.peek(PyBytes_AS_STRING(key), len(key), c.service.now_ns)


def _get(RespConnection c, list args):
    c.get_item()


def _set(RespConnection c, list args):
    cdef Store store = c.service.store
    cdef int64_t expires_at_ns = 0
    cdef Item *old
    unit_ns = 0
    options = set()
    words = iter(args[3:])
    for word in words:
        option = word.upper()
        if option in (b"EX", b"PX", b"EXAT", b"PXAT"):
            amount = next(words, None)
            if unit_ns or b"KEEPTTL" in options or amount is None:
                return c.syntax_error()
            unit_ns = _SECOND if option[:2] == b"EX" else _MILLISECOND
            absolute = option.endswith(b"AT")
        elif option in (b"NX", b"XX", b"GET", b"KEEPTTL"):
            options.add(option)
            if {b"NX", b"XX"} <= options or (option == b"KEEPTTL" and unit_ns):
                return c.syntax_error()
        else:
            return c.syntax_error()
    if unit_ns:
        expires_at_ns = _expiry(c, amount, unit_ns, absolute, b"set")
        if expires_at_ns == 0:
            return 0
    old = peek(c, args[1])
    previous = None if old == NULL else value_of(old)
    if b"GET" in options:
        if old == NULL:
            c.service.misses[SET] += 1
        else:
            c.service.hits[SET] += 1
    if not (b"NX" in options and old != NULL or b"XX" in options and old == NULL):
        if b"KEEPTTL" in options and old != NULL:
            expires_at_ns = old.expires_at_ns
        if not store.put(PyBytes_AS_STRING(<bytes>args[1]), len(args[1]), args[2], 0, expires_at_ns):
            return c.out_of_memory()
        return c.answer(previous) if b"GET" in options else c.ok()
    return c.answer(previous if b"GET" in options else None)


cdef int64_t _expiry(RespConnection c, bytes amount, object unit_ns, bint absolute, bytes command) except -1:
    """The Unix time in ns that an amount of time units means; 0 when it was wrong, and that has been replied."""
    cdef int64_t value
    if not read_integer(PyBytes_AS_STRING(amount), len(amount), &value):
        c.error(b"ERR value is not an integer or out of range")
        return 0
    ends = <object>value * unit_ns + (0 if absolute else c.service.now_ns)
    if value <= 0 or ends > _MAX_EXPIRY_NS:
        c.error(b"ERR invalid expire time in '" + command + b"' command")
        return 0
    return ends


def _del(RespConnection c, list args):
    deleted = 0
    for key in args[1:]:
        deleted += c.service.store.remove(PyBytes_AS_STRING(<bytes>key), len(key), c.service.now_ns)
    c.integer(deleted)


def _exists(RespConnection c, list args):
    cdef int number = _NUMBERS[b"EXISTS"]
    found = 0
    for key in args[1:]:
        if peek(c, key) == NULL:
            c.service.misses[number] += 1
        else:
            c.service.hits[number] += 1
            found += 1
    c.integer(found)


def _expire(RespConnection c, list args):
    cdef int64_t value
    cdef Item *item = peek(c, args[1])
    milliseconds = args[0].upper() == b"PEXPIRE"
    if not read_integer(PyBytes_AS_STRING(<bytes>args[2]), len(args[2]), &value):
        return c.error(b"ERR value is not an integer or out of range")
    ends = <object>value * (_MILLISECOND if milliseconds else _SECOND) + c.service.now_ns
    if ends > _MAX_EXPIRY_NS:
        return c.error(b"ERR invalid expire time in '" + args[0].lower() + b"' command")
    if item == NULL:
        return c.integer(0)
    if value <= 0:
        c.service.store.remove(PyBytes_AS_STRING(<bytes>args[1]), len(args[1]), c.service.now_ns)
    else:
        c.service.store.expire_at(item, ends)
    return c.integer(1)


def _ttl(RespConnection c, list args):
    cdef int number = _NUMBERS[args[0].upper()]
    cdef Item *item = peek(c, args[1])
    cdef int64_t left_ms
    if item == NULL:
        c.service.misses[number] += 1
        return c.integer(-2)
    c.service.hits[number] += 1
    if item.expires_at_ns == 0:
        return c.integer(-1)
    left_ms = (item.expires_at_ns - c.service.now_ns) // _MILLISECOND
    return c.integer(left_ms if args[0].upper() == b"PTTL" else (left_ms + 500) // 1000)


def _persist(RespConnection c, list args):
    cdef Item *item = peek(c, args[1])
    if item == NULL or item.expires_at_ns == 0:
        return c.integer(0)
    c.service.store.expire_at(item, 0)
    return c.integer(1)


def _ping(RespConnection c, list args):
    if len(args) > 2:
        return c.wrong_arity(b"ping")
    return c.answer(args[1] if len(args) == 2 else "PONG")


def _echo(RespConnection c, list args):
    c.bulk_string(args[1])


def _time(RespConnection c, list args):
    seconds, rest_ns = divmod(c.service.now_ns, _SECOND)
    c.answer([str(seconds).encode(), str(rest_ns // 1000).encode()])


def _select(RespConnection c, list args):
    cdef int64_t value
    if not read_integer(PyBytes_AS_STRING(<bytes>args[1]), len(args[1]), &value):
        return c.error(b"ERR value is not an integer or out of range")
    return c.ok() if value == 0 else c.error(b"ERR DB index is out of range")


def _dbsize(RespConnection c, list args):
    c.integer(c.service.store.items)


def _flush(RespConnection c, list args):
    if len(args) > 2 or len(args) == 2 and args[1].upper() not in (b"SYNC", b"ASYNC"):
        return c.syntax_error()
    c.service.store.clear()
    return c.ok()


def _quit(RespConnection c, list args):
    c.ok()
    c.close_after_replies()


def _reset(RespConnection c, list args):
    c.protocol = 2
    c.name = b""
    c.answer("RESET")


def _shutdown(RespConnection c, list args):
    c.close_after_replies()
    c.service.stop()


cdef bint _is_user(RespConnection c, bytes user) except -1:
    """There is one user, `default`, who needs no password; any other has been answered."""
    if user == b"default":
        return True
    c.error(b"WRONGPASS invalid username-password pair or user is disabled.")
    return False


def _auth(RespConnection c, list args):
    if len(args) > 3:
        return c.syntax_error()
    if len(args) == 2:
        return c.error(
            b"ERR AUTH <password> called without any password configured for the default user. "
            b"Are you sure your configuration is correct?"
        )
    return c.ok() if _is_user(c, args[1]) else 0


cdef bint _is_name(RespConnection c, bytes name) except -1:
    """Whether a connection may have this name: no spaces, no control characters, as Redis has it."""
    if all(33 <= byte <= 126 for byte in name):
        return True
    c.error(b"ERR Client names cannot contain spaces, newlines or special characters.")
    return False


def _hello(RespConnection c, list args):
    cdef int64_t protocol = c.protocol
    name = None
    if len(args) > 1:
        if not read_integer(PyBytes_AS_STRING(<bytes>args[1]), len(args[1]), &protocol):
            return c.error(b"ERR Protocol version is not an integer or out of range")
        if protocol != 2 and protocol != 3:
            return c.error(b"NOPROTO unsupported protocol version")
    words = args[2:]
    while words:
        option = words[0].upper()
        if option == b"AUTH" and len(words) > 2:
            if not _is_user(c, words[1]):
                return 0
            words = words[3:]
        elif option == b"SETNAME" and len(words) > 1:
            name = words[1]
            if not _is_name(c, name):
                return 0
            words = words[2:]
        else:
            return c.error(b"ERR Syntax error in HELLO option '" + words[0] + b"'")
    if name is not None:
        c.name = name
    c.protocol = protocol
    return c.answer({
        b"server": b"redis", b"version": REDIS_VERSION.encode(), b"proto": c.protocol, b"id": c.id,
        b"mode": b"standalone", b"role": b"master", b"modules": [],
    })


cdef bytes _client_line(RespConnection c):
    host, port = c.transport.get_extra_info("peername")[:2]
    return (
        f"id={c.id} addr={host}:{port} laddr={c.service.host}:{c.service.port} fd={c.fd} "
        f"name={c.name.decode(errors='replace')} db=0 resp={c.protocol}\n"
    ).encode()


def _client(RespConnection c, list args):
    word = args[1].upper()
    size = len(args)
    if word == b"ID" and size == 2:
        return c.integer(c.id)
    if word == b"GETNAME" and size == 2:
        return c.answer(c.name or None)
    if word == b"SETNAME" and size == 3:
        if not _is_name(c, args[2]):
            return 0
        c.name = args[2]
        return c.ok()
    if word == b"SETINFO" and size == 4 or word in (b"NO-EVICT", b"NO-TOUCH") and size == 3:
        return c.ok()
    if word == b"REPLY" and size == 3 and args[2].upper() == b"ON":
        return c.ok()
    if word == b"LIST" and size == 2:
        return c.text(b"".join(_client_line(other) for other in sorted(c.service.connections, key=lambda o: o.id)))
    if word == b"INFO" and size == 2:
        return c.text(_client_line(c))
    if word in (b"ID", b"GETNAME", b"SETNAME", b"SETINFO", b"LIST", b"INFO", b"NO-EVICT", b"NO-TOUCH", b"REPLY"):
        return c.wrong_arity(b"client|" + word.lower())
    return c.unknown_subcommand(args)


def _config(RespConnection c, list args):
    word = args[1].upper()
    if word == b"GET" and len(args) > 2:
        patterns = [pattern.decode(errors="replace").lower() for pattern in args[2:]]
        return c.answer({
            name.encode(): value.encode()
            for name, value in _config_values(c.service).items()
            if any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)
        })
    if word == b"RESETSTAT" and len(args) == 2:
        c.service.reset_counts()
        return c.ok()
    if word == b"SET" and len(args) > 3:
        return c.error(
            b"ERR CONFIG SET failed (possibly related to argument '" + args[2] + b"') - "
            b"the built-in server is configured on its command line (loadgen serve --help)"
        )
    if word in (b"GET", b"SET", b"RESETSTAT"):
        return c.wrong_arity(b"config|" + word.lower())
    return c.unknown_subcommand(args)


cdef dict _config_values(Service service):
    return {
        "appendonly": "no",
        "bind": service.host,
        "databases": "1",
        "io-threads": "1",
        "maxmemory": str(service.store.max_bytes),
        "maxmemory-policy": _policy(service.store),
        "port": str(service.port),
        "proto-max-bulk-len": str(MAX_BULK_BYTES),
        "save": "",
        "timeout": "0",
    }


cdef str _policy(Store store):
    return "noeviction" if store.eviction == "noeviction" else f"allkeys-{store.eviction}"


def _command(RespConnection c, list args):
    word = args[1].upper() if len(args) > 1 else b""
    chosen = [name.lower() for name in args[2:]]
    rows = [row for row in _TABLE if not chosen or row[0].encode() in chosen]
    if word in (b"", b"INFO"):
        known = {row[0].encode(): row for row in _TABLE}
        return c.answer([_describe(known.get(name)) for name in chosen or known])
    if word == b"COUNT" and len(args) == 2:
        return c.integer(len(_TABLE))
    if word == b"DOCS":
        return c.answer({row[0].encode(): {b"summary": row[6].encode(), b"group": row[5].encode()} for row in rows})
    if word == b"LIST" and len(args) == 2:
        return c.answer([row[0].encode() for row in _TABLE])
    return c.unknown_subcommand(args)


cdef list _describe(tuple row):
    if row is None:
        return None
    name, arity, flags, first, last, _, _ = row
    none = frozenset()
    return [name.encode(), arity, frozenset(flags.split()), first, last, 1 if first else 0, none, [], [], []]


def _info(RespConnection c, list args):
    cdef Service service = c.service
    wanted = {word.decode(errors="replace").lower() for word in args[1:]} or {"default"}
    everything = bool(wanted & {"all", "everything"})
    sections = []
    for name, fields in _INFO.items():
        if everything or name.lower() in wanted or ("default" in wanted and name != "Commandstats"):
            lines = [f"{field}:{value}" for field, value in fields(service)]
            sections.append("\r\n".join([f"# {name}", *lines, ""]))
    c.text("\r\n".join(sections).encode())


def _info_server(Service service):
    uptime = int(time.monotonic() - service.started_at)
    return [
        ("redis_version", REDIS_VERSION),
        ("redis_mode", "standalone"),
        ("loadgen_version", service.version),
        ("process_id", os.getpid()),
        ("tcp_port", service.port),
        ("uptime_in_seconds", uptime),
        ("uptime_in_days", uptime // 86400),
    ]


def _info_clients(Service service):
    return [("connected_clients", len(service.connections)), ("blocked_clients", 0)]


def _info_memory(Service service):
    cdef Store store = service.store
    return [
        ("used_memory", store.used_bytes),
        ("used_memory_human", f"{store.used_bytes / 2**20:.2f}M"),
        ("maxmemory", store.max_bytes),
        ("maxmemory_human", f"{store.max_bytes / 2**20:.2f}M"),
        ("maxmemory_policy", _policy(store)),
    ]


def _info_persistence(Service service):
    return [("loading", 0)]


def _info_stats(Service service):
    cdef int64_t calls = 0, hits = 0, misses = 0
    cdef int number
    for number in range(len(_TABLE)):
        calls += service.calls[number]
        hits += service.hits[number]
        misses += service.misses[number]
    return [
        ("total_connections_received", service.connections_total),
        ("total_commands_processed", calls),
        ("total_net_input_bytes", service.bytes_read),
        ("total_net_output_bytes", service.bytes_written),
        ("expired_keys", service.store.expired),
        ("evicted_keys", service.store.evicted),
        ("keyspace_hits", hits),
        ("keyspace_misses", misses),
    ]


def _info_replication(Service service):
    return [("role", "master"), ("connected_slaves", 0)]


def _info_commandstats(Service service):
    # The server does not time its commands: a clock reading costs more than most of them.
    return [
        (
            f"cmdstat_{row[0]}",
            f"calls={service.calls[<int>number]},usec=0,usec_per_call=0.00,"
            f"rejected_calls={service.rejected[<int>number]},failed_calls={service.failed[<int>number]}",
        )
        for number, row in enumerate(_TABLE)
        if service.calls[<int>number] or service.rejected[<int>number]
    ]


def _info_keyspace(Service service):
    cdef Store store = service.store
    if store.items == 0:
        return []
    return [("db0", f"keys={store.items},expires={store.items_with_expiry},avg_ttl=0")]


_INFO = {
    "Server": _info_server,
    "Clients": _info_clients,
    "Memory": _info_memory,
    "Persistence": _info_persistence,
    "Stats": _info_stats,
    "Replication": _info_replication,
    "Commandstats": _info_commandstats,
    "Keyspace": _info_keyspace,
}

_FUNCTIONS = {
    "get": _get, "set": _set, "del": _del, "unlink": _del, "exists": _exists, "expire": _expire, "pexpire": _expire,
    "ttl": _ttl, "pttl": _ttl, "persist": _persist, "ping": _ping, "echo": _echo, "hello": _hello, "auth": _auth,
    "select": _select, "client": _client, "quit": _quit, "reset": _reset, "info": _info, "config": _config,
    "command": _command, "dbsize": _dbsize, "flushall": _flush, "flushdb": _flush, "time": _time,
    "shutdown": _shutdown,
}
_HANDLERS = [_FUNCTIONS[name] for name, *_ in _TABLE]
