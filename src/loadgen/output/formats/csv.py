"""`--format csv`: redis-benchmark's columns, a row for each load. Rates are per second, latencies in milliseconds."""

from __future__ import annotations

import csv
import io

from loadgen.events import Configured, Progress, Result
from loadgen.hosts import AgentHost
from loadgen.output.formats.format import OF_RESULTS, Format, on
from loadgen.output.paper.sink import Sink
from loadgen.output.words import faults, hosts, sentences
from loadgen.percentiles import percentiles
from loadgen.units import NS_PER_MS

COLUMNS = (
    "test",
    "rps",
    "avg_latency_ms",
    "min_latency_ms",
    "p50_latency_ms",
    "p95_latency_ms",
    "p99_latency_ms",
    "max_latency_ms",
)


AGENT_COLUMNS = (
    "agent",
    "host",
    "version",
    "python",
    "cpus",
    "open_files",
    "workers",
    "connections",
    "rps",
    "ceiling_rps",
    "clock_ahead_ms",
    "clock_error_ms",
    "wall_clock_ahead_ms",
    "wall_clock_error_ms",
)
"""Of a dry run, which has a row for each agent."""


class Csv(Format):
    """A header, and a row as each load ends; of a dry run, a row for each agent."""

    silent = OF_RESULTS - {Configured, Result} | {Progress}

    def __init__(self, sink: Sink) -> None:
        super().__init__({**on(Configured, self._header), **on(Result, self._row)})
        self._sink = sink
        self._headed = False

    def _header(self, event: Configured) -> None:
        if event.dry_run:
            self._sink.write(line(AGENT_COLUMNS))
            for agent in event.agents:
                self._sink.write(line(agent_row(agent)))
        elif not self._headed:
            self._sink.write(line(COLUMNS))
        self._headed = True

    def _row(self, event: Result) -> None:
        self._sink.write(line(row(event)))


def row(event: Result) -> list[str]:
    """Return the cells of a load's row; latencies are 0 when nothing was measured."""
    latency = event.measured.latency()
    quantiles = [latency.quantile(q) if latency.count else 0 for _, _, q in percentiles("p50", "p95", "p99")]
    mean, least, most = (latency.mean, latency.min, latency.max) if latency.count else (0.0, 0, 0)
    return [
        ", under ".join(filter(None, [event.plan.test or sentences.mix(event.plan), faults.names(event)])),
        f"{event.throughput_per_s:.2f}",
        *(f"{ns / NS_PER_MS:.3f}" for ns in (mean, least, *quantiles, most)),
    ]


def agent_row(agent: AgentHost) -> list[str]:
    """Return the cells of an agent's row; a limit, rate or ceiling that there is none of is empty."""
    times_ns = (agent.clock_ahead_ns, agent.clock_error_ns, agent.wall_ahead_ns, agent.wall_error_ns)
    return [
        *(hosts.name(words) for words in (agent.name, agent.host, agent.version, agent.python)),
        str(agent.cpus),
        str(agent.open_files or ""),
        *map(str, (agent.workers, agent.connections)),
        *(f"{per_s:.2f}" if per_s else "" for per_s in (agent.rate_per_s, agent.ceiling_per_s)),
        *(f"{ns / NS_PER_MS:.6f}" for ns in times_ns),
    ]


def line(cells: tuple[str, ...] | list[str]) -> str:
    """Return a line with every cell in quotes, as redis-benchmark writes them."""
    text = io.StringIO()
    csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\n").writerow(cells)
    return text.getvalue()
