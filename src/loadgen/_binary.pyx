"""memcache's binary protocol (memcached's protocol_binary.h and its wiki page BinaryProtocolRevamped), as a client of a
cache speaks it.

This file does not know connections. A value is skipped unread. A reply may be cut anywhere between two reads.
"""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcmp, memcpy, strlen

from loadgen._buffer cimport BLOCK, Cursor, copy_value, write_key, write_short_key
from loadgen._codec cimport (
    ANOTHER_KEY, ERROR_TEXT, NEED_MORE, NOT_THE_PROTOCOL, REPLY, Decoded, Decoder, begin_head, counter_prefix,
    is_silent, keep_head, kind_of, take_head,
)
from loadgen._request cimport (
    DELETED, ERROR_REPLY, HIT, INCREMENT, KINDS, LOG_IN, MISS, NO_COUNTER, NOT_FOUND, NOT_STORED, OK, READ, REMOVE,
    STORED, WARMUP, WRITE, Request,
)

# The states of a Decoder: its position within a reply.
cdef enum:
    BETWEEN = 0
    BODY = 1        # skipping d.skip bytes, of which the first may be a value's head
    ERROR_BODY = 2  # the same, of an error, whose first bytes are its text

cdef enum:
    REQUEST = 0x80
    RESPONSE = 0x81

# The opcodes by the kind of a command, of requests with a reply and of silent ones. A read with its key has others.
cdef tuple OPCODES = (
    {READ: 0x00, WRITE: 0x01, REMOVE: 0x04, INCREMENT: 0x05, LOG_IN: 0x21},
    {READ: 0x09, WRITE: 0x11, REMOVE: 0x14, INCREMENT: 0x05, LOG_IN: 0x21},
)
cdef int NO_OP = 0x0A  # of every other kind
cdef tuple GET_WITH_KEY = (0x0C, 0x0D)

# The statuses that are outcomes; any other one but 0 is an error.
cdef enum:
    KEY_NOT_FOUND = 0x01
    ITEM_NOT_STORED = 0x05

cdef int64_t LONGEST_BODY = (<int64_t>1) << 31


cdef const char *status_name(int status) noexcept nogil:
    """Return the name of a status in protocol_binary.h, by which errors are counted."""
    if status == 0x01:
        return b"KEY_ENOENT"
    if status == 0x02:
        return b"KEY_EEXISTS"
    if status == 0x03:
        return b"E2BIG"
    if status == 0x04:
        return b"EINVAL"
    if status == 0x05:
        return b"NOT_STORED"
    if status == 0x06:
        return b"DELTA_BADVAL"
    if status == 0x20:
        return b"AUTH_ERROR"
    if status == 0x21:
        return b"AUTH_CONTINUE"
    if status == 0x81:
        return b"UNKNOWN_COMMAND"
    if status == 0x82:
        return b"ENOMEM"
    if status == 0x83:
        return b"NOT_SUPPORTED"
    if status == 0x84:
        return b"EINTERNAL"
    if status == 0x85:
        return b"EBUSY"
    if status == 0x86:
        return b"ETMPFAIL"
    return b"STATUS"


cdef bytes header(magic, opcode, key_length, extras, body_length):
    """Return the header of a message and its extras; status, opaque and CAS are 0."""
    return (bytes([magic, opcode]) + key_length.to_bytes(2, "big") + bytes([len(extras), 0, 0, 0])
            + body_length.to_bytes(4, "big") + bytes(12) + extras)


cdef int fill(Form *form, bytes text) except -1:
    memcpy(form.bytes, <const char *>text, len(text))
    form.length = len(text)
    return 0


