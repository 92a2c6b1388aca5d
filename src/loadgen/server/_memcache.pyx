# cython: boundscheck=True, wraparound=True
# (A command's words are Python lists here. The hot paths index C pointers, which neither setting touches.)
"""The built-in server's memcache side: the classic text protocol. Sources: memcached's doc/protocol.txt, and the
answers of memcached 1.6, which the tests compare byte by byte."""

import os
import re

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.stdint cimport int64_t, uint32_t
from libc.string cimport memchr, memcmp, memcpy

from loadgen.server._connection cimport (
    AWAITED,
    CONTROL,
    DATA,
    LARGE_BYTES,
    SHORT_BYTES,
    Connection,
    Service,
    read_integer,
    write_decimal,
)
from loadgen.server._store cimport NOEVICTION, Item, Store, value_of

cdef enum:
    MAX_LINE_BYTES = 2048         # memcached closes at a longer line that is not a get
    MAX_GET_LINE_BYTES = 262144   # memcached has no bound here; this is 1,000 of the longest keys
    MAX_VALUE_BYTES = 1073741824
    MONTH_S = 2592000          # an expiry up to 30 days is relative, a larger one is a Unix time
    MAX_EXPIRY_S = 9000000000000000  # int64 milliseconds hold it
    # The bytes that memcached keeps with an item on a 64-bit machine and counts towards its largest item: a header of
    # 48 bytes, the cas value, a NUL behind the key, the CRLF, and 4 bytes of flags unless they are 0.
    MEMCACHED_ITEM_BYTES = 59
    MEMCACHED_FLAGS_BYTES = 4

# The data commands of one line.
_DATA_LINES = frozenset((b"get", b"gets", b"delete", b"incr", b"decr", b"touch"))
_STORAGE = {b"set": SET, b"add": ADD, b"replace": REPLACE, b"append": APPEND, b"prepend": PREPEND, b"cas": CAS}

VERSION = "1.6.0-loadgen"  # some clients look for features by its first numbers

_FORMAT_ERROR = b"CLIENT_ERROR bad command line format\r\n"
_TOO_LARGE = b"SERVER_ERROR object too large for cache\r\n"
_OUT_OF_MEMORY = b"SERVER_ERROR out of memory storing object\r\n"
# As memcached reads one, with strtoull: what stands behind a space or a NUL does not matter. memcached takes some
# numbers with a minus sign, too, as what they are modulo 2^64; here none is a number.
_NUMBER = re.compile(rb"\s*\+?(?=[0-9])0*+([0-9]{0,20})(?:[\s\0]|\Z)")
_PLANTED = b"SERVER_ERROR planted\r\n"


cdef int tokenize(const char *line, Py_ssize_t size, Token *tokens) noexcept nogil:
    """Split a line at its spaces; return the number of tokens, MAX_TOKENS when there may be more."""
    cdef const char *end = line + size
    cdef int count = 0
    while count < MAX_TOKENS:
        while line < end and line[0] == c' ':
            line += 1
        if line == end:
            break
        tokens[count].at = line
        while line < end and line[0] != c' ':
            line += 1
        tokens[count].size = line - tokens[count].at
        count += 1
    return count


cdef inline bint is_token(const Token *token, const char *text, Py_ssize_t size) noexcept nogil:
    return token.size == size and memcmp(token.at, text, size) == 0


cdef inline bytes bytes_of(const Token *token):
    return PyBytes_FromStringAndSize(token.at, token.size)


cdef int64_t expiry_ms(int64_t exptime_s, int64_t now_ms) noexcept nogil:
    """Return the Unix time in ms that memcache's exptime means; 0: never, 1: already expired."""
    if exptime_s == 0:
        return 0
    if exptime_s < 0:
        return 1
    if exptime_s <= MONTH_S:
        return now_ms + exptime_s * 1000
    return min(exptime_s, <int64_t>MAX_EXPIRY_S) * 1000


