"""`--format json` of trials, verification, soaks and jobs: one document at the end, with `metadata` and `summary`."""

from __future__ import annotations

from typing import Any

from loadgen.events import Progress
from loadgen.jobs.load.ended import JobsCompared, JobsEnded, QueueInspected
from loadgen.output.formats.format import OF_RESULTS, Format, on
from loadgen.output.formats.jobs_ends import JobsEnds
from loadgen.output.paper.sink import Sink
from loadgen.output.words import trials
from loadgen.record import (
    to_campaign_document,
    to_check_document,
    to_document,
    to_jobs_document,
    to_queue_document,
    to_soak_document,
    to_stress_document,
)
from loadgen.soak.ended import SoakEnded
from loadgen.trial.ended import ChaosEnded
from loadgen.verify.checked import HistoryChecked
from loadgen.verify.ended import CampaignEnded
from loadgen.verify.stress.ended import StressEnded
from loadgen.version import __version__


class Document(Format):
    """The document. `results` has each trial's record, or a row for each case or load; see `docs/RESULTS.md`."""

    silent = (
        OF_RESULTS
        - {ChaosEnded, CampaignEnded, StressEnded, HistoryChecked, SoakEnded}
        - {JobsEnded, JobsCompared, QueueInspected}
    ) | {Progress}

    def __init__(self, sink: Sink) -> None:
        self._jobs = JobsEnds(lambda event: sink.write_utf8(to_jobs_document(event)))
        super().__init__(
            {
                **on(ChaosEnded, lambda event: sink.write_utf8(to_document(_parts(event), event.trials))),
                **on(CampaignEnded, lambda event: sink.write_utf8(to_campaign_document(event))),
                **on(StressEnded, lambda event: sink.write_utf8(to_stress_document(event))),
                **on(SoakEnded, lambda event: sink.write_utf8(to_soak_document(event))),
                **on(HistoryChecked, lambda event: sink.write_utf8(to_check_document(event))),
                **on(JobsEnded, self._jobs.ended),
                **on(JobsCompared, self._jobs.compared),
                **on(QueueInspected, lambda event: sink.write_utf8(to_queue_document(event, __version__))),
            }
        )

    def close(self) -> None:
        """Write the document of a single test of jobs."""
        self._jobs.close()


def _parts(event: ChaosEnded) -> dict[str, Any]:
    """Return everything but the results."""
    answers = [trials.verdict(each) for each in event.trials]
    return {
        "metadata": {"tool": "loadgen chaos", "version": __version__, "interrupted": event.interrupted},
        "summary": {
            "trials": len(answers),
            **{answer.lower().replace(" ", "_"): answers.count(answer) for answer in trials.ANSWERS},
            "exit_status": int(event.exit_code),
            "table": [trials.summary(each) for each in event.trials],
        },
    }
