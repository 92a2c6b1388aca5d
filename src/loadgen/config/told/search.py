"""The settings of the saturation search, made from a configuration."""

from __future__ import annotations

from loadgen.config.tables.objectives import limits
from loadgen.config.tables.schema import Config, SaturationSearch
from loadgen.config.told.settings import settings_of
from loadgen.stats.search import SearchSettings
from loadgen.stats.trial import Limit


def wants_search(config: Config) -> bool:
    """True when the configuration asks for a search of the highest rate, and not for one load."""
    return config.workload.saturation_search is not None


def search_settings(config: Config) -> SearchSettings:
    """Return the search's settings; the defaults when the configuration has no [workload.saturation_search]."""
    search = config.workload.saturation_search or SaturationSearch()
    return settings_of(SearchSettings, search, limits=_limits(config, search))


def _limits(config: Config, search: SaturationSearch) -> tuple[Limit, ...]:
    """Return the search's own limits, or else the percentiles of [slo]; empty means a search for the knee."""
    if search.slo is not None:
        return limits(search.slo)
    if config.slo is None:
        return ()
    return tuple(limit for command, table in config.slo.by_command() for limit in limits(table, command))
