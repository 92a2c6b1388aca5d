"""Configurations: TOML → Config → Plan. The only room that uses TOML and pydantic.

`load` reads and checks a file, flags and `--set`. `resolve` returns the plan of a run, `contested` that of a slice, and
`server_plan` that of a server to start. `faults` returns the faults that come over its servers, `monitors` what is read
beside the load.
`judging`, `search_settings`, `smoke_limits`, `compare_settings` and
`gate_settings` return the settings of the rooms that judge. `dump`, `example` and `json_schema` return a configuration
as text, a file with every key, and a schema for programs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from loadgen.lazy import lazily

if TYPE_CHECKING:
    from loadgen.config.defaults import default
    from loadgen.config.document.origin import Flag
    from loadgen.config.document.toml_text import dump, readable_password
    from loadgen.config.every_key import example
    from loadgen.config.for_editors import json_schema
    from loadgen.config.loader import load
    from loadgen.config.server_file import is_server_file
    from loadgen.config.tables.schema import MAX_SEED, Config
    from loadgen.config.told.contested import contested
    from loadgen.config.told.faults import faults
    from loadgen.config.told.judging import compare_settings, gate_settings, judging, smoke_limits
    from loadgen.config.told.monitors import monitors
    from loadgen.config.told.plans import cluster_plan, resolve, server_plan
    from loadgen.config.told.search import search_settings, wants_search
    from loadgen.config.told.soak import soak_bands, soak_checks
    from loadgen.config.told.tls import tls_keys

__all__ = [
    "MAX_SEED",
    "Config",
    "Flag",
    "cluster_plan",
    "compare_settings",
    "contested",
    "default",
    "dump",
    "example",
    "faults",
    "gate_settings",
    "is_server_file",
    "json_schema",
    "judging",
    "load",
    "monitors",
    "readable_password",
    "resolve",
    "search_settings",
    "server_plan",
    "smoke_limits",
    "soak_bands",
    "soak_checks",
    "tls_keys",
    "wants_search",
]

__getattr__ = lazily(
    __name__,
    {
        "default": "defaults",
        "Flag": "document.origin",
        "dump": "document.toml_text",
        "readable_password": "document.toml_text",
        "example": "every_key",
        "json_schema": "for_editors",
        "load": "loader",
        "tls_keys": "told.tls",
        "is_server_file": "server_file",
        "MAX_SEED": "tables.schema",
        "Config": "tables.schema",
        "compare_settings": "told.judging",
        "contested": "told.contested",
        "faults": "told.faults",
        "gate_settings": "told.judging",
        "judging": "told.judging",
        "smoke_limits": "told.judging",
        "monitors": "told.monitors",
        "soak_bands": "told.soak",
        "soak_checks": "told.soak",
        "cluster_plan": "told.plans",
        "resolve": "told.plans",
        "server_plan": "told.plans",
        "search_settings": "told.search",
        "wants_search": "told.search",
    },
)
