"""`--format verbose` of tests of jobs: a log line for each second and each fault of a worker, then every figure."""

from __future__ import annotations

from loadgen.jobs.load.ended import JobsBegan, JobsCompared, JobsEnded, JobsProgress, QueueInspected, WorkerNoted
from loadgen.output.formats import jobs_table, monitors
from loadgen.output.paper.grid import grid
from loadgen.output.paper.layout import hung
from loadgen.output.paper.log import Log
from loadgen.output.words import jobs, jobs_compared, named, queues
from loadgen.severity import Severity


class Jobs:
    def __init__(self, log: Log) -> None:
        self._log = log

    def began(self, event: JobsBegan) -> None:
        self._log.say(event.wall_s, *filter(None, [jobs.place(event), jobs.title(event.plan)]))
        self._log.block(
            *hung(
                [
                    *(f"  {label}: {words}" for label, words in jobs.setting(event) if words),
                    *(f"  fault: {jobs.planned(each)}" for each in event.plan.faults),
                ]
            )
        )

    def progress(self, event: JobsProgress) -> None:
        self._log.say(event.wall_s, f"{jobs.stage(event)}: {jobs.progress(event)}")

    def worker(self, event: WorkerNoted) -> None:
        self._log.say(event.wall_s, jobs.noted(event), level="WARN")

    def ended(self, event: JobsEnded) -> None:
        level = "INFO" if event.severity is Severity.GOOD else "WARN"
        self._log.say(event.wall_s, f"{jobs.answer(event.severity)} {jobs.name(event.plan)}", level=level)
        self._log.block(*hung(_below(event)), *monitors.table(event.monitors))

    def compared(self, event: JobsCompared) -> None:
        places, lines = jobs_table.compared(event)
        self._log.say(event.wall_s, jobs_compared.title(event))
        self._log.block(
            *lines,
            *hung([f"  {words}" for words in jobs_compared.notes(event, places)]),
            *hung([f"  {named.name(each)}: {named.answer(each)}, {named.line(each)}" for each in event.checks]),
        )

    def inspected(self, event: QueueInspected) -> None:
        rows = queues.rows(event)
        self._log.say(event.wall_s, queues.title(event))
        self._log.block(
            *hung([f"  {label}: {words}" for label, words in [*queues.facts(event), *queues.workers(event)]]),
            *filter(None, [queues.running(event)]),
            *(grid(queues.HEADINGS, rows) if rows else []),
        )


def _below(event: JobsEnded) -> list[str]:
    """Return the lines below the answer: reasons, totals, workers, counts, latencies, costs, faults, checks."""
    if not jobs.has_results(event):
        return [f"  reason: {words}" for words in jobs.why(event)]
    account = event.account
    rows = jobs.latencies(account)
    names = [name for name, _ in jobs.QUANTILES]
    return [
        *(f"  reason: {words}" for words in jobs.why(event)),
        *(f"  {label}: {words}" for label, words in jobs.totals(event)),
        *(f"  {label}: {words}" for label, words in jobs.distribution(account, event.plan)),
        f"  Duplicates: {jobs.duplicates(event)}",
        *(f"  {label}: {words}" for label, words in jobs.counted(account.counts)),
        *(f"  schedules: {label} {words}" for label, words in jobs.operations(event)),
        *(
            f"  latency {row.name}: "
            + ", ".join([f"{row.count:,}", *map(" ".join, zip(names, row.cells, strict=True))])
            for row in rows
        ),
        *(f"  {words}" for words in jobs.signs(rows)),
        *(f"  {label}: {words}" for label, words in jobs.cost(event)),
        *(f"  fault: {words}" for words in jobs.faults(event)),
        *(f"  error: {words}" for words in jobs.errors(account)),
        *(f"  {named.name(each)}: {named.answer(each)}, {named.line(each)}" for each in event.checks),
        *(f"  note: {words}" for words in jobs.notes(event)),
        *(f"  profile: {words}" for words in jobs.profile(event)),
        *(f"  printed: {words}" for words in jobs.said(event)),
    ]
