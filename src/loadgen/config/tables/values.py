"""The kinds of values that keys have, and the marks of keys. A validator's ValueError is a sentence for the user."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    PlainSerializer,
    WithJsonSchema,
)
from pydantic_core.core_schema import CoreSchema, no_info_before_validator_function

from loadgen.config.tables.cpu_list import parse_cpu_list
from loadgen.config.tables.refused import ProblemCode, Refused
from loadgen.config.tables.share import PERCENT, PERCENT_BELOW_100, format_tolerance, parse_share, parse_tolerance
from loadgen.protocol import ALIASES, PROTOCOLS
from loadgen.server_address import is_url, parse, parse_endpoint
from loadgen.units import (
    COUNT,
    NS_PER_S,
    RATE,
    format_duration,
    parse_count,
    parse_duration,
    parse_rate,
    parse_size,
    shown,
)

MAX_RATE_PER_S = 1e9
"""One request each nanosecond, the resolution of the clock."""

LONGEST_TTL_NS = 30 * 24 * 3600 * NS_PER_S
"""memcached's protocol.txt: a larger number of seconds is a Unix time."""


@dataclass(frozen=True)
class Alias:
    """The mark of a key that has another spelling in older files."""

    name: str
    wins: bool = False
    """True when the older spelling wins in a file that has both; otherwise both in one file are an error."""


@dataclass(frozen=True)
class Inert:
    """The mark of a key that is accepted, so that other tools' files load, but not acted on, with a warning."""

    reason: str
    """The text after "key: "."""
    unless: object = None
    """The value that needs no warning, as it asks for what is done anyway."""


def _positive(ns: int) -> int:
    if ns == 0:
        raise Refused(ProblemCode.TOO_SMALL, 'must be longer than 0; write a duration such as "10s"')
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


def _of_a_key(ns: int) -> int:
    if ns > LONGEST_TTL_NS:
        raise Refused(ProblemCode.TOO_LARGE, "must be at most 30 days: memcache takes a longer time for a date")
    return ns


Lifetime = Annotated[Duration, AfterValidator(_of_a_key)]

PositiveDuration = Annotated[Duration, AfterValidator(_positive)]

Size = Annotated[
    int,
    BeforeValidator(parse_size),
    WithJsonSchema(
        {
            "type": ["string", "integer"],
            "pattern": r"^\s*[0-9]+(\.[0-9]+)?\s*([KkMG]?B|[KMG]iB|[kmg]b?)?\s*$",
            "minimum": 1,
        }
    ),
]
"""Bytes; written as a number, or as `"64KB"` or `"64KiB"`."""


@dataclass(frozen=True)
class InText:
    """The mark of a number that may also be text with a unit. In JSON Schema, the bounds are the number's.

    In an optional key the mark comes after the bounds, `Annotated[int, Field(ge=1), COUNT_IN_TEXT] | None`: the schema
    has the bounds then.
    """

    parse: Callable[[str], int | float]
    pattern: str

    def __get_pydantic_core_schema__(self, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        return no_info_before_validator_function(self.read, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        plain = handler(schema)
        return {**plain, "type": [plain["type"], "string"], "pattern": f"^{self.pattern}$"}

    def read(self, value: object) -> object:
        """Return the number in a text; return anything else as it is, for the number's own validation."""
        return self.parse(value) if isinstance(value, str) else value


COUNT_IN_TEXT = InText(parse_count, COUNT)
RATE_IN_TEXT = InText(parse_rate, RATE)

Count = Annotated[int, COUNT_IN_TEXT]
"""A whole number; written as such, or as `"10k"`."""

Number = Annotated[float, Field(allow_inf_nan=False)]

Rate = Annotated[Number, RATE_IN_TEXT]
"""Requests per second; written as a number, or as `"10k"` or `"10k/s"`."""

Share = Annotated[
    float,
    BeforeValidator(parse_share),
    WithJsonSchema({"type": ["number", "string"], "pattern": f"^{PERCENT}$", "minimum": 0, "maximum": 1}),
]
"""A part of a whole, 0 to 1; written as `0.1` or as `"10%"`."""


def _share_or_false(value: object) -> float | None:
    return None if value is False else parse_share(value)


ShareOrFalse = Annotated[
    float | None,
    BeforeValidator(_share_or_false),
    PlainSerializer(lambda share: False if share is None else share, when_used="json"),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "number", "minimum": 0, "maximum": 1},
                {"type": "string", "pattern": f"^{PERCENT}$"},
                {"const": False},
            ]
        }
    ),
]
"""A share, or None for false."""

Tolerance = Annotated[
    int | float,
    BeforeValidator(parse_tolerance),
    PlainSerializer(format_tolerance, when_used="json"),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "integer", "minimum": 0, "maximum": 2**53 - 1},
                {"type": "number", "minimum": 0, "exclusiveMaximum": 1},
                {"type": "string", "pattern": f"^({PERCENT_BELOW_100}|{COUNT})$"},
            ]
        }
    ),
]
"""The most that may go wrong: an int is a count, a float a share of all."""