cdef class MemcacheConnection(Connection):
    def __init__(self, service):
        Connection.__init__(self, service)
        self.storage.command = NO_COMMAND

    cdef int consume(self) except -1:
        cdef Py_ssize_t before
        while not self.blocked and not self.closing:
            before = self.at
            go_on(self)
            if self.at == before:
                break
        return 0

    cdef int next_command(self) except -1:
        cdef const char *line = self.data + self.at
        cdef Py_ssize_t size = self.size - self.at
        cdef Py_ssize_t word = 0
        if self.next_key > 0:
            return CONTROL
        if self.storage.command != NO_COMMAND:
            if size < (0 if self.large_received else self.storage.size) + 2:
                self.continue_storage()
                return AWAITED
            return CONTROL if self.storage.dropped else DATA
        if memchr(line + self.scanned, c'\n', size - self.scanned) == NULL:
            self.read_line()
            return AWAITED
        # A storage command's line is CONTROL; the command is DATA once its data block has come.
        while line[0] == c' ':
            line += 1
        while line[word] > c' ':
            word += 1
        return DATA if line[:word] in _DATA_LINES else CONTROL

    cdef bint execute_command(self) except -1:
        go_on(self)
        return self.next_key == 0

    cdef int refuse_command(self) except -1:
        cdef const char *line = self.data + self.at
        cdef const char *end
        if self.storage.command != NO_COMMAND:
            self.storage.dropped = True
            self.say(_PLANTED, self.storage.noreply)
            return self.continue_storage()
        end = <const char *>memchr(line, c'\n', self.size - self.at)
        self.at += end - line + 1
        self.scanned = 0
        words = line[:end - line].split()
        return self.say(_PLANTED, len(words) > 2 and words[-1] == b"noreply" and not words[0].startswith(b"get"))

    cdef bytes too_much(self):
        return b"SERVER_ERROR out of memory reading request\r\n"

    # ---- lines

    cdef int read_line(self) except -1:
        cdef const char *line = self.data + self.at
        cdef Py_ssize_t size = self.size - self.at
        cdef const char *end
        cdef Py_ssize_t at_start = self.at
        if size == self.scanned:
            return 0
        end = <const char *>memchr(line + self.scanned, c'\n', size - self.scanned)
        if end == NULL:
            self.scanned = size
            if size > MAX_LINE_BYTES:
                if memcmp(line, b"get ", 4) != 0 and memcmp(line, b"gets ", 5) != 0:
                    self.close_after_replies()
                elif size > MAX_GET_LINE_BYTES:
                    self.say(b"CLIENT_ERROR line too long\r\n", False)
                    self.close_after_replies()
            return 0
        self.scanned = 0
        size = end - line
        self.execute(line, size - 1 if size > 0 and line[size - 1] == c'\r' else size)
        if self.next_key == 0 and self.at == at_start:
            self.at += size + 1
        return 0

    cdef int execute(self, const char *line, Py_ssize_t size) except -1:
        if size > 4 and memcmp(line, b"get ", 4) == 0:
            return self.start_get(4, size, False)
        if size > 5 and memcmp(line, b"gets ", 5) == 0:
            return self.start_get(5, size, True)
        return self.execute_any(line, size)

    cdef int execute_any(self, const char *line, Py_ssize_t size) except -1:
        cdef Token tokens[MAX_TOKENS]
        cdef int count = tokenize(line, size, tokens)
        if count == 0:
            return self.say(b"ERROR\r\n", False)
        if is_token(&tokens[0], b"set", 3):
            return self.start_storage(SET, tokens, count)
        name = bytes_of(&tokens[0])
        if name in (b"get", b"gets") and count > 1:
            # Spaces before the command: rare enough to look for the keys from here.
            return self.start_get(tokens[0].at + tokens[0].size - line, size, name == b"gets")
        if name in _STORAGE:
            return self.start_storage(_STORAGE[name], tokens, count)
        function = _FUNCTIONS.get(name)
        if function is None:
            return self.say(b"ERROR\r\n", False)
        function(self, [bytes_of(&tokens[i]) for i in range(count)])
        return 0

    # ---- get

    cdef int start_get(self, Py_ssize_t keys_at, Py_ssize_t size, bint with_version) except -1:
        # Every key is checked before the first is answered: an error replaces all answers.
        cdef const char *line = self.data + self.at
        cdef Py_ssize_t at = keys_at, start
        cdef bint any_key = False
        while at < size:
            if line[at] == c' ':
                at += 1
                continue
            start = at
            while at < size and line[at] != c' ':
                at += 1
            if at - start > MAX_KEY_BYTES:
                return self.say(_FORMAT_ERROR, False)
            any_key = True
        if not any_key:
            return self.say(b"ERROR\r\n", False)
        self.next_key = keys_at
        self.line_size = size
        self.with_version = with_version
        return self.continue_get()

    cdef int continue_get(self) except -1:
        cdef const char *line = self.data + self.at
        cdef Py_ssize_t start
        while not self.blocked:
            while self.next_key < self.line_size and line[self.next_key] == c' ':
                self.next_key += 1
            if self.next_key == self.line_size:
                self.reply(b"END\r\n", 5)
                self.next_key = 0
                self.at += self.line_size + (2 if line[self.line_size] == c'\r' else 1)
                return 0
            start = self.next_key
            while self.next_key < self.line_size and line[self.next_key] != c' ':
                self.next_key += 1
            self.get_item(line + start, self.next_key - start)
        return 0

    cdef int get_item(self, const char *key, Py_ssize_t size) except -1:
        cdef Item *item = self.service.store.find(key, size, self.service.now_ms)
        cdef bytes value
        cdef char *start
        cdef char *at
        self.service.calls[GET] += 1
        if item == NULL:
            self.service.misses[GET] += 1
            return 0
        value = value_of(item)
        self.service.hits[GET] += 1
        start = at = self.reply_room(SHORT_BYTES)
        memcpy(at, b"VALUE ", 6)
        memcpy(at + 6, key, size)
        at += 6 + size
        at[0] = c' '
        at = write_decimal(at + 1, item.flags)
        at[0] = c' '
        at = write_decimal(at + 1, PyBytes_GET_SIZE(value))
        if self.with_version:
            at[0] = c' '
            at = write_decimal(at + 1, <int64_t>item.version)
        memcpy(at, b"\r\n", 2)
        self.service.out_size += at + 2 - start
        return self.reply_value(value, b"\r\n", 2)

    # ---- storage commands

    cdef int start_storage(self, int command, Token *tokens, int count) except -1:
        cdef Storage *storage = &self.storage
        cdef int words = 6 if command == CAS else 5
        cdef int64_t flags, exptime_s, size, version = 0
        if count != words and count != words + 1:
            return self.say(b"ERROR\r\n", False)
        if (
            tokens[1].size > MAX_KEY_BYTES
            or not read_integer(tokens[2].at, tokens[2].size, &flags)
            or not read_integer(tokens[3].at, tokens[3].size, &exptime_s)
            or not read_integer(tokens[4].at, tokens[4].size, &size)
            or (command == CAS and not read_integer(tokens[5].at, tokens[5].size, &version))
            or not 0 <= flags <= 0xFFFFFFFF or not 0 <= size <= MAX_VALUE_BYTES
        ):
            return self.say(_FORMAT_ERROR, False)
        storage.noreply = count == words + 1 and is_token(&tokens[words], b"noreply", 7)
        storage.flags = <uint32_t>flags
        storage.expires_at_ms = expiry_ms(exptime_s, self.service.now_ms)
        storage.version = version
        storage.size = size
        storage.dropped = False
        self.key = bytes_of(&tokens[1])
        item_bytes = tokens[1].size + size + MEMCACHED_ITEM_BYTES + (MEMCACHED_FLAGS_BYTES if flags else 0)
        if item_bytes > self.service.max_item_bytes:
            self.refuse_storage(command, _TOO_LARGE)
        elif not self.service.store.fits(tokens[1].size, size):
            self.refuse_storage(command, _OUT_OF_MEMORY)
        # Set last: from here on, the next input is the data.
        storage.command = command
        return 0

    cdef int refuse_storage(self, int command, bytes text) except -1:
        # As memcached does: after a failed set, an old value must not pass for the new one.
        if command == SET:
            self.service.store.remove(PyBytes_AS_STRING(self.key), len(self.key), self.service.now_ms)
        self.storage.dropped = True
        return self.say(text, self.storage.noreply)

    cdef int continue_storage(self) except -1:
        cdef Storage *storage = &self.storage
        cdef const char *at = self.data + self.at
        cdef Py_ssize_t size = self.size - self.at
        cdef Py_ssize_t here = 0 if self.large_received else storage.size
        cdef bytes value
        if size < here + 2:
            if here >= LARGE_BYTES and size < here:
                self.large_received = True
                if not storage.dropped and not self.hold(&self.held_large, here):
                    self.refuse_storage(storage.command, _OUT_OF_MEMORY)
                if not storage.dropped:
                    self.large = PyBytes_FromStringAndSize(NULL, here)
                    return self.receive_large(PyBytes_AS_STRING(self.large), self.at, here)
                return self.receive_large(NULL, self.at, here)
            return 0
        if storage.dropped:
            value = None
        elif self.large_received:
            value = self.large
        else:
            value = PyBytes_FromStringAndSize(at, here)
        self.at += here + 2
        if value is not None:
            self.service.calls[storage.command] += 1
            if at[here] == c'\r' and at[here + 1] == c'\n':
                self.store_item(value)
            else:
                self.say(b"CLIENT_ERROR bad data chunk\r\n", storage.noreply)
        self.large = None
        self.large_received = False
        self.hold(&self.held_large, 0)
        storage.command = NO_COMMAND
        return 0

    cdef int store_item(self, bytes value) except -1:
        cdef Storage *storage = &self.storage
        cdef Store store = self.service.store
        cdef Item *old
        if storage.command != SET:
            old = store.peek(PyBytes_AS_STRING(self.key), len(self.key), self.service.now_ms)
            if storage.command == CAS:
                if old == NULL:
                    self.service.misses[CAS] += 1
                    return self.say(b"NOT_FOUND\r\n", storage.noreply)
                if old.version != storage.version:
                    self.service.calls[CAS_BAD] += 1
                    return self.say(b"EXISTS\r\n", storage.noreply)
                self.service.hits[CAS] += 1
            elif (old != NULL) == (storage.command == ADD):
                return self.say(b"NOT_STORED\r\n", storage.noreply)
            elif storage.command == APPEND or storage.command == PREPEND:
                storage.flags = old.flags
                storage.expires_at_ms = old.expires_at_ms
                value = value_of(old) + value if storage.command == APPEND else value + value_of(old)
                if len(value) + len(self.key) + MEMCACHED_ITEM_BYTES > self.service.max_item_bytes:
                    return self.say(_TOO_LARGE, storage.noreply)
        if not store.put(PyBytes_AS_STRING(self.key), len(self.key), value, storage.flags, storage.expires_at_ms):
            return self.refuse_storage(storage.command, _OUT_OF_MEMORY)
        return self.say(b"STORED\r\n", storage.noreply)

    cdef int say(self, bytes text, bint noreply) except -1:
        return 0 if noreply else self.reply_bytes(text)


