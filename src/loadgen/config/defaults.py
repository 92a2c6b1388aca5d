"""A key's default as text, for help."""

from __future__ import annotations

from loadgen.config.tables.schema import Config

_IN_WORDS = {
    "general.threads": "the CPUs that this process may use",
    "general.requests": "",
    "workload.arrival": "poisson",
    "workload.rate_limit": "0: as fast as replies come",
    "verdict.failures": "1%",
}
"""Defaults that depend on the machine, or that a number does not say as it would be typed."""


def default(key: str) -> str:
    """What a dotted key is when nobody gives it; empty where it has no default that says anything."""
    if key in _IN_WORDS:
        return _IN_WORDS[key]
    value: object = Config().model_dump(mode="json")
    for part in key.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    if value is None or isinstance(value, bool | dict | list):
        return ""
    return f"{value:g}" if isinstance(value, float) else str(value)
