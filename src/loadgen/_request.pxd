# A request, which carries its own history, and the numbers of commands, kinds, phases and outcomes.

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t

# The kinds of commands. A kind decides which replies are possible, and what a hit and a miss are.
cdef enum:
    READ = 0      # the reply is a value, or none
    WRITE = 1     # stores a value
    REMOVE = 2
    INCREMENT = 3   # adds 1 to a counter, which has a key of its own
    READ_MANY = 4   # the values of several keys
    WRITE_MANY = 5  # stores a value under each of several keys
    ADD = 6       # creates a counter at 0, if it is not there
    ASK = 7       # a request that any server answers: PING, memcache's `version`
    GREET = 8     # RESP3's HELLO
    LOG_IN = 9    # AUTH
    SELECT = 10    # chooses the database of a connection
    BARRIER = 11   # behind requests that are answered only if there is something to say: its reply ends their silence
    SET_UP = 12    # prepares a connection, and any status says that it did: CLIENT TRACKING, RESET, READONLY
    KINDS = 13

# The phase that a request belongs to, by its intended time. No request belongs to the drain, but bytes do.
cdef enum:
    PRECHECK = 0   # a connection's greeting, also after a reconnect
    PREFILL = 1
    WARMUP = 2
    MEASURE = 3
    DRAINING = 4
    PHASES = 5

# The outcomes of replies. Those behind ERROR_REPLY are rare ones, of which more is counted than how many there were.
cdef enum:
    HIT = 0
    STORED = 1
    DELETED = 2
    OK = 3
    MISS = 4
    NOT_STORED = 5
    NOT_FOUND = 6
    ERROR_REPLY = 7
    ALL_FOUND = 8
    SOME_MISSING = 9
    ALL_STORED = 10
    NO_COUNTER = 11
    OUTCOMES = 12
    NO_OUTCOME = 255

cdef enum:
    MOST_COMMANDS = 24

# A row of a run's table of commands.
cdef struct Command:
    uint8_t kind
    uint8_t hit       # the outcome that is a hit
    uint8_t miss      # the outcome that is a miss, or NO_OUTCOME
    bint has_value    # its requests carry a value
    bint in_total     # it counts in the totals of its phase; a backfill and a barrier do not

# A run's table of commands. A request's command is the number of a row.
cdef class Commands:
    cdef readonly tuple names
    cdef Command rows[MOST_COMMANDS]
    cdef int count

    # Return the number of the row of that name.
    cdef int number(self, str name) except -1
    # Return the number of the first row of a kind; -1 where there is none.
    cdef int first(self, int kind) noexcept

# The parts of `Request.resent`.
cdef enum:
    SENT_BEFORE = 1      # on a connection that the server closed too early, or to a node that redirected it
    ASKS = 2             # to be sent behind an ASKING
    REDIRECT = 16        # one redirect
    MOST_REDIRECTS = 15

# One cache line of 64 bytes.
cdef struct Request:
    int64_t intended_ns  # when the schedule wanted it sent; in a closed loop the time at which it was made
    int64_t made_ns      # when it was encoded, and its timeout began
    int64_t send_ns      # when its last byte went to the kernel; while it has not, `made_ns`
    int64_t ready_ns     # with a schedule: the intended time, plus the time for which the server had it wait
    uint64_t key         # the key's id; of several keys, the first (`_siblings`)
    uint64_t end         # the connection's count of written bytes once this request is out
    uint64_t value       # with a history: the identity of the value (`_mark`), 0: none; of several keys: those found
    uint32_t process     # with a history: the connection's slot, counted over all workers
    uint8_t command      # a row of the run's table
    uint8_t phase
    uint8_t outcome      # the outcome of its reply, once there is one
    uint8_t resent       # not 0: sent before (SENT_BEFORE), and by how many redirects, in steps of REDIRECT
