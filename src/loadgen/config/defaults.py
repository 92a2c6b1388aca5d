"""A key's default as text, for help."""

from __future__ import annotations

from loadgen.config.tables.schema import Config

_IN_WORDS = {
    "general.threads": "one for each CPU that this process may use",
    "general.requests": "",
    "workload.arrival": "poisson",
    "workload.rate_limit": "0, a closed loop",
    "verdict.failures": "1%",
}
"""Texts of defaults that depend on the machine, or whose number is not what a user would type; empty shows none."""


def default(key: str) -> str:
    """Return the default of a dotted key as text; empty for none, and for a switch, a table or a list."""
    if key in _IN_WORDS:
        return _IN_WORDS[key]
    value: object = Config().model_dump(mode="json")
    for part in key.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    if value is None or isinstance(value, bool | dict | list):
        return ""
    return f"{value:g}" if isinstance(value, float) else str(value)
