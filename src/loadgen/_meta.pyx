"""memcache's meta commands (memcached's doc/protocol.txt, 1.6), as a client of a cache speaks them: mg, ms, md, mn.

This file does not know connections. A value is skipped unread. A reply may be cut anywhere between two reads.
"""

from libc.stdint cimport UINT64_MAX, int32_t, int64_t, uint32_t, uint64_t
from libc.string cimport memcmp, memcpy

from loadgen._buffer cimport (
    BLOCK, Cursor, copy_value, find_newline, hex16, read_decimal, word_at, write_key, write_short_key,
)
from loadgen._codec cimport (
    ANOTHER_KEY, HEAD, NEED_MORE, NOT_THE_PROTOCOL, REPLY, Decoded, Decoder, begin_head, counter_prefix, is_silent,
    keep_head, kind_of, take_head,
)
from loadgen._memcache cimport is_error, log_in_line, skip_error
from loadgen._request cimport (
    ASK, BARRIER, DELETED, HIT, INCREMENT, LOG_IN, MISS, NO_COUNTER, NOT_FOUND, NOT_STORED, OK, READ, REMOVE, STORED,
    WARMUP, WRITE,
    Request,
)

# The states of a Decoder: its position within a reply. LONG_ERROR is that of `_memcache`.
cdef enum:
    BETWEEN = 0
    VALUE = 1       # skipping a value and its line end: d.skip bytes are to come
    LONG_ERROR = 2  # skipping the rest of an error line

# Whose a reply is, by its opaque token and its key.
cdef enum Whose:
    NOT_TOLD = 0
    ITS_OWN = 1
    LATER = 2       # that of a request in flight that was sent later
    FOREIGN = 3
    MALFORMED = 4

cdef int64_t LONGEST_VALUE = (<int64_t>1) << 40

cdef bytes NOOP = b"mn\r\n"

cdef const char *ALPHABET = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"


cdef int fill(Piece *piece, bytes text, bint opaque=False) except -1:
    """Set a piece's text, whose opaque token, if there is one, is the first O and the digits behind it."""
    if len(text) > BLOCK:
        raise ValueError(f"a template of {len(text)} bytes does not fit in a block of {BLOCK}")
    memcpy(piece.bytes, <const char *>text, len(text))
    piece.length = len(text)
    piece.opaque = text.index(b" O") + 2 if opaque else 0
    return 0


