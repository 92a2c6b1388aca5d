"""RESP2 and RESP3 (https://redis.io/docs/latest/develop/reference/protocol-spec/), as a client of a cache speaks them.

This file does not know connections. Replies are decoded in place, and a body is skipped unread. A reply may be cut
anywhere between two reads. Streamed aggregates and strings (`*?`, `$?`) are refused, because no server sends them
unasked. A carriage return within a line, a plus sign and a leading zero are refused too: hiredis accepts none of them,
no server sends them, and replies that are out of step may look like them. A reply of RESP does not name its key.
"""

from libc.stdint cimport UINT64_MAX, int64_t, uint32_t, uint64_t
from libc.string cimport memchr, memcmp, memcpy

from loadgen._buffer cimport BLOCK, Cursor, copy_value, find_newline, read_decimal, word_at, write_key, write_short_key
from loadgen._codec cimport (
    ERROR_TEXT, HEAD, NEED_MORE, NOT_A_REPLY, NOT_THE_PROTOCOL, REPLY, Decoded, Decoder, begin_head, counter_prefix,
    keep_head, kind_of, take_head,
)
from loadgen._request cimport (
    ADD, ALL_FOUND, ALL_STORED, ASK, BARRIER, DELETED, ERROR_REPLY, GREET, HIT, INCREMENT, LOG_IN, MISS, NOT_FOUND,
    NOT_STORED, OK, READ, READ_MANY, REMOVE, SELECT, SET_UP, SOME_MISSING, STORED, WRITE, WRITE_MANY, Request,
)
from loadgen._siblings cimport all_of

# The states of a Decoder: its position within a reply.
cdef enum:
    BETWEEN = 0    # at a type byte
    BODY = 1       # skipping the body of a reply: d.skip bytes are to come
    AGGREGATE = 2  # skipping an aggregate: d.skip bytes of the present element, then d.elements more elements
    PUSH = 3       # the same, in a push
    ATTRIBUTE = 4  # the same, in an attribute: the reply itself comes after it
    LONG_ERROR = 5  # skipping the rest of an error line
    VALUES = 6     # in an array of values: d.skip bytes of the present one, then d.elements more

# What the steps below return besides a Decoded: the step is done, and the reply goes on after it.
cdef enum:
    GO_ON = -1

# proto-max-bulk-len can be raised to this. Redis allows no more elements in an aggregate than fit in an int.
cdef int64_t LONGEST_BULK = (<int64_t>1) << 40
cdef int64_t MOST_ELEMENTS = (<int64_t>1) << 31


# The names on the wire of commands with a key, by kind.
cdef dict VERBS = {READ: b"GET", WRITE: b"SET", REMOVE: b"DEL"}

# A write whose key has a time to live. PSETEX has that time before the value, where the template ends; SET has it
# behind.
cdef bytes EXPIRES = b"PSETEX"


cdef int fill(char *block, bytes text) except -1:
    """Copy a text into a block, and return its length."""
    if len(text) > BLOCK:
        raise ValueError(f"a template of {len(text)} bytes does not fit in a block of {BLOCK}")
    memcpy(block, <const char *>text, len(text))
    return len(text)


cdef bint has_tag(bytes prefix):
    """True when keys with a prefix are hashed by the prefix's own hash tag."""
    _, opened, rest = prefix.partition(b"{")
    tag, closed, _ = rest.partition(b"}")
    return bool(opened and closed and tag)


cdef bytes command(parts):
    return b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%s\r\n" % (len(p), p) for p in parts)


