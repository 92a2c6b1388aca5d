"""The monitor of a page of metrics, in the text format of Prometheus or OpenMetrics.

Only the lines of the metrics that are wanted are given to the parser: a page may have thousands of others.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches

from prometheus_client.openmetrics import parser as openmetrics
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from loadgen.judge.expression.vocabulary import Known
from loadgen.monitors.metric import Metric, parse_metric
from loadgen.monitors.monitor import Found, UnderLoad, Unreadable
from loadgen.monitors.pages import asked, fetch, named
from loadgen.monitors.plan import MonitorPlan
from loadgen.units import NS_PER_S
from loadgen.web.get import Page

USUAL = {
    "rss": "process_resident_memory_bytes",
    "fds": "process_open_fds",
    "cpu_time": "process_cpu_seconds_total",
    "goroutines": "go_goroutines",
}
"""What client libraries report of every process: the series of a monitor without `metrics`."""

STARTED = "process_start_time_seconds"
"""The metric that tells one process from the next."""

_ACCEPT = "text/plain;version=0.0.4,application/openmetrics-text;version=1.0.0;q=0.5"
_OPENMETRICS = "application/openmetrics-text"

_NAME = re.compile(r"^([A-Za-z_:][A-Za-z0-9_:]*)(?=[{ \t])", re.MULTILINE)

_FAMILY = re.compile(r"_(?:total|created|sum|count|bucket)$")
"""The end of a sample's name that the name of its family does not have, in OpenMetrics."""

_MOST_SHOWN = 5


def parse_page(page: Page, wanted: Mapping[str, Metric], *, needs_all: bool) -> Found:
    """Return the values of the metrics that are wanted, by series. Raises Unreadable when the page has no metrics.

    Without `needs_all`, one of them is enough.
    """
    text = page.body.decode("utf-8", "replace")
    there = dict.fromkeys(_NAME.findall(text))
    if not there or named(page) in ("HTML", "JSON"):
        raise Unreadable(f"answered {named(page)}, not metrics")
    names = {STARTED, *(metric.name for metric in wanted.values())}
    samples = list(_samples(text, names & there.keys(), is_openmetrics=page.media_type == _OPENMETRICS))
    values, lacking = {}, list[Metric]()
    for series, metric in wanted.items():
        chosen = [sample.value for sample in samples if metric.selects(sample.name, sample.labels)]
        if not chosen:
            lacking.append(metric)
        elif math.isfinite(value := math.fsum(chosen) * metric.factor):
            values[series] = value
    why = _not_there(lacking[0], there, samples) if lacking and (needs_all or not values) else ""
    if why and not values:
        raise Unreadable(f"answered metrics, but {why}")
    began_s = next((sample.value for sample in samples if sample.name == STARTED), None)
    return Found(values, f"started {began_s:.2f}" if began_s else "", why)


def _samples(text: str, names: Iterable[str], *, is_openmetrics: bool) -> Iterator[Sample]:
    """Yield the samples of the given names."""
    if not names:
        return
    wanted = f"(?:{_any(names)})"
    if is_openmetrics:
        # An exemplar may follow a sample of some types only, so that the types are needed.
        wanted = f"(?:{wanted}|# TYPE (?:{_any({*names, *(_FAMILY.sub('', name) for name in names)})}))"
    lines = [line[0] for line in re.finditer(rf"^{wanted}(?=[{{ \t])[^\r\n]*", text, re.MULTILINE)]
    try:
        if is_openmetrics:
            families = openmetrics.text_string_to_metric_families(  # type: ignore[no-untyped-call]
                "\n".join([*lines, "# EOF\n"])
            )
        else:
            families = text_string_to_metric_families("\n".join([*lines, ""]))
        for family in families:
            yield from family.samples
    except (ValueError, IndexError, KeyError) as error:
        raise Unreadable(f"has a line of metrics that cannot be read: {error}") from None


def _any(names: Iterable[str]) -> str:
    return "|".join(map(re.escape, sorted(names)))


def _not_there(metric: Metric, there: Iterable[str], samples: Iterable[Sample]) -> str:
    """Return a sentence on a metric that a page does not have, with the nearest that it has."""
    labelled = [_labels(sample) for sample in samples if sample.name == metric.name]
    if labelled:
        return f"the metric {metric} is not there; there are {_some(labelled)}"
    names = list(there)
    near = get_close_matches(metric.name, names, n=_MOST_SHOWN, cutoff=0.5)
    return f"the metric {metric.name} is not there; there are {_some(near or names)}"


def _labels(sample: Sample) -> str:
    return str(Metric(sample.name, sample.labels))


def _some(names: list[str]) -> str:
    return ", ".join(names[:_MOST_SHOWN]) + (", …" if len(names) > _MOST_SHOWN else "")


class PrometheusMonitor:
    """The monitor of kind `prometheus`."""

    kind = "prometheus"

    def __init__(self, plan: MonitorPlan, under: UnderLoad) -> None:
        self.name, self.every_ns = plan.name, plan.every_ns
        self._url, self._timeout_s, self._needs_all = plan.url, plan.timeout_ns / NS_PER_S, bool(plan.metrics)
        self._wanted = {series: parse_metric(text) for series, text in (plan.metrics or USUAL).items()}
        self.series: Mapping[str, Known] = {series: metric.known for series, metric in self._wanted.items()}

    def read(self) -> Found:
        page = fetch(self._url, self._timeout_s, accept=_ACCEPT)
        if not page.is_good:
            raise Unreadable(f"{asked(self._url)} answered with status {page.status}")
        try:
            found = parse_page(page, self._wanted, needs_all=self._needs_all)
        except Unreadable as unreadable:
            raise Unreadable(f"{asked(self._url)} {unreadable}") from None
        return found

    def evidence(self) -> Mapping[str, str]:
        """Return the whole page."""
        try:
            return {"metrics.txt": fetch(self._url, self._timeout_s, accept=_ACCEPT).body.decode("utf-8", "replace")}
        except Unreadable:
            return {}

    def close(self) -> None:
        pass
