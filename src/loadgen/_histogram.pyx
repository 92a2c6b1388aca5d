"""HDR counts as a value: merge, subtract, ask for quantiles. `_histogram.pxd` has the layout and the hot path."""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from libc.stdint cimport INT64_MAX, int64_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcpy, memset

# Zero counters inside a run cost eight bytes each, a new run sixteen.
cdef enum:
    GAP = 2
    HEADER = 8


cdef int counts_init(Counts *h) except -1:
    # Untouched pages of the table cost nothing: calloc maps them when they are first counted in.
    h.counts = <int64_t *>calloc(COUNTERS, sizeof(int64_t))
    if h.counts == NULL:
        raise MemoryError()
    counts_clear(h)
    return 0


cdef void counts_free(Counts *h) noexcept:
    free(h.counts)
    h.counts = NULL


cdef void counts_clear(Counts *h) noexcept nogil:
    if h.total > 0:
        memset(h.counts, 0, COUNTERS * sizeof(int64_t))
    h.total = h.overflow = h.censored = 0
    h.sum = 0
    h.min = h.least_censored = INT64_MAX
    h.max = -1


cdef void counts_add(Counts *into, const Counts *other) noexcept nogil:
    cdef int64_t i, first, last
    if other.total == 0:
        return
    first, last = touched(other)
    for i in range(first, last):
        into.counts[i] += other.counts[i]
    into.total += other.total
    into.overflow += other.overflow
    into.sum += other.sum
    into.min = min(into.min, other.min)
    into.max = max(into.max, other.max)
    into.censored += other.censored
    into.least_censored = min(into.least_censored, other.least_censored)


cdef (int64_t, int64_t) touched(const Counts *h) noexcept nogil:
    """The counters that may be non-zero, as first and one past the last."""
    if h.total == h.overflow:
        return 0, 0
    return <int64_t>counter_of(h.min), min(<int64_t>counter_of(h.max), COUNTERS - 1) + 1


cdef bint coherent(const Counts *h) noexcept nogil:
    """Whether counts that came from outside could have been recorded: what everything else here takes for granted."""
    cdef int64_t i, in_table = 0
    if h.total == 0:
        in_table = h.overflow | h.censored
        return in_table == 0 and h.sum == 0 and h.min == INT64_MAX and h.max == -1 and h.least_censored == INT64_MAX
    if h.min < 0 or h.max < h.min or h.censored < 0 or h.censored > h.total or h.overflow < 0 or h.overflow > h.total:
        return False
    if (h.censored == 0) != (h.least_censored == INT64_MAX) or h.least_censored < 0:
        return False
    if (h.overflow > 0) != (counter_of(h.max) >= COUNTERS):
        return False
    if h.total == h.overflow:
        return counter_of(h.min) >= COUNTERS
    for i in range(COUNTERS):
        if h.counts[i] < 0 or h.counts[i] > h.total - h.overflow - in_table:
            return False
        in_table += h.counts[i]
    return (in_table == h.total - h.overflow and counter_of(h.min) < COUNTERS and h.counts[counter_of(h.min)] > 0
            and (h.overflow > 0 or h.counts[counter_of(h.max)] > 0))


