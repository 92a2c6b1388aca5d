"""Theil and Sen's slope, and the slopes of resampled noise: the hot loops of `stats.growth`.

The slope of a series is the median of the slopes of all its pairs of points: up to 29 % of the points may be anything
without moving it far (Theil 1950; Sen, JASA 63, 1968). Nothing here knows limits, windows or units.
"""

from libc.math cimport NAN
from libc.stdint cimport uint64_t
from libc.stdlib cimport free, malloc

from loadgen.engine._random cimport Random, random_below, random_seed

# A resampled series begins so long before its first value: a memory of 0.99 has kept an eighth of the beginning then.
cdef Py_ssize_t RUN_IN = 200


def theil_sen(const double[::1] xs, const double[::1] ys):
    """Return the median slope of all pairs of points whose x differ; NaN where there is no such pair.

    Raises:
        ValueError: the two are of different lengths.
        MemoryError: there is no memory for the slopes of all pairs.
    """
    cdef Py_ssize_t n = xs.shape[0]
    if ys.shape[0] != n:
        raise ValueError(f"{n} xs and {ys.shape[0]} ys; a slope needs as many of one as of the other")
    if n < 2:
        return NAN
    cdef double *slopes = <double *>malloc(n * (n - 1) // 2 * sizeof(double))
    if slopes == NULL:
        raise MemoryError(f"no memory for the slopes of {n} points")
    cdef double found
    with nogil:
        found = median_slope(&xs[0], &ys[0], n, slopes)
    free(slopes)
    return found


def resampled(
    const double[::1] xs, const double[::1] shocks, double memory, Py_ssize_t block, Py_ssize_t rounds, uint64_t seed
):
    """Return the slopes of `rounds` series of noise alone, at the places `xs`, in no order.

    A series is made of blocks of `block` shocks that followed each other, from places drawn at random (Künsch's moving
    blocks, Annals of Statistics 17, 1989). Each of its values is its shock, and `memory` (from 0 to below 1) times the
    value before. The series begins long before its first value, so that this one is drawn as all others are. `shocks`
    have a mean of 0; there may be more or fewer of them than places.

    Raises:
        ValueError: there are fewer than two places, or no shocks.
        MemoryError: there is no memory for the slopes of all pairs.
    """
    cdef Py_ssize_t n = xs.shape[0], m = shocks.shape[0], at, _number, left, place
    if n < 2 or m < 1:
        raise ValueError(f"{n} places and {m} shocks; a slope needs two places, and noise a shock")
    block = min(max(block, 1), m)
    cdef double *slopes = <double *>malloc(n * (n - 1) // 2 * sizeof(double))
    cdef double *ys = <double *>malloc(n * sizeof(double))
    if slopes == NULL or ys == NULL:
        free(slopes)
        free(ys)
        raise MemoryError(f"no memory for the slopes of {n} points")
    cdef Random chance
    random_seed(&chance, seed, 0)
    cdef double value
    found = []
    for _number in range(rounds):
        value = 0.0
        # The first block is cut off anywhere, so that blocks begin at no particular place.
        left = 1 + <Py_ssize_t>random_below(&chance, block)
        place = <Py_ssize_t>random_below(&chance, m - left + 1)
        for at in range(-RUN_IN if memory else 0, n):
            if not left:
                left = block
                place = <Py_ssize_t>random_below(&chance, m - left + 1)
            value = memory * value + shocks[place]
            place += 1
            left -= 1
            if at >= 0:
                ys[at] = value
        found.append(median_slope(&xs[0], ys, n, slopes))
    free(ys)
    free(slopes)
    return found


cdef double median_slope(const double *xs, const double *ys, Py_ssize_t n, double *slopes) noexcept nogil:
    """Return the median slope of all pairs; `slopes` has room for all of them."""
    cdef Py_ssize_t i, j, count = 0
    cdef double across
    for i in range(n):
        for j in range(i + 1, n):
            across = xs[j] - xs[i]
            if across != 0:
                slopes[count] = (ys[j] - ys[i]) / across
                count += 1
    if not count:
        return NAN
    cdef Py_ssize_t half = count // 2
    cdef double above = select(slopes, count, half)
    if count % 2:
        return above
    # What lies before the upper middle is not above it: the lower middle is the greatest there.
    cdef double below = slopes[0]
    for i in range(1, half):
        if slopes[i] > below:
            below = slopes[i]
    return (below + above) / 2


cdef double select(double *values, Py_ssize_t count, Py_ssize_t at) noexcept nogil:
    """Return the value that has `at` values before it in order, and put smaller ones before its place (Hoare)."""
    cdef Py_ssize_t low = 0, high = count - 1, i, j
    cdef double pivot, swapped
    while low < high:
        pivot = middle_of(values[low], values[(low + high) // 2], values[high])
        i, j = low, high
        while i <= j:
            while values[i] < pivot:
                i += 1
            while pivot < values[j]:
                j -= 1
            if i <= j:
                swapped = values[i]
                values[i] = values[j]
                values[j] = swapped
                i += 1
                j -= 1
        if at <= j:
            high = j
        elif at >= i:
            low = i
        else:
            break
    return values[at]


cdef inline double middle_of(double a, double b, double c) noexcept nogil:
    if a < b:
        return b if b < c else (c if a < c else a)
    return a if a < c else (c if b < c else b)
