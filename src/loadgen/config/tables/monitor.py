"""One entry of `[[monitor]]`: what is read beside the load, and how often.

`monitors.kinds` has the kinds, with the keys of each. A key that the kind does not have is an error, as it would do
nothing. `told.monitors` makes the plans.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable
from difflib import get_close_matches
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo, field_validator, model_validator

from loadgen.config.tables.refused import ProblemCode, Refused
from loadgen.config.tables.server import FilePath, is_list
from loadgen.config.tables.table import Table, duration_key
from loadgen.config.tables.values import AddressOrUrl, PositiveDuration
from loadgen.monitors.json_path import parse_path
from loadgen.monitors.kinds import KINDS, PID, ROWS, Kind, is_word
from loadgen.monitors.metric import parse_metric
from loadgen.units import NS_PER_MS
from loadgen.web.url import checked, is_url

MIN_EVERY_NS = 100 * NS_PER_MS
"""More often, a reading would disturb what is measured."""

MAX_PID = 2**22
"""The greatest number of a process on Linux."""

_OWN = tuple(dict.fromkeys(key.name for row in ROWS for key in row.keys))
"""The keys that not every kind has."""


def own_key(name: str, **keywords: Any) -> Any:
    """Return the field of a key that not every kind has. Its description has the meaning for each kind."""
    meanings: dict[str, list[str]] = {}
    for row in ROWS:
        if key := row.key(name):
            meanings.setdefault(key.means, []).append(row.name)
    described = "; ".join(f"for {', '.join(kinds)}: {means}" for means, kinds in meanings.items())
    return Field(description=f"{described[:1].upper()}{described[1:]}.", **keywords)


def _word(name: str) -> str:
    if not is_word(name):
        raise Refused(
            ProblemCode.BAD_NAME,
            f'"{name}" is no name that a check can have; write letters, digits and _, such as "proxy_1"',
        )
    return name


def _source(text: str) -> str:
    if is_url(text):
        return checked(text)
    try:
        words = shlex.split(text)
    except ValueError:
        words = []
    if not words or "\0" in text:
        raise ValueError(f'"{text}" is neither an address nor a command; write one such as "py-spy dump --pid 123"')
    return text


def _for_a_process(text: str) -> str:
    if "\0" in text:
        raise Refused(ProblemCode.BAD_CHARACTER, "has a null character, which no process can be given; leave it out")
    return text


Url = Annotated[str, AfterValidator(checked)]
Source = Annotated[str, AfterValidator(_source)]
Text = Annotated[str, AfterValidator(_for_a_process)]


class MonitorTable(Table):
    """A monitor: what is read beside the load, and how often. docs/MONITORS.md has the kinds, each with its series."""

    kind: str = Field(description='The kind of the monitor, such as "proc" or "prometheus".')
    name: Annotated[str, AfterValidator(_word)] | None = Field(
        default=None,
        description="The monitor's name in outputs and checks, different from those of others. Default: the kind.",
        examples=["proxy"],
    )
    every: PositiveDuration = duration_key("1s", "Time from one reading to the next; at least 100ms.")
    timeout: PositiveDuration = duration_key(
        "5s", "Maximum time that a reading waits for an answer; each time that passes meanwhile is a gap."
    )
    pid: int | None = own_key("pid", default=None, ge=1, le=MAX_PID, examples=[4711])
    process: Text | None = own_key("process", default=None, min_length=1, examples=["redis-server"])
    server: AddressOrUrl | None = own_key("server", default=None, examples=["127.0.0.1:6379"])
    url: Url | None = own_key("url", default=None, examples=["http://127.0.0.1:9121/metrics"])
    path: FilePath | None = own_key("path", default=None, examples=["status"])
    metrics: dict[str, str] = own_key("metrics", default={}, examples=[{"goroutines": "go_goroutines"}])
    command: Annotated[tuple[Text, ...], BeforeValidator(is_list)] = own_key(
        # Lax for the container alone, as TOML has lists and no tuples.
        "command", default=(), strict=False, examples=[["redis-cli", "dbsize"]],
    )  # fmt: skip
    container: Text | None = own_key("container", default=None, min_length=1, examples=["cache-1"])
    evidence: tuple[Source, ...] = Field(
        default=(),
        strict=False,
        description=(
            "Addresses that are fetched and commands that are run where evidence is kept: at the breach of a limit and "
            "at the end of a soak. {pid} in a command is the process that a monitor of the kind proc reads."
        ),
        examples=[["http://127.0.0.1:6060/debug/pprof/goroutine?debug=1", "py-spy dump --pid {pid}"]],
    )

    @field_validator("kind")
    @classmethod
    def _is_a_kind(cls, name: str) -> str:
        if name not in KINDS:
            near = get_close_matches(name.lower(), KINDS, n=1)
            hint = f'did you mean "{near[0]}"?' if near else f"the kinds are {', '.join(KINDS)}"
            raise Refused(ProblemCode.NO_CHOICE, f'there is no kind of monitor "{name}"; {hint}')
        return name

    @field_validator("every")
    @classmethod
    def _not_too_often(cls, every: int) -> int:
        if every < MIN_EVERY_NS:
            raise Refused(ProblemCode.TOO_SMALL, 'must be at least "100ms"')
        return every

    @field_validator(*_OWN)
    @classmethod
    def _is_the_kinds_key(cls, value: Any, info: ValidationInfo) -> Any:
        row = KINDS.get(info.data.get("kind", ""))
        if value in (None, (), {}) or row is None or info.field_name is None:
            return value
        if row.key(info.field_name) is None:
            names = [key.name for key in row.keys]
            known = f"its keys are {', '.join(names)}" if names else "it has none of its own"
            raise Refused(ProblemCode.NOT_OF_KIND, f'is no key of the kind "{row.name}"; {known}')
        others = [name for name in row.one_of if name != info.field_name and info.data.get(name) is not None]
        if info.field_name in row.one_of and others:
            raise Refused(ProblemCode.TWICE, f"names what {others[0]} names; keep one of the two")
        return value

    @field_validator("path")
    @classmethod
    def _is_a_place(cls, path: str | None, info: ValidationInfo) -> str | None:
        if path is not None and info.data.get("kind") == "http":
            parse_path(path)
        return path

    @field_validator("metrics")
    @classmethod
    def _are_named(cls, metrics: dict[str, str], info: ValidationInfo) -> dict[str, str]:
        kind = info.data.get("kind", "")
        read, own = _READ.get(kind), KINDS[kind].series if kind in KINDS else ()
        for name, metric in metrics.items():
            _word(name)
            if name in own:
                raise Refused(
                    ProblemCode.TWICE, f'every monitor of the kind "{kind}" has a series {name}; give this another name'
                )
            if read is not None:
                read(metric)
        return metrics

    @field_validator("evidence")
    @classmethod
    def _is_of_a_process(cls, sources: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        kind = info.data.get("kind", "proc")
        filled = next((text for text in sources if PID in text and not is_url(text)), None)
        if filled is not None and kind != "proc":
            raise Refused(
                ProblemCode.NOT_OF_KIND,
                f'"{filled}" has {PID}, the process that a monitor of the kind "proc" reads; this one is of the kind '
                f'"{kind}"',
            )
        return sources

    @model_validator(mode="after")
    def _has_what_its_kind_needs(self) -> MonitorTable:
        lacking = [key.name for key in self.row.keys if key.is_needed and not getattr(self, key.name)]
        if lacking:
            raise Refused(
                ProblemCode.MISSING, f'a monitor of the kind "{self.kind}" needs {lacking[0]}; {_EXAMPLES[lacking[0]]}'
            )
        return self

    @property
    def row(self) -> Kind:
        """The row of the monitor's kind."""
        return KINDS[self.kind]

    @property
    def called(self) -> str:
        """The monitor's name, given or not."""
        return self.name or self.kind


_READ: dict[str, Callable[[str], object]] = {"prometheus": parse_metric, "http": parse_path}

_EXAMPLES = {
    "url": 'add one, such as url = "http://127.0.0.1:9121/metrics"',
    "command": 'add one, such as command = ["redis-cli", "dbsize"]',
    "container": 'add one, such as container = "cache-1"',
}
