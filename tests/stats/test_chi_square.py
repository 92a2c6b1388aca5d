"""Chi-square of equal shares, beside scipy's."""

from __future__ import annotations

import pytest
from scipy import stats

from loadgen.stats import chi_square


@pytest.mark.parametrize("degrees", [1, 2, 3, 4, 9, 10, 49, 99, 999])
@pytest.mark.parametrize("part", [0.01, 0.5, 0.9, 1.0, 1.1, 1.5, 2.0, 3.0, 8.0])
def test_the_probability_is_that_of_scipy(degrees: int, part: float) -> None:
    statistic = degrees * part
    expected = stats.chi2.sf(statistic, degrees)
    assert chi_square.p_value(statistic, degrees) == pytest.approx(expected, rel=1e-9, abs=1e-300)


def test_counts_are_held_against_equal_shares() -> None:
    counts = [198, 205, 201, 195, 201]
    statistic, p = chi_square.even(counts)
    expected = stats.chisquare(counts)
    assert (statistic, p) == pytest.approx((expected.statistic, expected.pvalue))
    assert chi_square.even([5, 5]) == (0.0, 1.0)
    assert chi_square.even([500, 0])[1] < 1e-100


@pytest.mark.parametrize("counts", [[], [7], [0, 0]])
def test_counts_that_cannot_be_compared_are_refused(counts: list[int]) -> None:
    with pytest.raises(ValueError, match="at least two"):
        chi_square.even(counts)
