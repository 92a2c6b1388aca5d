# The network of a world: hosts, links between them, and streams over the links, as TCP has them.
#
#   link     One direction between two hosts: latency with jitter, bandwidth, cuts at drawn places, loss, a partition.
#   stream   Two ends, `n` and `n ^ 1`, each with the bytes that come to it:
#
#                taken ──── arrived ──── written     taken:    read by the end's owner
#                                                    arrived:  by the end's kernel
#                                                    written:  by the other end
#
#            A stream has no hole and keeps its order: a lost segment, and all behind it, arrive later. An end can be
#            closed, reset, or gone without a word. At most `buffer_bytes` are written and not taken.
#   host     A machine with one thread: it may be paused, busy until a time, killed, or without power.
#
# Who has an end is told that there is news, and asks the end. This file knows no protocol, no engine and no Python
# object but its callbacks.

from libc.stddef cimport size_t
from libc.stdint cimport int64_t, uint32_t, uint64_t

from loadgen.verify.world._world cimport World

# There is news for an end: something to read, room to write, an error, or the result of connecting.
ctypedef void (*News)(void *ground, int end) noexcept
# A stream has come to a listener: `end` is the listener's end of it.
ctypedef void (*Accept)(void *ground, int end, int port) noexcept
# The thread runs again after a pause.
ctypedef void (*Resumed)(void *ground) noexcept

cdef struct Link:
    int64_t latency_ns
    int64_t jitter_ns       # a segment takes up to this much longer, drawn evenly
    int64_t bytes_per_s     # 0: no limit
    uint64_t split          # the probability, in 2**-32, that a segment is cut in two at a drawn place
    uint64_t loss           # the probability, in 2**-32, that a segment is lost, and sent again after a timeout
    bint cut                # a partition: segments wait, and handshakes are repeated
    int64_t free_ns         # the time at which the link has sent all that was written

# How much arrives at once.
cdef struct Segment:
    int64_t at_ns           # the time of its arrival
    uint64_t upto           # the count of bytes written, this segment's included
    int flags               # HELLO, END, BREAK

cdef enum:
    HELLO = 1               # the last packet of a handshake: the listener accepts
    END = 2                 # FIN
    BREAK = 4               # RST

cdef enum:
    CONNECTING = 0          # the end that connects; the other is not there yet
    CONNECTED = 1
    FAILED = 2              # it was refused

cdef struct End:
    # The bytes that come to this end.
    char *bytes             # those from `base` on; owned
    size_t capacity
    uint64_t base
    uint64_t taken
    uint64_t arrived
    uint64_t written
    Segment *segments       # a ring: [acknowledged …) have arrived, [next, tail) are under way; owned
    uint32_t acknowledged
    uint32_t next
    uint32_t tail
    uint32_t mask
    uint64_t known          # bytes that the other end knows to have arrived
    int64_t last_ns         # the arrival of the newest segment
    bint held               # the next segment has come to a partition, or to a host without power
    # This end's state.
    int host
    int port                # of the listener
    int state
    int tries               # to connect, so far
    bint ended              # the other end will write no more, and all that it wrote has arrived
    bint shut               # this end writes no more
    bint broken             # reset: nothing arrives any more, and nothing leaves
    int error               # errno, reported once
    bint gone               # its owner has closed it
    bint silent             # it vanished: what comes to it is dropped
    bint starved            # a write found no room, or left too little: who waits for room is told when there is some
    # Its owner's.
    void *ground            # borrowed: the world keeps it
    void *owner             # borrowed
    bint watched
    bint deaf               # not told of bytes
    bint writing            # told of room
    bint edges              # told of news once, and not again while there is something left
    bint resets             # its close is a reset
    bint queued             # in the ground's queue of news

cdef struct Listener:
    int host
    int port
    int mode
    void *ground            # borrowed

cdef enum:
    ACCEPTS = 0
    REFUSES = 1
    SILENT = 2              # it answers no handshake, as with a full backlog: connecting hangs