cdef class MemcacheMeta(Codec):
    """The codec of a keyspace whose keys all have `key_length` bytes and whose values all have `value_bytes`.

    Keys begin with `prefix`, which `key_length` includes. `commands` is the run's table. `run` is the number that
    values are marked with (`_mark`), or 0. Keys that are written live for `ttl_s`; 0: for ever. With `quiet`, the
    requests of a load are silent. `get_flags` are flags of `mg` without a token, `v` for the value among them; with
    `return_key` there is `k` as well, and the key is compared. Commands that log in send the credentials as memcached's
    option -Y wants them. A counter's key is `counter:` and a key, and a counter that is not there is created at 0.
    Raises ValueError for a keyspace that cannot be, and for `quiet` without `opaque`.
    """

    def __cinit__(self, int key_length=16, Py_ssize_t value_bytes=64, *, bytes prefix=b"", commands=None, run=0,
                  int64_t ttl_s=0, bint quiet=False, bint opaque=True, bint base64_keys=False, bint return_key=False,
                  str get_flags="v", str username="", str password=""):
        cdef int silent
        sent_length = (key_length + 2) // 3 * 4 if base64_keys else key_length
        counter_length = len(counter_prefix(b""))
        if key_length <= len(prefix) or value_bytes < 0 or len(prefix) > BLOCK or sent_length > LONGEST_KEY:
            raise ValueError(f"no keyspace has keys of {key_length} bytes and values of {value_bytes}")
        if quiet and not opaque:
            raise ValueError("without opaque tokens, no reply to a silent request can be told from that to another")
        self.use(commands, run, value_bytes)
        self.id_length = key_length - len(prefix)
        self.value_bytes = value_bytes
        memcpy(self.prefix, <const char *>prefix, len(prefix))
        self.prefix_length = len(prefix)
        counter = counter_prefix(prefix)
        memcpy(self.counter, <const char *>counter, len(counter))
        self.counter_length = len(counter)
        self.opaque = opaque
        self.base64 = base64_keys
        self.key_returned = return_key
        self.value_returned = "v" in get_flags
        self.quick = self.id_length <= 16 and value_bytes <= BLOCK and not base64_keys
        self.silent[READ] = self.silent[WRITE] = self.silent[REMOVE] = quiet
        own = b"" if base64_keys else prefix
        fill(&self.before[READ], b"mg " + own)
        fill(&self.before[WRITE], b"ms " + own)
        fill(&self.before[REMOVE], b"md " + own)
        fill(&self.before[INCREMENT], b"ma " + (b"" if base64_keys else counter))
        token = b" O" + b"0" * OPAQUE if opaque else b""
        form = b" b" if base64_keys else b""
        flags = [*get_flags.replace("v", ""), *"k" * return_key]
        asked = b" v" * self.value_returned + token + "".join([f" {flag}" for flag in flags]).encode() + form
        stored = b" %d" % value_bytes + token + (b" T%d" % ttl_s if ttl_s else b"") + form
        for silent in range(2):
            end = b" q\r\n" if silent else b"\r\n"
            fill(&self.behind[silent][READ], asked + end, opaque)
            fill(&self.behind[silent][WRITE], stored + end, opaque)
            fill(&self.behind[silent][REMOVE], token + form + end, opaque)
        fill(&self.behind[0][INCREMENT], b" N%d" % ttl_s + token + form + b"\r\n", opaque)
        self.log_in = log_in_line(username, password)
        self.log_in_at = self.log_in
        self.log_in_length = len(self.log_in)
        request = 3 + sent_length + self.behind[1][WRITE].length + value_bytes + 2
        counter_length = (key_length + counter_length + 2) // 3 * 4 if base64_keys else key_length + counter_length
        self.longest = max(request, 3 + counter_length + BLOCK, len(self.log_in)) + quiet * len(NOOP)
        head = b"VA %d O" % value_bytes if opaque else b"VA %d\r\n" % value_bytes
        if self.value_returned and not flags and not base64_keys and len(head) <= 8:
            self.hit_head = int.from_bytes(head, "little")
            self.hit_mask = UINT64_MAX >> 64 - 8 * len(head)
            self.hit_opaque = len(head)
            self.hit_line = len(head) + (OPAQUE + 2 if opaque else 0)
            self.hit_bytes = self.hit_line + value_bytes + 2
            if self.hit_bytes < 8:
                self.hit_bytes = 0

    cdef Py_ssize_t encode(self, const Request *request, uint32_t number, const char *value, char *out) noexcept nogil:
        cdef int kind = self.rows[request.command].kind
        cdef bint silent = self.silent[kind] and request.phase >= WARMUP
        cdef const Piece *behind = &self.behind[silent][kind]
        cdef char digits[16]
        cdef char *at
        if not self.quick or kind > REMOVE or kind == WRITE and value == NULL:
            return self.encode_any(request, number, silent, value, out)
        memcpy(out, self.before[kind].bytes, BLOCK)
        at = out + self.before[kind].length
        write_short_key(at, request.key, self.id_length)
        at += self.id_length
        memcpy(at, behind.bytes, BLOCK)
        if behind.opaque:
            hex16(digits, <uint64_t>number << 32)
            memcpy(at + behind.opaque, digits, OPAQUE)
        at += behind.length
        if kind == WRITE:
            memcpy(at, value, BLOCK)
            at += self.value_bytes
            memcpy(at, b"\r\n", 2)
            at += 2
        return at - out

    cdef Py_ssize_t encode_any(self, const Request *r, uint32_t number, bint silent, const char *value,
                               char *out) noexcept nogil:
        cdef int kind = self.rows[r.command].kind
        cdef const Piece *behind = &self.behind[silent][kind]
        cdef char digits[16]
        cdef char *at = out
        if kind == LOG_IN:
            memcpy(at, self.log_in_at, self.log_in_length)
            return self.log_in_length
        if kind > INCREMENT:
            memcpy(at, b"mn\r\n", 4)
            return 4
        memcpy(at, self.before[kind].bytes, BLOCK)
        at += self.before[kind].length
        if self.base64:
            at += self.write_any_key(at, r.key, kind == INCREMENT)
        else:
            write_key(at, r.key, self.id_length)
            at += self.id_length
        memcpy(at, behind.bytes, BLOCK)
        if behind.opaque:
            hex16(digits, <uint64_t>number << 32)
            memcpy(at + behind.opaque, digits, OPAQUE)
        at += behind.length
        if kind == WRITE:
            if value != NULL:
                copy_value(at, value, self.value_bytes)
                at += self.value_bytes
            memcpy(at, b"\r\n", 2)
            at += 2
        return at - out

    cdef int write_any_key(self, char *out, uint64_t key, bint counts) noexcept nogil:
        """Write a whole key as it is sent, and return its length, at most LONGEST_KEY."""
        cdef char plain[LONGEST_KEY + BLOCK]
        cdef int before = self.counter_length if counts else self.prefix_length
        cdef int length = before + self.id_length
        if counts:
            memcpy(plain, self.counter, before)
        else:
            memcpy(plain, self.prefix, before)
        write_key(plain + before, key, self.id_length)
        if self.base64:
            return write_base64(out, plain, length)
        memcpy(out, plain, length)
        return length

    cdef Decoded decode(self, Decoder *d, Cursor *c, int command) noexcept nogil:
        cdef int kind = kind_of(self.rows, command)
        cdef char digits[16]
        # The common case first: a whole value of this run's own length, in reply to the request next in line.
        if (d.state == BETWEEN and kind == READ and self.hit_bytes and c.end - c.at >= self.hit_bytes
                and word_at(c.at) & self.hit_mask == self.hit_head and d.asked != NULL):
            hex16(digits, <uint64_t>d.number << 32)
            if ((not self.opaque or word_at(digits) == word_at(c.at + self.hit_opaque))
                    and c.at[self.hit_line - 2] == c'\r' and c.at[self.hit_line - 1] == c'\n'
                    and c.at[self.hit_bytes - 2] == c'\r' and c.at[self.hit_bytes - 1] == c'\n'):
                c.at += self.hit_bytes
                d.outcome = HIT
                if self.run:
                    take_head(d, c.at - 2 - self.value_bytes)
                return REPLY
        return self.decode_any(d, c, kind)

    cdef Decoded decode_any(self, Decoder *d, Cursor *c, int kind) noexcept nogil:
        cdef const char *newline
        if d.state == LONG_ERROR:
            return skip_error(d, c)
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
        if newline - 1 < c.at or (newline - 1)[0] != c'\r':
            return NOT_THE_PROTOCOL
        if is_error(d, c.at, newline - 1):
            c.at = newline + 1
            return REPLY
        if newline - c.at >= HEAD:
            return NOT_THE_PROTOCOL  # only an error is so long, as when the line is cut
        return self.decode_line(d, c, newline - 1, kind,
                                self.silent[kind] and d.asked != NULL and is_silent(self, d.asked))

    cdef Decoded decode_line(self, Decoder *d, Cursor *c, const char *end, int kind, bint silent) noexcept nogil:
        cdef const char *at = c.at
        cdef int whose
        cdef int64_t length = -1
        if kind == LOG_IN:
            d.outcome = OK
            return took(c, end) if end - at == 6 and memcmp(at, b"STORED", 6) == 0 else NOT_THE_PROTOCOL
        if end - at < 2 or end - at > 2 and at[2] != c' ':
            return NOT_THE_PROTOCOL
        if is_code(at, b"MN"):
            if silent and end - at == 2:
                return silence(d, kind)
            d.outcome = OK
            return took(c, end) if end - at == 2 and (kind == ASK or kind == BARRIER) else NOT_THE_PROTOCOL
        if is_code(at, b"VA"):
            at = read_decimal(at + 3, end, &length)
            if at == NULL or length > LONGEST_VALUE:
                return NOT_THE_PROTOCOL
        else:
            at += 2
        whose = self.whose(d, at, end)
        if whose == MALFORMED:
            return NOT_THE_PROTOCOL
        if silent and whose == LATER and is_answer(c.at):
            return silence(d, kind)
        if whose == LATER or whose == FOREIGN:
            return ANOTHER_KEY if is_answer(c.at) else NOT_THE_PROTOCOL
        if kind > INCREMENT:
            return NOT_THE_PROTOCOL
        # A miss need not have flags; whoever sends any other answer repeats the token.
        if self.opaque and d.asked != NULL and whose == NOT_TOLD and (silent or not is_code(c.at, b"EN")):
            return NOT_THE_PROTOCOL
        at = c.at
        if kind == READ:
            if length >= 0 and self.value_returned:
                c.at = end + 2
                d.skip = length + 2
                d.state = VALUE
                begin_head(d, length)
                return skip_value(d, c)
            d.outcome = HIT if is_code(at, b"HD") else MISS
            return took(c, end) if is_code(at, b"EN") or is_code(at, b"HD") and not self.value_returned else (
                NOT_THE_PROTOCOL)
        if kind == WRITE:
            d.outcome = STORED if is_code(at, b"HD") else NOT_STORED
            return took(c, end) if is_code(at, b"HD") or is_code(at, b"NS") else NOT_THE_PROTOCOL
        if kind == INCREMENT:
            # NS: another connection has created the counter meanwhile, or there is no room for it.
            d.outcome = OK if is_code(at, b"HD") else NO_COUNTER
            return took(c, end) if is_code(at, b"HD") or is_code(at, b"NF") or is_code(at, b"NS") else NOT_THE_PROTOCOL
        d.outcome = DELETED if is_code(at, b"HD") else NOT_FOUND
        return took(c, end) if is_code(at, b"HD") or is_code(at, b"NF") else NOT_THE_PROTOCOL

    cdef int whose(self, const Decoder *d, const char *at, const char *end) noexcept nogil:
        cdef int told = NOT_TOLD
        cdef char sent[2 * LONGEST_KEY]
        cdef const char *token
        cdef int64_t ahead
        cdef uint32_t number
        cdef int length
        if d.asked == NULL:
            return NOT_TOLD
        while at < end:
            # A flag, and its token up to the next space.
            at += 1
            token = at + 1
            while at < end and at[0] != c' ':
                at += 1
            if at < token:
                return MALFORMED
            if (token - 1)[0] == c'O' and self.opaque:
                if at - token != OPAQUE or not read_number(token, &number):
                    return MALFORMED
                ahead = <int32_t>(number - d.number)
                if ahead != 0:
                    return LATER if 0 < ahead < <int64_t><int32_t>(d.behind - d.number) else FOREIGN
                told = ITS_OWN
            elif (token - 1)[0] == c'k' and self.key_returned:
                length = self.write_any_key(sent, d.asked.key, False)
                if at - token != length or memcmp(token, sent, length) != 0:
                    return FOREIGN
                told = ITS_OWN
        return told


