"""HDR histograms against references: sorted arrays for quantiles, unions for merges, hdrh for layout and payloads."""

from __future__ import annotations

import math
import pickle
import struct
from fractions import Fraction
from math import ceil

import pytest
from hdrh.histogram import HdrHistogram
from hypothesis import given, settings
from hypothesis import strategies as st

from loadgen.engine._histogram import Histogram
from loadgen.snapshot import decode_v2, encode_v2

TABLE = 2**36  # the first value that has no counter
NONE = 2**63 - 1  # what to_bytes writes as the min of nothing, and as the least lower bound

# Values of every magnitude, thick about the powers of two where the counters change their width.
near_powers = st.builds(lambda power, by: max(0, 2**power + by), st.integers(0, 36), st.integers(-3, 3))
in_table = (near_powers | st.integers(0, TABLE - 1) | st.integers(0, 5000)).map(lambda v: min(v, TABLE - 1))
values = in_table | st.integers(TABLE, 2**45)
samples = st.lists(st.tuples(values, st.booleans()), max_size=60)
quantiles = st.integers(0, 10**9).map(lambda n: n / 10**9) | st.sampled_from([0.5, 0.9, 0.95, 0.99, 0.999, 0.9999])


def recorded(samples: list[tuple[int, bool]]) -> Histogram:
    histogram = Histogram()
    for value, censored in samples:
        histogram.record(value, censored=censored)
    return histogram


def of(*values: int) -> Histogram:
    return recorded([(value, False) for value in values])