cdef class Resp(Codec):
    """The codec of a keyspace whose keys all have `key_length` bytes and whose values all have `value_bytes`.

    Keys begin with `prefix`, which `key_length` includes. The prefix is part of the templates, so that it costs a
    request nothing. A command that greets asks for `version`, 2 or 3. With a password, commands that greet or log in
    send the credentials. A command that selects sends `database`. `commands` is the run's table. `run` is the number
    that values are marked with (`_mark`), or 0. Keys that are written live for `ttl_ms`; 0: for ever.
    `tracking` has the options of CLIENT TRACKING ON. `siblings` are the keys of requests of several. A counter's key is
    `counter:` and a key; with `by_slot`, that key is a hash tag, so that both have the same slot.
    """

    def __cinit__(self, int key_length=16, Py_ssize_t value_bytes=64, *, int version=2, str username="",
                  str password="", int database=0, bytes prefix=b"", commands=None, run=0, int64_t ttl_ms=0,
                  tuple tracking=(), siblings=None, bint by_slot=False):
        cdef int number
        cdef Form *form
        if key_length <= len(prefix) or value_bytes < 0:
            raise ValueError(f"no keyspace has keys of {key_length} bytes and values of {value_bytes}")
        self.use(commands, run, value_bytes, siblings)
        credentials = [username.encode() or b"default", password.encode()] if password else []
        set_up = {
            "tracking": command([b"CLIENT", b"TRACKING", b"ON", *tracking]),
            "reset": command([b"RESET"]),
            "readonly": command([b"READONLY"]),
        }
        whole = {
            ASK: command([b"PING"]),
            BARRIER: command([b"PING"]),
            GREET: command([b"HELLO", b"%d" % version, *([b"AUTH", *credentials] if password else [])]),
            LOG_IN: command([b"AUTH", *credentials[0 if username else 1:]]),
            SELECT: command([b"SELECT", b"%d" % database]),
        }
        tagged = by_slot and not has_tag(prefix)
        counter = counter_prefix(b"{" * tagged + prefix)
        counter_head = b"*2\r\n$4\r\nINCR\r\n$%d\r\n%s" % (len(counter) + key_length - len(prefix) + tagged, counter)
        self.each_key_length = fill(self.each_key, b"$%d\r\n%s" % (key_length, prefix))
        self.each_value_length = fill(self.each_value, b"\r\n$%d\r\n" % value_bytes)
        self.between_values = self.each_key_length + key_length - len(prefix) + self.each_value_length + 2
        self.id_length = key_length - len(prefix)
        self.value_bytes = value_bytes
        self.longest = 0
        self.wholes = []
        for number in range(self.commands.count):
            form = &self.forms[number]
            kind = self.rows[number].kind
            if kind in whole or kind == SET_UP:
                self.wholes.append(set_up[self.commands.names[number]] if kind == SET_UP else whole[kind])
                form.whole = self.wholes[len(self.wholes) - 1]
                form.whole_length = len(self.wholes[len(self.wholes) - 1])
                self.longest = max(self.longest, form.whole_length)
                continue
            if kind == ADD:
                continue  # INCR creates what is not there
            if kind == INCREMENT:
                self.wholes.append(counter_head)
                form.whole = self.wholes[len(self.wholes) - 1]
                form.whole_length = len(counter_head)
                form.counts = True
                form.middle_length = fill(form.middle, b"}\r\n" if tagged else b"\r\n")
                self.longest = max(self.longest, form.whole_length + self.id_length + form.middle_length)
                continue
            if kind == READ_MANY or kind == WRITE_MANY:
                self.longest = max(self.longest, BLOCK + self.siblings.most * (
                    self.between_values + (value_bytes if kind == WRITE_MANY else 0)))
                continue
            expires = kind == WRITE and ttl_ms > 0
            verb = EXPIRES if expires else VERBS[kind]
            parts = 2 + (kind == WRITE) + expires
            form.head_length = fill(
                form.head, b"*%d\r\n$%d\r\n%s\r\n$%d\r\n%s" % (parts, len(verb), verb, key_length, prefix))
            if kind == WRITE:
                time = b"$%d\r\n%d\r\n" % (len(str(ttl_ms)), ttl_ms) if expires else b""
                form.middle_length = fill(form.middle, b"\r\n%s$%d\r\n" % (time, value_bytes))
            form.quick = self.id_length <= 16 and (kind != WRITE or value_bytes <= BLOCK)
            self.longest = max(self.longest, form.head_length + self.id_length + form.middle_length
                               + (value_bytes if kind == WRITE else 0) + 2)
        length_line = b"$%d\r\n" % value_bytes
        self.hit_bytes = len(length_line) + value_bytes + 2
        if len(length_line) > 8 or self.hit_bytes < 8:
            self.hit_bytes = 0
        else:
            self.hit_head = int.from_bytes(length_line, "little")
            self.hit_mask = UINT64_MAX >> 64 - 8 * len(length_line)

    cdef Py_ssize_t encode(self, const Request *request, uint32_t number, const char *value, char *out) noexcept nogil:
        cdef const Form *form = &self.forms[request.command]
        cdef char *at = out + form.head_length
        if not form.quick or form.middle_length and value == NULL:
            if form.head_length or form.whole_length:
                return self.encode_any(form, request.key, value, out)
            return self.encode_many(self.rows[request.command].has_value, request.key, value, out)
        memcpy(out, form.head, BLOCK)
        write_short_key(at, request.key, self.id_length)
        at += self.id_length
        if form.middle_length:
            memcpy(at, form.middle, BLOCK)
            at += form.middle_length
            memcpy(at, value, BLOCK)
            at += self.value_bytes
        memcpy(at, b"\r\n", 2)
        return at + 2 - out

    cdef Py_ssize_t encode_any(self, const Form *form, uint64_t key, const char *value, char *out) noexcept nogil:
        cdef char *at = out
        if form.whole != NULL:
            memcpy(at, form.whole, form.whole_length)
            if form.counts:
                at += form.whole_length
                write_key(at, key, self.id_length)
                memcpy(at + self.id_length, form.middle, BLOCK)
                return form.whole_length + self.id_length + form.middle_length
            return form.whole_length
        memcpy(at, form.head, BLOCK)
        at += form.head_length
        write_key(at, key, self.id_length)
        at += self.id_length
        if form.middle_length:
            memcpy(at, form.middle, BLOCK)
            at += form.middle_length
            if value != NULL:
                copy_value(at, value, self.value_bytes)
                at += self.value_bytes
        memcpy(at, b"\r\n", 2)
        return at + 2 - out

    cdef Py_ssize_t encode_many(self, bint writes, uint64_t key, const char *value, char *out) noexcept nogil:
        cdef int keys = self.siblings.size(key), _i
        cdef char *at = out
        at[0] = c'*'
        at = write_count(at + 1, 1 + (2 * keys if writes else keys))
        memcpy(at, b"\r\n$4\r\nMSET\r\n" if writes else b"\r\n$4\r\nMGET\r\n", 12)
        at += 12
        for _i in range(keys):
            memcpy(at, self.each_key, BLOCK)
            at += self.each_key_length
            write_key(at, key, self.id_length)
            at += self.id_length
            if writes:
                memcpy(at, self.each_value, BLOCK)
                at += self.each_value_length
                if value != NULL:
                    copy_value(at, value, self.value_bytes)
                    at += self.value_bytes
            memcpy(at, b"\r\n", 2)
            at += 2
            key = self.siblings.after(key)
        return at - out

    cdef Decoded decode(self, Decoder *d, Cursor *c, int command) noexcept nogil:
        cdef int kind = kind_of(self.rows, command)
        cdef Py_ssize_t here = c.end - c.at
        # The common cases first: a value of this run's own length, no value, and the status that a value was stored.
        if d.state == BETWEEN:
            if kind == READ:
                if (self.hit_bytes and here >= self.hit_bytes and word_at(c.at) & self.hit_mask == self.hit_head
                        and c.at[self.hit_bytes - 2] == c'\r' and c.at[self.hit_bytes - 1] == c'\n'):
                    c.at += self.hit_bytes
                    d.outcome = HIT
                    if self.run:
                        take_head(d, c.at - self.value_bytes - 2)
                    return REPLY
                if here >= 5 and is_word(c.at, b"$-1\r\n"):
                    c.at += 5
                    d.outcome = MISS
                    return REPLY
            elif kind == WRITE and here >= 5 and is_word(c.at, b"+OK\r\n"):
                c.at += 5
                d.outcome = STORED
                return REPLY
        return self.decode_any(d, c, kind)

    cdef Decoded decode_any(self, Decoder *d, Cursor *c, int kind) noexcept nogil:
        """Any reply, also one that the last read cut. A loop, so that no number of attributes exhausts the stack."""
        cdef int what = GO_ON
        while what == GO_ON:
            if d.state == BETWEEN:
                what = begin(d, c, kind)
                if d.state == VALUES and not self.has_keys(d, d.elements):
                    return NOT_THE_PROTOCOL
                if what == REPLY and kind == WRITE_MANY and d.outcome == STORED:
                    d.outcome = ALL_STORED
                    d.found = all_of(self.siblings.size(d.asked.key) if d.asked != NULL else self.siblings.most)
            elif d.state == VALUES:
                what = take_values(d, c)
            elif d.state == LONG_ERROR:
                what = skip_error(d, c)
            elif d.state == BODY:
                what = skip_rest(d, c)
                if what == REPLY:
                    d.state = BETWEEN
            else:
                what = skip_elements(d, c)
        return <Decoded>what

    cdef bint has_keys(self, const Decoder *d, int64_t elements) noexcept nogil:
        if d.asked == NULL:
            return 0 < elements <= self.siblings.most
        return elements == self.siblings.size(d.asked.key)


