"""TOML → Config → Plan: the only room that knows TOML and pydantic.

`load` reads and checks everything that the user said, `resolve` turns it into what workers are told, `search_settings`
into what a saturation search is told. `dump`, `example` and `json_schema` show a configuration, every key there is, and
what a program may write.
"""

from loadgen.config.example import example
from loadgen.config.json_schema import json_schema
from loadgen.config.load import load
from loadgen.config.origin import Flag
from loadgen.config.resolve import resolve
from loadgen.config.schema import Config
from loadgen.config.search import search_settings, wants_search
from loadgen.config.toml_text import dump

__all__ = ["Config", "Flag", "dump", "example", "json_schema", "load", "resolve", "search_settings", "wants_search"]
