"""memcache's text protocol (memcached's doc/protocol.txt), as a client of a cache speaks it: get, set, delete, version,
and the set that logs in.

This file does not know connections. A value is skipped unread, but its key is compared with the requested one, which
detects replies that are out of step. A reply may be cut anywhere between two reads.
"""

from libc.stdint cimport int64_t, uint32_t, uint64_t
from libc.string cimport memcmp, memcpy

from loadgen._buffer cimport BLOCK, Cursor, copy_value, find_newline, read_decimal, write_key, write_short_key
from loadgen._codec cimport (
    ANOTHER_KEY, ERROR_TEXT, HEAD, NEED_MORE, NOT_THE_PROTOCOL, REPLY, Decoded, Decoder, begin_head, counter_prefix,
    is_silent, keep_head, kind_of, take_head,
)
from loadgen._request cimport (
    ADD, ALL_FOUND, DELETED, ERROR_REPLY, HIT, INCREMENT, KINDS, LOG_IN, MISS, NO_COUNTER, NOT_FOUND, NOT_STORED, OK,
    READ, READ_MANY, REMOVE, SOME_MISSING, STORED, WARMUP, WRITE, WRITE_MANY, Request,
)
from loadgen._siblings cimport MOST_KEYS, all_of

# The states of a Decoder: its position within a reply.
cdef enum:
    BETWEEN = 0
    VALUE = 1       # skipping a value and its line end: d.skip bytes are to come, then `END`
    LONG_ERROR = 2  # skipping the rest of an error line
    MORE = 3        # between the values of several keys

cdef int64_t LONGEST_VALUE = (<int64_t>1) << 40

cdef bytes VERSION = b"version\r\n"


cdef void fill(Template *t, bytes text) except *:
    if len(text) > BLOCK:
        raise ValueError(f"a template of {len(text)} bytes does not fit in a block of {BLOCK}")
    memcpy(t.bytes, <const char *>text, len(text))
    t.length = len(text)


