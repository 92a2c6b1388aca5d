"""The text protocol of memcache: requests and the parsers of their replies. Sans-IO.

The replies to `get` and `set` that come whole are read in C; any other by the rules that all parsers share.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_CheckExact, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.stdint cimport int64_t
from libc.stdio cimport snprintf
from libc.string cimport memcmp, memcpy

from loadgen.client._request cimport Request, request_of_key

from loadgen.client import reply
from loadgen.client.reply import Malformed

KEYS_PER_LINE = 50
"""The most keys of one `get`. A longer batch is several lines, sent at once: servers limit the length of a line."""

STORED = reply.words({b"STORED": True, b"NOT_STORED": False, b"EXISTS": False, b"NOT_FOUND": None})
DELETED = reply.words({b"DELETED": True, b"NOT_FOUND": False})
TOUCHED = reply.words({b"TOUCHED": True, b"NOT_FOUND": False})

cdef object _STORED = STORED


def value(received, Py_ssize_t at, expected):
    """Parse the reply to `get` with one key: the value, or None for a miss."""
    # Most replies come whole: they are read in one go, and any other by the rules below.
    cdef Py_ssize_t length
    if PyBytes_CheckExact(received) and PyBytes_CheckExact(expected):
        data = whole_value(
            PyBytes_AS_STRING(received) + at,
            PyBytes_GET_SIZE(received) - at,
            PyBytes_AS_STRING(expected),
            PyBytes_GET_SIZE(expected),
            &length,
        )
        if data is not None:
            return data, at + length
    found = item(received, at, expected)
    if found is None:
        return None
    held, end = found
    return (held[0] if type(held) is tuple else held), end


cdef bytes whole_value(
    const char *text, Py_ssize_t length, const char *key, Py_ssize_t key_length, Py_ssize_t *read
):
    """Return the value of a reply that is one value of a key and is there whole, and its length in `read`; None for
    any other."""
    cdef Py_ssize_t at = 6 + key_length, size = 0, least
    if length < at + 7 or memcmp(text, b"VALUE ", 6) or memcmp(text + 6, key, key_length) or text[at] != c" ":
        return None
    at += 1
    while at < length and c"0" <= text[at] <= c"9":
        at += 1
    if at >= length or text[at] != c" ":
        return None
    at += 1
    least = at
    while at < length and c"0" <= text[at] <= c"9" and at - least < 10:
        size = 10 * size + (text[at] - c"0")
        at += 1
    if at == least or at + 2 + size + 7 > length or memcmp(text + at, b"\r\n", 2):
        return None
    at += 2
    if memcmp(text + at + size, b"\r\nEND\r\n", 7):
        return None
    read[0] = at + size + 7
    return PyBytes_FromStringAndSize(text + at, size)


def item(received, Py_ssize_t at, expected):
    """Parse the reply to `get` or `gets` with one key: the value and its CAS, 0 for `get`; None for a miss."""
    if received.startswith(b"END\r\n", at):
        return None, at + 5
    end = reply.end_of_line(received, at)
    if end < 0:
        return None
    key, length, cas = value_line(received, at, end)
    if key is None:
        return reply.error_in(bytes(received[at:end])), end + 2
    if key != expected:
        raise Malformed("a value came that belongs to another key")
    data = reply.body(received, end + 2, length)
    if data is None:
        return None
    at = end + 2 + length + 2
    end = reply.end_of_line(received, at)
    if end < 0:
        return None
    if received[at:end] != b"END":
        return reply.error_in(bytes(received[at:end])), end + 2
    return (data, cas), end + 2


def values(received, Py_ssize_t at, expected):
    """Parse the reply to `get` with several keys: the values that were found, by key, in the order of the request."""
    cdef list places = []
    cdef Py_ssize_t turn = 0
    while (end := reply.end_of_line(received, at)) >= 0:
        key, length, _ = value_line(received, at, end)
        if key is None:
            line = bytes(received[at:end])
            # Nothing is copied before all is there: a long reply is read again with every chunk.
            found = {key: bytes(received[begin:finish]) for key, begin, finish in places} if line == b"END" else None
            return (reply.error_in(line) if found is None else found), end + 2
        while turn < len(expected) and expected[turn] != key:
            turn += 1
        if turn == len(expected):
            raise Malformed("a value came that belongs to another key")
        turn += 1
        at = end + 2 + length + 2
        if len(received) < at:
            return None
        if received[at - 2 : at] != b"\r\n":
            raise Malformed("a value of the reply does not end where its length says")
        places.append((key, end + 2, at - 2))
    return None


cdef tuple value_line(received, Py_ssize_t at, Py_ssize_t end):
    """Return key, length and CAS of a line `VALUE key flags length [cas]`; None as the key for any other line."""
    if not received.startswith(b"VALUE ", at):
        return None, 0, 0
    words = bytes(received[at + 6 : end]).split(b" ")
    if not 3 <= len(words) <= 4:
        raise Malformed("a VALUE line of the reply does not have three or four words")
    cas = reply.number(words[3]) if len(words) == 4 else 0
    return words[0], reply.number(words[2], reply.LONGEST_VALUE), cas


def count(received, Py_ssize_t at, expected):
    """Parse the reply to `incr` or `decr`: the new number, or None for a miss."""
    end = reply.end_of_line(received, at)
    if end < 0:
        return None
    # memcached pads a number that has become shorter with blanks.
    line = bytes(received[at:end]).rstrip(b" ")
    if line.isdigit():
        return reply.number(line), end + 2
    return (None if line == b"NOT_FOUND" else reply.error_in(line)), end + 2


def stored(received, Py_ssize_t at, expected):
    """Parse the reply to a storage command: True when it was stored; None where the key is not there."""
    if (
        PyBytes_CheckExact(received)
        and PyBytes_GET_SIZE(received) - at >= 8
        and not memcmp(PyBytes_AS_STRING(received) + at, b"STORED\r\n", 8)
    ):
        return True, at + 8
    return _STORED(received, at, expected)


cdef bytes line_of(const char *verb, Py_ssize_t length, bytes key):
    """Return the line `VERB KEY`."""
    cdef Py_ssize_t key_length = PyBytes_GET_SIZE(key)
    cdef bytes line = PyBytes_FromStringAndSize(NULL, length + key_length + 2)
    cdef char *to = PyBytes_AS_STRING(line)
    memcpy(to, verb, length)
    memcpy(to + length, PyBytes_AS_STRING(key), key_length)
    memcpy(to + length + key_length, b"\r\n", 2)
    return line


cdef bytes storage_of(bytes verb, bytes key, bytes held, int64_t ttl_s, cas):
    """Return the line of a storage command, and the value."""
    cdef char numbers[48]  # a blank, 0, and two numbers of 20 digits at the most, each after a blank
    cdef int length
    if verb == b"cas":
        return b"cas %b 0 %d %d %d\r\n%b\r\n" % (key, ttl_s, len(held), cas, held)
    length = snprintf(numbers, sizeof(numbers), b" 0 %lld %zd\r\n", <long long>ttl_s, PyBytes_GET_SIZE(held))
    return b"".join((verb, b" ", key, numbers[:length], held, b"\r\n"))


cdef class Text:
    """The requests of the text protocol. Keys and values are checked before."""

    def get(self, bytes key not None):
        return request_of_key("get", line_of(b"get ", 4, key), value, key, True)

    def gets(self, bytes key not None):
        return request_of_key("gets", line_of(b"gets ", 5, key), item, key, True)

    def get_many(self, keys):
        """The replies are dicts of what was found, one for each line."""
        lines = [keys[at : at + KEYS_PER_LINE] for at in range(0, len(keys), KEYS_PER_LINE)]
        data = b"".join(b"get %b\r\n" % b" ".join(line) for line in lines)
        return Request("get_many", data, values, lines, replies=len(lines), reads=True)

    def store(self, str verb, bytes key, bytes held, ttl_s, cas=0):
        """`verb` is set, add, replace, append, prepend or cas."""
        return request_of_key(verb, storage_of(verb.encode(), key, held, ttl_s, cas), stored, key, False)

    def set_many(self, held, ttl_s):
        data = b"".join(storage_of(b"set", key, value, ttl_s, 0) for key, value in held.items())
        return Request("set_many", data, stored, [*held], replies=len(held))

    def delete(self, bytes key):
        return Request("delete", b"delete %b\r\n" % key, DELETED, key=key)

    def delete_many(self, keys):
        data = b"".join(b"delete %b\r\n" % key for key in keys)
        return Request("delete_many", data, DELETED, keys, replies=len(keys))

    def touch(self, bytes key, ttl_s):
        return Request("touch", b"touch %b %d\r\n" % (key, ttl_s), TOUCHED, key=key)

    def increment(self, bytes key, delta, initial, ttl_s):
        """A miss with `initial` is followed by an `add`, and where another caller's was first, by the same again."""
        verb = b"incr" if delta >= 0 else b"decr"
        request = Request("increment", b"%b %b %d\r\n" % (verb, key, abs(delta)), count, key=key)
        if initial is not None:
            request.follow = lambda found: self._begin_count(request, initial, ttl_s) if found is None else None
        return request

    def _begin_count(self, request, initial, ttl_s):
        assert request.key is not None
        add = self.store("add", request.key, b"%d" % initial, ttl_s)
        again = Request("increment", request.data, count, key=request.key)
        # STORED means `initial`; NOT_STORED that another caller's add was first.
        add.parse = reply.words({b"STORED": initial, b"NOT_STORED": None})
        add.follow = lambda found: again if found is None else None
        return add

    def version(self):
        return Request("version", b"version\r\n", reply.version, reads=True)

    ping = version

    def stats(self, bytes of=b""):
        return Request("stats", b"stats %b\r\n" % of if of else b"stats\r\n", reply.stats, reads=True)