# A host's one thread.
cdef struct Thread:
    int64_t until_ns        # busy until then: its own clock is at least there
    int pauses              # those that it is in
    int64_t waited_ns       # for a CPU, in pauses
    int64_t unix_shift_ns   # its Unix time, less the world's
    bint up                 # it has power


cdef class Network:
    cdef readonly World world
    cdef int actor
    cdef readonly int64_t buffer_bytes
    cdef Thread **threads   # by host; owned
    cdef readonly int hosts
    cdef Link *links        # by from * MOST_HOSTS + to; owned
    cdef End *ends          # owned
    cdef int n_ends
    cdef int ends_capacity
    cdef Listener *listeners  # owned
    cdef int n_listeners
    cdef list grounds       # by host, those of each: they are told of the thread
    cdef list pauses        # (host, length of a wait for a CPU), by number
    cdef News news
    cdef Accept accept
    cdef Resumed resumed
    # What became of segments and streams: each fault has a count.
    cdef readonly int64_t segments
    cdef readonly int64_t splits
    cdef readonly int64_t losses
    cdef readonly int64_t resets
    cdef readonly int64_t refusals
    cdef readonly int64_t starvations  # writes that found no room, or took the last
    cdef readonly int64_t holds
    cdef readonly int64_t handshakes  # packets of handshakes that were sent again

    cdef inline int64_t clock_ns(self, int host) noexcept nogil:
        """Return the time by a host's thread, which is ahead of the world's while the thread is busy."""
        return max(self.world.now_ns, self.threads[host].until_ns)

    # The calls of a host's kernel. Errors are returned as their errno, below zero, as in `engine._transport`.
    cdef int connect(self, int from_host, int to_host, int port, void *ground) noexcept nogil
    cdef int connected(self, int end) noexcept nogil
    cdef ssize_t read(self, int end, char *into, size_t size) noexcept nogil
    cdef ssize_t write(self, int end, const char *bytes, size_t size) noexcept nogil
    cdef int unacknowledged(self, int end) noexcept nogil
    cdef void shut(self, int end) noexcept nogil    # write no more
    cdef void close(self, int end) noexcept nogil
    # True when a third of the buffer is free. A write takes what there is, also less.
    cdef bint has_room(self, int end) noexcept nogil
    cdef int listen(self, int host, int port, int mode, void *ground) except -1
    cdef Listener *listener(self, int host, int port) noexcept nogil

    # True when there is something to read: bytes, the stream's end, or an error.
    cdef inline bint is_readable(self, int end) noexcept nogil:
        cdef End *e = &self.ends[end]
        return e.arrived != e.taken or e.ended or e.error != 0 or e.broken or e.state == FAILED

    cdef inline bint is_writable(self, int end) noexcept nogil:
        cdef End *e = &self.ends[end]
        return e.state != CONNECTING and (e.error != 0 or e.broken or e.shut or self.has_room(end))

    # The way of a segment to an end.
    cdef void send(self, int end, uint64_t upto, int flags) noexcept nogil
    cdef void arrive(self, int end) noexcept
    cdef void schedule_next(self, int end) noexcept
    cdef void refuse_bytes(self, int end) noexcept
    cdef void settle(self, int end) noexcept nogil
    cdef int64_t sent_again_ns(self, int64_t at_ns) noexcept

    cdef void greet(self, int end) noexcept      # a handshake's first packet reaches the listener's host
    cdef void welcome(self, int end) noexcept    # its second reaches the end that connects
    cdef void greet_again(self, int end) noexcept
    cdef void break_end(self, int end) noexcept
    cdef void drop_flight(self, int end) noexcept
    cdef void tell(self, int end) noexcept
    cdef Link *link(self, int from_host, int to_host) noexcept nogil
    cdef int release(self, int from_host, int to_host) except -1
    cdef void on_event(self, int kind, int64_t argument) noexcept


cdef class Host:
    cdef readonly Network network
    cdef readonly int number
    cdef readonly str address    # numeric, of IPv4


# Return the host and the port of a sockaddr; False when it is none of this network's.
cdef bint parse_address(const char *sockaddr, int hosts, int *host, int *port) noexcept nogil
