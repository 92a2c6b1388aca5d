"""Settings are taken from a table by the names of their fields."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from loadgen.config import load
from loadgen.config.told.settings import settings_of


@dataclass(frozen=True)
class Asked:
    """Fields of three units, and one that no key is called like."""

    lag_ns: int
    pause_s: float
    drift_p: float
    other: str = "default"


VERDICT = load(None, ["verdict.lag=2ms", "verdict.pause=3s", "verdict.drift_p=0.5"]).verdict


def test_a_field_is_the_key_of_its_name_without_its_unit() -> None:
    assert settings_of(Asked, VERDICT, other="given") == Asked(2_000_000, 3.0, 0.5, "given")


def test_a_field_that_no_key_says_is_a_mistake_though_it_has_a_default() -> None:
    with pytest.raises(AttributeError, match="other"):
        settings_of(Asked, VERDICT)
