"""`--format markdown` of trials: the answer of all as a table, and each with its checks and figures.

Campaigns, stress tests, soaks, histories and tests of jobs have documents of their own.

Words from outside are escaped, so that they cannot break a table or become links or images.
"""

from __future__ import annotations

from collections.abc import Sequence

from loadgen.events import Progress
from loadgen.jobs.load.ended import JobsCompared, JobsEnded, QueueInspected
from loadgen.output.formats import (
    campaign_markdown,
    check_markdown,
    jobs_markdown,
    monitors,
    soak_markdown,
    stress_markdown,
)
from loadgen.output.formats.format import OF_RESULTS, Format, on
from loadgen.output.formats.jobs_ends import JobsEnds
from loadgen.output.paper.markdown import escaped, listed, table
from loadgen.output.paper.sink import Sink
from loadgen.output.words import named, trials
from loadgen.soak.ended import SoakEnded
from loadgen.trial.ended import ChaosEnded, TrialEnded
from loadgen.verify.checked import HistoryChecked
from loadgen.verify.ended import CampaignEnded
from loadgen.verify.stress.ended import StressEnded

_FIGURES = ("phase", "node", "ok/s", "success", "failure", "p50", "p95", "p99", "max")


class Markdown(Format):
    """The document, when all trials have ended, or a campaign, a stress test or the check of a history has."""

    silent = (
        OF_RESULTS
        - {ChaosEnded, CampaignEnded, StressEnded, HistoryChecked, SoakEnded}
        - {JobsEnded, JobsCompared, QueueInspected}
    ) | {Progress}

    def __init__(self, sink: Sink) -> None:
        self._jobs = JobsEnds(lambda event: sink.write(jobs_markdown.document(event)))
        super().__init__(
            {
                **on(ChaosEnded, lambda event: sink.write(document(event.trials))),
                **on(CampaignEnded, lambda event: sink.write(campaign_markdown.document(event))),
                **on(StressEnded, lambda event: sink.write(stress_markdown.document(event))),
                **on(SoakEnded, lambda event: sink.write(soak_markdown.document(event))),
                **on(HistoryChecked, lambda event: sink.write(check_markdown.document(event))),
                **on(JobsEnded, self._jobs.ended),
                **on(JobsCompared, self._jobs.compared),
                **on(QueueInspected, lambda event: sink.write(jobs_markdown.inspected(event))),
            }
        )

    def close(self) -> None:
        """Write the document of a single test of jobs."""
        self._jobs.close()


def document(ended: Sequence[TrialEnded]) -> str:
    """Return the document."""
    cells = [trials.summary(each) for each in ended]
    labels = list(dict.fromkeys(label for each in cells for label in each))
    rows = [[each.get(label, "-") for label in labels] for each in cells]
    parts = ["# Clients on trial", "", *table(labels, rows), ""]
    for each in ended:
        parts += _trial(each)
    return "\n".join(parts)


def _trial(ended: TrialEnded) -> list[str]:
    lists = {
        "Reasons": trials.reasons(ended),
        "Faults": trials.effects(ended),
        "Nodes": trials.node_figures(ended),
        "Errors by class": trials.errors(ended),
        "Breakers": trials.transitions(ended),
        "Pools": trials.pools(ended),
        "Connections given up with a reply outstanding": trials.late_replies(ended),
        "Loads of the backend": trials.loads(ended),
        "Wrong answers": trials.wrong(ended),
        "Notes": trials.notes(ended),
    }
    checks = [[check.name, named.answer(check), named.found(check), check.limit] for check in ended.checks]
    figures = [
        [row.phase, row.node, row.ok_per_s, f"{row.ok_share} %", f"{row.failed_share} %", *row.latencies]
        for row in trials.rows(ended)
    ]
    return [
        f"## {trials.verdict(ended)}: {escaped(trials.name(ended.plan))}",
        "",
        escaped(f"{trials.title(ended.plan)}. {trials.client(ended)}; {trials.setting(ended.plan)}."),
        "",
        *(table(["check", "answer", "found", "limit"], checks) if checks else []),
        "",
        *(
            table(["phase", "node", "ok/s", "success", "failure", "p50", "p95", "p99", "max"], figures)
            if figures
            else []
        ),
        "",
        *monitors.markdown(ended.monitors),
        *(line for title, said in lists.items() if said for line in listed(title, said)),
    ]
