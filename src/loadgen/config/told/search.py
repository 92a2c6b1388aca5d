"""What a configuration asks of the saturation search."""

from __future__ import annotations

from loadgen.config.tables.objectives import limits
from loadgen.config.tables.schema import Config, SaturationSearch
from loadgen.config.told.settings import settings_of
from loadgen.stats.search import SearchSettings
from loadgen.stats.trial import Limit


def wants_search(config: Config) -> bool:
    """Whether the highest rate is to be searched for, and not one load to be put on."""
    return config.workload.saturation_search is not None


def search_settings(config: Config) -> SearchSettings:
    """The search's settings; its defaults where the configuration has no [workload.saturation_search]."""
    search = config.workload.saturation_search or SaturationSearch()
    return settings_of(SearchSettings, search, limits=_limits(config, search))


def _limits(config: Config, search: SaturationSearch) -> tuple[Limit, ...]:
    """The search's own, or else the percentiles of [slo]; none means that the knee is searched."""
    if search.slo is not None:
        return limits(search.slo)
    if config.slo is None:
        return ()
    return tuple(limit for command, table in config.slo.by_command() for limit in limits(table, command))
