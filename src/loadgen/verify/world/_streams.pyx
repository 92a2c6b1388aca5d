"""asyncio's transports on the streams of a world; `_streams.pxd` describes them."""

import os

from cpython.buffer cimport PyBUF_SIMPLE, PyBUF_WRITABLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.errno cimport EAGAIN

from loadgen.verify.world._network cimport Host

cdef enum:
    READ_BYTES = 65536    # the most that one read takes for a Protocol without a buffer of its own
    HIGH_BYTES = 65536    # asyncio's default bounds of what waits to be written
    PORTS_FROM = 40000    # the port of an end that connects is this and its number


class _Socketless:
    """The socket of a transport that has none: it has names, takes options, and has no descriptor."""

    def __init__(self, name, peer):
        self._name, self._peer = name, peer

    def fileno(self):
        return -1

    def setsockopt(self, *option):
        pass

    def getsockname(self):
        return self._name

    def getpeername(self):
        return self._peer


cdef class Streams(Watcher):
    """The streams of one ground, as asyncio's protocols have them."""

    def __cinit__(self, Ground ground not None):
        self.ground = ground
        self.factories = {}
        self.transports = {}
        ground.serve(self)

    def listen(self, int port, factory):
        """Accept streams on a port, each with a protocol that `factory()` makes."""
        self.factories[port] = factory
        self.ground.listen(port, self.on_accept)

    def on_accept(self, int end, int port):
        """Make the protocol and the transport of a stream that has come."""
        cdef StreamTransport transport
        protocol = self.factories[port]()
        transport = self.add(end, protocol)
        self.ground.watch(end, <void *>transport, False)
        protocol.connection_made(transport)

    def connect(self, Host host not None, int port, protocol, connected):
        """Open a stream to a port. `connected(None)` is called after `connection_made`, or `connected(error)`."""
        cdef Ground ground = self.ground
        cdef StreamTransport transport
        cdef int end = ground.network.connect(ground.host.number, host.number, port, <void *>ground)
        transport = self.add(end, protocol)
        transport.connected = connected
        ground.watch(end, <void *>transport, True)
        return transport

    cdef StreamTransport add(self, int end, object protocol):
        cdef StreamTransport transport = StreamTransport.__new__(StreamTransport)
        cdef Network network = self.ground.network
        transport.streams = self
        transport.ground = self.ground
        transport.network = network
        transport.end = end
        transport.reading = True
        transport.high, transport.low = HIGH_BYTES, HIGH_BYTES // 4
        transport.unsent = bytearray()
        transport.set_protocol(protocol)
        self.transports[end] = transport
        return transport

    def open(self):
        """Return the open transports, oldest first."""
        return [*self.transports.values()]

    cdef void on_stream(self, void *owner, bint readable, bint writable) noexcept:
        cdef StreamTransport transport = <StreamTransport>owner
        try:
            transport.on_ready(readable, writable)
        except BaseException as error:
            self.ground.world.fail(error)