cdef class Memcache(Codec):
    """The codec of a keyspace whose keys all have `key_length` bytes and whose values all have `value_bytes`.

    Keys begin with `prefix`, which `key_length` includes. The prefix is part of the templates, so that it costs a
    request nothing. `commands` is the run's table. `run` is the number that values are marked with (`_mark`), or 0.
    Keys that are written live for `ttl_s`; 0: for ever. With `quiet`, a load's sets and deletes are silent. Commands
    that log in send the credentials as memcached's option -Y wants them. `siblings` are the keys of requests of
    several. A counter's key is `counter:` and a key. Raises ValueError for a keyspace that cannot be.
    """

    def __cinit__(self, int key_length=16, Py_ssize_t value_bytes=64, *, bytes prefix=b"", commands=None, run=0,
                  int64_t ttl_s=0, bint quiet=False, str username="", str password="", siblings=None):
        if key_length <= len(prefix) or value_bytes < 0:
            raise ValueError(f"no keyspace has keys of {key_length} bytes and values of {value_bytes}")
        self.use(commands, run, value_bytes, siblings)
        middle = b" 0 %d %d\r\n" % (ttl_s, value_bytes)
        memcpy(self.set_middle, <const char *>middle, len(middle))
        self.set_middle_length = len(middle)
        hit_line = b" 0 %d\r\n" % value_bytes
        memcpy(self.hit_line, <const char *>hit_line, len(hit_line))
        self.hit_line_length = len(hit_line)
        self.hit_bytes = 6 + key_length + len(hit_line) + value_bytes + 7
        fill(&self.head[READ], b"get " + prefix)
        fill(&self.head[WRITE], b"set " + prefix)
        fill(&self.head[REMOVE], b"delete " + prefix)
        fill(&self.head[INCREMENT], b"incr " + counter_prefix(prefix))
        fill(&self.head[ADD], b"add " + counter_prefix(prefix))
        fill(&self.counter_end[INCREMENT], b" 1\r\n")
        fill(&self.counter_end[ADD], b" 0 %d 1\r\n0\r\n" % ttl_s)
        fill(&self.unanswered[ADD], b" 0 %d 1 noreply\r\n0\r\n" % ttl_s)
        self.id_length = key_length - len(prefix)
        self.value_bytes = value_bytes
        self.quick = self.id_length <= 16 and value_bytes <= BLOCK
        fill(&self.unanswered[WRITE], b" 0 %d %d noreply\r\n" % (ttl_s, value_bytes))
        fill(&self.unanswered[REMOVE], b" noreply\r\n")
        self.silent[WRITE] = self.silent[REMOVE] = self.silent[ADD] = quiet
        self.log_in = log_in_line(username, password)
        self.log_in_at = self.log_in
        self.log_in_length = len(self.log_in)
        request = 16 + key_length + len(middle) + value_bytes + 2 + quiet * len(b" noreply" + VERSION)
        keys = 6 + self.siblings.most * (1 + key_length) + BLOCK
        counter = self.head[INCREMENT].length + self.id_length + BLOCK + quiet * len(VERSION)
        self.longest = max(request, keys, counter, len(self.log_in))

    cdef Py_ssize_t encode(self, const Request *request, uint32_t number, const char *value, char *out) noexcept nogil:
        cdef int kind = self.rows[request.command].kind
        cdef char *at
        cdef bint silent = self.silent[kind] and request.phase >= WARMUP
        if silent or not self.quick or kind > REMOVE or kind == WRITE and value == NULL:
            return self.encode_any(kind, silent, request.key, value, out)
        memcpy(out, self.head[kind].bytes, BLOCK)
        at = out + self.head[kind].length
        write_short_key(at, request.key, self.id_length)
        at += self.id_length
        if kind == WRITE:
            memcpy(at, self.set_middle, BLOCK)
            at += self.set_middle_length
            memcpy(at, value, BLOCK)
            at += self.value_bytes
        memcpy(at, b"\r\n", 2)
        return at + 2 - out

    cdef Py_ssize_t encode_any(self, int kind, bint silent, uint64_t key, const char *value, char *out) noexcept nogil:
        cdef char *at = out
        cdef const Template *end
        if kind == LOG_IN:
            memcpy(at, self.log_in_at, self.log_in_length)
            return self.log_in_length
        if kind == READ_MANY:
            return self.encode_keys(key, out)
        if kind > REMOVE and kind != INCREMENT and kind != ADD:
            memcpy(at, b"version\r\n", 9)
            return 9
        memcpy(at, self.head[kind].bytes, BLOCK)
        at += self.head[kind].length
        write_key(at, key, self.id_length)
        at += self.id_length
        if kind > REMOVE:
            end = &self.unanswered[kind] if silent else &self.counter_end[kind]
            memcpy(at, end.bytes, BLOCK)
            return at + end.length - out
        if silent:
            memcpy(at, self.unanswered[kind].bytes, BLOCK)
            at += self.unanswered[kind].length
            if kind == REMOVE:
                return at - out
        elif kind == WRITE:
            memcpy(at, self.set_middle, BLOCK)
            at += self.set_middle_length
        if kind == WRITE:
            if value != NULL:
                copy_value(at, value, self.value_bytes)
                at += self.value_bytes
        memcpy(at, b"\r\n", 2)
        return at + 2 - out

    cdef Py_ssize_t encode_keys(self, uint64_t key, char *out) noexcept nogil:
        cdef int prefix_length = self.head[READ].length - 4, _i
        cdef char *at = out + 3
        memcpy(out, b"get", 3)
        for _i in range(self.siblings.size(key)):
            at[0] = c' '
            memcpy(at + 1, self.head[READ].bytes + 4, prefix_length)
            at += 1 + prefix_length
            write_key(at, key, self.id_length)
            at += self.id_length
            key = self.siblings.after(key)
        memcpy(at, b"\r\n", 2)
        return at + 2 - out

    cdef Decoded decode(self, Decoder *d, Cursor *c, int command) noexcept nogil:
        cdef int kind = kind_of(self.rows, command)
        # The common case first: a whole value of this run's own length.
        if d.state == BETWEEN and kind == READ and c.end - c.at >= self.hit_bytes and self.take_own(d, c):
            d.outcome = HIT
            if self.run:
                take_head(d, c.at - 7 - self.value_bytes)
            return REPLY
        return self.decode_any(d, c, kind)

    cdef Decoded decode_any(self, Decoder *d, Cursor *c, int kind) noexcept nogil:
        cdef const char *newline
        cdef const char *end
        cdef Py_ssize_t length
        if d.state == LONG_ERROR:
            return skip_error(d, c)
        if kind == READ_MANY and d.state != BETWEEN:
            return self.take_values(d, c)
        if d.state == VALUE:
            return skip_value(d, c)
        newline = find_newline(c)
        if newline == NULL:
            if c.end - c.at < HEAD:
                return NEED_MORE
            if not is_error(d, c.at, c.end):
                return NOT_THE_PROTOCOL
            c.at = c.end - 1  # the last byte stays: it may be the line end's first
            d.state = LONG_ERROR
            return NEED_MORE
        end = newline - 1
        if end < c.at or end[0] != c'\r':
            return NOT_THE_PROTOCOL
        length = end - c.at
        if newline - c.at >= HEAD:
            pass  # only an error is so long, as when the line is cut
        elif self.silent[kind] and d.asked != NULL and is_silent(self, d.asked):
            d.outcome = DELETED if kind == REMOVE else STORED
            if ends_silence(c.at, length):
                return REPLY
        elif kind == READ:
            if length > 6 and memcmp(c.at, b"VALUE ", 6) == 0:
                return begin_value(d, c, newline, &self.head[READ], self.id_length)
            d.outcome = MISS
            if length == 3 and memcmp(c.at, b"END", 3) == 0:
                c.at = newline + 1
                return REPLY
        elif kind == WRITE or kind == ADD:
            d.outcome = STORED
            if length == 6 and memcmp(c.at, b"STORED", 6) == 0:
                c.at = newline + 1
                return REPLY
            d.outcome = NOT_STORED
            if length == 10 and memcmp(c.at, b"NOT_STORED", 10) == 0:
                c.at = newline + 1
                return REPLY
        elif kind == REMOVE:
            d.outcome = DELETED
            if length == 7 and memcmp(c.at, b"DELETED", 7) == 0:
                c.at = newline + 1
                return REPLY
            d.outcome = NOT_FOUND
            if length == 9 and memcmp(c.at, b"NOT_FOUND", 9) == 0:
                c.at = newline + 1
                return REPLY
        elif kind == READ_MANY:
            if length > 6 and memcmp(c.at, b"VALUE ", 6) == 0 or length == 3 and memcmp(c.at, b"END", 3) == 0:
                d.state = MORE
                d.found = 0
                d.index = 0
                d.key = d.asked.key if d.asked != NULL else 0
                return self.take_values(d, c)
        elif kind == INCREMENT:
            d.outcome = OK
            if is_number(c.at, end):
                c.at = newline + 1
                return REPLY
            d.outcome = NO_COUNTER
            if length == 9 and memcmp(c.at, b"NOT_FOUND", 9) == 0:
                c.at = newline + 1
                return REPLY
        elif kind == LOG_IN:
            d.outcome = OK
            if length == 6 and memcmp(c.at, b"STORED", 6) == 0:
                c.at = newline + 1
                return REPLY
        elif kind < KINDS and kind != WRITE_MANY:
            d.outcome = OK
            if length > 8 and memcmp(c.at, b"VERSION ", 8) == 0:
                c.at = newline + 1
                return REPLY
        if is_error(d, c.at, end):
            c.at = newline + 1
            return REPLY
        return NOT_THE_PROTOCOL

    cdef Decoded take_values(self, Decoder *d, Cursor *c) noexcept nogil:
        cdef const char *newline
        cdef int64_t length
        cdef int keys
        cdef Decoded what
        while True:
            if d.state == VALUE:
                what = skip_body(d, c)
                if what != REPLY:
                    return what
                d.state = MORE
            newline = find_newline(c)
            if newline == NULL:
                return NEED_MORE if c.end - c.at < HEAD else NOT_THE_PROTOCOL
            if newline == c.at or (newline - 1)[0] != c'\r' or newline - c.at >= HEAD:
                return NOT_THE_PROTOCOL
            if newline - 1 - c.at == 3 and memcmp(c.at, b"END", 3) == 0:
                break
            if newline - c.at > 6 and memcmp(c.at, b"VALUE ", 6) == 0:
                length = value_length(c.at + 6, newline)
                if length < 0:
                    return NOT_THE_PROTOCOL
                if not self.note_found(d, c.at + 6, newline):
                    return ANOTHER_KEY
                c.at = newline + 1
                d.state = VALUE
                d.skip = length + 2
                d.head_left = 0
            elif is_error(d, c.at, newline - 1):
                c.at = newline + 1
                d.state = BETWEEN
                return REPLY
            else:
                return NOT_THE_PROTOCOL
        c.at = newline + 1
        d.state = BETWEEN
        keys = self.siblings.size(d.asked.key) if d.asked != NULL else self.siblings.most
        d.outcome = ALL_FOUND if d.found == all_of(keys) else SOME_MISSING
        return REPLY

    cdef bint note_found(self, Decoder *d, const char *at, const char *end) noexcept nogil:
        cdef int prefix_length = self.head[READ].length - 4
        cdef int keys, _i
        cdef bint found
        if d.asked == NULL:
            d.found |= <uint64_t>1 << d.index
            d.index += 1
            return d.index < MOST_KEYS
        if end - at <= prefix_length + self.id_length or memcmp(at, self.head[READ].bytes + 4, prefix_length) != 0:
            return False
        keys = self.siblings.size(d.asked.key)
        # Servers answer in the order of the keys; a proxy before several may not.
        for _i in range(keys):
            found = is_id(at + prefix_length, d.key, self.id_length)
            if found:
                if d.found >> d.index & 1:
                    return False
                d.found |= <uint64_t>1 << d.index
            d.index = (d.index + 1) % keys
            d.key = self.siblings.after(d.key) if d.index else d.asked.key
            if found:
                return True
        return False

    cdef bint take_own(self, const Decoder *d, Cursor *c) noexcept nogil:
        cdef const char *at = c.at + 6
        # The template is `get ` and the prefix.
        cdef int prefix_length = self.head[READ].length - 4
        if (d.asked == NULL or memcmp(c.at, b"VALUE ", 6) != 0
                or prefix_length and memcmp(at, self.head[READ].bytes + 4, prefix_length) != 0
                or not is_id(at + prefix_length, d.asked.key, self.id_length)):
            return False
        at += prefix_length + self.id_length
        if memcmp(at, self.hit_line, self.hit_line_length) != 0:
            return False
        at += self.hit_line_length + self.value_bytes
        if memcmp(at, b"\r\nEND\r\n", 7) != 0:
            return False
        c.at = at + 7
        return True