cdef inline bint is_code(const char *at, const char *code) noexcept nogil:
    """True when two bytes are those of a code."""
    return at[0] == code[0] and at[1] == code[1]


cdef inline bint is_answer(const char *at) noexcept nogil:
    """True for the code of an answer to mg, ms or md."""
    return (is_code(at, b"VA") or is_code(at, b"HD") or is_code(at, b"EN") or is_code(at, b"NS")
            or is_code(at, b"NF"))


cdef inline Decoded took(Cursor *c, const char *end) noexcept nogil:
    """Take a line off the cursor, with its line end."""
    c.at = end + 2
    return REPLY


cdef inline Decoded silence(Decoder *d, int kind) noexcept nogil:
    """The silent request next in line was not answered, as the reply to a later one is there."""
    d.outcome = MISS if kind == READ else STORED if kind == WRITE else DELETED
    return REPLY


cdef Decoded skip_value(Decoder *d, Cursor *c) noexcept nogil:
    """Pass over the rest of a value and its line end, each half of which is checked."""
    cdef int64_t here = c.end - c.at
    keep_head(d, c.at, here)
    if here < d.skip:
        d.skip -= here
        c.at = c.end
        return NOT_THE_PROTOCOL if d.skip == 1 and here > 0 and (c.at - 1)[0] != c'\r' else NEED_MORE
    c.at += d.skip
    if (c.at - 1)[0] != c'\n' or d.skip > 1 and (c.at - 2)[0] != c'\r':
        return NOT_THE_PROTOCOL
    d.skip = 0
    d.state = BETWEEN
    d.outcome = HIT
    return REPLY