cdef inline char *write_count(char *at, int count) noexcept nogil:
    """Write a number of up to three digits, and return the place behind it."""
    if count >= 100:
        at[0] = <char>(c'0' + count // 100)
        at += 1
    if count >= 10:
        at[0] = <char>(c'0' + count // 10 % 10)
        at += 1
    at[0] = <char>(c'0' + count % 10)
    return at + 1


cdef inline bint is_word(const char *at, const char *word) noexcept nogil:
    """True when five bytes are those of a word."""
    return memcmp(at, word, 4) == 0 and at[4] == word[4]


cdef int begin(Decoder *d, Cursor *c, int asked) noexcept nogil:
    """Decode a reply to a kind of command, an attribute or a push, from its type byte."""
    cdef const char *newline
    cdef const char *digits
    cdef const char *after
    cdef char kind
    cdef int64_t length = 0
    if c.at == c.end:
        return NEED_MORE
    newline = find_newline(c)
    digits = c.at + 1
    kind = c.at[0]
    if not is_type(kind):
        return NOT_THE_PROTOCOL
    if newline == NULL:
        if kind == c'-' and c.end - c.at >= HEAD:
            if memchr(digits, c'\r', c.end - 1 - digits) != NULL:
                return NOT_THE_PROTOCOL
            keep_error(d, digits, c.end)
            c.at = c.end - 1  # the last byte stays: it may be the line end's first
            d.state = LONG_ERROR
            return NEED_MORE
        return cut_off(c)
    if not is_line(digits, newline):
        return NOT_THE_PROTOCOL
    if kind == c'-':
        keep_error(d, digits, newline - 1)
        c.at = newline + 1
        return REPLY
    if newline - c.at >= HEAD:
        return NOT_THE_PROTOCOL
    if kind == c'+':
        if asked == READ or asked == REMOVE or asked == GREET or asked == INCREMENT or asked == READ_MANY:
            return NOT_THE_PROTOCOL
        d.outcome = OK
        if asked == WRITE or asked == WRITE_MANY:
            if newline - 1 - digits != 2 or digits[0] != c'O' or digits[1] != c'K':
                return NOT_THE_PROTOCOL
            d.outcome = STORED
        c.at = newline + 1
        return REPLY
    if kind == c'_':
        if newline - 1 != digits or not empty_answer(d, asked):
            return NOT_THE_PROTOCOL
        c.at = newline + 1
        return REPLY
    if kind == c',' or kind == c'#' or kind == c'(':
        return NOT_THE_PROTOCOL
    if kind == c':':
        if asked != REMOVE and asked != INCREMENT or not is_integer(digits, newline - 1):
            return NOT_THE_PROTOCOL
        d.outcome = OK if asked == INCREMENT else NOT_FOUND if digits[0] == c'-' or digits[0] == c'0' else DELETED
        c.at = newline + 1
        return REPLY
    if digits[0] == c'-':
        # Null, as a string or as an array: either may stand for a null answer.
        if kind != c'$' and kind != c'*' or not is_minus_one(digits, newline - 1) or not empty_answer(d, asked):
            return NOT_THE_PROTOCOL
        c.at = newline + 1
        return REPLY
    after = read_decimal(digits, newline, &length)
    if after != newline - 1 or length > LONGEST_BULK or not is_plain(digits, after):
        return NOT_THE_PROTOCOL
    if kind == c'!':
        return blob_error(d, c, newline + 1, length)
    if kind == c'$' or kind == c'=':
        # A string answers a read, or a PING that echoes.
        if asked != READ and asked != ASK:
            return NOT_THE_PROTOCOL
        d.outcome = HIT if asked == READ else OK
        begin_head(d, length)
        return skip_body(d, c, newline + 1, length + 2)
    # An aggregate.
    if length > MOST_ELEMENTS:
        return NOT_THE_PROTOCOL
    if kind == c'>':
        d.state = PUSH
        d.pushed = 0
        d.push_keys = 0
        d.head_bytes = 0
    elif kind == c'|':
        d.state = ATTRIBUTE
    elif asked == GREET:
        d.state = AGGREGATE
        d.outcome = OK
    elif asked == READ_MANY and kind == c'*':
        d.state = VALUES
        d.found = 0
        d.index = 0
        d.head_left = 0
    else:
        return NOT_THE_PROTOCOL
    d.elements = 2 * length if kind == c'%' or kind == c'|' else length
    d.skip = 0
    c.at = newline + 1
    return GO_ON


cdef int skip_error(Decoder *d, Cursor *c) noexcept nogil:
    cdef const char *newline = find_newline(c)
    if newline == NULL:
        if c.end > c.at and memchr(c.at, c'\r', c.end - 1 - c.at) != NULL:
            return NOT_THE_PROTOCOL
        c.at = max(c.at, c.end - 1)
        return NEED_MORE
    if newline == c.at or not is_line(c.at, newline):
        return NOT_THE_PROTOCOL
    c.at = newline + 1
    d.state = BETWEEN
    d.outcome = ERROR_REPLY
    return REPLY


cdef int take_values(Decoder *d, Cursor *c) noexcept nogil:
    """Pass over the values of an array, and note which are there, up to its end or the end of the bytes."""
    cdef const char *newline
    cdef const char *digits
    cdef int64_t length = 0
    cdef int what
    while True:
        if d.skip > 0:
            what = skip_rest(d, c)
            if what != REPLY:
                return what
        if d.elements == 0:
            break
        newline = find_newline(c)
        if newline == NULL:
            return cut_off(c)
        digits = c.at + 1
        if newline == c.at or not is_line(digits, newline) or newline - c.at >= HEAD:
            return NOT_THE_PROTOCOL
        if c.at[0] == c'$' and digits[0] != c'-':
            if (read_decimal(digits, newline, &length) != newline - 1 or length > LONGEST_BULK
                    or not is_plain(digits, newline - 1)):
                return NOT_THE_PROTOCOL
            d.found |= <uint64_t>1 << d.index
            d.skip = length + 2
        elif not (c.at[0] == c'$' and is_minus_one(digits, newline - 1) or c.at[0] == c'_' and newline - 1 == digits):
            return NOT_THE_PROTOCOL
        c.at = newline + 1
        d.index += 1
        d.elements -= 1
    d.state = BETWEEN
    d.outcome = ALL_FOUND if d.found == all_of(d.index) else SOME_MISSING
    return REPLY


cdef int skip_elements(Decoder *d, Cursor *c) noexcept nogil:
    """Pass over elements of an aggregate, up to its end or the end of the bytes."""
    cdef const char *newline
    cdef int what
    while True:
        if d.skip > 0:
            what = skip_rest(d, c)
            if what != REPLY:
                return what
        if d.elements == 0:
            break
        newline = find_newline(c)
        if newline == NULL:
            return cut_off(c)
        if not (note_pushed(d, c, newline) if d.state == PUSH and d.pushed < 2 else begin_element(d, c, newline)):
            return NOT_THE_PROTOCOL
    what = REPLY if d.state == AGGREGATE else NOT_A_REPLY if d.state == PUSH else GO_ON
    d.state = BETWEEN
    return what


cdef bint note_pushed(Decoder *d, Cursor *c, const char *newline) noexcept nogil:
    """Read the first line of a push's first or second element: the push's name, and the array of keys after it."""
    cdef const char *line = c.at
    cdef int64_t length = 0
    d.pushed += 1
    if not begin_element(d, c, newline):
        return False
    if d.pushed == 1 and d.skip > 0:
        begin_head(d, d.skip - 2)
    elif d.pushed == 2 and (line[0] == c'*' or line[0] == c'_' or line[0] == c'$'):
        if line[0] == c'_' or line[1] == c'-':
            d.push_keys = -1
        elif line[0] == c'*':
            read_decimal(line + 1, newline, &length)
            d.push_keys = length
    return True


cdef bint begin_element(Decoder *d, Cursor *c, const char *newline) noexcept nogil:
    """Read the first line of an aggregate's element; False where it is none, such as a push."""
    cdef char kind = c.at[0]
    cdef const char *digits = c.at + 1
    cdef int64_t length = 0
    if newline == c.at or not is_line(c.at, newline) or newline - c.at >= HEAD or not is_type(kind) or kind == c'>':
        return False
    c.at = newline + 1
    if kind == c'+' or kind == c'-' or kind == c':' or kind == c',' or kind == c'#' or kind == c'(' or kind == c'_':
        d.elements -= 1
        return True
    if digits[0] == c'-' and (kind == c'$' or kind == c'*'):
        d.elements -= 1
        return is_minus_one(digits, newline - 1)
    if (read_decimal(digits, newline, &length) != newline - 1 or length > LONGEST_BULK
            or not is_plain(digits, newline - 1)):
        return False
    if kind == c'$' or kind == c'=' or kind == c'!':
        d.elements -= 1
        d.skip = length + 2
        return True
    if length > MOST_ELEMENTS or d.elements > LONGEST_BULK:
        return False
    if kind == c'%':
        d.elements += 2 * length - 1
    elif kind == c'|':
        d.elements += 2 * length
    else:
        d.elements += length - 1
    return True


cdef Decoded blob_error(Decoder *d, Cursor *c, const char *body, int64_t length) noexcept nogil:
    """Decode RESP3's error with a length. Its beginning is kept as the error's text."""
    cdef int64_t wanted = min(length, ERROR_TEXT)
    if c.end - body < wanted:
        return NEED_MORE
    keep_error(d, body, body + wanted)
    return skip_body(d, c, body, length + 2)


cdef inline bint is_type(char kind) noexcept nogil:
    return (kind == c'$' or kind == c'+' or kind == c':' or kind == c'-' or kind == c'*' or kind == c'%' or kind == c'_'
            or kind == c'>' or kind == c'|' or kind == c'!' or kind == c'=' or kind == c'~' or kind == c','
            or kind == c'#' or kind == c'(')


cdef inline bint is_line(const char *at, const char *newline) noexcept nogil:
    """True when a line ends in CR LF and has no other CR. The line may begin with that CR."""
    return (newline - 1)[0] == c'\r' and memchr(at, c'\r', newline - 1 - at) == NULL


cdef inline bint is_plain(const char *digits, const char *end) noexcept nogil:
    """True when digits have no leading zero."""
    return digits[0] != c'0' or end - digits == 1


cdef inline bint is_minus_one(const char *digits, const char *end) noexcept nogil:
    return end - digits == 2 and digits[0] == c'-' and digits[1] == c'1'


cdef bint is_integer(const char *digits, const char *end) noexcept nogil:
    """True for an integer of 64 bits."""
    cdef bint negative = digits[0] == c'-'
    cdef const char *at = digits + negative
    cdef Py_ssize_t length = end - at
    if length < 1 or length > 19 or not is_plain(at, end) or negative and at[0] == c'0':
        return False
    if length == 19 and memcmp(at, b"9223372036854775808" if negative else b"9223372036854775807", 19) > 0:
        return False
    while at < end:
        if not c'0' <= at[0] <= c'9':
            return False
        at += 1
    return True


cdef inline Decoded cut_off(Cursor *c) noexcept nogil:
    """Return NEED_MORE for a head without its line end, or NOT_THE_PROTOCOL when it is longer than any of RESP."""
    return NEED_MORE if c.end - c.at < HEAD else NOT_THE_PROTOCOL


cdef inline bint empty_answer(Decoder *d, int asked) noexcept nogil:
    """Set the outcome of a null: no value, or not stored. False for a command that no null answers."""
    if asked == READ:
        d.outcome = MISS
        return True
    d.outcome = NOT_STORED
    return asked == WRITE


cdef inline Decoded skip_body(Decoder *d, Cursor *c, const char *body, int64_t length) noexcept nogil:
    """Pass over a body and the line end behind it; `length` counts both."""
    if c.end - body < length:
        c.at = body
        d.skip = length
        d.state = BODY
        return skip_rest(d, c)
    keep_head(d, body, length - 2)
    c.at = body + length
    return REPLY if (c.at - 2)[0] == c'\r' and (c.at - 1)[0] == c'\n' else NOT_THE_PROTOCOL


cdef Decoded skip_rest(Decoder *d, Cursor *c) noexcept nogil:
    """Pass over the d.skip bytes that are still to come. Each half of a line end that is cut in two is checked."""
    cdef int64_t here = c.end - c.at
    cdef int64_t rest = d.skip
    keep_head(d, c.at, here)
    if here < rest:
        d.skip = rest - here
        c.at = c.end
        return NOT_THE_PROTOCOL if d.skip == 1 and here > 0 and (c.at - 1)[0] != c'\r' else NEED_MORE
    d.skip = 0
    c.at += rest
    return REPLY if (c.at - 1)[0] == c'\n' and (rest == 1 or (c.at - 2)[0] == c'\r') else NOT_THE_PROTOCOL


cdef inline void keep_error(Decoder *d, const char *start, const char *end) noexcept nogil:
    d.outcome = ERROR_REPLY
    d.error_length = <int>min(end - start, ERROR_TEXT)
    memcpy(d.error, start, d.error_length)
