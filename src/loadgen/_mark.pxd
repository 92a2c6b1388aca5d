# The mark of a value, by which a history knows the write that a value came from.
#
# A run with a history begins each value that it writes with MARK_BYTES bytes, little-endian:
#
#     uint32  the lower half of the run's own number, so that values of other runs are not taken for this one's
#     uint32  a check of the key
#     uint64  the identity of the write
#
# An identity is unique over all workers and loads of a run: 14 bits of the worker, 48 of a count from 1. 0 is none.
# A value that was read and that this run did not write to its key has an identity with the bit FOREIGN. Behind
# FOREIGN are the identity of the write, where the value was written to another key, or UNMARKED and a hash of the
# value's first bytes, so that equal foreign values have equal identities.

from libc.stdint cimport UINT64_MAX, uint64_t
from libc.string cimport memcpy

cdef enum:
    MARK_BYTES = 16
    WORKER_SHIFT = 48
    MOST_MARKING_WORKERS = 1 << 14

cdef extern from * nogil:
    """
    #define LOADGEN_FOREIGN (1ULL << 63)
    #define LOADGEN_UNMARKED (1ULL << 62)
    #define LOADGEN_LOWER_HALF 0xFFFFFFFFULL
    """
    const uint64_t FOREIGN "LOADGEN_FOREIGN"
    const uint64_t UNMARKED "LOADGEN_UNMARKED"
    const uint64_t LOWER_HALF "LOADGEN_LOWER_HALF"

# What the values of one worker are marked with.
cdef struct Marks:
    uint64_t run      # the run's number; 0: no value is marked
    uint64_t bound    # keys are sampled whose `scrambled` is at most this
    uint64_t newest   # the identity of the newest write


cdef inline uint64_t scrambled(uint64_t x) noexcept nogil:
    """Return a permutation of the 64-bit numbers that looks random: the last steps of splitmix64."""
    x = (x ^ (x >> 30)) * <uint64_t>0xBF58476D1CE4E5B9
    x = (x ^ (x >> 27)) * <uint64_t>0x94D049BB133111EB
    return x ^ (x >> 31)


cdef inline bint is_sampled(const Marks *m, uint64_t key) noexcept nogil:
    """True when a history is kept of the key. A sample is of keys, so that it has all operations on a key or none."""
    return m.bound == UINT64_MAX or scrambled(key) <= m.bound


cdef inline uint64_t first_word(uint64_t run, uint64_t key) noexcept nogil:
    # The upper half of a product depends on all bits of the key's lower half, in which nearly all keys differ.
    return ((run ^ key) * <uint64_t>0x9E3779B97F4A7C15 & ~LOWER_HALF) | (run & LOWER_HALF)


cdef inline void write_mark(char *out, uint64_t run, uint64_t key, uint64_t identity) noexcept nogil:
    cdef uint64_t word = first_word(run, key)
    memcpy(out, &word, 8)
    memcpy(out + 8, &identity, 8)


cdef inline uint64_t identity_of(uint64_t run, uint64_t key, const char *head, int length) noexcept nogil:
    """Return the identity of a value that was read, whose first `length` bytes, MARK_BYTES or all, are `head`."""
    cdef uint64_t words[2]
    cdef uint64_t word, identity
    if length == MARK_BYTES:
        memcpy(words, head, MARK_BYTES)
        word, identity = words[0], words[1]
        if word == first_word(run, key) and identity != 0:
            return identity
        if (word ^ run) & LOWER_HALF == 0 and identity - 1 < UNMARKED - 1:
            return FOREIGN | identity
    else:
        words[0] = words[1] = 0
        memcpy(words, head, length)
        word, identity = words[0], words[1]
    return FOREIGN | UNMARKED | scrambled(scrambled(word + length) ^ identity) >> 2