def _rates(value: object) -> float | tuple[float, float]:
    read = [RATE_IN_TEXT.read(each) for each in value] if isinstance(value, list | tuple) else RATE_IN_TEXT.read(value)
    if isinstance(read, list) and len(read) == 2 and all(map(_is_rate, read)):
        return float(read[0]), float(read[1])
    if not isinstance(read, int | float) or not _is_rate(read):
        raise ValueError(
            'must be a rate, such as 5000 or "5k", or the two that the phase goes between, such as [1000, 5000], '
            f"each from 0 to {MAX_RATE_PER_S:.0f} requests per second"
        )
    return float(read)


def _is_rate(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= MAX_RATE_PER_S


_RATE_SCHEMA = {"type": ["number", "string"], "pattern": f"^{RATE}$", "minimum": 0, "maximum": MAX_RATE_PER_S}
Rates = Annotated[
    float | tuple[float, float],
    BeforeValidator(_rates),
    WithJsonSchema({"anyOf": [_RATE_SCHEMA, {"type": "array", "items": _RATE_SCHEMA, "minItems": 2, "maxItems": 2}]}),
]
"""Requests per second: one rate, or `[from, to]`."""


def _spoken(protocol: object) -> object:
    if protocol == "momento":
        names = ", ".join(f'"{name}"' for name in PROTOCOLS)
        raise Refused(ProblemCode.NOT_SUPPORTED, f'"momento" is not supported; write one of {names}')
    return ALIASES.get(protocol, protocol) if isinstance(protocol, str) else protocol


Protocol = Annotated[
    Literal["resp", "resp3", "memcache", "memcache-meta", "memcache-binary", "ping"], BeforeValidator(_spoken)
]


def _address(text: str) -> str:
    if is_url(text):
        parse(text)  # Says what is wrong with it: `config.server_urls` has taken apart those with which nothing is.
    parse_endpoint(text)
    return text


Address = Annotated[str, AfterValidator(_address)]
"""`host:port`, or the path of a Unix socket."""


def _url(text: str) -> str:
    parse(text)
    return text


AddressOrUrl = Annotated[str, AfterValidator(_url)]
"""An address, or a URL that may have a user and a password."""


_REQUESTS = re.compile(f"({COUNT})(?:req|reqs|requests?)\\s*", re.ASCII)


def _every(value: object) -> object:
    """Return the end of a connection's life: a number of requests, or text with the time."""
    if isinstance(value, str):
        if match := _REQUESTS.fullmatch(value):
            return parse_count(match[1])
        if value.strip().isdigit():
            return int(value)
        try:
            ns = parse_duration(value)
        except ValueError:
            raise ValueError(
                f'{shown(value)} is no number of requests and no time; write such as 1000, "1000req" or "5s"'
            ) from None
        return format_duration(ns) if ns else 0
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MOST_REQUESTS_OF_A_LIFE:
        return value
    raise ValueError(
        f'must be a number of requests from 0 to {MOST_REQUESTS_OF_A_LIFE}, or a time in quotes, such as "5s"'
    )


def _no_more_than_most(value: int | str) -> int | str:
    if isinstance(value, int) and value > MOST_REQUESTS_OF_A_LIFE:
        raise Refused(ProblemCode.TOO_LARGE, f"must be at most {MOST_REQUESTS_OF_A_LIFE} requests, or 0 for no end")
    return value


MOST_REQUESTS_OF_A_LIFE = 10**9
"""A pipeline's indices have 32 bits."""

ReconnectEvery = Annotated[
    int | str,
    BeforeValidator(_every),
    AfterValidator(_no_more_than_most),
    WithJsonSchema(
        {"type": ["integer", "string"], "minimum": 0, "pattern": r"^\s*[0-9]+(\.[0-9]+)?\s*([A-Za-z]+)?\s*$"}
    ),
]
"""The end of a connection's life: an int is a number of requests, text is a duration; 0: no end."""


def _source_address(text: str) -> str:
    try:
        return str(ip_address(text))
    except ValueError:
        raise ValueError(
            f'{shown(text)} is no IP address; write numeric addresses of this machine, such as "127.0.0.2"'
        ) from None


SourceAddress = Annotated[str, AfterValidator(_source_address)]
"""A numeric IPv4 or IPv6 address."""


def _cpu_list(text: str) -> str:
    parse_cpu_list(text)
    return text


CpuList = Annotated[str, AfterValidator(_cpu_list)]


MAX_KEY_PREFIX = 40
"""The longest prefix, with which the bytes that a codec writes before a key's id fit in one block."""


def _key_prefix(text: str) -> str:
    if not all("!" <= c <= "~" for c in text):
        raise Refused(
            ProblemCode.BAD_CHARACTER,
            'has a character that a key may not have everywhere; write visible ASCII, such as "user:"',
        )
    if len(text) > MAX_KEY_PREFIX:
        raise Refused(
            ProblemCode.TOO_LARGE,
            f"has {len(text)} characters, and a prefix has at most {MAX_KEY_PREFIX}; make it shorter",
        )
    return text


KeyPrefix = Annotated[str, AfterValidator(_key_prefix)]


TlsVersion = Literal["1", "1.1", "1.2", "1.3"]
