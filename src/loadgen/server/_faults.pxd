# Faults of the built-in server, made on purpose: freezes, delays, errors, closed connections and slow reads. Faults
# decides when each fault happens, and blocks the server's only thread. Faults knows no connection, no protocol and no
# event loop: `Connection.handle_under_faults` calls it for each command, and `_server` arms the timer of the freezes.
#
# Two laws that a measurement can be held against:
#
#   freeze:   begins at a multiple of `every_ns` after the server began to listen, at once or when the thread is next
#             free, and lasts `stall_ns` from there. A late one does not move those after it; one that is missed
#             altogether, because the process itself was stopped, is not made up for.
#   service:  a command's begins when its bytes were read, or when the service of the one before it was due to end, if
#             it was waiting by then: if both came in one round of the event loop, on whatever connections. So neither
#             what a command costs anyway nor oversleeping adds up. A freeze that falls into a service prolongs it.
#
# A signal ends every wait, now and from then on: it is how the server is told to stop.

from libc.stdint cimport int64_t, uint64_t

from loadgen.engine._random cimport Random


cdef class Faults:
    # What is planted; 0 where it is not.
    cdef readonly int64_t stall_ns
    cdef readonly int64_t every_ns
    cdef readonly int64_t delay_ns
    cdef readonly int64_t jitter_ns         # up to this much more, uniformly
    cdef readonly double error_rate         # share of the data commands that fail
    cdef readonly int64_t close_after       # data commands that a connection is good for
    cdef readonly int64_t read_bytes_per_s  # of one connection
    cdef readonly bint blackhole            # no data command is ever answered, and nothing after it
    cdef readonly uint64_t seed

    cdef Random jitters
    cdef Random failures
    cdef int64_t stall_at_ns  # monotonic: when the next freeze begins
    cdef int64_t served_ns    # monotonic: when the service of the last command was due to end
    cdef bint interrupted     # a signal has come

    # The server listens from now on. When the first freeze is due, as a monotonic time.
    cdef int64_t start(self) noexcept
    # Freezes the server if that is due, and says when it is due next.
    cdef int64_t freeze(self) noexcept
    # Input has been read: the commands in it, and those that the loop's round has in store, wait from now on.
    cdef void arrive(self) noexcept
    # Waits until the service of one more command has ended.
    cdef void serve(self) noexcept
    # Whether one more command fails.
    cdef bint fails(self) noexcept
    # The service takes time, so each reply is to leave when its own has ended.
    cdef bint takes_time(self) noexcept

    # Slow reading, if that is planted. The most that one read may take.
    cdef Py_ssize_t read_most(self) noexcept
    # The monotonic time from which on a connection may read again; it could until now at `read_at_ns`, and has just
    # read so many bytes.
    cdef int64_t read_again_at(self, int64_t read_at_ns, Py_ssize_t read_bytes) noexcept
    # How long it is until then; 0 or less when it has come.
    cdef int64_t left_ns(self, int64_t at_ns) noexcept

    cdef void wait_until(self, int64_t at_ns) noexcept