# ---- the other commands, one function each; `words` has the command's name first

cdef Item *find(MemcacheConnection c, bytes key) noexcept:
    return c.service.store.find(PyBytes_AS_STRING(key), len(key), c.service.now_ms)


def _delete(MemcacheConnection c, list words):
    if not 2 <= len(words) <= 4:
        return c.say(b"ERROR\r\n", False)
    if len(words[1]) > MAX_KEY_BYTES:
        return c.say(_FORMAT_ERROR, False)
    if words[2:] not in ([], [b"0"], [b"noreply"], [b"0", b"noreply"]):
        return c.say(_FORMAT_ERROR[:-2] + b".  Usage: delete <key> [noreply]\r\n", False)
    c.service.calls[DELETE] += 1
    if c.service.store.remove(PyBytes_AS_STRING(<bytes>words[1]), len(words[1]), c.service.now_ms):
        c.service.hits[DELETE] += 1
        return c.say(b"DELETED\r\n", words[-1] == b"noreply" and len(words) > 2)
    c.service.misses[DELETE] += 1
    return c.say(b"NOT_FOUND\r\n", words[-1] == b"noreply" and len(words) > 2)


def _add_delta(MemcacheConnection c, list words):
    cdef Item *item
    cdef int command = INCR if words[0] == b"incr" else DECR
    if not 3 <= len(words) <= 4:
        return c.say(b"ERROR\r\n", False)
    noreply = len(words) == 4 and words[3] == b"noreply"
    if len(words[1]) > MAX_KEY_BYTES:
        return c.say(_FORMAT_ERROR, False)
    delta = _unsigned(words[2])
    if delta is None:
        return c.say(b"CLIENT_ERROR invalid numeric delta argument\r\n", False)
    c.service.calls[command] += 1
    item = find(c, words[1])
    if item == NULL:
        c.service.misses[command] += 1
        return c.say(b"NOT_FOUND\r\n", noreply)
    old = value_of(item)
    value = _unsigned(old)
    if value is None:
        return c.say(b"CLIENT_ERROR cannot increment or decrement non-numeric value\r\n", False)
    c.service.hits[command] += 1
    value = (value + delta) % 2**64 if command == INCR else max(0, value - delta)
    text = str(value).encode()
    # As memcached does: a number that became shorter keeps its length, filled with spaces.
    new = text.ljust(len(old))
    if not c.service.store.put(PyBytes_AS_STRING(<bytes>words[1]), len(words[1]), new, item.flags, item.expires_at_ms):
        return c.say(b"SERVER_ERROR out of memory in incr\r\n", noreply)
    return c.say(text + b"\r\n", noreply)


