"""`--format quiet`: one line, at the end."""

from __future__ import annotations

from collections.abc import Callable

from loadgen.compare.answers import Compared, NoiseFound
from loadgen.compare.round import ContestBegan, RoundEnded
from loadgen.events import (
    Configured,
    PhaseBegan,
    Progress,
    Result,
    Sample,
    SearchEnded,
    ServerAwaited,
    StepTaken,
    TopologyChanged,
)
from loadgen.jobs.load.ended import JobsCompared, JobsEnded, QueueInspected
from loadgen.output.formats.format import (
    OF_CAMPAIGNS,
    OF_FAULTS,
    OF_JOBS,
    OF_MONITORS,
    OF_SOAKS,
    OF_STRESS,
    OF_TRIALS,
    Format,
    Kind,
    on,
)
from loadgen.output.formats.quiet import campaign, check, comparison, jobs, run, search, smoke, soak, stress, trial
from loadgen.output.paper.sink import Sink
from loadgen.smoke.ended import SmokeBegan, SmokeEnded
from loadgen.soak.ended import SoakEnded
from loadgen.trial.ended import TrialEnded
from loadgen.verify.checked import HistoryChecked
from loadgen.verify.ended import CampaignEnded
from loadgen.verify.stress.ended import StressEnded


class Quiet(Format):
    """A line for every ending. The load of a smoke test is not shown."""

    silent = (
        frozenset(
            {Progress, ServerAwaited, PhaseBegan, Sample, TopologyChanged, StepTaken}
            | {SmokeBegan, ContestBegan, RoundEnded}
        )
        | OF_FAULTS
        | OF_MONITORS
        | (OF_TRIALS - {TrialEnded})
        | (OF_CAMPAIGNS - {CampaignEnded})
        | (OF_STRESS - {StressEnded})
        | (OF_SOAKS - {SoakEnded})
        | (OF_JOBS - {JobsEnded, JobsCompared, QueueInspected})
    )

    def __init__(self, sink: Sink) -> None:
        def written(line: Callable[[Kind], str]) -> Callable[[Kind], None]:
            return lambda event: sink.write(f"{line(event)}\n")

        def planned(event: Configured) -> None:
            if event.dry_run:
                sink.write(f"{run.planned(event)}\n")

        super().__init__(
            {
                **on(Configured, planned),
                **on(Result, written(run.result)),
                **on(SearchEnded, written(search.ended)),
                **on(SmokeEnded, written(smoke.ended)),
                **on(Compared, written(comparison.compared)),
                **on(NoiseFound, written(comparison.noise)),
                **on(TrialEnded, written(trial.ended)),
                **on(CampaignEnded, written(campaign.ended)),
                **on(StressEnded, written(stress.ended)),
                **on(HistoryChecked, written(check.ended)),
                **on(SoakEnded, written(soak.ended)),
                **on(JobsEnded, written(jobs.ended)),
                **on(JobsCompared, written(jobs.compared)),
                **on(QueueInspected, written(jobs.inspected)),
            }
        )
