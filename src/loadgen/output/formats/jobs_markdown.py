"""Tests of jobs and the state of a queue as Markdown.

Words from outside are escaped, so that they cannot break a table or become links or images.
"""

from __future__ import annotations

from loadgen.jobs.load.ended import JobsCompared, JobsEnded, QueueInspected
from loadgen.output.formats import monitors
from loadgen.output.paper.markdown import escaped, listed, table
from loadgen.output.words import jobs, jobs_compared, named, queues


def document(compared: JobsCompared) -> str:
    """Return the document: all tests as one table where there are several, and each with all that came of it."""
    several = len(compared.ended) > 1
    return "\n".join(
        [
            *(["# Tests of jobs", "", *comparison(compared)] if several else []),
            *(line for each in compared.ended for line in _test(each, "##" if several else "#")),
        ]
    )


def comparison(compared: JobsCompared) -> list[str]:
    """Return the table of all tests, and what is below it."""
    headings = jobs_compared.headings(compared)
    return [
        *table(headings, jobs_compared.rows(compared)),
        "",
        *listed("Notes", jobs_compared.notes(compared)),
        *_checks(compared),
    ]


def inspected(event: QueueInspected) -> str:
    """Return the document of a queue's state."""
    running, rows = queues.running(event), queues.rows(event)
    facts = [[label, words] for label, words in [*queues.facts(event), *queues.workers(event)]]
    return "\n".join(
        [
            f"# {escaped(queues.title(event))}",
            "",
            *table(["what", "found"], facts),
            "",
            *([f"{escaped(running)}:", ""] if running else []),
            *([*table(queues.HEADINGS, rows), ""] if rows else []),
        ]
    )


def _test(ended: JobsEnded, level: str) -> list[str]:
    account, plan = ended.account, ended.plan
    said = [jobs.title(plan), jobs.queue(ended.queue), jobs.load(plan), jobs.crew(plan)]
    totals = [*jobs.totals(ended), ("Duplicates", jobs.duplicates(ended)), *jobs.counted(account.counts)]
    tables: list[tuple[str, list[str], list[list[str]]]] = [
        ("Worker Distribution", ["worker", "jobs"], [[*fact] for fact in jobs.distribution(account, plan)]),
        ("Schedule Operations", ["operation", "found"], [[*fact] for fact in jobs.operations(ended)]),
        (
            "Latencies",
            ["latency", "count", *(name for name, _ in jobs.QUANTILES)],
            [[row.name, f"{row.count:,}", *row.cells] for row in jobs.latencies(account)],
        ),
        ("Cost", ["what", "found"], [[*fact] for fact in jobs.cost(ended)]),
    ]
    lists = {
        "Faults": jobs.faults(ended),
        "Storage errors": jobs.errors(account),
        "Notes": [*jobs.signs(jobs.latencies(account)), *jobs.notes(ended)],
        "Profile": jobs.profile(ended),
        "Printed by the program": jobs.said(ended),
    }
    return [
        f"{level} {jobs.answer(ended.severity)}: {escaped(jobs.name(plan))}",
        "",
        f"{escaped('; '.join(filter(None, said)))}.",
        "",
        *listed("Reasons", jobs.why(ended)),
        *(table(["Total", "Value"], [[*fact] for fact in totals]) if jobs.has_results(ended) else []),
        "",
        *(line for title, headings, rows in tables if rows for line in (f"{title}:", "", *table(headings, rows), "")),
        *monitors.markdown(jobs.monitors(ended)),
        *_checks(ended),
        *(line for title, sentences in lists.items() for line in listed(title, sentences)),
    ]


def _checks(of: JobsEnded | JobsCompared) -> list[str]:
    rows = [[named.name(each), named.answer(each), named.found(each), each.limit] for each in of.checks]
    return [*table(["check", "answer", "found", "limit"], rows), ""] if rows else []
