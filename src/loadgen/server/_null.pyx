"""The built-in server without a store; `_null.pxd` describes its answers."""

from libc.string cimport memchr, memcmp, memcpy

from loadgen.server._connection cimport SHORT_BYTES
from loadgen.server._description cimport DEL, PING
from loadgen.server._description cimport GET as REDIS_GET
from loadgen.server._description cimport SET as REDIS_SET
from loadgen.server._memcache cimport DELETE, GET, MAX_KEY_BYTES, NO_COMMAND, SET, MemcacheConnection, go_on
from loadgen.server._redis cimport RedisConnection
from loadgen.server._resp cimport COMPLETE

cdef enum:
    SHORTEST_BYTES = 14  # of a plain RESP command: PING, and the part of GET, SET and DEL before the key's size
    MAX_DIGITS = 9       # of a plain command's sizes: no larger argument arrives in one read

cdef bytes VALUE = NULL_VALUE_BYTES * b"x"
cdef bytes FOUND = b"$%d\r\n%b\r\n" % (NULL_VALUE_BYTES, VALUE)
cdef const char *found = FOUND
cdef Py_ssize_t found_bytes = len(FOUND)
cdef bytes REST_OF_VALUE = b" 0 %d\r\n%b\r\n" % (NULL_VALUE_BYTES, VALUE)
cdef bytes REST_OF_GET = REST_OF_VALUE + b"END\r\n"
cdef const char *rest_of_get = REST_OF_GET
cdef Py_ssize_t rest_of_get_bytes = len(REST_OF_GET)


cdef inline const char *read_size(const char *at, const char *end, Py_ssize_t *size) noexcept nogil:
    """Read a size of up to MAX_DIGITS digits; return the address behind them, NULL when no digit is at `at`."""
    cdef const char *start = at
    cdef Py_ssize_t n = 0
    while at < end and c'0' <= at[0] <= c'9' and at - start < MAX_DIGITS:
        n = n * 10 + (at[0] - c'0')
        at += 1
    size[0] = n
    return at if at > start else NULL


cdef inline const char *behind_bulk(const char *at, const char *end) noexcept nogil:
    """Return the address behind the bulk string whose $ is before `at`; NULL when the string is incomplete."""
    cdef Py_ssize_t size
    at = read_size(at, end, &size)
    if at == NULL or end - at < size + 4 or at[0] != c'\r':
        return NULL
    return at + size + 4


cdef class NullRedisConnection(RedisConnection):
    cdef int consume(self) except -1:
        while not self.blocked and not self.closing:
            if self.expected == 0 and self.answer_plain():
                continue
            if self.parse() != COMPLETE:
                break
            self.execute_command()
        return 0

    cdef bint answer_plain(self) except -1:
        cdef const char *at = self.data + self.at
        cdef const char *end = self.data + self.size
        cdef const char *behind
        while end - at >= SHORTEST_BYTES and not self.blocked and not self.closing:
            if memcmp(at, b"*2\r\n$3\r\nGET\r\n$", 14) == 0:
                behind = behind_bulk(at + 14, end)
                if behind == NULL:
                    break
                self.service.calls[REDIS_GET] += 1
                self.service.hits[REDIS_GET] += 1
                self.reply(found, found_bytes)
            elif memcmp(at, b"*3\r\n$3\r\nSET\r\n$", 14) == 0:
                behind = behind_bulk(at + 14, end)
                if behind == NULL or behind == end or behind[0] != c'$':
                    break
                behind = behind_bulk(behind + 1, end)
                if behind == NULL:
                    break
                self.service.calls[REDIS_SET] += 1
                self.reply(b"+OK\r\n", 5)
            elif memcmp(at, b"*2\r\n$3\r\nDEL\r\n$", 14) == 0:
                behind = behind_bulk(at + 14, end)
                if behind == NULL:
                    break
                self.service.calls[DEL] += 1
                self.reply(b":1\r\n", 4)
            elif memcmp(at, b"*1\r\n$4\r\nPING\r\n", 14) == 0:
                behind = at + 14
                self.service.calls[PING] += 1
                self.reply(b"+PONG\r\n", 7)
            else:
                break
            at = behind
        behind = self.data + self.at
        self.at = at - self.data
        return at > behind

    cdef int execute(self) except -1:
        name = self.argument(0).upper()
        if self.refused:
            return RedisConnection.execute(self)
        if name == b"GET" and self.count == 2:
            self.service.calls[REDIS_GET] += 1
            self.service.hits[REDIS_GET] += 1
            return self.reply_bytes(FOUND)
        if name == b"SET" and self.count >= 3:
            self.service.calls[REDIS_SET] += 1
            return self.ok()
        if name == b"DEL" and self.count >= 2:
            self.service.calls[DEL] += 1
            return self.integer(self.count - 1)
        return RedisConnection.execute(self)