def leb128(number: int) -> bytes:
    return bytes([number]) if number < 128 else bytes([number % 128 + 128]) + leb128(number // 128)


def stored(header: tuple[int, ...], *numbers: int) -> bytes:
    """The bytes of a histogram whose sum has no high half: of each counter, zeros before it and its count."""
    total, overflow, sum_ns, *others = header
    return struct.pack("=8q", total, overflow, sum_ns, 0, *others) + b"".join(map(leb128, numbers))


def true_quantile(values: list[int], q: float) -> int:
    """The value of rank ⌈q·N⌉; q to nine decimals, as it was written."""
    return sorted(values)[max(1, ceil(Fraction(round(q * 10**9), 10**9) * len(values))) - 1]


# The layout.


@given(st.data())
def test_each_counter_begins_where_the_one_before_it_ends(data: st.DataObject) -> None:
    value = data.draw(in_table)
    ((highest, _),) = of(value, value).buckets()  # of a lone value, not capped by max
    assert value <= highest
    assert [count for _, count in of(value, highest).buckets()] == [2]
    if highest + 1 < TABLE:
        assert [count for _, count in of(highest, highest + 1).buckets()] == [1, 1]


@pytest.mark.parametrize("power", range(36))
def test_counters_are_continuous_at_a_power_of_two(power: int) -> None:
    at = 2**power
    width = max(1, at // 1024)
    first, *rest = (highest for highest, _ in of(at - 1, at, at + width).buckets())
    assert first == at - 1
    assert rest == [at + width - 1, at + 2 * width - 1]


def test_every_counter_is_where_hdrh_has_it() -> None:
    hdr = HdrHistogram(1, TABLE - 1, 3)
    ours = Histogram()
    for index in range(hdr.counts_len):
        value = hdr.get_value_from_index(index)
        hdr.record_value(value, index + 1)
        ours.record_many(value, index + 1)
    assert hdr.counts_len == 27_648
    assert ours.overflow == 0
    # No counter is 0: to_bytes shows the table itself.
    table = [number for index in range(hdr.counts_len) for number in (0, hdr.get_count_at_index(index))]
    assert ours.to_bytes()[8 * 8 :] == b"".join(map(leb128, table))
    assert [highest for highest, _ in ours.buckets()] == [
        hdr.get_highest_equivalent_value(hdr.get_value_from_index(index)) for index in range(hdr.counts_len)
    ]


# hdrh visits each of its 27,648 counters in Python: few examples, of many values each.
@settings(max_examples=5)
@given(st.lists(in_table, min_size=100, max_size=200))
def test_any_value_is_counted_where_hdrh_counts_it(values: list[int]) -> None:
    hdr = HdrHistogram(1, TABLE - 1, 3)
    for value in values:
        assert hdr.record_value(value)
    assert of(*values).buckets() == [
        (item.value_iterated_to, item.count_added_in_this_iter_step) for item in hdr.get_recorded_iterator()
    ]


# Quantiles.


@given(st.lists(in_table, min_size=1, max_size=200), quantiles)
def test_a_quantile_is_at_least_the_truth_and_at_most_a_thousandth_above(values: list[int], q: float) -> None:
    truth = true_quantile(values, q)
    assert truth <= of(*values).quantile(q) <= truth * 1.001


@given(st.lists(values, min_size=1, max_size=200), quantiles)
def test_a_quantile_in_overflow_is_the_exact_max(values: list[int], q: float) -> None:
    histogram = of(*values)
    truth = true_quantile(values, q)
    assert histogram.quantile(q) == max(values) if truth >= TABLE else truth <= histogram.quantile(q) <= truth * 1.001
    assert histogram.quantile(1.0) == max(values)


@given(st.dictionaries(st.integers(0, 2**20), st.integers(1, 10**7), min_size=1, max_size=20), quantiles)
def test_ranks_are_exact_at_billions_of_samples(counts: dict[int, int], q: float) -> None:
    histogram = Histogram()
    for value, count in counts.items():
        histogram.record_many(value, count * 1000)
    rank, truth = max(1, ceil(Fraction(round(q * 10**9), 10**9) * sum(counts.values()) * 1000)), 0
    for value in sorted(counts):
        if rank > 0:
            rank, truth = rank - counts[value] * 1000, value
    assert truth <= histogram.quantile(q) <= truth * 1.001


@pytest.mark.parametrize(
    ("q", "rank"), [(0.0, 1), (0.001, 1), (0.07, 7), (0.070000001, 8), (0.29, 29), (0.5, 50), (0.999, 100), (1.0, 100)]
)
def test_a_rank_is_rounded_up_and_not_by_a_float(q: float, rank: int) -> None:
    assert of(*range(1, 101)).quantile(q) == rank


@pytest.mark.parametrize("q", [-0.1, 1.1, float("nan"), float("inf")])
def test_a_quantile_outside_0_to_1_is_refused(q: float) -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        of(1).quantile(q)


def test_nothing_has_a_zero_for_every_answer() -> None:
    empty = Histogram()
    assert (empty.count, empty.sum, empty.min, empty.max, empty.mean, empty.quantile(0.99)) == (0, 0, 0, 0, 0.0, 0)
    assert empty.buckets() == []
    assert not empty.is_lower_bound(1.0)


@given(samples)
def test_count_sum_min_max_and_mean_are_exact(samples: list[tuple[int, bool]]) -> None:
    histogram, values = recorded(samples), [value for value, _ in samples]
    assert (histogram.count, histogram.sum) == (len(values), sum(values))
    assert (histogram.min, histogram.max) == (min(values, default=0), max(values, default=0))
    assert histogram.mean == (sum(values) / len(values) if values else 0.0)


# Overflow and lower bounds.


def test_overflow_is_counted_and_never_clamped() -> None:
    histogram = of(1, TABLE - 1, TABLE, 10**15)
    assert (histogram.count, histogram.overflow, histogram.max) == (4, 2, 10**15)
    assert histogram.buckets() == [(1, 1), (TABLE - 1, 1)]
    assert histogram.sum == 1 + TABLE - 1 + TABLE + 10**15
    assert histogram.quantile(0.5) == TABLE - 1
    assert histogram.quantile(0.75) == 10**15


@given(values, st.integers(1, 50))
def test_a_value_recorded_many_times_is_recorded_each_time(value: int, count: int) -> None:
    many = Histogram()
    many.record_many(value, count)
    assert many == of(*[value] * count)


@pytest.mark.parametrize(("value", "count"), [(-1, 1), (1, 0), (1, -1)])
def test_what_cannot_have_happened_is_not_counted(value: int, count: int) -> None:
    histogram = Histogram()
    with pytest.raises(ValueError, match="a histogram cannot count"):
        histogram.record_many(value, count)
    if value < 0:
        with pytest.raises(ValueError, match="from 0 ns"):
            histogram.record(value)
    assert histogram == Histogram()


def test_a_quantile_is_a_lower_bound_where_the_unanswered_could_raise_it() -> None:
    histogram = of(*range(1, 100))
    histogram.record(90, censored=True)
    assert histogram.censored == 1
    assert [histogram.is_lower_bound(q) for q in (0.5, 0.89, 0.90, 0.91, 1.0)] == [False, False, False, True, True]


@given(samples, st.lists(st.integers(0, 2**40), min_size=60, max_size=60), quantiles)
def test_a_quantile_that_is_no_lower_bound_stands_whatever_became_of_the_unanswered(
    samples: list[tuple[int, bool]], longer: list[int], q: float
) -> None:
    histogram = recorded(samples)
    assert histogram.censored == sum(censored for _, censored in samples)
    known = of(*(v + more if censored else v for (v, censored), more in zip(samples, longer, strict=False)))
    if histogram.is_lower_bound(q):
        assert any(censored for _, censored in samples)
    else:
        assert histogram.quantile(q) == min(known.quantile(q), max((v for v, _ in samples), default=0))


# Merging and subtracting.


@given(samples, samples)
def test_a_merge_is_bit_for_bit_what_one_histogram_would_have_recorded(
    a: list[tuple[int, bool]], b: list[tuple[int, bool]]
) -> None:
    assert (recorded(a) + recorded(b)).to_bytes() == recorded(a + b).to_bytes()


@given(samples, samples)
def test_arithmetic_changes_no_operand(a: list[tuple[int, bool]], b: list[tuple[int, bool]]) -> None:
    x, y = recorded(a), recorded(b)
    total = x + y
    _ = total - x
    assert (x, y, total) == (recorded(a), recorded(b), recorded(a + b))


@given(samples, samples)
def test_what_came_since_is_counted_exactly_and_bounded_as_wide_as_its_counters(
    before: list[tuple[int, bool]], then: list[tuple[int, bool]]
) -> None:
    since, exact = recorded(before + then) - recorded(before), recorded(then)
    assert since.buckets() == exact.buckets()
    assert (since.count, since.sum, since.overflow) == (exact.count, exact.sum, exact.overflow)
    assert since.censored == exact.censored
    assert since.min <= exact.min
    assert exact.max <= since.max
    if then and not exact.overflow:
        assert since.max <= exact.max * 1.001
        assert exact.min <= since.min * 1.001
    for q in (0.0, 0.5, 0.99, 1.0):
        assert exact.quantile(q) <= since.quantile(q)
        assert since.is_lower_bound(q) or not exact.is_lower_bound(q)


@given(samples)
def test_nothing_came_since_now(samples: list[tuple[int, bool]]) -> None:
    histogram = recorded(samples)
    assert histogram - histogram == Histogram()
    assert histogram - Histogram() == histogram


@given(samples, samples)
def test_a_difference_can_be_sent_and_added_on(a: list[tuple[int, bool]], b: list[tuple[int, bool]]) -> None:
    since = recorded(a + b) - recorded(a)
    assert Histogram.from_bytes(since.to_bytes()) == since
    assert (recorded(a) + since).buckets() == recorded(a + b).buckets()


@pytest.mark.parametrize(
    ("now", "earlier"),
    [((), (5,)), ((5,), (6,)), ((5,), (5, 5)), ((5,), (TABLE,)), ((TABLE,), (5,)), ((2048,), (2049,))],
)
def test_what_was_never_recorded_cannot_be_subtracted(now: tuple[int, ...], earlier: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="was not recorded here"):
        of(*now) - of(*earlier)


# As bytes.


@given(samples)
def test_bytes_give_back_the_histogram(samples: list[tuple[int, bool]]) -> None:
    histogram = recorded(samples)
    assert Histogram.from_bytes(histogram.to_bytes()).to_bytes() == histogram.to_bytes()
    assert pickle.loads(pickle.dumps(histogram)) == histogram
    assert hash(Histogram.from_bytes(histogram.to_bytes())) == hash(histogram)


@given(samples, samples)
def test_histograms_are_equal_when_their_samples_are(a: list[tuple[int, bool]], b: list[tuple[int, bool]]) -> None:
    def seen(samples: list[tuple[int, bool]]) -> tuple[object, ...]:
        v, c = [value for value, _ in samples], [value for value, censored in samples if censored]
        buckets = recorded(samples).buckets()
        return buckets, sum(v), min(v, default=0), max(v, default=0), len(c), min(c, default=0), len(v)

    assert (recorded(a) == recorded(b)) == (seen(a) == seen(b))
    assert recorded(a) == recorded(sorted(a, reverse=True))


def test_a_few_samples_take_a_few_bytes() -> None:
    assert len(of(5, 10**9).to_bytes()) == 8 * 8 + 2 + 4
    assert Histogram().to_bytes() == stored(NOTHING)


@given(samples, samples)
def test_a_histogram_that_was_asked_can_be_recorded_into(a: list[tuple[int, bool]], b: list[tuple[int, bool]]) -> None:
    histogram = Histogram.from_bytes(recorded(a).to_bytes())
    for value, censored in b:
        histogram.quantile(0.5)
        histogram.record(value, censored=censored)
    assert histogram == recorded(a + b)


NOTHING = (0, 0, 0, NONE, -1, 0, NONE)
FIVE = (1, 0, 5, 5, 5, 0, NONE)  # the header of one sample of 5 ns
TWO = (2, 0, 10, 5, 5, 0, NONE)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\0" * 63,
        # Numbers.
        stored(FIVE, 5, 1)[:-1],
        stored(FIVE, 5, 1) + b"\0",
        stored(FIVE) + b"\x85\0\x01",
        stored(FIVE) + b"\x05\x81\0",
        stored(FIVE) + b"\x05\x81",
        stored(FIVE) + b"\x85",
        stored(FIVE) + b"\xff" * 9 + b"\x01\x01",
        stored(FIVE) + b"\x05" + b"\xff" * 9 + b"\x01",
        stored(FIVE) + b"\xff" * 40,
        # Counters.
        stored(FIVE),
        stored(FIVE, 5),
        stored(FIVE, 5, 0),
        stored(FIVE, 4, 1),
        stored(FIVE, 6, 1),
        stored(FIVE, 27_648, 1),
        stored(FIVE, 2**62, 1),
        stored(FIVE, 5, 1, 0, 0),
        stored(FIVE, 5, 1, 0, 1),
        stored(FIVE, 5, 2),
        stored(TWO, 5, 1),
        stored(TWO, 5, 2, 2**63 - 1, 1),
        stored(TWO, 5, 1, 27_642, 1),
        stored(TWO, 5, 1, 27_641, 1),
        stored((2, 0, 14, 5, 9, 0, NONE), 5, 1, 4, 1),
        stored((2, 0, 14, 5, 9, 0, NONE), 4, 1, 4, 1),
        stored((NONE, 0, 5, 5, 6, 0, NONE), 5, NONE, 0, NONE),
        stored((-1, 0, 5, 5, 5, 0, NONE), 5, 1),
        stored(NOTHING, 5, 1),
        # The header.
        stored((0, 0, 1, NONE, -1, 0, NONE)),
        stored((0, 0, 0, 0, 0, 0, 0)),
        stored((0, 1, 0, NONE, -1, 0, NONE)),
        stored((1, 0, 5, 4, 5, 0, NONE), 5, 1),
        stored((1, 0, 5, 5, 6, 0, NONE), 5, 1),
        stored((1, 0, 5, 6, 5, 0, NONE), 5, 1),
        stored((1, 0, 5, -1, 5, 0, NONE), 5, 1),
        stored((1, 0, 5, TABLE, TABLE, 0, NONE), 5, 1),
        stored((1, 0, 5, 5, NONE, 0, NONE), 5, 1),
        stored((2, 1, 5, 5, 5, 0, NONE), 5, 1),
        stored((1, 1, 5, 5, 5, 0, NONE)),
        stored((1, 1, 5, 5, TABLE, 0, NONE)),
        stored((1, 1, TABLE, TABLE, TABLE, 0, NONE), 5, 1),
        stored((1, 2, 5, 5, TABLE, 0, NONE), 5, 1),
        stored((1, -1, 5, 5, 5, 0, NONE), 5, 1),
        stored((1, 0, 5, 5, 5, 2, 5), 5, 1),
        stored((1, 0, 5, 5, 5, -1, 5), 5, 1),
        stored((1, 0, 5, 5, 5, 1, NONE), 5, 1),
        stored((1, 0, 5, 5, 5, 0, 5), 5, 1),
        stored((1, 0, 5, 5, 5, 1, -5), 5, 1),
    ],
    ids=lambda data: data.hex(),
)
def test_bytes_that_no_histogram_wrote_are_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="histogram"):
        Histogram.from_bytes(data)


