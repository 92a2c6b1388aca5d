"""docs/SOAK.md: its figures are those of benchmark/soak_rates.py, held true by the first few of the same series."""

from __future__ import annotations

import importlib
import itertools
import re
from collections.abc import Iterator
from types import ModuleType

import pytest
from places import ROOT

SERIES, SEED = 200, 1
FEW = 5
DOCUMENT = (ROOT / "docs" / "SOAK.md").read_text(encoding="utf-8")
SECTION = DOCUMENT.split("## How often the verdict is wrong")[1].split("\n## ")[0]
TABLES = [found.splitlines() for found in re.findall(r"(?:^\|.*\n)+", SECTION, re.M)]
VERDICTS = {
    cells[0]: cells[1:] for cells in ([cell.strip() for cell in row.strip("|").split("|")] for row in TABLES[0])
}


@pytest.fixture(scope="module")
def soak_rates() -> Iterator[ModuleType]:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(ROOT / "benchmark")
        yield importlib.import_module("soak_rates")


def test_every_kind_of_series_has_a_row(soak_rates: ModuleType) -> None:
    assert list(VERDICTS)[2:] == [kind.name for kind in soak_rates.KINDS]


def test_no_kind_without_a_leak_is_called_one_in_more_than_one_of_a_hundred_series(soak_rates: ModuleType) -> None:
    assert all(float(VERDICTS[kind.name][0]) <= 1 for kind in soak_rates.KINDS)


def at_most(share: float, percent: str) -> None:
    """A part of the series has no more of what is counted than all of them have."""
    assert round(share * FEW) <= round(float(percent) / 100 * SERIES)


@pytest.mark.parametrize("name", list(VERDICTS)[2:])
def test_the_first_series_of_a_kind_are_judged_as_the_table_says(soak_rates: ModuleType, name: str) -> None:
    (kind,) = (each for each in soak_rates.KINDS if each.name == name)
    none = soak_rates.rates(kind, 0.0, FEW, SEED)
    more = soak_rates.rates(kind, soak_rates.TRUTHS[-1], FEW, SEED)
    leak, untold, naive, *_, caught = VERDICTS[name]
    at_most(none.leak, leak)
    at_most(none.untold, untold)
    at_most(none.naive, naive)
    at_most(1 - none.leak - none.untold, str(100 - float(leak) - float(untold)))
    at_most(more.leak, caught)
    at_most(1 - more.leak, str(100 - float(caught)))


def test_a_simulated_kind_has_the_noise_that_the_document_says(soak_rates: ModuleType) -> None:
    """σ is 3, of white noise and of an autoregression, and neighbours are correlated as its name says."""
    for name, memory in (("white noise", 0.0), ("AR(1) 0.7", 0.7), ("AR(1) 0.95", 0.95)):
        (kind,) = (each for each in soak_rates.KINDS if each.name == name)
        drawn = soak_rates.drawn(kind, 0, 40_000, 0.0, SEED)
        square = sum(each * each for each in drawn)
        assert (square / len(drawn)) ** 0.5 == pytest.approx(3, rel=0.1)
        beside = sum(a * b for a, b in itertools.pairwise(drawn)) / square
        assert beside == pytest.approx(memory, abs=0.02)


@pytest.mark.law
@pytest.mark.timeout(1800)
def test_the_tables_are_those_that_the_program_prints(soak_rates: ModuleType) -> None:
    assert soak_rates.tables(SERIES, SEED) == TABLES
