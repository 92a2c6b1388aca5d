"""The kinds of value a key can have, and its marks. A validator's ValueError is a sentence for the user."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, PlainSerializer, WithJsonSchema

from loadgen.config.cpu_list import parse_cpu_list
from loadgen.config.endpoint import parse_endpoint
from loadgen.units import format_duration, parse_duration, parse_size


@dataclass(frozen=True)
class Alias:
    """Marks a key that older files spell otherwise."""

    name: str
    wins: bool = False
    """Whether the older spelling prevails where a file has both; otherwise both at once is an error."""


@dataclass(frozen=True)
class Inert:
    """Marks a key that is accepted, so that other tools' files load, and not acted on: using it is warned of."""

    reason: str
    """Completes "key: …" to a sentence."""
    unless: object = None
    """The value that asks for nothing which is not done anyway, and so needs no warning."""


def _positive(ns: int) -> int:
    if ns == 0:
        raise ValueError('must be longer than 0; write a duration such as "10s"')
    return ns


_DURATION_SCHEMA = {
    "type": ["string", "number"],
    "pattern": r"^\s*[0-9]+(\.[0-9]+)?\s*(ns|us|ms|s|secs?|m|mins?|h|hrs?|hours?)?\s*$",
    "minimum": 0,
}
Duration = Annotated[
    int,
    BeforeValidator(parse_duration),
    PlainSerializer(format_duration, when_used="json"),
    WithJsonSchema(_DURATION_SCHEMA),
]
"""Nanoseconds; written as `"10s"`, and a number without a unit is seconds."""

PositiveDuration = Annotated[Duration, AfterValidator(_positive)]

Size = Annotated[
    int,
    BeforeValidator(parse_size),
    WithJsonSchema(
        {"type": ["string", "integer"], "pattern": r"^\s*[0-9]+(\.[0-9]+)?\s*([KkMG]?B|[KMG]iB)?\s*$", "minimum": 1}
    ),
]
"""Bytes; written as a number, or as `"64KB"` or `"64KiB"`."""

Number = Annotated[float, Field(allow_inf_nan=False)]


def _spoken(protocol: object) -> object:
    if protocol in ("memcachebinary", "memcache-binary"):
        raise ValueError(f'"{protocol}" is not supported; write "memcache" for memcache\'s text protocol')
    if protocol == "momento":
        raise ValueError('"momento" is not supported; write one of "resp", "resp3", "memcache", "ping"')
    return protocol


Protocol = Annotated[Literal["resp", "resp3", "memcache", "ping"], BeforeValidator(_spoken)]


def _address(text: str) -> str:
    parse_endpoint(text)
    return text


Address = Annotated[str, AfterValidator(_address)]
"""`host:port`."""


def _cpu_list(text: str) -> str:
    parse_cpu_list(text)
    return text


CpuList = Annotated[str, AfterValidator(_cpu_list)]


def _not_tls(wanted: bool) -> bool:
    if wanted:
        raise ValueError(
            "TLS is not supported yet; write tls = false and name a port that the server answers in plain text"
        )
    return wanted


def _not_cluster(wanted: bool) -> bool:
    if wanted:
        raise ValueError(
            "cluster topology is not supported yet; "
            "write cluster = false, and endpoints that each serve every key sent to them"
        )
    return wanted


Tls = Annotated[bool, AfterValidator(_not_tls)]
Cluster = Annotated[bool, AfterValidator(_not_cluster)]