cdef object _unsigned(bytes text):
    """Return the unsigned 64-bit number at the beginning of the text, or None."""
    found = _NUMBER.match(text)
    value = 2**64 if found is None else int(found[1] or b"0")
    return value if value < 2**64 else None


def _touch(MemcacheConnection c, list words):
    cdef int64_t exptime_s
    cdef Item *item
    if not 3 <= len(words) <= 4:
        return c.say(b"ERROR\r\n", False)
    noreply = len(words) == 4 and words[3] == b"noreply"
    if len(words[1]) > MAX_KEY_BYTES:
        return c.say(_FORMAT_ERROR, False)
    if not read_integer(PyBytes_AS_STRING(<bytes>words[2]), len(words[2]), &exptime_s):
        return c.say(b"CLIENT_ERROR invalid exptime argument\r\n", False)
    c.service.calls[TOUCH] += 1
    item = find(c, words[1])
    if item == NULL:
        c.service.misses[TOUCH] += 1
        return c.say(b"NOT_FOUND\r\n", noreply)
    c.service.hits[TOUCH] += 1
    c.service.store.expire_at(item, expiry_ms(exptime_s, c.service.now_ms))
    return c.say(b"TOUCHED\r\n", noreply)


def _flush_all(MemcacheConnection c, list words):
    cdef int64_t delay_s = 0
    noreply = words[-1] == b"noreply"
    given = words[1:-1] if noreply else words[1:]
    if len(given) > 1:
        return c.say(b"ERROR\r\n", False)
    if given and not read_integer(PyBytes_AS_STRING(<bytes>given[0]), len(given[0]), &delay_s):
        return c.say(b"CLIENT_ERROR invalid exptime argument\r\n", False)
    if delay_s > 0:
        return c.say(b"SERVER_ERROR the built-in server does not flush later\r\n", False)
    c.service.calls[FLUSH] += 1
    c.service.store.clear()
    return c.say(b"OK\r\n", noreply)


