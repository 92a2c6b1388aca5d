# HDR counts of nanoseconds: 3 significant digits from 1 ns to 2**36 - 1 ns (68.7 s) in 27,648 counters.
#
# A value below 2048 has a counter of its own; above, each power of two is divided into 1024 equal parts. Exact min, max
# and sum are kept beside the counts. A value too large for the table is counted in `overflow`, never clamped. The
# layout is that of HdrHistogram (lowest 1, 3 digits), so its V2 payloads carry these counts without loss.

from libc.stdint cimport int64_t, uint64_t

cdef extern from *:
    int clz64 "__builtin_clzll"(unsigned long long) noexcept nogil

cdef extern from * nogil:
    """
    typedef __int128 loadgen_int128;
    """
    # For Cython this is any integer type; the C compiler has its true size.
    ctypedef long long int128 "loadgen_int128"

cdef enum:
    COUNTERS = 27648

cdef struct Counts:
    int64_t *counts        # COUNTERS of them; owned by the caller of counts_init
    int64_t total          # all samples, those in overflow too
    int64_t overflow
    int128 sum             # ten billion requests that waited for seconds come to more than 64 bits
    int64_t min
    int64_t max
    int64_t censored       # samples that are only a lower bound: timeouts and unfinished requests
    int64_t least_censored  # the smallest censored sample: a quantile from here up is itself only a lower bound


cdef int counts_init(Counts *h) except -1
# Give back the table of counts that were recorded here, for the next `counts_init`: a table is cleared where it was
# counted in, which costs less than the pages of a new one.
cdef void counts_free(Counts *h) noexcept
cdef void counts_clear(Counts *h) noexcept nogil
# Count in `h` all that is counted in `more`.
cdef void counts_add(Counts *h, const Counts *more) noexcept nogil


cdef inline uint64_t counter_of(uint64_t value) noexcept nogil:
    cdef int shift = 53 - clz64(value | 2047)
    return (<uint64_t>shift << 10) + (value >> shift)


cdef inline int64_t highest_equivalent(int64_t counter) noexcept nogil:
    """Return the largest value that falls into a counter."""
    cdef int64_t shift
    if counter < 2048:
        return counter
    shift = (counter >> 10) - 1
    return (((counter & 1023) + 1025) << shift) - 1


cdef inline void counts_record(Counts *h, int64_t value) noexcept nogil:
    cdef uint64_t counter = counter_of(<uint64_t>value)
    h.total += 1
    h.sum += value
    if value < h.min:
        h.min = value
    if value > h.max:
        h.max = value
    if counter < COUNTERS:
        h.counts[counter] += 1
    else:
        h.overflow += 1


cdef inline void counts_record_censored(Counts *h, int64_t value) noexcept nogil:
    h.censored += 1
    if value < h.least_censored:
        h.least_censored = value
    counts_record(h, value)


cdef inline int64_t lowest_equivalent(int64_t counter) noexcept nogil:
    """Return the smallest value that falls into a counter; a counter beyond the table's end is computed alike."""
    return counter if counter < 2048 else ((counter & 1023) + 1024) << ((counter >> 10) - 1)


cdef inline void counts_record_waiting(Counts *h, int64_t n, int64_t youngest, int64_t oldest) noexcept nogil:
    """Record n > 0 ages of requests that wait, spread evenly from the youngest to the oldest, both in one counter."""
    cdef uint64_t counter = counter_of(<uint64_t>oldest)
    h.total += n
    h.sum += <int128>(youngest + oldest) * n // 2
    h.min = min(h.min, youngest)
    h.max = max(h.max, oldest)
    h.censored += n
    h.least_censored = min(h.least_censored, youngest)
    if counter < COUNTERS:
        h.counts[counter] += n
    else:
        h.overflow += n


cdef class Histogram:
    cdef Counts h       # the table is allocated at the first recording
    cdef bytes packed   # the packed counters; None when the table has newer ones

    cdef Counts *table(self) except NULL
    cdef bytes entries(self)
    cdef int64_t rank_of(self, double q) except -1
    cdef int64_t sample_of_rank(self, int64_t rank)

    @staticmethod
    cdef Histogram of(const Counts *h, bytes packed)

    @staticmethod
    cdef Histogram copy_of(const Counts *h)
