# Faults of the built-in server, made on purpose: freezes, delays, errors, closed connections and slow reads. `Faults`
# decides when each fault happens, and blocks the server's only thread. `Faults` knows no connection, no protocol and no
# event loop: `Connection.handle_under_faults` calls it for each command, and `_server` arms the timer of the freezes.
#
# Two laws by which a measurement can be checked:
#
#   freeze:   begins at a multiple of `every_ns` after the server began to listen, at once or when the thread is next
#             free, and lasts `stall_ns` from there. A late freeze does not move the freezes after it. A freeze that is
#             missed altogether, because the process itself was stopped, is not made up for.
#   service:  begins when the command's bytes were read. If the command was waiting when the service of the command
#             before it was due to end, its service begins at that time; commands wait for each other when they come in
#             one round of the event loop, on whatever connections. So neither a command's own cost nor oversleeping
#             adds up. A freeze that falls into a service prolongs the service.
#
# A signal ends every wait, the current one and all later ones, because signals stop the server.

from libc.stdint cimport int64_t, uint64_t

from loadgen.engine._random cimport Random
from loadgen.engine._time cimport Time


cdef class Faults:
    cdef Time time  # the kernel's clocks, until a Service has others
    # The planted faults; 0 where a fault is not planted.
    cdef readonly int64_t stall_ns
    cdef readonly int64_t every_ns
    cdef readonly int64_t delay_ns
    cdef readonly int64_t jitter_ns         # added to delay_ns: up to this much, uniformly
    cdef readonly double error_rate         # share of the data commands that fail
    cdef readonly int64_t close_after       # data commands after which a connection is closed
    cdef readonly int64_t read_bytes_per_s  # of one connection
    cdef readonly bint blackhole            # no data command is ever answered, nor any command after it
    cdef readonly uint64_t seed

    # How often they had their effect.
    cdef readonly int64_t refused  # commands that were answered with an error
    cdef readonly int64_t closed   # connections that were closed after their commands

    cdef Random jitters
    cdef Random failures
    cdef int64_t stall_at_ns  # monotonic: when the next freeze begins
    cdef int64_t served_ns    # monotonic: when the service of the last command was due to end
    cdef bint interrupted     # a signal has come

    # Begin to count, when the server begins to listen; return the monotonic time at which the first freeze is due.
    cdef int64_t start(self) noexcept
    # Freeze the server if that is due; return the monotonic time at which the next freeze is due.
    cdef int64_t freeze(self) noexcept
    # Note that input was read: its commands, and those read later in the loop's round, wait from now on.
    cdef void arrive(self) noexcept
    # Wait until the service of one more command has ended.
    cdef void serve(self) noexcept
    # Draw whether one more command fails.
    cdef bint fails(self) noexcept
    # True when the service takes time: each reply is then sent when its own service has ended.
    cdef bint takes_time(self) noexcept

    # Slow reading, if that is planted. Return the most bytes that one read may take.
    cdef Py_ssize_t read_most(self) noexcept
    # Return the monotonic time from which a connection may read again. The connection could read from `read_at_ns` on,
    # and has just read so many bytes.
    cdef int64_t read_again_at(self, int64_t read_at_ns, Py_ssize_t read_bytes) noexcept
    # Return the time left until `at_ns`; 0 or less when that has passed.
    cdef int64_t left_ns(self, int64_t at_ns) noexcept

    cdef void wait_until(self, int64_t at_ns) noexcept
