"""HDR counts as a value: merging, subtraction, quantiles. `_histogram.pxd` has the layout and the hot path."""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from libc.stdint cimport INT64_MAX, int64_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcpy, memset

cdef enum:
    HEADER = 8 * sizeof(int64_t)
    # The most bytes of a packed counter: the number of zero counters before it, and its count.
    MOST_ZEROS = 3
    MOST_COUNT = 9
    MOST_PACKED = (MOST_ZEROS + MOST_COUNT) * COUNTERS

# Counters are packed here, and then copied at their length. A worker must keep its load going, and the pages of a
# buffer allocated for each histogram would cost the worker more than all the rest of a report.
cdef unsigned char _packed[MOST_PACKED]


cdef extern from * nogil:
    """
    #include <stdlib.h>

    /* Tables of zeros that recorders have left: as many as one recorder has. Where two threads meet, one of them asks
       the allocator instead. */
    enum { LOADGEN_SPARES = 192 };
    static int64_t *loadgen_spares[LOADGEN_SPARES];
    static int loadgen_spare_count;
    static char loadgen_spares_taken;

    static int64_t *loadgen_spare_table(void) {
        int64_t *table = 0;
        if (__atomic_test_and_set(&loadgen_spares_taken, __ATOMIC_ACQUIRE)) return 0;
        if (loadgen_spare_count) table = loadgen_spares[--loadgen_spare_count];
        __atomic_clear(&loadgen_spares_taken, __ATOMIC_RELEASE);
        return table;
    }

    static int loadgen_keep_table(int64_t *table) {
        int kept = 0;
        if (__atomic_test_and_set(&loadgen_spares_taken, __ATOMIC_ACQUIRE)) return 0;
        if (loadgen_spare_count < LOADGEN_SPARES) kept = 1, loadgen_spares[loadgen_spare_count++] = table;
        __atomic_clear(&loadgen_spares_taken, __ATOMIC_RELEASE);
        return kept;
    }
    """
    int64_t *spare_table "loadgen_spare_table"()
    bint keep_table "loadgen_keep_table"(int64_t *table)


cdef int counts_init(Counts *h) except -1:
    # Untouched pages of the table cost nothing: calloc maps them when they are first counted in.
    h.counts = spare_table()
    if h.counts == NULL:
        h.counts = <int64_t *>calloc(COUNTERS, sizeof(int64_t))
    if h.counts == NULL:
        raise MemoryError()
    counts_zero(h)
    return 0


cdef void counts_free(Counts *h) noexcept:
    cdef int64_t first, last
    if h.counts == NULL:
        return
    first, last = touched(h)
    memset(h.counts + first, 0, (last - first) * sizeof(int64_t))
    if not keep_table(h.counts):
        free(h.counts)
    h.counts = NULL


cdef void counts_clear(Counts *h) noexcept nogil:
    cdef int64_t first, last
    if h.total > 0:
        first, last = touched(h)
        memset(h.counts + first, 0, (last - first) * sizeof(int64_t))
    counts_zero(h)


cdef void counts_add(Counts *h, const Counts *more) noexcept nogil:
    cdef int64_t first, last, i
    first, last = touched(more)
    for i in range(first, last):
        h.counts[i] += more.counts[i]
    h.total += more.total
    h.overflow += more.overflow
    h.sum += more.sum
    h.min = min(h.min, more.min)
    h.max = max(h.max, more.max)
    h.censored += more.censored
    h.least_censored = min(h.least_censored, more.least_censored)


cdef void counts_zero(Counts *h) noexcept nogil:
    """Reset everything but the table."""
    h.total = h.overflow = h.censored = 0
    h.sum = 0
    h.min = h.least_censored = INT64_MAX
    h.max = -1


cdef (int64_t, int64_t) touched(const Counts *h) noexcept nogil:
    """Return the range of counters that may be non-zero, as first and one past the last."""
    if h.total == h.overflow:
        return 0, 0
    return <int64_t>counter_of(h.min), min(<int64_t>counter_of(h.max), COUNTERS - 1) + 1


# ── Packed counters ─────────────────────────────────────────────────────────────────────────────────────────────────
#
# The counters that are not 0, in rising order: the number of zero counters before each, and its count, both as LEB128
# (seven bits a byte, the lowest first, the top bit where more follow). Each table has exactly one packed form.


cdef struct Entry:
    const unsigned char *at     # behind the entry
    const unsigned char *end
    int64_t counter             # -1 before the first, COUNTERS behind the last
    int64_t count


