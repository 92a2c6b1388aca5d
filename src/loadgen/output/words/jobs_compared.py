"""Several tests of jobs as one table, the same in every format for people. Pure functions to plain text.

A comparison of adapters has what each queue costs and what it lost; a sweep over workers has its efficiency.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from loadgen.escape import printable
from loadgen.jobs.load.ended import Axis, JobsCompared, JobsEnded
from loadgen.output.words import figures, jobs, named
from loadgen.severity import Severity

Cells = Callable[[JobsCompared, JobsEnded], str]


@dataclass(frozen=True, slots=True)
class Column:
    """One column: a number of each test."""

    heading: str
    cell: Cells
    short: str = ""
    """The heading where lines are short; empty: the same."""


def _rate(_: JobsCompared, each: JobsEnded) -> str:
    per_s = each.account.jobs_per_s
    return figures.NOTHING if per_s is None else figures.rate(per_s)


def _reclaim(q: float) -> Cells:
    def cell(_: JobsCompared, each: JobsEnded) -> str:
        return jobs.quantile(each.account.reclaim, q)

    return cell


def _storage_cpu(_: JobsCompared, each: JobsEnded) -> str:
    each_ns = each.storage_cpu_ns_per_job
    return figures.NOTHING if each_ns is None else figures.latency(each_ns)


def _memory(_: JobsCompared, each: JobsEnded) -> str:
    return figures.NOTHING if each.cost.workers_rss_bytes is None else figures.size(each.cost.workers_rss_bytes)


def _bytes(_: JobsCompared, each: JobsEnded) -> str:
    found = each.cost.pending_bytes_per_job
    return figures.NOTHING if found is None else figures.size(round(found))


def _p99(_: JobsCompared, each: JobsEnded) -> str:
    found = each.account.latencies.get("end_to_end")
    return figures.NOTHING if found is None else figures.quantile(found, 0.99)


def _efficiency(compared: JobsCompared, each: JobsEnded) -> str:
    share = compared.efficiency(each)
    # More than the whole is possible, by chance or as one worker alone was held up.
    return figures.NOTHING if share is None else f"{100 * share:.1f} %"


def _answer(_: JobsCompared, each: JobsEnded) -> str:
    return jobs.verdict(each.severity)


_RATE = Column("jobs/s", _rate)
_LOST = Column("lost", lambda _, each: f"{each.account.counts.lost:,}")
_DUPLICATES = Column("duplicates", lambda _, each: f"{each.account.counts.duplicates:,}", "dupl.")
_CPU = Column("CPU/job", _storage_cpu)
_ANSWER = Column("answer", _answer)

_COLUMNS: Mapping[Axis, tuple[Column, ...]] = {
    Axis.TEST: (
        Column("test", lambda _, each: jobs.name(each.plan)),
        Column("jobs", lambda _, each: f"{each.account.counts.attempted:,}"),
        Column("completed", lambda _, each: f"{each.account.counts.completed:,}"),
        _RATE,
        _LOST,
        _DUPLICATES,
        Column("p99", _p99),
        _ANSWER,
    ),
    Axis.ADAPTER: (
        Column("adapter", lambda _, each: printable(each.plan.adapter, jobs.LONGEST_NAME)),
        _RATE,
        _LOST,
        _DUPLICATES,
        Column("reclaim p50", _reclaim(0.5), "reclaim"),
        Column("reclaim max", _reclaim(1.0), "max"),
        Column("memory", _memory),
        _CPU,
        Column("B/job", _bytes),
    ),
    Axis.WORKERS: (
        Column("workers", lambda _, each: str(each.plan.workers)),
        _RATE,
        Column("efficiency", _efficiency),
        _CPU,
        _DUPLICATES,
        _ANSWER,
    ),
}

LEFT_OUT = ("p99", "completed", "memory", "CPU/job", "B/job", "duplicates")
"""The headings of the columns that are left out where a line is too short, the first of them first."""

_MEANINGS = {
    "duplicates": "duplicates: executions and effects of a job beyond the first",
    "reclaim p50": "reclaim: from the death of a worker to the next begin of a job that it had begun, p50 and maximum",
    "memory": "memory: the most of a worker, its children included",
    "CPU/job": "CPU/job: CPU time of the server that has the queue, per completed job",
    "B/job": "B/job: what a job takes in the storage until it ends",
    "efficiency": "efficiency: jobs per second of each worker, against one worker alone",
    "p99": "p99: from the intended publish to the end of a job",
}


def title(compared: JobsCompared) -> str:
    """Return what the table is of: "4 adapters", "12 tests", or the sweep over workers."""
    if compared.axis is Axis.WORKERS:
        return f"from {min(_workers(compared))} to {max(_workers(compared))} workers" if compared.ended else "workers"
    return figures.plural(len(compared.ended), str(compared.axis))


def _workers(compared: JobsCompared) -> list[int]:
    return [each.plan.workers for each in compared.ended]


def headings(compared: JobsCompared) -> list[str]:
    return [column.heading for column in _columns(compared)]


def short_headings(compared: JobsCompared) -> list[str]:
    """Return the headings where lines are short."""
    return [column.short or column.heading for column in _columns(compared)]


def _columns(compared: JobsCompared) -> list[Column]:
    """Return the columns, without those that have a number of no test."""
    every = _COLUMNS[compared.axis]
    return [
        column
        for column in every
        if column is every[0] or any(column.cell(compared, each) != figures.NOTHING for each in compared.ended)
    ]


def rows(compared: JobsCompared) -> list[list[str]]:
    """Return the cells of each test. Nothing is known of one that could not run."""
    return [_cells(compared, each) for each in compared.ended]


def _cells(compared: JobsCompared, each: JobsEnded) -> list[str]:
    columns = _columns(compared)
    if each.severity is not Severity.COULD_NOT_RUN:
        return [column.cell(compared, each) for column in columns]
    known = (0, len(columns) - 1) if columns[-1] is _ANSWER else (0,)
    return [column.cell(compared, each) if place in known else figures.NOTHING for place, column in enumerate(columns)]


def notes(compared: JobsCompared, places: Sequence[int] | None = None) -> list[str]:
    """Return what stands below the table: which queues they are, why one could not run, and what the columns at
    `places` mean; all of them by default."""
    every = headings(compared)
    shown = every if places is None else [every[place] for place in places]
    queues = dict.fromkeys(
        f"{printable(each.plan.adapter, jobs.LONGEST_NAME)}: {jobs.queue(each.queue)}"
        for each in compared.ended
        if compared.axis is Axis.ADAPTER and each.queue
    )
    cells = "".join(cell for row in rows(compared) for cell in row)
    return [
        *queues,
        *could_not_run(compared),
        *(meaning for heading, meaning in _MEANINGS.items() if heading in shown),
        *["> waited for so long in vain"] * (">" in cells),
    ]


def could_not_run(compared: JobsCompared) -> list[str]:
    """Return why tests could not run, each with its name."""
    return [
        f"{_COLUMNS[compared.axis][0].cell(compared, each)} could not run: {'; '.join(jobs.why(each))}"
        for each in compared.ended
        if each.severity is Severity.COULD_NOT_RUN
    ]


def summary(compared: JobsCompared) -> str:
    """Return all tests in one line: "sqlite 512/s, rq 98.1/s", or how many passed."""
    if compared.axis is Axis.TEST:
        answers = [jobs.verdict(each.severity) for each in compared.ended]
        return ", ".join(f"{answers.count(answer)} {answer}" for answer in dict.fromkeys(answers))
    first = _COLUMNS[compared.axis][0]
    unit = " workers" * (compared.axis is Axis.WORKERS)
    return ", ".join(f"{first.cell(compared, each)}{unit} {_rate(compared, each)}/s" for each in compared.ended)


def why(compared: JobsCompared) -> list[str]:
    """Return the checks over all tests that failed or cannot tell."""
    unmet = (check for check in compared.checks if check.severity is not Severity.GOOD)
    return [f"{check.name}: {named.line(check)}" for check in unmet]
