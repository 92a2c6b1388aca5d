"""One entry of `[[fault]]`: what is done, to which nodes, when, and with which parameters.

`faults.kinds` has the kinds, with the parameters of each. A parameter that the kind does not have is an error, as it
would do nothing. `told.faults` makes the faults.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from difflib import get_close_matches
from typing import Annotated, Any, Literal

from pydantic import (
    BeforeValidator,
    Field,
    PlainSerializer,
    ValidationInfo,
    WithJsonSchema,
    field_validator,
    model_validator,
)

from loadgen.config.tables.refused import ProblemCode, Refused
from loadgen.config.tables.table import Table, duration_key
from loadgen.config.tables.values import COUNT_IN_TEXT, Duration, Share
from loadgen.faults.kinds import KINDS, ROWS, Kind, Measure, Parameter, kind_named
from loadgen.units import format_duration, parse_size

MAX_TIMES = 10_000
"""The most beginnings of one fault."""

MAX_FAULT_SEED = 2**53 - 1
"""The greatest seed, which every reader of JSON takes exactly."""


_ROLE = re.compile(r"(master|replica) [1-9][0-9]{0,3}")


def _nodes(value: object) -> tuple[int | str, ...]:
    """Return the numbers or roles of the nodes, or none for all of them."""
    listed = value if isinstance(value, list | tuple) else [value]
    if value == "all":
        return ()
    if not listed or not all(map(_is_node, listed)):
        raise ValueError(
            'must be the number of a node, such as 1, or several, such as [1, 2], or "all"; in a cluster that loadgen '
            'starts, also a role, such as "master 1"'
        )
    if len({*listed}) < len(listed):
        raise Refused(ProblemCode.TWICE, "names a node twice; name it once")
    return tuple(listed)


def _is_node(value: object) -> bool:
    if isinstance(value, str):
        return _ROLE.fullmatch(value) is not None
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


_NODE_SCHEMA = {"anyOf": [{"type": "integer", "minimum": 1}, {"type": "string", "pattern": f"^{_ROLE.pattern}$"}]}

Nodes = Annotated[
    tuple[int | str, ...],
    BeforeValidator(_nodes),
    PlainSerializer(lambda nodes: [*nodes] or "all", when_used="json"),
    WithJsonSchema(
        {
            "anyOf": [
                _NODE_SCHEMA,
                {"type": "array", "items": _NODE_SCHEMA, "minItems": 1, "uniqueItems": True},
                {"const": "all"},
            ]
        }
    ),
]
"""The numbers of nodes, from 1, or their roles; none for all. Written as `1`, `[1, 2]`, `"master 1"` or `"all"`."""

ByteCount = Annotated[
    int,
    BeforeValidator(parse_size),
    WithJsonSchema(
        {
            "type": ["string", "integer"],
            "pattern": r"^\s*[0-9]+(\.[0-9]+)?\s*([KkMG]?B|[KMG]iB|[kmg]b?)?\s*$",
            "minimum": 0,
        }
    ),
]
"""Bytes, or bytes per second; written as a number, or as `"64KB"` or `"64KiB"`."""

Tally = Annotated[int, Field(ge=0), COUNT_IN_TEXT]


def parameter(name: str) -> Any:
    """Return the field of a parameter. Its description has each meaning, with the kinds in which it has that meaning.

    A parameter has no default here: the default is the kind's.
    """
    meanings: dict[str, list[str]] = {}
    for row in ROWS:
        for its in row.parameters:
            if its.name == name:
                meanings.setdefault(its.means, []).append(f"{row.name} ({shown(its)})")
    described = "; ".join(f"for {', '.join(kinds)}: {means}" for means, kinds in meanings.items())
    return Field(default=None, description=f"{described[:1].upper()}{described[1:]}.")


def shown(its: Parameter) -> str:
    """Return the default of a parameter as a user would write it."""
    match its.measure:
        case Measure.DURATION:
            return format_duration(int(its.default))
        case Measure.SHARE:
            return f"{its.default:g}"
        case _:
            return str(its.default)


class FaultTable(Table):
    """A fault: what is done to which nodes, and when. docs/FAULTS.md has the kinds, with the parameters of each."""

    kind: str = Field(description='The kind of the fault, such as "kill" or "latency".')
    layer: Literal["proxy", "net", "process", "disk"] | None = Field(
        default=None, description="The layer of the kind, to be held against it. Default: the kind's."
    )
    on: Nodes = Field(
        default=(),
        validate_default=False,
        description=(
            'The nodes, by their numbers in target.endpoints, from 1: 1, [1, 2] or "all" (the default). In a cluster '
            'that loadgen starts, also by their roles at the start: "master 1", ["replica 1", "replica 2"].'
        ),
    )
    at: Duration = duration_key(
        "0s", "Time from the start of the measurement to the first beginning; what is before it is the baseline."
    )
    lasts: Duration = Field(
        default=0,
        alias="for",
        description="How long the fault lasts each time; 0 is to the end of the measurement.",
    )
    every: Duration = duration_key("0s", "Time from one beginning to the next, where the fault is repeated.")
    times: Annotated[int, Field(ge=1, le=MAX_TIMES), COUNT_IN_TEXT] = Field(
        default=1, description="Number of beginnings."
    )
    stagger: Duration = duration_key("0s", "Time from a beginning on one node to that on the next; 0 is all at once.")
    seed: Annotated[int, Field(ge=0, le=MAX_FAULT_SEED), COUNT_IN_TEXT] | None = Field(
        default=None,
        description="Seed of the fault's own draws. Default: drawn from general.seed, and reported.",
        examples=[42],
    )

    # The kinds' own parameters.
    delay: Duration | None = parameter("delay")
    jitter: Duration | None = parameter("jitter")
    timeout: Duration | None = parameter("timeout")
    rate: ByteCount | None = parameter("rate")
    burst: ByteCount | None = parameter("burst")
    average_size: ByteCount | None = parameter("average_size")
    size_variation: ByteCount | None = parameter("size_variation")
    bytes: ByteCount | None = parameter("bytes")
    stream: Literal["downstream", "upstream"] | None = parameter("stream")
    toxicity: Share | None = parameter("toxicity")
    direction: Literal["both", "in", "out"] | None = parameter("direction")
    probability: Share | None = parameter("probability")
    nth: Tally | None = parameter("nth")
    enter: Share | None = parameter("enter")
    leave: Share | None = parameter("leave")
    drop: Share | None = parameter("drop")
    share: Share | None = parameter("share")
    spare: ByteCount | None = parameter("spare")
    data: Literal["kept", "gone"] | None = parameter("data")
    jump: Duration | None = parameter("jump")
    towards: Literal["ahead", "back"] | None = parameter("towards")

    @field_validator("kind")
    @classmethod
    def _is_a_kind(cls, name: str) -> str:
        row = kind_named(name)
        if row is None:
            spellings = [spelling for each in ROWS for spelling in (each.name, *each.aliases)]
            near = get_close_matches(name.lower().replace("-", "_"), spellings, n=1)
            hint = f'did you mean "{near[0]}"?' if near else f"the kinds are {', '.join(KINDS)}"
            raise Refused(ProblemCode.NO_CHOICE, f'there is no kind of fault "{name}"; {hint}')
        return row.name

    @field_validator("layer")
    @classmethod
    def _is_the_kinds(cls, layer: str | None, info: ValidationInfo) -> str | None:
        row = _row(info)
        if layer is not None and row is not None and layer != row.layer:
            raise Refused(
                ProblemCode.NOT_OF_KIND,
                f'"{row.name}" is a fault of the {row.layer} layer; write layer = "{row.layer}", or leave it out',
            )
        return layer

    @field_validator("times")
    @classmethod
    def _come_again_after_a_time(cls, times: int, info: ValidationInfo) -> int:
        every, lasts = info.data.get("every"), info.data.get("lasts")
        if every == 0 and times > 1:
            raise Refused(ProblemCode.MISSING, 'takes a time between two beginnings; add one, such as every = "10s"')
        if every and times == 1:
            raise Refused(ProblemCode.TOO_SMALL, "must be at least 2 with every, which repeats the fault")
        if every and lasts is not None and not 0 < lasts < every:
            raise Refused(
                ProblemCode.TOO_LARGE,
                f"comes again after {format_duration(every)}, and the fault must have ended by then; "
                "write a shorter time in for",
            )
        return times

    @field_validator(*sorted({its.name for row in ROWS for its in row.parameters}))
    @classmethod
    def _is_the_kinds_parameter(cls, value: int | float | str | None, info: ValidationInfo) -> int | float | str | None:
        row = _row(info)
        if value is None or row is None:
            return value
        its = next((each for each in row.parameters if each.name == info.field_name), None)
        if its is None:
            names = [each.name for each in row.parameters]
            known = f"its parameters are {', '.join(names)}" if names else "it has none of its own"
            raise Refused(ProblemCode.NOT_OF_KIND, f'is no parameter of the kind "{row.name}"; {known}')
        if not isinstance(value, str) and isinstance(its.least, int | float) and value < its.least:
            raise Refused(ProblemCode.TOO_SMALL, f"must be at least {its.least:g} for {row.name}, not {value:g}")
        return value

    @model_validator(mode="after")
    def _jitter_within_the_delay(self) -> FaultTable:
        row = KINDS[self.kind]
        filled = row.defaults() | self.given()
        delay, jitter = filled.get("delay", 0), filled.get("jitter", 0)
        if isinstance(delay, int) and isinstance(jitter, int) and jitter > delay:
            raise Refused(
                ProblemCode.TOO_LARGE,
                f"its jitter, {format_duration(jitter)}, is longer than its delay, {format_duration(delay)}, and no "
                "packet comes before it was sent; make the jitter shorter",
            )
        return self

    @property
    def roles(self) -> tuple[str, ...]:
        """The roles among the nodes."""
        return tuple(node for node in self.on if isinstance(node, str))

    def numbers(self, roles: Sequence[str] = ()) -> tuple[int, ...]:
        """Return the numbers of the nodes, of which those with roles are named by them. Each role must be one."""
        return tuple(node if isinstance(node, int) else roles.index(node) + 1 for node in self.on)

    def given(self) -> dict[str, int | float | str]:
        """Return the parameters that were given."""
        values = {its.name: getattr(self, its.name) for its in KINDS[self.kind].parameters}
        return {name: value for name, value in values.items() if value is not None}


def _row(info: ValidationInfo) -> Kind | None:
    """Return the row of the fault's kind; None where the kind is wrong itself."""
    return KINDS.get(info.data.get("kind", ""))
