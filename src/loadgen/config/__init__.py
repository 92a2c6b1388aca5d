"""TOML → Config → Plan: the only room that knows TOML and pydantic.

`load` reads and checks everything that the user said, `resolve` turns it into what workers are told, `server_plan`
into what a server is started with, `search_settings`, `smoke_limits`, `compare_settings` and `gate_settings` into what
those are told who judge. `dump`, `example` and `json_schema` show a configuration, every key there is, and
what a program may write.
"""

from loadgen.config.defaults import default
from loadgen.config.document.origin import Flag
from loadgen.config.document.toml_text import dump
from loadgen.config.example import example
from loadgen.config.json_schema import json_schema
from loadgen.config.load import load
from loadgen.config.server_file import is_server_file
from loadgen.config.tables.schema import MAX_SEED, Config
from loadgen.config.told.judging import compare_settings, gate_settings, smoke_limits
from loadgen.config.told.resolve import resolve, server_plan
from loadgen.config.told.search import search_settings, wants_search

__all__ = [
    "MAX_SEED",
    "Config",
    "Flag",
    "compare_settings",
    "default",
    "dump",
    "example",
    "gate_settings",
    "is_server_file",
    "json_schema",
    "load",
    "resolve",
    "search_settings",
    "server_plan",
    "smoke_limits",
    "wants_search",
]