cdef bytes log_in_line(str username, str password):
    """Return the set of any key that memcached's option -Y takes for a log-in."""
    token = username.encode() + b" " + password.encode()
    return b"set auth 0 0 %d\r\n%b\r\n" % (len(token), token) if password else b""


cdef bint ends_silence(const char *at, Py_ssize_t length) noexcept nogil:
    """True when a line is the beginning of an answer to a request that is never silent."""
    return (length > 6 and memcmp(at, b"VALUE ", 6) == 0 or length == 3 and memcmp(at, b"END", 3) == 0
            or length > 8 and memcmp(at, b"VERSION ", 8) == 0 or is_number(at, at + length)
            or length == 9 and memcmp(at, b"NOT_FOUND", 9) == 0)


cdef Decoded skip_error(Decoder *d, Cursor *c) noexcept nogil:
    """Pass over the rest of a long error's line."""
    cdef const char *newline = find_newline(c)
    if newline == NULL:
        c.at = max(c.at, c.end - 1)
        return NEED_MORE
    if newline == c.at or (newline - 1)[0] != c'\r':
        return NOT_THE_PROTOCOL
    c.at = newline + 1
    d.state = BETWEEN
    d.outcome = ERROR_REPLY
    return REPLY


cdef Decoded begin_value(Decoder *d, Cursor *c, const char *newline, const Template *get, int id_length) noexcept nogil:
    """Read `VALUE <key> <flags> <bytes> [<cas>]`: compare the key, find the length and pass over the value."""
    cdef const char *at = c.at + 6
    cdef int64_t number
    # The template is `get ` and the prefix.
    cdef int prefix_length = get.length - 4
    cdef bint asked_for = (
        d.asked != NULL and newline - at > prefix_length + id_length
        and memcmp(at, get.bytes + 4, prefix_length) == 0 and is_id(at + prefix_length, d.asked.key, id_length)
    )
    number = value_length(at + prefix_length + id_length if asked_for else at, newline)
    if number < 0:
        return NOT_THE_PROTOCOL
    if d.asked != NULL and not asked_for:
        return ANOTHER_KEY
    c.at = newline + 1
    d.skip = number + 2
    d.state = VALUE
    begin_head(d, number)
    return skip_value(d, c)


