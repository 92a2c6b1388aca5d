"""By what a soak is judged: the bands and checks that come with loadgen, and those of a configuration after them."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import tomli
from pydantic import Field

from loadgen.config.tables.band import BandTable, bands
from loadgen.config.tables.check import CheckTable, checks
from loadgen.config.tables.schema import Config
from loadgen.config.tables.table import Table
from loadgen.judge.check import Check
from loadgen.soak.bands import Band

_FILE = Path(__file__).parents[2] / "soak" / "bands.toml"


class _Shipped(Table):
    """`soak/bands.toml`."""

    band: tuple[BandTable, ...] = Field(default=(), strict=False)
    check: tuple[CheckTable, ...] = Field(default=(), strict=False)


@cache
def _shipped() -> _Shipped:
    return _Shipped.model_validate(tomli.loads(_FILE.read_text("utf-8")))


def soak_bands(config: Config) -> tuple[Band, ...]:
    """Return the bands, of which a later one wins."""
    return (*bands(_shipped().band), *bands(config.band))


def soak_checks(config: Config) -> tuple[Check, ...]:
    """Return the checks that come with loadgen, then those of `[[check]]`. An expression that is in both is once."""
    own = checks(config.check)
    return (*(each for each in checks(_shipped().check) if each.expr not in {check.expr for check in own}), *own)