cdef inline Entry before_first(bytes packed) noexcept:
    cdef const unsigned char *at = <const unsigned char *>PyBytes_AS_STRING(packed)
    return Entry(at, at + len(packed), -1, 0)


cdef inline int64_t number(const unsigned char **at) noexcept nogil:
    """Read a number that `put` wrote, and move `at` behind it."""
    cdef int64_t value = at[0][0] & 127
    cdef int shift = 7
    while at[0][0] >= 128:
        at[0] += 1
        value |= <int64_t>(at[0][0] & 127) << shift
        shift += 7
    at[0] += 1
    return value


cdef inline bint go_on(Entry *entry) noexcept nogil:
    """Move to the next entry; False behind the last."""
    if entry.at == entry.end:
        entry.counter, entry.count = COUNTERS, 0
        return False
    entry.counter += 1 + number(&entry.at)
    entry.count = number(&entry.at)
    return True


cdef inline unsigned char *put(unsigned char *to, uint64_t number) noexcept nogil:
    while number >= 128:
        to[0] = <unsigned char>(number & 127 | 128)
        number >>= 7
        to += 1
    to[0] = <unsigned char>number
    return to + 1


cdef inline bytes packed_until(const unsigned char *to):
    return PyBytes_FromStringAndSize(<const char *>_packed, to - _packed)


cdef bytes pack(const Counts *h):
    cdef const int64_t *counts = h.counts
    cdef unsigned char *to = _packed
    cdef int64_t i, first, last, after = 0
    first, last = touched(h)
    i = first
    while i < last:
        # Most of a table is zeros.
        if i + 4 <= last and not (counts[i] | counts[i + 1] | counts[i + 2] | counts[i + 3]):
            i += 4
            continue
        if counts[i]:
            to = put(put(to, i - after), counts[i])
            after = i + 1
        i += 1
    return packed_until(to)


cdef bytes merged(bytes a, bytes b):
    cdef Entry x = before_first(a), y = before_first(b)
    cdef unsigned char *to = _packed
    cdef int64_t counter, after = 0
    go_on(&x)
    go_on(&y)
    while (counter := min(x.counter, y.counter)) < COUNTERS:
        to = put(put(to, counter - after), x.count * (x.counter == counter) + y.count * (y.counter == counter))
        after = counter + 1
        if x.counter == counter:
            go_on(&x)
        if y.counter == counter:
            go_on(&y)
    return packed_until(to)


cdef inline const unsigned char *checked(const unsigned char *at, const unsigned char *end, int most) noexcept nogil:
    """Return the address behind the number at `at`; NULL when none of at most `most` bytes ends before `end`."""
    cdef int length = 1
    while at < end and at[0] >= 128 and length < most:
        at += 1
        length += 1
    if at >= end or at[0] >= 128 or (length > 1 and at[0] == 0):
        return NULL
    return at + 1


cdef bint coherent(const Counts *h, bytes packed) noexcept:
    """True when counts that came from outside could have been recorded, as all other code here assumes."""
    cdef Entry entry = before_first(packed)
    cdef int64_t in_table = 0, lowest = -1
    cdef const unsigned char *behind
    while entry.at < entry.end:
        behind = checked(entry.at, entry.end, MOST_ZEROS)
        if behind != NULL:
            behind = checked(behind, entry.end, MOST_COUNT)
        if behind == NULL:
            return False
        go_on(&entry)
        if entry.counter >= COUNTERS or entry.count < 1 or entry.count > h.total - in_table:
            return False
        in_table += entry.count
        if lowest < 0:
            lowest = entry.counter
    if h.total == 0:
        return (h.overflow | h.censored) == 0 and h.sum == 0 and h.min == h.least_censored == INT64_MAX and h.max == -1
    if h.min < 0 or h.max < h.min or h.censored < 0 or h.censored > h.total or h.overflow < 0:
        return False
    if in_table != h.total - h.overflow or h.least_censored < 0:
        return False
    if (h.censored == 0) != (h.least_censored == INT64_MAX) or (h.overflow > 0) != (counter_of(h.max) >= COUNTERS):
        return False
    if in_table == 0:
        return counter_of(h.min) >= COUNTERS
    return <int64_t>counter_of(h.min) == lowest and (h.overflow > 0 or <int64_t>counter_of(h.max) == entry.counter)


