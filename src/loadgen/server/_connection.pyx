"""The built-in server's sockets, below any protocol; `_connection.pxd` describes how bytes come, wait and leave."""

cimport cython
from cpython.buffer cimport PyBuffer_FillInfo
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.errno cimport EAGAIN, EINTR, errno
from libc.stdint cimport INT64_MAX, int64_t, uint64_t
from libc.stdlib cimport free, malloc, realloc
from libc.string cimport memcpy, memmove, memset

import socket

from loadgen.engine._time cimport Clocks, Time
from loadgen.server._faults cimport Faults
from loadgen.server._store cimport Store

cdef extern from "<sys/socket.h>" nogil:
    int SHUT_RDWR
    ssize_t send(int fd, const void *buffer, size_t size, int flags)
    int shutdown(int fd, int how)

cdef extern from * nogil:
    """
    #ifndef MSG_MORE
    #define MSG_MORE 0
    #endif
    """
    int MSG_MORE

cdef extern from "<sys/uio.h>" nogil:
    struct iovec:
        void *iov_base
        size_t iov_len
    ssize_t writev(int fd, const iovec *parts, int count)


cdef char *write_decimal(char *out, int64_t value) noexcept nogil:
    """Write `value` in decimal, in up to 20 bytes; return the address behind the digits."""
    cdef char digits[20]
    cdef int n = 0
    cdef uint64_t rest
    if value < 0:
        out[0] = c'-'
        out += 1
        rest = <uint64_t>0 - <uint64_t>value
    else:
        rest = <uint64_t>value
    while True:
        digits[n] = <char>(c'0' + rest % 10)
        n += 1
        rest //= 10
        if rest == 0:
            break
    while n > 0:
        n -= 1
        out[0] = digits[n]
        out += 1
    return out


cdef bint read_integer(const char *at, Py_ssize_t size, int64_t *value) noexcept nogil:
    """Read a 64-bit decimal that fills exactly `size` bytes; False when the bytes are anything else."""
    cdef bint negative = size > 0 and at[0] == c'-'
    cdef const char *end = at + size
    cdef uint64_t v = 0
    if negative:
        at += 1
    if at >= end or end - at > 19:
        return False
    while at < end:
        if not c'0' <= at[0] <= c'9':
            return False
        v = v * 10 + (at[0] - c'0')
        at += 1
    if v > <uint64_t>INT64_MAX + negative:
        return False
    value[0] = <int64_t>(<uint64_t>0 - v if negative else v)
    return True


@cython.final
cdef class Window:
    def __getbuffer__(self, Py_buffer *view, int flags):
        PyBuffer_FillInfo(view, self, self.at, self.size, False, flags)

    def __len__(self):
        return self.size


@cython.final
cdef class Service:
    def __cinit__(self):
        self.read_buffer = <char *>malloc(READ_BYTES)
        self.out = <char *>malloc(OUT_BYTES)
        if self.read_buffer == NULL or self.out == NULL:
            raise MemoryError()

    def __init__(self, Store store not None, int64_t max_item_bytes, str version, stop, Faults faults=None,
                 Time time=None):
        self.store = store
        self.time = Clocks() if time is None else time
        self.faults = faults
        if faults is not None:
            faults.time = self.time
        self.reads_slowly = faults is not None and faults.read_bytes_per_s > 0
        self.max_item_bytes = max_item_bytes
        self.version = version
        self.stop = stop
        self.window = Window()
        self.connections = set()
        self.max_held_bytes = max(store.max_bytes, <int64_t>LEAST_HELD_BYTES)
        self.started_ns = self.time.now_ns()
        self.host = ""
        self.reset_counts()

    def __dealloc__(self):
        free(self.read_buffer)
        free(self.out)

    def listening_on(self, str host, int port, call_soon, call_later):
        self.host = host
        self.port = port
        self.call_soon = call_soon
        self.call_later = call_later

    cdef int begin_round(self) except -1:
        if self.call_soon is not None and self.faults.takes_time():
            self.in_round = True
            self.call_soon(self.end_round)
        return 0

    def end_round(self):
        """Note that the loop's next round begins; called by the loop."""
        self.in_round = False

    cdef void reset_counts(self):
        memset(self.calls, 0, sizeof(self.calls))
        memset(self.rejected, 0, sizeof(self.rejected))
        memset(self.failed, 0, sizeof(self.failed))
        memset(self.hits, 0, sizeof(self.hits))
        memset(self.misses, 0, sizeof(self.misses))
        self.bytes_read = self.bytes_written = self.connections_total = 0
        self.store.reset_counts()


