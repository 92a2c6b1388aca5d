# What travels through the code: a request that carries its own history, and the words for what becomes of it.

from libc.stdint cimport int64_t, uint8_t, uint64_t

# Commands.
cdef enum:
    GET = 0
    SET = 1
    DELETE = 2
    PING = 3       # also memcache's `version`: the question that any server answers
    BACKFILL = 4   # a SET that a GET's miss asked for; on the wire a SET, counted apart
    HELLO = 5      # RESP3's greeting
    AUTH = 6
    COMMANDS = 7

# Which part of the run a request belongs to, by its intended time; none belongs to the drain, but bytes move in it.
cdef enum:
    PRECHECK = 0   # a connection's greeting, also after a reconnect
    PREFILL = 1
    WARMUP = 2
    MEASURE = 3
    DRAINING = 4
    PHASES = 5

# What a reply said. The first four are the good answer to a command, the next three its empty one.
cdef enum:
    HIT = 0
    STORED = 1
    DELETED = 2
    OK = 3
    MISS = 4
    NOT_STORED = 5
    NOT_FOUND = 6
    ERROR_REPLY = 7

cdef struct Request:
    int64_t intended_ns  # when the schedule wanted it sent; in a closed loop the send time
    int64_t send_ns      # when its last byte went to the kernel; until then when it was encoded
    int64_t ready_ns     # with a schedule: the intended time, moved on by as long as the server had it wait
    uint64_t key         # the key's id
    uint64_t end         # the connection's count of bytes written once this request is out
    uint8_t command
    uint8_t phase
    uint8_t resent       # its bytes went to a connection before, which the server closed before they reached it