cdef class Histogram:
    """Counts of int nanoseconds with 3 significant digits, exact `min`, `max` and `sum`.

    Arithmetic returns new histograms: `a + b` has the samples of both, bit for bit as if recorded in one; `a - b` has
    the samples recorded into `a` since `a` equalled `b`, with `min` and `max` as wide as their counters, and raises
    ValueError when `a` cannot have equalled `b`. A histogram that is not recorded into takes a few kilobytes.
    """

    def __cinit__(self):
        counts_zero(&self.h)
        self.packed = b""

    def __dealloc__(self):
        # Counts that were read from a file may lie outside of the bounds by which `counts_free` clears a table.
        free(self.h.counts)

    @staticmethod
    cdef Histogram of(const Counts *h, bytes packed):
        cdef Histogram copy = Histogram.__new__(Histogram)
        copy.h = h[0]
        copy.h.counts = NULL
        copy.packed = packed
        return copy

    @staticmethod
    cdef Histogram copy_of(const Counts *h):
        return Histogram.of(h, pack(h))

    cdef Counts *table(self) except NULL:
        """Return the counts with a table to record into; `entries` packs the table when it is next called."""
        cdef Entry entry
        cdef Counts own
        if self.h.counts == NULL:
            own = self.h
            counts_init(&own)
            self.h.counts = own.counts
            entry = before_first(self.packed)
            while go_on(&entry):
                self.h.counts[entry.counter] = entry.count
        self.packed = None
        return &self.h

    cdef bytes entries(self):
        if self.packed is None:
            self.packed = pack(&self.h)
        return self.packed

    def record(self, int64_t value, *, bint censored=False):
        """Count one value of ≥ 0 ns; `censored` marks a value that is only a lower bound."""
        if value < 0:
            raise ValueError(f"a histogram counts values from 0 ns, not {value}")
        if censored:
            counts_record_censored(self.table(), value)
        else:
            counts_record(self.table(), value)

    def record_many(self, int64_t value, int64_t count):
        """Count one value of ≥ 0 ns `count` times."""
        if value < 0 or count < 1:
            raise ValueError(f"a histogram cannot count {value} ns {count} times")
        cdef Counts *h = self.table()
        cdef int64_t before = h.total
        counts_record(h, value)
        h.total = before + count
        h.sum += <int128>value * (count - 1)
        if counter_of(<uint64_t>value) < COUNTERS:
            h.counts[counter_of(<uint64_t>value)] += count - 1
        else:
            h.overflow += count - 1

    @property
    def count(self):
        """The number of samples."""
        return self.h.total

    @property
    def overflow(self):
        """The number of samples larger than 68.7 s; these are in `count`, `sum` and `max`."""
        return self.h.overflow

    @property
    def censored(self):
        """The number of samples that are lower bounds: timeouts and unfinished requests."""
        return self.h.censored

    @property
    def least_censored(self):
        """The smallest sample that is a lower bound, in ns; None when there is none."""
        return self.h.least_censored if self.h.censored else None

    @property
    def sum(self):
        return self.h.sum

    @property
    def min(self):
        """The smallest sample in ns; 0 when there is none."""
        return self.h.min if self.h.total else 0

    @property
    def max(self):
        """The largest sample in ns; 0 when there is none."""
        return self.h.max if self.h.total else 0

    @property
    def mean(self):
        """The exact mean in ns; 0.0 when there is no sample."""
        return <double>self.h.sum / self.h.total if self.h.total else 0.0

    def quantile(self, double q):
        """Return the sample of rank ⌈q·count⌉ as its counter's largest value, never above `max`; 0 without samples.

        So truth ≤ reported ≤ truth × 1.001. q is taken to nine decimals, in integers: 0.07 of 100 is rank 7.
        """
        return self.sample_of_rank(self.rank_of(q)) if self.h.total else 0

    def beyond(self, double q):
        """Return the number of samples that rank above the quantile. Raises ValueError for a q outside 0 … 1."""
        return self.h.total - self.rank_of(q)

    def above(self, int64_t value):
        """Return the number of samples in counters that are wholly above a value: each of these samples is greater."""
        cdef Entry entry = before_first(self.entries())
        cdef int64_t n = self.h.overflow if self.h.max > value else 0
        cdef int64_t counter = <int64_t>counter_of(max(value, 0))
        while go_on(&entry):
            if entry.counter > counter:
                n += entry.count
        return n

    def is_lower_bound(self, double q):
        """True when `quantile(q)` rests on requests that had not been answered: the truth is then at least as large.

        False when these requests, even if all took longer than the quantile, could not lift it out of its counter.
        """
        if self.h.censored == 0 or self.quantile(q) < self.h.least_censored:
            return False
        cdef int64_t rank = self.rank_of(q) + self.h.censored
        return rank > self.h.total or self.sample_of_rank(rank) != self.quantile(q)

    cdef int64_t rank_of(self, double q) except -1:
        if not 0.0 <= q <= 1.0:
            raise ValueError(f"a quantile lies between 0 and 1, not at {q}")
        return max(1, -(-round(q * 1_000_000_000) * self.h.total // 1_000_000_000))

    cdef int64_t sample_of_rank(self, int64_t rank):
        cdef Entry entry = before_first(self.entries())
        cdef int64_t seen = 0
        while go_on(&entry):
            seen += entry.count
            if seen >= rank:
                return min(highest_equivalent(entry.counter), self.h.max)
        return self.h.max

    def buckets(self):
        """Return the non-zero counters as (largest value in ns, count), in rising order, without the overflow."""
        cdef Entry entry = before_first(self.entries())
        found = []
        while go_on(&entry):
            found.append((highest_equivalent(entry.counter), entry.count))
        return found

    def __add__(Histogram self, Histogram other):
        cdef Counts both = self.h
        if other.h.total == 0:
            return Histogram.of(&self.h, self.entries())
        both.total += other.h.total
        both.overflow += other.h.overflow
        both.sum += other.h.sum
        both.min = min(both.min, other.h.min)
        both.max = max(both.max, other.h.max)
        both.censored += other.h.censored
        both.least_censored = min(both.least_censored, other.h.least_censored)
        return Histogram.of(&both, merged(self.entries(), other.entries()))

    def __sub__(Histogram self, Histogram earlier):
        cdef Entry now = before_first(self.entries()), then = before_first(earlier.entries())
        cdef unsigned char *to = _packed
        cdef Counts since
        cdef int64_t count, after = 0, counted = 0
        counts_zero(&since)
        go_on(&then)
        while go_on(&now):
            if then.counter < now.counter:
                break
            count = now.count
            if then.counter == now.counter:
                count -= then.count
                go_on(&then)
            if count < 0:
                raise ValueError("what is subtracted was not recorded here")
            if count:
                to = put(put(to, now.counter - after), count)
                after = now.counter + 1
                counted += count
                since.min = min(since.min, max(lowest_equivalent(now.counter), self.h.min))
                since.max = min(highest_equivalent(now.counter), self.h.max)
        since.total = self.h.total - earlier.h.total
        since.overflow = self.h.overflow - earlier.h.overflow
        since.sum = self.h.sum - earlier.h.sum
        since.censored = self.h.censored - earlier.h.censored
        if (then.counter < COUNTERS or since.overflow < 0 or since.censored < 0
                or counted + since.overflow != since.total or since.total == 0 and since.sum != 0):
            raise ValueError("what is subtracted was not recorded here")
        if since.overflow:
            since.max = self.h.max
            since.min = min(since.min, max(highest_equivalent(COUNTERS - 1) + 1, self.h.min))
        if since.censored:
            since.least_censored = self.h.least_censored
        return Histogram.of(&since, packed_until(to))

    def __eq__(self, other):
        if not isinstance(other, Histogram):
            return NotImplemented
        return self.to_bytes() == (<Histogram>other).to_bytes()

    def __hash__(self):
        return hash(self.to_bytes())

    def __repr__(self):
        return f"Histogram(count={self.count}, min={self.min}, p50={self.quantile(0.5)}, max={self.max})"

    def __reduce__(self):
        return Histogram.from_bytes, (self.to_bytes(),)

    def to_bytes(self):
        """Return native int64s: total, overflow, sum's low and high half, min, max, censored, least_censored; then the
        packed counters. Equal histograms, and no others, have equal bytes.
        """
        cdef int64_t header[8]
        header[0], header[1], header[4], header[5] = self.h.total, self.h.overflow, self.h.min, self.h.max
        header[6], header[7] = self.h.censored, self.h.least_censored
        memcpy(header + 2, &self.h.sum, sizeof(self.h.sum))
        return PyBytes_FromStringAndSize(<const char *>header, HEADER) + self.entries()

    @staticmethod
    def from_bytes(bytes data):
        """Return the histogram that `to_bytes` wrote. Raises ValueError for other bytes."""
        cdef const int64_t *header = <const int64_t *>PyBytes_AS_STRING(data)
        cdef Counts h
        if len(data) < HEADER:
            raise ValueError(f"{len(data)} bytes are no histogram")
        h.total, h.overflow, h.min, h.max = header[0], header[1], header[4], header[5]
        h.censored, h.least_censored = header[6], header[7]
        memcpy(&h.sum, header + 2, sizeof(h.sum))
        cdef bytes packed = data[HEADER:]
        if not coherent(&h, packed):
            raise ValueError("the counters and the header of a histogram do not agree")
        return Histogram.of(&h, packed)
