# What shipping code stands on in a world instead of a kernel: one host's reactor, with its clock and its streams.
#
#   news of the network, calls, timers ──→ a turn of the thread ──→ the watcher's on_timer, on_stream, on_swept
#
# A turn does what one return of epoll_wait does: it reports every stream that is ready, level-triggered. No time passes
# in a turn by itself. Where code waits inside a turn (`Time.wait_until`), the host's clock goes ahead of the world's:
# what is written then leaves later, and the next turn begins when the world has come to that time. A thread that is
# paused has no turn.

from libc.stdint cimport int64_t

from loadgen.engine._reactor cimport Reactor
from loadgen.engine._time cimport Time
from loadgen.engine._transport cimport Transport
from loadgen.verify.world._network cimport Host, Network, Thread
from loadgen.verify.world._world cimport World


# A host's clocks: monotonic ones are the world's; Unix time can be set. Code uses no CPU time; waits for a CPU count.
cdef class HostTime(Time):
    cdef World world        # whose clock `thread` is ahead of
    cdef Network network    # keeps the thread
    cdef Thread *thread


cdef class HostTransport(Transport):
    cdef Network network
    cdef Ground ground
    cdef int host


cdef class Ground(Reactor):
    cdef readonly World world
    cdef readonly Network network
    cdef readonly Host host
    cdef readonly Transport net
    cdef Thread *thread
    cdef int actor
    cdef int *ready             # ends with news, oldest first; owned
    cdef int n_ready
    cdef int ready_capacity
    cdef int *reported          # those that this turn reports; owned
    cdef object handed          # calls that wait until no compiled code is at work
    cdef bint turns             # a turn is scheduled
    cdef int64_t pending_ns     # the time of the timer's event; NEVER without one
    cdef readonly int64_t turn_count
    cdef object accepts         # called with the end and the port of a stream that a listener accepts

    # Listen on a port; `accepts` gets the streams.
    cdef int listen_on(self, int port) except -1
    # Report a stream's bytes, room and end, each as it comes: what is there now, and then what is new.
    cdef void watch_edges(self, int end, void *owner) noexcept
    # True when the stream has ended or failed, which is found by reading.
    cdef bint has_hung(self, int end) noexcept
    # Report bytes of a stream, or not.
    cdef void set_deaf(self, int end, bint deaf) noexcept
    cdef void has_news(self, int end) noexcept
    cdef void want_turn(self) noexcept
    cdef void turn_now(self) noexcept
    cdef bint is_due(self) noexcept      # the timer's time, or that of a call, has come
    cdef void report_all(self) noexcept
    cdef void on_event(self, int kind, int64_t argument) noexcept