def test_the_bytes_that_those_break_are_a_histograms() -> None:
    assert Histogram.from_bytes(stored(FIVE, 5, 1)) == of(5)
    assert Histogram.from_bytes(stored(TWO, 5, 2)) == of(5, 5)
    assert Histogram.from_bytes(stored((2, 0, 14, 5, 9, 0, NONE), 5, 1, 3, 1)) == of(5, 9)
    assert Histogram.from_bytes(stored((2, 1, TABLE + 5, 5, TABLE, 0, NONE), 5, 1)) == of(5, TABLE)
    assert Histogram.from_bytes(stored((1, 1, TABLE, TABLE, TABLE, 0, NONE))) == of(TABLE)


@given(st.lists(st.tuples(values, st.booleans()), min_size=1, max_size=10), st.data())
def test_broken_bytes_are_refused_or_make_a_histogram_that_works(
    samples: list[tuple[int, bool]], data: st.DataObject
) -> None:
    broken = bytearray(recorded(samples).to_bytes())
    for _ in range(data.draw(st.integers(1, 3))):
        if data.draw(st.booleans()):
            number = data.draw(
                st.sampled_from([0, 1, -1, 2, TABLE, 27_647, 27_648, NONE, -NONE - 1]) | st.integers(-(2**63), NONE)
            )
            struct.pack_into("=q", broken, 8 * data.draw(st.integers(0, 7)), number)
        else:
            broken[data.draw(st.integers(64, len(broken) - 1)) if len(broken) > 64 else 0] = data.draw(
                st.integers(0, 255)
            )
    del broken[len(broken) - data.draw(st.sampled_from([0, 0, 0, 1, 2])) :]
    try:
        histogram = Histogram.from_bytes(bytes(broken))
    except ValueError:
        return
    assert histogram.to_bytes() == bytes(broken)
    assert histogram.count == sum(count for _, count in histogram.buckets()) + histogram.overflow
    assert histogram.min <= histogram.quantile(0.5) <= histogram.quantile(1.0) == histogram.max
    assert histogram - Histogram() == histogram