def _version(MemcacheConnection c, list words):
    return c.say(b"VERSION " + VERSION.encode() + b"\r\n", False)


def _verbosity(MemcacheConnection c, list words):
    if len(words) == 1:
        return c.say(b"ERROR\r\n", False)
    if not words[1].isdigit():
        return c.say(_FORMAT_ERROR, False)
    return c.say(b"OK\r\n", words[-1] == b"noreply")


def _quit(MemcacheConnection c, list words):
    c.close_after_replies()


def _stats(MemcacheConnection c, list words):
    topic = words[1] if len(words) > 1 else b""
    if topic == b"reset":
        c.service.reset_counts()
        return c.say(b"RESET\r\n", False)
    if topic == b"":
        fields = _general_stats(c.service)
    elif topic == b"settings":
        fields = _settings(c.service)
    elif topic in (b"items", b"slabs", b"sizes", b"conns"):
        fields = {}
    else:
        return c.say(b"ERROR\r\n", False)
    lines = [f"STAT {name} {value}\r\n" for name, value in fields.items()]
    return c.say("".join([*lines, "END\r\n"]).encode(), False)


cdef dict _general_stats(Service service):
    cdef Store store = service.store
    cdef int64_t stored = 0
    cdef int command
    for command in range(SET, CAS + 1):
        stored += service.calls[command]
    return {
        "pid": os.getpid(),
        "uptime": (service.time.now_ns() - service.started_ns) // 1_000_000_000,
        "time": service.time.unix_ns() // 1_000_000_000,
        "version": VERSION,
        "loadgen_version": service.version,
        "pointer_size": 64,
        "curr_connections": len(service.connections),
        "total_connections": service.connections_total,
        "cmd_get": service.calls[GET],
        "cmd_set": stored,
        "cmd_flush": service.calls[FLUSH],
        "cmd_touch": service.calls[TOUCH],
        "get_hits": service.hits[GET],
        "get_misses": service.misses[GET],
        "delete_hits": service.hits[DELETE],
        "delete_misses": service.misses[DELETE],
        "incr_hits": service.hits[INCR],
        "incr_misses": service.misses[INCR],
        "decr_hits": service.hits[DECR],
        "decr_misses": service.misses[DECR],
        "cas_hits": service.hits[CAS],
        "cas_misses": service.misses[CAS],
        "cas_badval": service.calls[CAS_BAD],
        "touch_hits": service.hits[TOUCH],
        "touch_misses": service.misses[TOUCH],
        "bytes_read": service.bytes_read,
        "bytes_written": service.bytes_written,
        "limit_maxbytes": store.max_bytes,
        "threads": 1,
        "bytes": store.used_bytes,
        "curr_items": store.items,
        "evictions": store.evicted,
    }


cdef dict _settings(Service service):
    return {
        "maxbytes": service.store.max_bytes,
        "tcpport": service.port,
        "inter": service.host,
        "evictions": "off" if service.store.policy == NOEVICTION else "on",
        "item_size_max": service.max_item_bytes,
        "num_threads": 1,
    }


_FUNCTIONS = {
    b"delete": _delete, b"incr": _add_delta, b"decr": _add_delta, b"touch": _touch, b"flush_all": _flush_all,
    b"version": _version, b"verbosity": _verbosity, b"quit": _quit, b"stats": _stats,
}


def calls(Service service):
    """Return how many keys were read, written and removed, by the name of the command; what was not is left out."""
    cdef int64_t counts[3]
    counts[0] = service.calls[GET]
    counts[1] = service.calls[SET]
    counts[2] = service.hits[DELETE] + service.misses[DELETE]
    return {name: counts[place] for place, name in enumerate(("get", "set", "delete")) if counts[place]}
