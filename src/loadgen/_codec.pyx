"""The interface that every wire protocol implements (see `_codec.pxd`), and its face for plain bytes."""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from libc.stdint cimport UINT64_MAX, uint32_t, uint64_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy, memset

from loadgen._buffer cimport BLOCK, Cursor
from loadgen._request cimport ASK, ERROR_REPLY, MEASURE, WRITE_MANY, Commands, Request
from loadgen._siblings cimport Siblings
from loadgen._mark cimport MARK_BYTES
from loadgen._request import OUTCOME_NAMES, PHASE_NAMES


cdef bytes counter_prefix(bytes prefix):
    return b"counter:" + prefix


cdef class Codec:
    """A wire protocol: requests to bytes, bytes to outcomes. Only its subclasses can be used."""

    cdef Py_ssize_t encode(self, const Request *request, uint32_t number, const char *value, char *out) noexcept nogil:
        return 0

    cdef Decoded decode(self, Decoder *d, Cursor *c, int command) noexcept nogil:
        return NOT_THE_PROTOCOL

    cdef int use(self, commands, run, Py_ssize_t value_bytes, siblings=None) except -1:
        if run and value_bytes < MARK_BYTES:
            raise ValueError(f"a value of {value_bytes} bytes has no room for a mark of {MARK_BYTES}")
        self.run = run
        self.commands = Commands() if commands is None else commands
        self.rows = self.commands.rows
        self.asked = self.commands.first(ASK)
        self.behind_value = 2
        self.siblings = Siblings(UINT64_MAX, 10) if siblings is None else siblings
        return 0

    cdef int values(self, const Request *request) noexcept nogil:
        cdef const Command *row = &self.rows[request.command]
        if not row.has_value:
            return 0
        return self.siblings.size(request.key) if row.kind == WRITE_MANY else 1

    cdef bytes shown(self, const Request *request, uint32_t number):
        cdef bytes out = PyBytes_FromStringAndSize(NULL, self.longest + BLOCK)
        return out[:self.encode(request, number, NULL, PyBytes_AS_STRING(out))]

    def encoded(self, str command, uint64_t key=0, bytes value=b"", *, uint32_t number=0, str phase="precheck"):
        """Return the bytes of one request. Raises ValueError when `value` has another length than the codec's.

        `number` is the request's on its connection. Requests of the phases `warmup` and `measure` are silent, if those
        of the codec are.
        """
        cdef Request request
        memset(&request, 0, sizeof(request))
        request.command = self.commands.number(command)
        request.key = key
        request.phase = PHASE_NAMES.index(phase)
        cdef bytes out = PyBytes_FromStringAndSize(NULL, self.longest + BLOCK)
        cdef Py_ssize_t around = self.encode(&request, number, NULL, PyBytes_AS_STRING(out))
        cdef bytes padded = value.ljust(self.longest + BLOCK)
        cdef Py_ssize_t length = self.encode(&request, number, padded, PyBytes_AS_STRING(out))
        cdef int values = self.values(&request)
        if length != around + max(values, 1) * len(value):
            raise ValueError(f"{command} takes {values} values of {length - around} bytes in all, not {len(value)} each"
                             if values > 1 else f"{command} takes a value of {length - around} bytes, not {len(value)}")
        return out[:length]

    def decoder(self, bint in_load=False):
        """Return a `Replies` that decodes this protocol's byte stream.

        With `in_load`, the replies are to requests of a load, whose numbers count from 0, all for the key 0.
        """
        return Replies(self, in_load)


cdef class Replies:
    """The decoder of one connection's byte stream: the sans-IO face of a codec for tests and tools.

    `feed` takes bytes, whole or cut anywhere, and returns the outcome names of the replies that they complete; an error
    reply is `("error reply", text)`, a push `"push"`. `commands` is the command that all replies answer, or a list of
    the commands in line, from which each reply removes the first. Replies are appended to the list `replies` when it is
    given, so that those before a ValueError are not lost. Raises ValueError where the bytes are not the protocol, which
    ends the stream. The reply to another request is `"another"`, and ends the stream, too.
    """

    cdef Codec codec
    cdef bint in_load
    cdef Request asked
    cdef Decoder d
    cdef bytes head

    @property
    def value_head(self):
        """The first bytes of the last value."""
        return self.d.head[:self.d.head_bytes]

    def __cinit__(self, Codec codec, bint in_load=False):
        self.codec = codec
        self.in_load = in_load
        memset(&self.asked, 0, sizeof(self.asked))
        self.asked.phase = MEASURE
        self.head = b""
        memset(&self.d, 0, sizeof(self.d))

    def feed(self, bytes data, commands, list replies=None):
        cdef bytes text = self.head + data
        cdef list line = None if isinstance(commands, str) else commands
        cdef int expected = self.codec.commands.number(commands) if line is None else 0
        cdef Decoded what
        cdef Cursor c
        if replies is None:
            replies = []
        # A block of exactly this size, so that a sanitizer detects a step over either end.
        cdef char *block = <char *>malloc(len(text))
        if block == NULL and text:
            raise MemoryError()
        try:
            memcpy(block, <const char *>text, len(text))
            c.at = block
            c.end = block + len(text)
            while True:
                if line is not None:
                    expected = self.codec.commands.number(line[0]) if line else -1
                if self.in_load:
                    self.asked.command = max(expected, 0)
                    self.d.asked = &self.asked
                    self.d.behind = self.d.number + (1 if line is None else len(line))
                what = self.codec.decode(&self.d, &c, expected)
                if what == NEED_MORE:
                    break
                if what == ANOTHER_KEY:
                    replies.append("another")
                    return replies
                if what == NOT_THE_PROTOCOL or what == REPLY and line is not None and not line:
                    to = self.codec.commands.names[expected] if line is None or line else "no request"
                    raise ValueError(f"not a reply to {to}: {text[len(text) - (c.end - c.at):][:40]!r}")
                replies.append(self.said() if what == REPLY else "push")
                if what == REPLY:
                    self.d.number += 1
                    if line is not None:
                        del line[0]
            self.head = text[len(text) - (c.end - c.at):]
            if len(self.head) > HEAD:
                raise AssertionError(f"the codec keeps {len(self.head)} bytes, more than {HEAD}")
            return replies
        finally:
            free(block)

    cdef object said(self):
        name = OUTCOME_NAMES[self.d.outcome]
        return (name, self.d.error[:self.d.error_length].decode("latin-1")) if self.d.outcome == ERROR_REPLY else name