# hdrh's V2 payloads.


@given(st.dictionaries(in_table, st.integers(1, 2**20), max_size=30))
def test_a_v2_payload_gives_back_every_count(counts: dict[int, int]) -> None:
    histogram = Histogram()
    for value, count in counts.items():
        histogram.record_many(value, count)
    assert decode_v2(encode_v2(histogram)).buckets() == histogram.buckets()


@given(st.dictionaries(in_table, st.integers(1, 10**6), max_size=30))
def test_hdrh_reads_our_payload(counts: dict[int, int]) -> None:
    histogram = Histogram()
    for value, count in counts.items():
        histogram.record_many(value, count)
    hdr = HdrHistogram.decode(encode_v2(histogram).encode())
    assert hdr.get_total_count() == histogram.count
    assert {value: hdr.get_count_at_value(value) for value, _ in histogram.buckets()} == dict(histogram.buckets())


@given(st.lists(st.integers(0, 3_600_000_000_000 - 1), max_size=50))
def test_we_read_a_payload_that_hdrh_wrote(values: list[int]) -> None:
    hdr = HdrHistogram(1, 3_600_000_000_000, 3)
    for value in values:
        assert hdr.record_value(value)
    histogram = decode_v2(hdr.encode().decode("ascii"))
    assert histogram.buckets() == of(*(v for v in values if v < TABLE)).buckets()
    assert histogram.overflow == sum(v >= TABLE for v in values)
    assert histogram.count == len(values)
    assert max(values, default=0) <= histogram.max <= max(values, default=0) * 1.001


@given(st.lists(in_table, min_size=1, max_size=300), st.sampled_from([0.5, 0.9, 0.95, 0.99, 0.999]))
def test_hdrh_says_the_same_percentile_or_that_of_one_rank_less(values: list[int], q: float) -> None:
    """METHOD says so: we take rank ⌈q·n⌉, hdrh and the C library the whole number that is nearest to q·n."""
    histogram, ranked = of(*values), sorted(values)
    hdr = HdrHistogram.decode(encode_v2(histogram).encode())
    nearest = max(1, int(q * 100 * len(values) / 100 + 0.5))
    said = hdr.get_value_at_percentile(100 * q)
    assert said == of(ranked[nearest - 1], TABLE).quantile(0.5)
    exact = max(1, math.ceil(round(q * 1000) * len(values) / 1000))
    assert nearest in (exact, exact - 1)
    assert histogram.quantile(q) == min(of(ranked[exact - 1], TABLE).quantile(0.5), max(values))


def test_a_percentile_of_160_samples_is_another_one_to_hdrh() -> None:
    hdr = HdrHistogram.decode(encode_v2(of(*range(1, 161))).encode())
    assert (of(*range(1, 161)).quantile(0.99), hdr.get_value_at_percentile(99)) == (159, 158)
