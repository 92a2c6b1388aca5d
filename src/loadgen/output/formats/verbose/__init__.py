"""`--format verbose`: log lines with a time stamp, one per interval, and the results as a block, much like crucible's.

Latencies are whole microseconds. Lines are wrapped at the width that `clean` has, except
those per interval and per step of a search.
"""

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
from loadgen.output.formats.format import Laid, on
from loadgen.output.formats.verbose.campaign import Campaign
from loadgen.output.formats.verbose.check import Check
from loadgen.output.formats.verbose.comparison import Comparison
from loadgen.output.formats.verbose.jobs import Jobs
from loadgen.output.formats.verbose.run import Run
from loadgen.output.formats.verbose.search import Search
from loadgen.output.formats.verbose.smoke import Smoke
from loadgen.output.formats.verbose.soak import Soak
from loadgen.output.formats.verbose.stress import Stress
from loadgen.output.formats.verbose.trial import Trial
from loadgen.output.paper.log import Log
from loadgen.output.paper.sink import Sink
from loadgen.smoke.ended import SmokeBegan, SmokeEnded
from loadgen.soak.ended import SoakBaseline, SoakBegan, SoakCheckpoint, SoakEnded, SoakNoted
from loadgen.trial.ended import ChaosBegan, ChaosEnded, TrialBegan, TrialEnded, TrialPhaseBegan, TrialSample
from loadgen.verify.checked import HistoryChecked
from loadgen.verify.ended import CampaignBegan, CampaignEnded, CaseEnded, FailureFound
from loadgen.verify.stress.ended import StressBegan, Stressed, StressEnded


class Verbose(Laid):
    """A log of all events but Progress. The load of a single smoke test is logged before the test's answer."""

    silent = frozenset({Progress, Monitored, SmokeBegan, ContestBegan, ChaosBegan})
    logs_tests = True

    def __init__(self, sink: Sink) -> None:
        log, explained = Log(sink), set[str]()
        # Run and Smoke share `explained`, so that each sign beside percentiles is explained once.
        run, search, smoke, comparison = Run(log, explained), Search(log), Smoke(log, explained), Comparison(log)
        trial, campaign, stress, check = Trial(log), Campaign(log), Stress(log), Check(log)
        soak, jobs = Soak(log), Jobs(log)
        super().__init__(
            sink,
            {
                **on(ServerAwaited, run.awaited),
                **on(Configured, run.configured),
                **on(PhaseBegan, run.phase),
                **on(Sample, run.sample),
                **on(MonitorGap, run.gap),
                **on(TopologyChanged, run.topology),
                **on(Result, run.result),
                **on(StepTaken, search.step),
                **on(SearchEnded, search.ended),
                **on(SmokeEnded, smoke.ended),
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
                **on(CampaignBegan, campaign.began),
                **on(CaseEnded, campaign.case),
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
                **on(JobsProgress, jobs.progress),
                **on(WorkerNoted, jobs.worker),
                **on(JobsEnded, jobs.ended),
                **on(JobsCompared, jobs.compared),
                **on(QueueInspected, jobs.inspected),
            },
        )