cdef class Connection:
    """An asyncio.BufferedProtocol; works on uvloop and on asyncio's own loop."""

    def __cinit__(self):
        self.fd = -1

    def __init__(self, Service service not None):
        service.last_id += 1
        self.id = service.last_id
        self.service = service

    def __dealloc__(self):
        free(self.own)

    # ---- what the event loop calls

    def connection_made(self, transport):
        sock = transport.get_extra_info("socket")
        self.transport = transport
        self.fd = sock.fileno()
        # Both loops do this by default for TCP; the server's latency must not rest on their defaults.
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        # pause_writing as soon as anything waits in the transport, resume_writing when nothing does.
        transport.set_write_buffer_limits(high=0)
        self.service.connections.add(self)
        self.service.connections_total += 1

    def connection_lost(self, error):
        self.fd = -1
        self.transport = None
        self.closing = True
        self.large_left = 0
        self.service.connections.discard(self)
        self.release_held()

    def abort(self):
        """Close at once; bytes not yet sent are lost."""
        self.closing = True
        if self.transport is not None:
            self.transport.abort()

    def get_buffer(self, Py_ssize_t size_hint):
        cdef Window window = self.service.window
        if self.large_left > 0:
            if self.large_at != NULL:
                window.at = self.large_at
                window.size = min(self.large_left, MAX_WINDOW_BYTES)
            else:
                window.at = self.service.read_buffer
                window.size = min(self.large_left, READ_BYTES)
        elif self.own_end > self.own_start:
            if self.make_room(LEAST_READ_BYTES):
                window.at = self.own + self.own_end
                window.size = self.own_capacity - self.own_end
            else:
                # This read is dropped. buffer_updated closes the connection: a loop about to read must not find its
                # transport closed.
                self.overfull = True
                window.at = self.service.read_buffer
                window.size = READ_BYTES
        else:
            window.at = self.service.read_buffer
            window.size = READ_BYTES
        if self.service.reads_slowly:
            window.size = min(window.size, self.service.faults.read_most())
        return window

    def buffer_updated(self, Py_ssize_t size):
        self.service.bytes_read += size
        if self.overfull:
            self.turn_away()
        if self.closing:
            return
        if self.service.reads_slowly:
            self.slow_down(size)
        if self.large_left > 0:
            self.large_left -= size
            if self.large_at != NULL:
                self.large_at += size
            if self.large_left == 0:
                self.process(self.own + self.own_start, self.own_end - self.own_start)
        elif self.own_end > self.own_start:
            self.own_end += size
            self.process(self.own + self.own_start, self.own_end - self.own_start)
        else:
            self.process(self.service.read_buffer, size)

    def eof_received(self):
        # The transport sends what it still holds and closes.
        return False

    def pause_writing(self):
        self.full = self.blocked = True

    def resume_writing(self):
        self.full = False
        self.hold(&self.held_unread, 0)
        self.go_on()

    def next_turn(self):
        self.resting = False
        self.go_on()

    cdef int go_on(self) except -1:
        """Continue after one reason to be blocked has ended, unless another is left."""
        self.blocked = self.full or self.resting
        if self.blocked or self.closing or not self.paused:
            return 0
        if self.large_left == 0 and self.own_end > self.own_start:
            self.process(self.own + self.own_start, self.own_end - self.own_start)
        if not self.blocked and not self.closing and not self.slowed:
            self.paused = False
            self.transport.resume_reading()
        return 0

    def read_on(self):
        """Resume reading if that is due. The loop's timer calls this, and may be early."""
        if self.closing:
            return
        left_ns = self.service.faults.left_ns(self.read_at_ns)
        if left_ns > 0:
            self.service.call_later(left_ns / 1e9, self.read_on)
            return
        self.slowed = False
        if not self.blocked:
            self.paused = False
            self.transport.resume_reading()

    # ---- input

    # Every protocol has these four and `too_much`; `_connection.pxd` says what they do.

    cdef int consume(self) except -1:
        raise NotImplementedError

    cdef int next_command(self) except -1:
        raise NotImplementedError

    cdef bint execute_command(self) except -1:
        raise NotImplementedError

    cdef int refuse_command(self) except -1:
        raise NotImplementedError

    cdef int process(self, char *data, Py_ssize_t size) except -1:
        self.service.out_size = 0
        self.service.now_ms = self.service.time.unix_ns() // 1_000_000
        self.data = data
        self.size = size
        self.at = 0
        self.turn_left = TURN_BYTES
        if not self.closing:
            if self.service.faults is None:
                self.consume()
            else:
                self.handle_under_faults()
        self.flush()
        if self.closing:
            self.own_start = self.own_end = 0
            if self.transport is not None:
                if not self.full and self.fd >= 0:
                    # The loop closes the socket only in its next round.
                    shutdown(self.fd, SHUT_RDWR)
                self.transport.close()
            return 0
        self.keep_rest()
        if self.blocked and not self.paused:
            self.paused = True
            self.transport.pause_reading()
        return 0

    cdef int handle_under_faults(self) except -1:
        cdef Faults faults = self.service.faults
        cdef bint answered
        cdef int found
        if not self.service.in_round:
            faults.arrive()
            self.service.begin_round()
        while not self.blocked and not self.closing and not self.dropping:
            found = self.next_command()
            if found == AWAITED:
                return 0
            if found == CONTROL:
                answered = self.execute_command()
            elif faults.blackhole:
                self.dropping = True
                break
            else:
                faults.serve()
                self.service.now_ms = self.service.time.unix_ns() // 1_000_000
                self.data_commands += 1
                answered = True
                if faults.fails():
                    faults.refused += 1
                    self.refuse_command()
                else:
                    answered = self.execute_command()
            if answered and 0 < faults.close_after <= self.data_commands:
                faults.closed += 1
                self.close_after_replies()
            if faults.takes_time():
                self.flush()
        if self.dropping:
            self.at = self.size
        return 0

    cdef int slow_down(self, Py_ssize_t read_bytes) except -1:
        cdef Faults faults = self.service.faults
        self.read_at_ns = faults.read_again_at(self.read_at_ns, read_bytes)
        left_ns = faults.left_ns(self.read_at_ns)
        if left_ns > 0 and not self.closing:
            self.slowed = self.paused = True
            self.transport.pause_reading()
            self.service.call_later(left_ns / 1e9, self.read_on)
        return 0

    cdef int keep_rest(self) except -1:
        cdef Py_ssize_t rest = self.size - self.at
        if self.data == self.service.read_buffer:
            if rest > 0:
                self.own_start = self.own_end = 0
                if not self.make_room(rest):
                    self.data = NULL
                    return self.turn_away()
                memcpy(self.own, self.data + self.at, rest)
                self.own_end = rest
        elif rest > 0:
            self.own_start += self.at
            self.own_end = self.own_start + rest
        else:
            free(self.own)
            self.own = NULL
            self.own_start = self.own_end = self.own_capacity = 0
            self.hold(&self.held_own, 0)
        self.data = NULL
        return 0

    cdef bint make_room(self, Py_ssize_t room) except -1:
        """Make at least `room` bytes free behind own_end, by moving the input to the front or growing twofold."""
        cdef Py_ssize_t pending = self.own_end - self.own_start
        cdef Py_ssize_t capacity
        cdef char *grown
        if self.own_capacity - self.own_end >= room:
            return True
        # Moving at most as much as has been consumed since the last move keeps the cost per byte constant.
        if self.own_start >= pending and self.own_capacity - pending >= room:
            memcpy(self.own, self.own + self.own_start, pending)
        else:
            capacity = max(<Py_ssize_t>OWN_BYTES, 2 * (pending + room))
            if not self.hold(&self.held_own, capacity - OWN_BYTES):
                return False
            if self.own_start > 0:
                memmove(self.own, self.own + self.own_start, pending)
            grown = <char *>realloc(self.own, capacity)
            if grown == NULL:
                raise MemoryError()
            self.own = grown
            self.own_capacity = capacity
        self.own_start = 0
        self.own_end = pending
        return True

    cdef bint hold(self, int64_t *part, int64_t size) noexcept:
        if size > part[0] and self.service.held_bytes + size - part[0] > self.service.max_held_bytes:
            return False
        self.service.held_bytes += size - part[0]
        part[0] = size
        return True

    cdef int release_held(self) except -1:
        free(self.own)
        self.own = NULL
        self.own_start = self.own_end = self.own_capacity = 0
        self.hold(&self.held_own, 0)
        self.hold(&self.held_large, 0)
        self.hold(&self.held_table, 0)
        self.hold(&self.held_unread, 0)
        return 0

    cdef int turn_away(self) except -1:
        self.service.out_size = 0
        self.overfull = False
        self.own_start = self.own_end = 0
        self.reply_bytes(self.too_much())
        self.close_after_replies()
        self.flush()
        if self.transport is not None:
            self.transport.close()
        return 0

    cdef bytes too_much(self):
        raise NotImplementedError

    cdef int receive_large(self, char *into, Py_ssize_t start, Py_ssize_t total) except -1:
        cdef Py_ssize_t have = self.size - start
        if into != NULL:
            memcpy(into, self.data + start, have)
            self.large_at = into + have
        else:
            self.large_at = NULL
        self.large_left = total - have
        self.size = start
        return 0

    # ---- replies

    cdef inline char *reply_room(self, Py_ssize_t size) except NULL:
        if self.service.out_size + size > OUT_BYTES:
            self.flush()
        return self.service.out + self.service.out_size

    cdef int reply(self, const char *text, Py_ssize_t size) except -1:
        if size > OUT_BYTES:
            self.flush()
            return self.write(text, size)
        memcpy(self.reply_room(size), text, size)
        self.service.out_size += size
        return 0

    cdef int reply_bytes(self, bytes text) except -1:
        return self.reply(PyBytes_AS_STRING(text), PyBytes_GET_SIZE(text))

    cdef int reply_value(self, bytes value, const char *end, Py_ssize_t end_size) except -1:
        cdef Py_ssize_t size = PyBytes_GET_SIZE(value)
        cdef Py_ssize_t before, sent
        cdef iovec parts[3]
        if size < LARGE_BYTES:
            self.reply(PyBytes_AS_STRING(value), size)
            return self.reply(end, end_size)
        before = self.service.out_size
        sent = 0
        if not self.full and self.fd >= 0:
            parts[0].iov_base = self.service.out
            parts[0].iov_len = before
            parts[1].iov_base = PyBytes_AS_STRING(value)
            parts[1].iov_len = size
            parts[2].iov_base = <void *>end
            parts[2].iov_len = end_size
            sent = max(0, writev(self.fd, parts, 3))
            self.service.bytes_written += sent
            self.spend(sent)
        if sent < before:
            memmove(self.service.out, self.service.out + sent, before - sent)
            self.service.out_size = before - sent
            self.flush()
            sent = before
        self.service.out_size = 0
        sent -= before
        if sent < size:
            self.service.bytes_written += size - sent
            self.wait_for_peer(memoryview(value)[sent:], size - sent)
            sent = size
        return self.reply(end + (sent - size), end_size - (sent - size))

    cdef int spend(self, Py_ssize_t size) except -1:
        """Subtract `size` bytes of replies from this turn, and end the turn when none are left."""
        self.turn_left -= size
        if self.turn_left <= 0 and not self.resting and self.service.call_soon is not None:
            self.resting = self.blocked = True
            self.service.call_soon(self.next_turn)
        return 0

    cdef int flush(self) except -1:
        cdef Py_ssize_t size = self.service.out_size
        self.service.out_size = 0
        if size > 0:
            self.write(self.service.out, size)
        return 0

    cdef int write(self, const char *at, Py_ssize_t size) except -1:
        cdef Py_ssize_t sent = 0
        self.service.bytes_written += size
        self.spend(size)
        if self.transport is None:
            return 0
        if not self.full and self.fd >= 0:
            # The last replies leave together with the end of the connection, so that no command is sent in between.
            sent = send(self.fd, at, size, MSG_MORE if self.closing else 0)
            if sent < 0:
                if errno != EAGAIN and errno != EINTR:
                    # The peer is gone: a write to the transport would fail as well.
                    self.closing = True
                    self.transport.abort()
                    return 0
                sent = 0
        if sent < size:
            self.wait_for_peer(PyBytes_FromStringAndSize(at + sent, size - sent), size - sent)
        return 0

    cdef int wait_for_peer(self, object rest, Py_ssize_t size) except -1:
        if self.transport is None:
            return 0
        if not self.hold(&self.held_unread, self.held_unread + size):
            # A peer that does not read cannot receive an error reply.
            self.abort()
            return 0
        self.transport.write(rest)
        if not self.full:
            self.hold(&self.held_unread, 0)
        return 0

    cdef int close_after_replies(self) except -1:
        self.closing = True
        return 0
