"""The asyncio shell of the client. `_shell.pxd` is the design."""

import asyncio
import os
import socket
import warnings
from functools import partial

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.bytearray cimport PyByteArray_AS_STRING, PyByteArray_GET_SIZE
from cpython.mem cimport PyMem_Free, PyMem_Malloc
from libc.errno cimport EAGAIN

from loadgen.client._actions cimport Close, Dial, Ended, Send
from loadgen.client._node cimport NEVER
from loadgen.client._request cimport Request
from loadgen.engine._time cimport Monotonic
from loadgen.engine._transport cimport Address, Sockets, address_of

from loadgen.engine._reactor import create

cdef str UNKNOWN_NAME = "the name of the host is unknown"
cdef str NO_ADDRESS = "the name has no address"


cdef class Stream:
    """What carries the bytes of one connection, from its dial to its close."""


cdef class Shell(Watcher):
    """Sockets, one timer and futures around a core, which the shell makes.

    The shell belongs to the event loop in which it is first used.
    """

    def __cinit__(self):
        self.buffer = <char *>PyMem_Malloc(CHUNK)
        if self.buffer == NULL:
            raise MemoryError()

    def __dealloc__(self):
        PyMem_Free(self.buffer)

    def __init__(self, assemble, nodes, tell, *, bint gathers=False):
        """`assemble` is called with the time, and returns the machine.

        `tell` is called with the index of a node and each transition of its breaker, after the transition.

        With `gathers`, what is to be sent on a connection in one turn of the event loop is sent by one system call.
        """
        # In a simulated world the client is made in the world's loop, and everything that it does is there.
        self.stand_on(asyncio._get_running_loop())
        self.core = assemble(self.time.now_ns())
        self.nodes = tuple(nodes)
        self.tell = tell
        self.wake_ns = NEVER
        self.streams = set()
        self.gathers = gathers
        self.gathered = []
        self.gone = []
        self.lookups = set()

    def __del__(self):
        cdef Stream stream
        if self.grounded and self.reactor is not None and self.reactor.watcher is None:
            return  # The simulated host was killed, and the client with it.
        if self.streams:
            warnings.warn("a memcache client was not closed", ResourceWarning, source=self)
            for stream in self.streams:
                if stream.fd >= 0:
                    self.transport.close(stream.fd)

    cdef int stand_on(self, loop) except -1:
        """Take clock and streams from a loop that offers a `ground` of its own, else from the kernel."""
        offered = getattr(loop, "ground", None)
        self.grounded = offered is not None
        if self.grounded:
            self.reactor = offered()
            self.transport = self.reactor.net
            self.time = self.reactor.time
        else:
            self.transport = Sockets()
            self.time = Monotonic()
        return 0

    def now(self):
        """Return the time by the client's clock, in ns."""
        return self.time.now_ns()

    def begin(self, call):
        """Carry a call out; return the future of its end, whose result is None."""
        if self.loop is None:
            self.loop = asyncio.get_running_loop()
            if hasattr(self.loop, "ground") != self.grounded:
                raise RuntimeError("the client was made outside of this simulated world; make it in a task of it")
            self.new_future = self.loop.create_future
            if self.grounded:
                self.reactor.serve(self)
        future = self.new_future()
        if isinstance(call, Request):
            (<Request>call).owner = future
        else:
            call.owner = future
        cdef int64_t now_ns = self.time.now_ns()
        self.do(self.core.begin(call, now_ns))
        # Deadlines come in the order of calls. The timer may be set to a later time: that of the next health check.
        if now_ns + self.core.timeout_ns < self.wake_ns:
            self.arm()
        return future

    def cancel(self, call):
        """Abandon a call that nobody waits for any more."""
        self.do(self.core.cancel(call, self.time.now_ns()))

    def close(self):
        """Begin to close everything. `all_gone` is done at the end, unless the shell was never used."""
        if self.all_gone is not None:
            return
        if self.loop is not None:
            self.all_gone = self.new_future()
            if self.core.closed:
                self.all_gone.set_result(None)
        self.do(self.core.close(self.time.now_ns()))

    def end(self):
        """Close what is left, and watch nothing any more."""
        for stream in [*self.streams]:
            self.close_stream(stream)
        if self.reactor is not None:
            self.reactor.close()
            self.reactor = None

    cdef int do(self, list actions) except -1:
        """Do what the machine asks for, in its order."""
        cdef object action, kind
        cdef Stream stream
        for action in actions:
            kind = type(action)
            if kind is Send:
                stream = (<Send>action).connection.stream
                assert stream is not None, "bytes for a connection that is closed"
                self.send(stream, (<Send>action).data)
            elif kind is Ended:
                call = (<Ended>action).call
                future = (<Request>call).owner if isinstance(call, Request) else call.owner
                if not future.done():
                    future.set_result(None)
            elif kind is Close:
                stream = (<Close>action).connection.stream
                if stream is not None:
                    self.close_stream(stream)
            elif kind is Dial:
                self.dial((<Dial>action).connection)
            elif kind is Changed:
                self.tell_of(<Changed>action)
            elif self.all_gone is not None and not self.all_gone.done():
                self.all_gone.set_result(None)
        return 0

    cdef int tell_of(self, Changed change) except -1:
        """Tell the user of a transition. An exception of the user's is the event loop's to report."""
        if self.tell is not None:
            try:
                self.tell(change.node, change.transition)
            except Exception as error:
                self.loop.call_exception_handler({"message": "on_transition of a Client raised", "exception": error})
        return 0

    # Time.

    cdef int arm(self) except -1:
        """Set the one timer to the earliest time at which the machine has something to do."""
        cdef int64_t due_ns = self.core.due_ns()
        if due_ns < self.wake_ns and self.reactor is not None:
            self.wake_ns = due_ns
            self.reactor.wake_at(due_ns)
        return 0

    cdef void on_timer(self) noexcept:
        self.wake_ns = NEVER
        try:
            self.do(self.core.on_time(self.time.now_ns()))
            self.arm()
        except Exception as error:
            self.report(error)

    # Sockets.

    cdef void on_stream(self, void *owner, bint readable, bint writable) noexcept:
        cdef Stream stream = <Stream>owner
        try:
            if stream.fd < 0:
                return  # Closed by what happened to another stream a moment ago.
            if stream.connecting:
                self.on_connected(stream)
                return
            if writable and stream.unsent is not None:
                self.flush(stream)
            if readable:
                self.receive(stream)
        except Exception as error:
            self.report(error)

    cdef int report(self, error) except -1:
        """Have the event loop report an exception, as it does those of its callbacks."""
        self.loop.call_exception_handler({"message": "a memcache client failed", "exception": error})
        return 0

    cdef int dial(self, Connection connection) except -1:
        cdef Stream stream = Stream()
        if self.reactor is None:
            self.reactor = create(self.loop, self.time)
            self.reactor.serve(self)
        host, port = self.nodes[connection.node]
        stream.fd = -1
        stream.connection = connection
        connection.stream = stream
        self.streams.add(stream)
        numeric = socket.AI_NUMERICHOST | socket.AI_NUMERICSERV
        try:
            # An address in numbers needs no resolver, which would take a thread.
            stream.addresses = addresses_in(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=numeric))
        except (socket.gaierror, UnicodeError):
            found = self.loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            stream.lookup = asyncio.ensure_future(found, loop=self.loop)
            self.lookups.add(stream.lookup)
            stream.lookup.add_done_callback(partial(self.on_lookup, stream))
        else:
            self.try_next(stream, NO_ADDRESS)
        return self.arm()

    def on_lookup(self, Stream stream, found):
        """Take the addresses of a name, or the error."""
        self.lookups.discard(found)
        error = None if found.cancelled() else found.exception()
        if stream.connection is None or found.cancelled():
            return
        stream.lookup = None
        stream.addresses = [] if error is not None else addresses_in(found.result())
        self.try_next(stream, NO_ADDRESS if error is None else reason(error))

    cdef int try_next(self, Stream stream, str why) except -1:
        cdef Address address
        cdef int fd
        while stream.addresses:
            host, port = stream.addresses.pop(0)
            address_of(&address, host, port)
            fd = self.transport.connect(&address)
            if fd < 0:
                why = os.strerror(-fd)
            elif self.reactor.watch(fd, <void *>stream, True) < 0:
                self.transport.close(fd)
                why = "the kernel watches no more sockets"
            else:
                stream.fd = fd
                stream.connecting = True
                return 0
        # Not at once: the machine may be in the middle of what it asked this dial for.
        self.loop.call_soon(self.on_refused, stream, why)
        return 0

    def on_refused(self, Stream stream, str why):
        """Report that no address could be connected to."""
        cdef Connection connection = stream.connection
        if connection is not None:
            self.close_stream(stream)
            self.do(self.core.on_refused(connection, why, self.time.now_ns()))

    cdef int on_connected(self, Stream stream) except -1:
        cdef int outcome = self.transport.connected(stream.fd)
        if outcome > 0:
            stream.connecting = False
            self.reactor.watch(stream.fd, <void *>stream, False)
            self.do(self.core.on_open(stream.connection, self.time.now_ns()))
        elif outcome < 0:
            self.reactor.forget(stream.fd)
            self.transport.close(stream.fd)
            stream.fd = -1
            self.try_next(stream, os.strerror(-outcome))
        return 0

    cdef int send(self, Stream stream, bytes data) except -1:
        """Send bytes now, or as soon as it is time. An error is found when the stream is read next."""
        cdef ssize_t sent
        if stream.unsent is None and not self.gathers:
            sent = max(0, self.transport.write(stream.fd, PyBytes_AS_STRING(data), PyBytes_GET_SIZE(data)))
            if sent < PyBytes_GET_SIZE(data):
                stream.unsent = bytearray(memoryview(data)[sent:])
                self.block(stream, True)
            return 0
        if stream.unsent is None:
            stream.unsent = bytearray()
            if not self.gathered:
                self.loop.call_soon(self.send_gathered)
            self.gathered.append(stream)
        stream.unsent += data
        return 0

    def send_gathered(self):
        """Send what this turn of the event loop has gathered."""
        cdef Stream stream
        cdef list gathered = self.gathered
        self.gathered = []
        for stream in gathered:
            if stream.fd >= 0 and not stream.blocked:
                self.flush(stream)

    cdef int flush(self, Stream stream) except -1:
        cdef ssize_t sent = self.transport.write(
            stream.fd, PyByteArray_AS_STRING(stream.unsent), PyByteArray_GET_SIZE(stream.unsent))
        if sent >= PyByteArray_GET_SIZE(stream.unsent):
            stream.unsent = None
        elif sent > 0:
            del stream.unsent[:sent]
        return self.block(stream, stream.unsent is not None)

    cdef int block(self, Stream stream, bint blocked) except -1:
        """Have the stream reported when there is room, or no more."""
        if blocked != stream.blocked:
            stream.blocked = blocked
            self.reactor.watch(stream.fd, <void *>stream, blocked)
        return 0

    cdef int receive(self, Stream stream) except -1:
        cdef ssize_t n = self.transport.read(stream.fd, self.buffer, CHUNK)
        cdef str why
        if n > 0:
            data = PyBytes_FromStringAndSize(self.buffer, n)
            return self.do(self.core.on_bytes(stream.connection, data, self.time.now_ns()))
        if n == -EAGAIN:
            return 0
        why = "the server closed it" if n == 0 else os.strerror(-n)
        return self.do(self.core.on_close(stream.connection, why, self.time.now_ns()))

    cdef void close_stream(self, Stream stream):
        """End a connection without waiting for the other side, or its dial."""
        self.streams.discard(stream)
        stream.connection.stream = stream.connection = None
        if stream.lookup is not None:
            stream.lookup.cancel()
        if stream.fd >= 0:
            if self.reactor is not None:
                self.reactor.forget(stream.fd)
            self.transport.close(stream.fd)
            stream.fd = -1
            if not self.gone:
                self.loop.call_soon(self.gone.clear)
            self.gone.append(stream)


cdef list addresses_in(found):
    """Return what getaddrinfo found, as (host in numbers, port); a link-local IPv6 address with its scope."""
    cdef list addresses = []
    for family, _, _, _, address in found:
        host = address[0].partition("%")[0]
        if family == socket.AF_INET6 and address[3]:
            host = f"{host}%{address[3]}"
        if family in (socket.AF_INET, socket.AF_INET6):
            addresses.append((host, address[1]))
    return addresses


cdef str reason(error):
    """Return the system's reason in words."""
    if isinstance(error, socket.gaierror):
        return UNKNOWN_NAME
    number = getattr(error, "errno", None)
    return os.strerror(number) if number else str(error) or type(error).__name__
