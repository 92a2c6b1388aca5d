"""The name of a metric and labels that select its samples: `http_requests_total{code="500"}`. Pure functions.

What a metric's value is follows from its name (prometheus.io/docs/practices/naming): `_seconds` and `_bytes` are units,
and `_total`, `_count`, `_sum` and `_bucket` are of counters.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from loadgen.judge.expression.dimension import COUNT, NUMBER, SHARE, SIZE, TIME, Dimension
from loadgen.judge.expression.vocabulary import Known
from loadgen.monitors.series import level, total
from loadgen.units import NS_PER_S

_SELECTOR = re.compile(r"\s*(?P<name>[A-Za-z_:][A-Za-z0-9_:]*)\s*(?:\{(?P<labels>.*)\}\s*)?", re.DOTALL)
_LABEL = re.compile(r'\s*(?P<name>[A-Za-z_][A-Za-z0-9_]*)\s*=\s*"(?P<value>(?:[^"\\]|\\.)*)"\s*(?:,|$)', re.DOTALL)

_UNITS: Mapping[str, tuple[Dimension, float]] = {
    "_seconds": (TIME, NS_PER_S),
    "_bytes": (SIZE, 1),
    "_ratio": (SHARE, 1),
}
_OF_COUNTERS = ("_total", "_sum", "_count", "_bucket")


@dataclass(frozen=True, slots=True)
class Metric:
    """The samples of one name whose labels have given values; the value is the sum over them."""

    name: str
    labels: Mapping[str, str] = field(default_factory=dict)

    def selects(self, name: str, labels: Mapping[str, str]) -> bool:
        """True when a sample is one of these."""
        return name == self.name and all(labels.get(key) == value for key, value in self.labels.items())

    @property
    def factor(self) -> float:
        """The number of base units in the metric's own unit."""
        return self._measure[1]

    @property
    def known(self) -> Known:
        """The row of a series with this value."""
        row = total if self.name.endswith(_OF_COUNTERS) else level
        return row(self._measure[0], f"the metric {self}")

    @property
    def _measure(self) -> tuple[Dimension, float]:
        if self.name.endswith(("_count", "_bucket")):
            return COUNT, 1
        base = next((self.name.removesuffix(end) for end in _OF_COUNTERS if self.name.endswith(end)), self.name)
        found = next((measure for end, measure in _UNITS.items() if base.endswith(end)), None)
        return found or (COUNT if self.name.endswith("_total") else NUMBER, 1)

    def __str__(self) -> str:
        labels = ",".join(f'{name}="{_escaped(value)}"' for name, value in self.labels.items())
        return f"{self.name}{{{labels}}}" if labels else self.name


def parse_metric(text: str) -> Metric:
    """Return the metric that a text names. Raises ValueError with a sentence."""
    found, labels = _SELECTOR.fullmatch(text), dict[str, str]()
    rest = (found["labels"] or "").strip() if found else ""
    while found and rest:
        label = _LABEL.match(rest)
        if label is None:
            found = None
            break
        labels[label["name"]] = re.sub(r"\\(.)", lambda each: {"n": "\n"}.get(each[1], each[1]), label["value"])
        rest = rest[label.end() :]
    if found is None:
        raise ValueError(
            f"\"{text}\" names no metric; write one such as 'go_goroutines' or 'http_requests_total{{code=\"500\"}}'"
        )
    return Metric(found["name"], labels)


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')