cdef class MemcacheBinary(Codec):
    """The codec of a keyspace whose keys all have `key_length` bytes and whose values all have `value_bytes`.

    Keys begin with `prefix`, which `key_length` includes. `commands` is the run's table. `run` is the number that
    values are marked with (`_mark`), or 0. Keys that are written live for `ttl_s`; 0: for ever. With `quiet`, the
    requests of a load are silent. With `return_key`, the reply to a read has the key, which is compared. Commands that
    log in do so by SASL PLAIN. A counter's key is `counter:` and a key; a counter that is not there is created at 0.
    Raises ValueError for a keyspace that cannot be.
    """

    def __cinit__(self, int key_length=16, Py_ssize_t value_bytes=64, *, bytes prefix=b"", commands=None, run=0,
                  int64_t ttl_s=0, bint quiet=False, bint return_key=False, str username="", str password=""):
        cdef int silent, kind
        if key_length <= len(prefix) or value_bytes < 0 or len(prefix) > BLOCK or key_length > LONGEST_KEY:
            raise ValueError(f"no keyspace has keys of {key_length} bytes and values of {value_bytes}")
        self.use(commands, run, value_bytes)
        self.behind_value = 0
        self.key_length = key_length
        self.id_length = key_length - len(prefix)
        self.value_bytes = value_bytes
        memcpy(self.prefix, <const char *>prefix, len(prefix))
        self.prefix_length = len(prefix)
        counter = counter_prefix(prefix)
        memcpy(self.counter, <const char *>counter, len(counter))
        self.counter_length = len(counter)
        self.key_returned = return_key
        self.silent[READ] = self.silent[WRITE] = self.silent[REMOVE] = quiet
        self.quick = self.id_length <= 16 and value_bytes <= BLOCK
        returned = key_length if return_key else 0
        for silent in range(2):
            for kind in range(KINDS):
                opcode = GET_WITH_KEY[silent] if kind == READ and return_key else OPCODES[silent].get(kind, NO_OP)
                lives = int(ttl_s).to_bytes(4, "big")
                # An increment has 1, and what a counter that is not there begins with, 0.
                extras = (bytes(4) + lives if kind == WRITE else bytes([*bytes(7), 1, *bytes(8)]) + lives
                          if kind == INCREMENT else b"")
                key = (key_length if kind <= REMOVE else self.counter_length + self.id_length if kind == INCREMENT
                       else 0)
                body = len(extras) + key + (value_bytes if kind == WRITE else 0)
                fill(&self.forms[silent][kind], header(REQUEST, opcode, key, extras, body))
            opcode = GET_WITH_KEY[silent] if return_key else OPCODES[silent][READ]
            hit = header(RESPONSE, opcode, returned, bytes(FLAGS), FLAGS + returned + value_bytes)
            memcpy(self.hits[silent], <const char *>hit, SHAPE)
        self.hit_bytes = HEADER + FLAGS + returned + value_bytes
        credentials = b"\0" + username.encode() + b"\0" + password.encode()
        self.log_in = header(REQUEST, OPCODES[0][LOG_IN], 5, b"", 5 + len(credentials)) + b"PLAIN" + credentials
        self.log_in_at = self.log_in
        self.log_in_length = len(self.log_in)
        self.longest = max(HEADER + 8 + key_length + value_bytes, HEADER + 20 + self.counter_length + self.id_length,
                           len(self.log_in)) + quiet * HEADER

    cdef Py_ssize_t encode(self, const Request *request, uint32_t number, const char *value, char *out) noexcept nogil:
        cdef int kind = self.rows[request.command].kind
        cdef bint silent = self.silent[kind] and request.phase >= WARMUP
        cdef const Form *form = &self.forms[silent][kind]
        cdef char *at = out + form.length
        if not self.quick or kind > REMOVE or kind == WRITE and value == NULL:
            return self.encode_any(request, number, silent, value, out)
        memcpy(out, form.bytes, BLOCK)
        put_word(out + SHAPE, number)
        if self.prefix_length:
            memcpy(at, self.prefix, BLOCK)
            at += self.prefix_length
        write_short_key(at, request.key, self.id_length)
        at += self.id_length
        if kind == WRITE:
            memcpy(at, value, BLOCK)
            at += self.value_bytes
        return at - out

    cdef Py_ssize_t encode_any(self, const Request *r, uint32_t number, bint silent, const char *value,
                               char *out) noexcept nogil:
        cdef int kind = self.rows[r.command].kind
        cdef const Form *form = &self.forms[silent][kind]
        cdef char *at = out + form.length
        if kind == LOG_IN:
            memcpy(out, self.log_in_at, self.log_in_length)
            put_word(out + SHAPE, number)
            return self.log_in_length
        memcpy(out, form.bytes, form.length)
        put_word(out + SHAPE, number)
        if kind > INCREMENT:
            return form.length
        if kind == INCREMENT:
            memcpy(at, self.counter, self.counter_length)
            at += self.counter_length
        else:
            memcpy(at, self.prefix, self.prefix_length)
            at += self.prefix_length
        write_key(at, r.key, self.id_length)
        at += self.id_length
        if kind == WRITE and value != NULL:
            copy_value(at, value, self.value_bytes)
            at += self.value_bytes
        return at - out

    cdef Decoded decode(self, Decoder *d, Cursor *c, int command) noexcept nogil:
        cdef int kind = kind_of(self.rows, command)
        # The common case first: a whole value of this run's own length, in reply to the request next in line.
        if (d.state == BETWEEN and kind == READ and d.asked != NULL and c.end - c.at >= self.hit_bytes
                and memcmp(c.at, self.hits[is_silent(self, d.asked)], SHAPE) == 0
                and word_of(c.at + SHAPE) == d.number
                and (not self.key_returned or self.is_asked_key(c.at + HEADER + FLAGS, d.asked.key))):
            c.at += self.hit_bytes
            d.outcome = HIT
            if self.run:
                take_head(d, c.at - self.value_bytes)
            return REPLY
        return self.decode_any(d, c, kind)

    cdef Decoded decode_any(self, Decoder *d, Cursor *c, int kind) noexcept nogil:
        cdef bint silent
        cdef int64_t ahead
        cdef uint8_t opcode
        if d.state != BETWEEN:
            return skip_body(d, c)
        if c.at < c.end and <uint8_t>c.at[0] != RESPONSE:
            return NOT_THE_PROTOCOL
        if c.end - c.at < HEADER:
            return NEED_MORE
        if kind == KINDS:
            return NOT_THE_PROTOCOL
        silent = self.silent[kind] and d.asked != NULL and is_silent(self, d.asked)
        opcode = <uint8_t>self.forms[silent][kind].bytes[1]
        if d.asked != NULL:
            ahead = <int32_t>(word_of(c.at + SHAPE) - d.number)
            if silent and 0 < ahead < <int64_t><int32_t>(d.behind - d.number):
                d.outcome = MISS if kind == READ else STORED if kind == WRITE else DELETED
                return REPLY
            if ahead != 0:
                return ANOTHER_KEY
        return self.begin(d, c, kind, opcode)

    cdef Decoded begin(self, Decoder *d, Cursor *c, int kind, uint8_t opcode) noexcept nogil:
        cdef const unsigned char *head = <const unsigned char *>c.at
        cdef int key_length = head[2] << 8 | head[3]
        cdef int extras = head[4]
        cdef int status = head[6] << 8 | head[7]
        cdef int64_t body = word_of(c.at + 8)
        cdef int64_t around = extras + key_length
        if head[1] != opcode or head[5] != 0 or body > LONGEST_BODY or body < around:
            return NOT_THE_PROTOCOL
        d.error_length = 0
        d.head_left = 0
        d.state = BODY
        if status == 0:
            d.outcome = HIT if kind == READ else STORED if kind == WRITE else DELETED if kind == REMOVE else OK
        elif kind == READ and status == KEY_NOT_FOUND:
            d.outcome = MISS
        elif kind == REMOVE and status == KEY_NOT_FOUND:
            d.outcome = NOT_FOUND
        elif kind == INCREMENT and status == KEY_NOT_FOUND:
            d.outcome = NO_COUNTER
        elif kind == WRITE and status == ITEM_NOT_STORED:
            d.outcome = NOT_STORED
        else:
            d.outcome = ERROR_REPLY
            d.state = ERROR_BODY
            name_error(d, status)
        if d.outcome == HIT:
            # Extras and key are looked at in one piece; what comes behind them is the value.
            if extras != FLAGS or key_length != (self.key_length if self.key_returned else 0):
                d.state = BETWEEN
                return NOT_THE_PROTOCOL
            if c.end - c.at < HEADER + around:
                d.state = BETWEEN
                return NEED_MORE
            if self.key_returned and d.asked != NULL and not self.is_asked_key(c.at + HEADER + FLAGS, d.asked.key):
                d.state = BETWEEN
                return ANOTHER_KEY
            c.at += around
            body -= around
            begin_head(d, body)
        c.at += HEADER
        d.skip = body
        return skip_body(d, c)

    cdef bint is_asked_key(self, const char *at, uint64_t key) noexcept nogil:
        """True when a key is at that place, whole."""
        cdef char last[16]
        cdef int here = min(self.id_length, 16)
        cdef const char *end = at + self.key_length
        write_key(last, key, here)
        if memcmp(at, self.prefix, self.prefix_length) != 0 or memcmp(end - here, last, here) != 0:
            return False
        at += self.prefix_length
        while at < end - here:
            if at[0] != c'0':
                return False
            at += 1
        return True