cdef bint read_number(const char *at, uint32_t *number) noexcept nogil:
    """Read an opaque token of this codec's own. False where there is none."""
    cdef uint32_t value = 0
    cdef int i
    for i in range(OPAQUE):
        if c'0' <= at[i] <= c'9':
            value = value << 4 | <uint32_t>(at[i] - c'0')
        elif c'a' <= at[i] <= c'f':
            value = value << 4 | <uint32_t>(at[i] - c'a' + 10)
        else:
            return False
    number[0] = value
    return True


cdef int write_base64(char *out, const char *plain, int length) noexcept nogil:
    """Write bytes in base64 (RFC 4648, section 4), and return the length."""
    cdef const unsigned char *at = <const unsigned char *>plain
    cdef int left = length, written = 0
    cdef uint32_t word
    while left > 0:
        word = <uint32_t>at[0] << 16 | (<uint32_t>at[1] << 8 if left > 1 else 0) | (<uint32_t>at[2] if left > 2 else 0)
        out[written] = ALPHABET[word >> 18]
        out[written + 1] = ALPHABET[word >> 12 & 63]
        out[written + 2] = ALPHABET[word >> 6 & 63] if left > 1 else c'='
        out[written + 3] = ALPHABET[word & 63] if left > 2 else c'='
        written += 4
        at += 3
        left -= 3
    return written