cdef int64_t value_length(const char *at, const char *newline) noexcept nogil:
    """Read `<key> <flags> <bytes> [<cas>]`, from the key or its end on. Return the bytes, or -1 where they are not."""
    cdef int64_t number = 0
    while at < newline and at[0] != c' ':
        at += 1
    at = read_decimal(at + 1, newline, &number)
    if at == NULL or at[0] != c' ':
        return -1
    at = read_decimal(at + 1, newline, &number)
    if at == NULL or number > LONGEST_VALUE:
        return -1
    if at[0] == c' ':  # a CAS, which may have more digits than an int64
        at += 1
        while c'0' <= at[0] <= c'9':
            at += 1
    return number if at == newline - 1 else -1


cdef bint is_number(const char *at, const char *end) noexcept nogil:
    """True for an unsigned number of 64 bits, which some servers pad with spaces."""
    cdef const char *start = at
    while at < end and c'0' <= at[0] <= c'9':
        at += 1
    if at == start or at - start > 20:
        return False
    while at < end and at[0] == c' ':
        at += 1
    return at == end


cdef inline bint is_id(const char *at, uint64_t key, int length) noexcept nogil:
    """True when a key's id in `length` characters, and a space behind it, are at that place."""
    cdef char last[16]
    cdef int here = min(length, 16)
    cdef const char *end = at + length
    write_key(last, key, here)
    if end[0] != c' ' or memcmp(end - here, last, here) != 0:
        return False
    while at < end - here:
        if at[0] != c'0':
            return False
        at += 1
    return True