cdef inline uint32_t word_of(const char *at) noexcept nogil:
    """Return four bytes as a number, the first highest."""
    cdef const unsigned char *b = <const unsigned char *>at
    return <uint32_t>b[0] << 24 | <uint32_t>b[1] << 16 | <uint32_t>b[2] << 8 | b[3]


cdef inline void put_word(char *at, uint32_t number) noexcept nogil:
    """Write a number as four bytes, the highest first."""
    at[0] = <char>(number >> 24)
    at[1] = <char>(number >> 16)
    at[2] = <char>(number >> 8)
    at[3] = <char>number


cdef void name_error(Decoder *d, int status) noexcept nogil:
    """Begin an error's text with the name of its status."""
    cdef const char *name = status_name(status)
    d.error_length = <uint32_t>strlen(name)
    memcpy(d.error, name, d.error_length)
    d.error[d.error_length] = c' '
    d.error_length += 1


cdef Decoded skip_body(Decoder *d, Cursor *c) noexcept nogil:
    """Pass over the rest of a body, and keep the head of a value or the text of an error."""
    cdef int64_t here = min(<int64_t>(c.end - c.at), d.skip)
    cdef int64_t kept
    if d.state == ERROR_BODY:
        kept = min(here, <int64_t>ERROR_TEXT - d.error_length)
        memcpy(d.error + d.error_length, c.at, kept)
        d.error_length += <uint32_t>kept
    else:
        keep_head(d, c.at, here)
    c.at += here
    d.skip -= here
    if d.skip:
        return NEED_MORE
    if d.state == ERROR_BODY and d.error[d.error_length - 1] == c' ':
        d.error_length -= 1
    d.state = BETWEEN
    return REPLY