cdef inline bint is_key(const char *at, const char *end) noexcept nogil:
    return 0 < end - at <= MAX_KEY_BYTES and memchr(at, c' ', end - at) == NULL


cdef const char *behind_data(const char *at, const char *line_end) noexcept nogil:
    """Return the address behind the data of a set whose line, from `at` to `line_end`, is `key flags exptime size`.

    NULL when the line has another form. A CRLF follows at `line_end`.
    """
    cdef const char *space
    cdef Py_ssize_t size
    cdef int word
    for word in range(3):
        space = <const char *>memchr(at, c' ', line_end - at)
        if space == NULL or space == at or (word == 0 and space - at > MAX_KEY_BYTES):
            return NULL
        at = space + 1
    at = read_size(at, line_end, &size)
    return line_end + 2 + size + 2 if at == line_end else NULL


cdef class NullMemcacheConnection(MemcacheConnection):
    cdef int consume(self) except -1:
        cdef Py_ssize_t before
        while not self.blocked and not self.closing:
            if self.next_key == 0 and self.storage.command == NO_COMMAND and self.scanned == 0:
                if self.answer_plain():
                    continue
            before = self.at
            go_on(self)
            if self.at == before:
                break
        return 0

    cdef bint answer_plain(self) except -1:
        cdef const char *at = self.data + self.at
        cdef const char *end = self.data + self.size
        cdef const char *line_end
        cdef const char *behind
        while end - at > 4 and not self.blocked and not self.closing:
            line_end = <const char *>memchr(at + 4, c'\r', end - at - 4)
            if line_end == NULL or end - line_end < 2 or line_end[1] != c'\n':
                break
            behind = line_end + 2
            if memcmp(at, b"get ", 4) == 0 and is_key(at + 4, line_end):
                self.answer_get(at + 4, line_end - at - 4)
            elif memcmp(at, b"set ", 4) == 0:
                behind = behind_data(at + 4, line_end)
                if behind == NULL or behind > end:
                    break
                self.service.calls[SET] += 1
                self.reply(b"STORED\r\n", 8)
            elif line_end - at > 7 and memcmp(at, b"delete ", 7) == 0 and is_key(at + 7, line_end):
                self.service.calls[DELETE] += 1
                self.service.hits[DELETE] += 1
                self.reply(b"DELETED\r\n", 9)
            else:
                break
            at = behind
        behind = self.data + self.at
        self.at = at - self.data
        return at > behind

    cdef int answer_get(self, const char *key, Py_ssize_t size) except -1:
        cdef char *at = self.reply_room(SHORT_BYTES)
        self.service.calls[GET] += 1
        self.service.hits[GET] += 1
        memcpy(at, b"VALUE ", 6)
        memcpy(at + 6, key, size)
        memcpy(at + 6 + size, rest_of_get, rest_of_get_bytes)
        self.service.out_size += 6 + size + rest_of_get_bytes
        return 0

    cdef int get_item(self, const char *key, Py_ssize_t size) except -1:
        self.service.calls[GET] += 1
        self.service.hits[GET] += 1
        version = b" 1" if self.with_version else b""
        return self.reply_bytes(b"VALUE %b 0 %d%b\r\n%b\r\n" % (key[:size], NULL_VALUE_BYTES, version, VALUE))

    cdef int store_item(self, bytes value) except -1:
        return self.say(b"STORED\r\n", self.storage.noreply)

    cdef int execute_any(self, const char *line, Py_ssize_t size) except -1:
        words = line[:size].split(b" ")
        noreply = words[2:] == [b"noreply"]
        if words[0] == b"delete" and (noreply or len(words) == 2) and 0 < len(words[1]) <= MAX_KEY_BYTES:
            self.service.calls[DELETE] += 1
            self.service.hits[DELETE] += 1
            return self.say(b"DELETED\r\n", noreply)
        return MemcacheConnection.execute_any(self, line, size)
