"""`--format clean`: tables for people, as wide as the terminal or 80 columns without one, in colour on a terminal."""

from __future__ import annotations

from loadgen.compare.answers import Compared, NoiseFound
from loadgen.compare.round import ContestBegan, RoundEnded
from loadgen.events import (
    Configured,
    FaultBegan,
    FaultEnded,
    Monitored,
    MonitorGap,
    PhaseBegan,
    Progress,
    Result,
    Sample,
    SearchEnded,
    ServerAwaited,
    StepTaken,
    TopologyChanged,
)
from loadgen.jobs.load.ended import JobsBegan, JobsCompared, JobsEnded, JobsProgress, QueueInspected, WorkerNoted
from loadgen.output.formats.clean.campaign import Campaign
from loadgen.output.formats.clean.check import Check
from loadgen.output.formats.clean.comparison import Comparison
from loadgen.output.formats.clean.jobs import Jobs
from loadgen.output.formats.clean.run import Run
from loadgen.output.formats.clean.search import Search
from loadgen.output.formats.clean.smoke import Smoke
from loadgen.output.formats.clean.soak import Soak
from loadgen.output.formats.clean.stress import Stress
from loadgen.output.formats.clean.trial import Trial
from loadgen.output.formats.format import Laid, on
from loadgen.output.paper.color import Paint
from loadgen.output.paper.page import Page
from loadgen.output.paper.sink import Sink
from loadgen.smoke.ended import SmokeBegan, SmokeEnded
from loadgen.soak.ended import SoakBaseline, SoakBegan, SoakCheckpoint, SoakEnded, SoakNoted
from loadgen.trial.ended import ChaosBegan, ChaosEnded, TrialBegan, TrialEnded, TrialPhaseBegan, TrialSample
from loadgen.verify.checked import HistoryChecked
from loadgen.verify.ended import CampaignBegan, CampaignEnded, CaseEnded, FailureFound
from loadgen.verify.stress.ended import StressBegan, Stressed, StressEnded


class Clean(Laid):
    """Rows while a command runs, and tables of its results. The load of a smoke test is not shown, nor is each case."""

    silent = frozenset({Progress, Monitored, CaseEnded, JobsProgress})

    def __init__(self, sink: Sink, paint: Paint) -> None:
        page = Page(sink, paint)
        run, search, smoke, comparison = Run(page), Search(page), Smoke(page), Comparison(page)
        trial, campaign, stress, check = Trial(page), Campaign(page), Stress(page), Check(page)
        soak, jobs = Soak(page), Jobs(page)

        def gap(event: MonitorGap) -> None:
            if not jobs.hides_monitors:
                run.gap(event)

        super().__init__(
            sink,
            {
                **on(ServerAwaited, run.awaited),
                **on(Configured, run.configured),
                **on(PhaseBegan, run.phase),
                **on(Sample, run.sample),
                **on(MonitorGap, gap),
                **on(TopologyChanged, run.topology),
                **on(Result, run.result),
                **on(StepTaken, search.step),
                **on(SearchEnded, search.ended),
                **on(SmokeBegan, smoke.began),
                **on(SmokeEnded, smoke.ended),
                **on(ContestBegan, comparison.began),
                **on(RoundEnded, comparison.round),
                **on(Compared, comparison.compared),
                **on(NoiseFound, comparison.noise),
                **on(TrialBegan, trial.trial),
                **on(TrialPhaseBegan, trial.phase),
                **on(TrialSample, trial.sample),
                **on(FaultBegan, trial.fault_began),
                **on(FaultEnded, trial.fault_ended),
                **on(TrialEnded, trial.ended),
                **on(ChaosEnded, trial.all_ended),
                **on(ChaosBegan, trial.began),
                **on(CampaignBegan, campaign.began),
                **on(FailureFound, campaign.failure),
                **on(CampaignEnded, campaign.ended),
                **on(StressBegan, stress.began),
                **on(Stressed, stress.row),
                **on(StressEnded, stress.ended),
                **on(HistoryChecked, check.ended),
                **on(SoakBegan, soak.began),
                **on(SoakBaseline, soak.baseline),
                **on(SoakCheckpoint, soak.checkpoint),
                **on(SoakNoted, soak.note),
                **on(SoakEnded, soak.ended),
                **on(JobsBegan, jobs.began),
                **on(WorkerNoted, jobs.worker),
                **on(JobsEnded, jobs.ended),
                **on(JobsCompared, jobs.compared),
                **on(QueueInspected, jobs.inspected),
            },
        )
