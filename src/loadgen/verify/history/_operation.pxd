# One operation on a register (a key), as it is kept in memory and in a file: 40 bytes, little-endian.
#
# This file is the format. Whoever records operations fills in these structs; whoever judges them reads nothing else.
# The return of an operation whose end is unknown is INT64_MAX.

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t

cdef enum Op:
    READ = 0
    WRITE = 1
    DELETE = 2
    ADD = 3        # a write that is stored only where the key is absent
    CAS = 4        # a write that is stored only where the key has the value of this record: the one expected
    CAS_TO = 5     # the value that the CAS of the record before it writes; the two are alike otherwise
    OPS = 6        # the number of them

cdef enum Outcome:
    OK = 0
    NOT_DONE = 1   # it changed nothing and told nothing, for sure: an error reply, or it was never sent
    UNKNOWN = 2    # timed out, or its connection was lost: it may take effect at any time after its call, or never
    MISS = 3       # READ: no such key; DELETE: there was none; ADD: not stored, as there was one; CAS: another value
    OUTCOMES = 4

# The value of a miss and of a delete. The value of a read that returned bytes which this history did not write to the
# key (somebody else's, another key's, torn ones) has the highest bit (`_mark`).
cdef enum:
    ABSENT = 0

cdef struct Operation:
    int64_t call_ns      # before the request's first byte could leave, never later
    int64_t return_ns    # after its reply was read
    uint64_t key
    uint64_t value       # the identity of the value that was written or read
    uint32_t process     # its operations need not be one after the other
    uint8_t op           # an Op
    uint8_t outcome      # an Outcome
    uint16_t server