cdef Decoded skip_body(Decoder *d, Cursor *c) noexcept nogil:
    """Pass over the rest of a value and its line end, if they are not behind. REPLY: they are."""
    cdef int64_t here = c.end - c.at
    if d.skip > 0:
        keep_head(d, c.at, here)
        if here < d.skip:
            # Each half of a line end that is cut in two is checked.
            d.skip -= here
            c.at = c.end
            return NOT_THE_PROTOCOL if d.skip == 1 and here > 0 and (c.at - 1)[0] != c'\r' else NEED_MORE
        c.at += d.skip
        if (c.at - 1)[0] != c'\n' or d.skip > 1 and (c.at - 2)[0] != c'\r':
            return NOT_THE_PROTOCOL
        d.skip = 0
    return REPLY


cdef Decoded skip_value(Decoder *d, Cursor *c) noexcept nogil:
    """Pass over the rest of a value, its line end, and `END`."""
    cdef Decoded what = skip_body(d, c)
    cdef int64_t here = c.end - c.at
    if what != REPLY:
        return what
    if memcmp(c.at, b"END\r\n", min(here, 5)) != 0:
        return NOT_THE_PROTOCOL
    if here < 5:
        return NEED_MORE
    c.at += 5
    d.state = BETWEEN
    d.outcome = HIT
    return REPLY


cdef bint is_error(Decoder *d, const char *at, const char *end) noexcept nogil:
    """True for `ERROR`, `CLIENT_ERROR …` and `SERVER_ERROR …`, whose text is kept."""
    cdef Py_ssize_t length = end - at
    cdef Py_ssize_t word
    if length >= 5 and memcmp(at, b"ERROR", 5) == 0:
        word = 5
    elif length >= 12 and (memcmp(at, b"CLIENT_ERROR", 12) == 0 or memcmp(at, b"SERVER_ERROR", 12) == 0):
        word = 12
    else:
        return False
    if length > word and at[word] != c' ':
        return False
    d.outcome = ERROR_REPLY
    d.error_length = <int>min(length, ERROR_TEXT)
    memcpy(d.error, at, d.error_length)
    return True