cdef class StreamTransport:
    """One open stream. `Streams` makes it."""

    cdef int on_ready(self, bint readable, bint writable) except -1:
        cdef int result
        if self.connected is not None:
            connected, self.connected = self.connected, None
            result = self.network.connected(self.end)
            if result < 0:
                self.streams.transports.pop(self.end, None)
                self.network.close(self.end)
                self.streams = None
                self.closing = True
                connected(OSError(-result, os.strerror(-result)))
                return 0
            self.ground.watch(self.end, <void *>self, False)
            self.protocol.connection_made(self)
            connected(None)
            return 0
        if writable and self.streams is not None:
            self.flush()
        if readable and self.reading and self.streams is not None:
            self.receive()
        return 0

    cdef int receive(self) except -1:
        cdef Py_buffer view
        cdef ssize_t n
        cdef bytes data
        if self.buffered:
            buffer = self.protocol.get_buffer(-1)
            PyObject_GetBuffer(buffer, &view, PyBUF_SIMPLE | PyBUF_WRITABLE)
            n = self.network.read(self.end, <char *>view.buf, view.len)
            PyBuffer_Release(&view)
            if n > 0:
                self.protocol.buffer_updated(n)
                return 0
        else:
            data = PyBytes_FromStringAndSize(NULL, min(
                READ_BYTES, <Py_ssize_t>(self.network.ends[self.end].arrived - self.network.ends[self.end].taken)))
            n = 0
            if PyBytes_GET_SIZE(data) or self.network.is_readable(self.end):
                n = self.network.read(self.end, PyBytes_AS_STRING(data), PyBytes_GET_SIZE(data))
            if n > 0:
                self.protocol.data_received(data)
                return 0
        if n == -EAGAIN:
            return 0
        if n < 0:
            return self.go(OSError(<int>-n, os.strerror(<int>-n)))
        # The stream's end is told once.
        self.pause_reading()
        if self.ended:
            return 0
        self.ended = True
        if not self.protocol.eof_received():
            self.close()
        return 0

    def write(self, data):
        """Write as much as the network takes, and keep the rest until there is room."""
        cdef Py_buffer view
        cdef ssize_t n = 0
        if self.streams is None or self.shuts:
            return
        PyObject_GetBuffer(data, &view, PyBUF_SIMPLE)
        try:
            if not self.unsent and view.len:
                n = self.network.write(self.end, <const char *>view.buf, view.len)
                if n == -EAGAIN:
                    n = 0
                elif n < 0:
                    self.go(OSError(<int>-n, os.strerror(<int>-n)))
                    return
            if n == view.len:
                return
            self.unsent += (<char *>view.buf)[n:view.len]
        finally:
            PyBuffer_Release(&view)
        self.ground.watch(self.end, <void *>self, True)
        if len(self.unsent) > self.high and not self.protocol_paused:
            self.protocol_paused = True
            self.protocol.pause_writing()

    cdef int flush(self) except -1:
        cdef ssize_t n
        if self.unsent:
            n = self.network.write(self.end, self.unsent, len(self.unsent))
            if n == -EAGAIN:
                return 0
            if n < 0:
                return self.go(OSError(<int>-n, os.strerror(<int>-n)))
            del self.unsent[:n]
        if not self.unsent:
            self.ground.watch(self.end, <void *>self, False)
        if self.protocol_paused and len(self.unsent) <= self.low:
            self.protocol_paused = False
            self.protocol.resume_writing()
        if self.streams is not None and not self.unsent:
            if self.closing:
                self.go(None)
            elif self.shuts:
                self.network.shut(self.end)
        return 0

    def writelines(self, parts):
        """Write several pieces of bytes, one behind the other."""
        self.write(b"".join(parts))

    def write_eof(self):
        """Write no more; what waits is sent before that."""
        if not self.shuts and not self.unsent and self.streams is not None:
            self.network.shut(self.end)
        self.shuts = True

    def can_write_eof(self):
        """True: a stream can end in one direction."""
        return True

    def close(self):
        """Read no more, send what waits, and close."""
        if self.closing:
            return
        self.closing = True
        self.pause_reading()
        if not self.unsent:
            self.go(None)

    def abort(self):
        """Close at once; bytes not yet sent are lost."""
        if self.streams is not None:
            self.go(None)

    cdef int go(self, object error) except -1:
        if self.streams is None:
            return 0
        self.closing = True
        self.unsent.clear()
        self.streams.transports.pop(self.end, None)
        self.streams = None
        self.ground.forget(self.end)
        self.network.close(self.end)
        self.ground.soon(self.protocol.connection_lost, error)
        return 0

    def is_closing(self):
        """True after `close` or `abort`, and when the stream was lost."""
        return self.closing

    def pause_reading(self):
        """Have the protocol get no more bytes."""
        self.reading = False
        if self.streams is not None:
            self.ground.set_deaf(self.end, True)

    def resume_reading(self):
        """Have the protocol get bytes again."""
        if self.closing:
            return
        self.reading = True
        if self.streams is not None:
            self.ground.set_deaf(self.end, False)

    def is_reading(self):
        """True unless reading is paused."""
        return self.reading and not self.closing

    def set_write_buffer_limits(self, high=None, low=None):
        """Set the bytes that wait at which the protocol is asked to pause, and to go on."""
        if high is None:
            high = HIGH_BYTES if low is None else 4 * low
        self.high = high
        self.low = high // 4 if low is None else low

    def get_write_buffer_size(self):
        """Return how many bytes wait."""
        return len(self.unsent)

    def get_write_buffer_limits(self):
        """Return the bounds, low and high."""
        return self.low, self.high

    def get_extra_info(self, name, default=None):
        """Return "peername", "sockname" or "socket", which has no descriptor."""
        if self.extra is None:
            own, peer = self.address(self.end), self.address(self.end ^ 1)
            self.extra = {"sockname": own, "peername": peer, "socket": _Socketless(own, peer)}
        return self.extra.get(name, default)

    def address(self, int end):
        """Return the address of one of the stream's ends."""
        port = self.network.ends[end].port if end & 1 else PORTS_FROM + end // 2
        return f"10.0.0.{self.network.ends[end].host + 1}", port

    def set_protocol(self, protocol):
        """Have another protocol get what comes."""
        self.protocol = protocol
        self.buffered = hasattr(protocol, "get_buffer")

    def get_protocol(self):
        """Return the protocol that gets what comes."""
        return self.protocol