cdef class Histogram:
    """Counts of int nanoseconds with 3 significant digits, exact `min`, `max` and `sum`.

    Arithmetic gives new histograms: `a + b` has the samples of both, bit for bit as if recorded in one; `a - b` has
    what was recorded into `a` since it equalled `b`, with `min` and `max` as wide as their counters, and raises
    ValueError where that cannot be.
    """

    def __cinit__(self):
        counts_init(&self.h)

    def __dealloc__(self):
        counts_free(&self.h)

    @staticmethod
    cdef Histogram copy_of(const Counts *h):
        cdef Histogram copy = Histogram.__new__(Histogram)
        counts_add(&copy.h, h)
        return copy

    def record(self, int64_t value, *, bint censored=False):
        """Counts one value of ≥ 0 ns; `censored` marks one that is only known to be at least this."""
        if value < 0:
            raise ValueError(f"a histogram counts values from 0 ns, not {value}")
        if censored:
            counts_record_censored(&self.h, value)
        else:
            counts_record(&self.h, value)

    def record_many(self, int64_t value, int64_t count):
        """Counts one value of ≥ 0 ns `count` times."""
        if value < 0 or count < 1:
            raise ValueError(f"a histogram cannot count {value} ns {count} times")
        cdef int64_t before = self.h.total
        counts_record(&self.h, value)
        self.h.total = before + count
        self.h.sum += <int128>value * (count - 1)
        if counter_of(<uint64_t>value) < COUNTERS:
            self.h.counts[counter_of(<uint64_t>value)] += count - 1
        else:
            self.h.overflow += count - 1

    @property
    def count(self):
        """How many samples there are."""
        return self.h.total

    @property
    def overflow(self):
        """How many of them were larger than 68.7 s; they are in `count`, `sum` and `max`."""
        return self.h.overflow

    @property
    def censored(self):
        """How many of them are lower bounds: timeouts and unfinished requests."""
        return self.h.censored

    @property
    def least_censored(self):
        """The smallest of those lower bounds in ns; None when there is none."""
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
        """The sample of rank ⌈q·count⌉ as its counter's largest value, never above `max`; 0 when there is none.

        So truth ≤ reported ≤ truth × 1.001. q is taken to nine decimals, in integers: 0.07 of 100 is rank 7.
        """
        return self.sample_of_rank(self.rank_of(q)) if self.h.total else 0

    def beyond(self, double q):
        """How many samples rank above the quantile. Raises ValueError for a q outside 0 … 1."""
        return self.h.total - self.rank_of(q)

    def above(self, int64_t value):
        """How many samples lie in counters that are wholly above a value: none that is not greater than it."""
        cdef int64_t i, n = self.h.overflow if self.h.max > value else 0
        for i in range(<int64_t>counter_of(max(value, 0)) + 1, COUNTERS):
            n += self.h.counts[i]
        return n

    def is_lower_bound(self, double q):
        """Whether `quantile(q)` rests on requests that had not been answered: the truth is then at least that.

        It does not where even all of them, being longer than the quantile, could not lift it out of its counter.
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
        cdef int64_t seen = 0, i, first, last
        first, last = touched(&self.h)
        for i in range(first, last):
            seen += self.h.counts[i]
            if seen >= rank:
                return min(highest_equivalent(i), self.h.max)
        return self.h.max

    def buckets(self):
        """The non-zero counters as (largest value in ns, count), in rising order; overflow is not among them."""
        cdef int64_t i, first, last
        first, last = touched(&self.h)
        return [(highest_equivalent(i), self.h.counts[i]) for i in range(first, last) if self.h.counts[i]]

    def __add__(Histogram self, Histogram other):
        cdef Histogram total = Histogram.copy_of(&self.h)
        counts_add(&total.h, &other.h)
        return total

    def __sub__(Histogram self, Histogram earlier):
        cdef Histogram since = Histogram.__new__(Histogram)
        cdef int64_t i, first, last, counted = 0
        first, last = touched(&self.h)
        for i in range(first, last):
            since.h.counts[i] = self.h.counts[i] - earlier.h.counts[i]
            counted += since.h.counts[i]
            if since.h.counts[i] < 0:
                raise ValueError("what is subtracted was not recorded here")
            if since.h.counts[i]:
                since.h.min = min(since.h.min, max(highest_equivalent(i - 1) + 1 if i else 0, self.h.min))
                since.h.max = min(highest_equivalent(i), self.h.max)
        since.h.total = self.h.total - earlier.h.total
        since.h.overflow = self.h.overflow - earlier.h.overflow
        since.h.sum = self.h.sum - earlier.h.sum
        since.h.censored = self.h.censored - earlier.h.censored
        if (since.h.overflow < 0 or since.h.censored < 0 or counted + since.h.overflow != since.h.total
                or since.h.total == 0 and since.h.sum != 0):
            raise ValueError("what is subtracted was not recorded here")
        if since.h.overflow:
            since.h.max = self.h.max
            since.h.min = min(since.h.min, max(highest_equivalent(COUNTERS - 1) + 1, self.h.min))
        if since.h.censored:
            since.h.least_censored = self.h.least_censored
        return since

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
        """Native int64s: total, overflow, sum's low and high half, min, max, censored, least_censored, then runs.

        A run is first, n, counts.
        """
        cdef int64_t i, first, last, end, zeros, words = HEADER
        first, last = touched(&self.h)
        cdef bytes out = PyBytes_FromStringAndSize(NULL, (HEADER + 3 * (last - first) + 2) * sizeof(int64_t))
        cdef int64_t *w = <int64_t *>PyBytes_AS_STRING(out)
        w[0], w[1], w[4], w[5] = self.h.total, self.h.overflow, self.h.min, self.h.max
        w[6], w[7] = self.h.censored, self.h.least_censored
        memcpy(w + 2, &self.h.sum, sizeof(self.h.sum))
        i = first
        while i < last:
            if self.h.counts[i] == 0:
                i += 1
                continue
            end, zeros = i, 0
            while end + zeros < last and zeros <= GAP:
                if self.h.counts[end + zeros]:
                    end += zeros + 1
                    zeros = 0
                else:
                    zeros += 1
            w[words], w[words + 1] = i, end - i
            memcpy(w + words + 2, self.h.counts + i, (end - i) * sizeof(int64_t))
            words += 2 + end - i
            i = end
        return out[:words * sizeof(int64_t)]

    @staticmethod
    def from_bytes(bytes data):
        """The histogram that `to_bytes` wrote. Raises ValueError when it did not."""
        cdef Histogram h = Histogram.__new__(Histogram)
        cdef const int64_t *w = <const int64_t *>PyBytes_AS_STRING(data)
        cdef int64_t words = len(data) // <int64_t>sizeof(int64_t), at = HEADER
        if words < HEADER or len(data) % sizeof(int64_t):
            raise ValueError(f"{len(data)} bytes are no histogram")
        while at < words:
            if at + 2 > words or w[at] < 0 or not 0 < w[at + 1] <= COUNTERS - w[at] or at + 2 + w[at + 1] > words:
                raise ValueError("a run of counters lies outside the histogram")
            memcpy(h.h.counts + w[at], w + at + 2, w[at + 1] * sizeof(int64_t))
            at += 2 + w[at + 1]
        h.h.total, h.h.overflow, h.h.min, h.h.max = w[0], w[1], w[4], w[5]
        h.h.censored, h.h.least_censored = w[6], w[7]
        memcpy(&h.h.sum, w + 2, sizeof(h.h.sum))
        # There is one way to write a histogram: where counts and header agree, it is the way that these bytes go.
        if not coherent(&h.h) or h.to_bytes() != data:
            raise ValueError("the counters and the header of a histogram do not agree")
        return h
