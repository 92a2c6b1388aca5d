"""The reason for an exit status that is not 0, as one line on standard error, for users who do not see the results."""

from __future__ import annotations

from loadgen.events import Progress, Result, SearchEnded
from loadgen.jobs.load.ended import Axis, JobsBegan, JobsCompared, JobsEnded
from loadgen.output.formats.format import OF_RESULTS, Format, on
from loadgen.output.paper.sink import remark
from loadgen.output.words import campaigns, checks, histories, jobs, jobs_compared, slo, soak, stress, trials
from loadgen.severity import Severity
from loadgen.slo import Attainment
from loadgen.smoke.ended import SmokeEnded
from loadgen.soak.ended import SoakEnded
from loadgen.trial.ended import TrialEnded
from loadgen.verify.checked import HistoryChecked
from loadgen.verify.ended import CampaignEnded
from loadgen.verify.stress.ended import StressEnded


class Remark(Format):
    """A line for an ending that is not good. An interrupted ending gets none, as the user interrupted it."""

    silent = (
        OF_RESULTS
        - {Result, SearchEnded, SmokeEnded, TrialEnded, CampaignEnded, StressEnded, HistoryChecked, SoakEnded}
        - {JobsBegan, JobsEnded, JobsCompared}
    ) | {Progress}

    def __init__(self) -> None:
        self._axis: Axis | None = None
        super().__init__(
            {
                **on(Result, _result),
                **on(SearchEnded, _search),
                **on(SmokeEnded, _smoke),
                **on(TrialEnded, _trial),
                **on(CampaignEnded, _campaign),
                **on(StressEnded, _stress),
                **on(HistoryChecked, _check),
                **on(SoakEnded, _soak),
                **on(JobsBegan, self._jobs_began),
                **on(JobsEnded, self._jobs),
                **on(JobsCompared, _jobs_compared),
            }
        )

    def _jobs_began(self, event: JobsBegan) -> None:
        self._axis = event.axis

    def _jobs(self, event: JobsEnded) -> None:
        """Print the first reason why a test did not pass. A comparison of adapters judges none that could run."""
        judged = self._axis is not Axis.ADAPTER or event.severity is Severity.COULD_NOT_RUN
        if judged and event.severity not in (Severity.GOOD, Severity.INTERRUPTED):
            said = [f"{jobs.name(event.plan)}: {jobs.answer(event.severity)}", *jobs.why(event)[:1]]
            _print(": ".join(said))


def _result(event: Result) -> None:
    match event.severity:
        case Severity.GOOD | Severity.INTERRUPTED:
            return
        case Severity.COULD_NOT_RUN:
            _print(event.failure)
        case Severity.FAILED:
            _print(f"FAILED: {event.failed_because[0].words}")
        case Severity.INVALID:
            _print(event.invalid_because[0].words)
        case Severity.BREACHED | Severity.UNKNOWN:
            unmet = any(check.answer is not Attainment.MET for check in event.checks)
            failed = any(each.severity is not Severity.GOOD for each in event.checked)
            said = [f"SLO {slo.summary(event.checks)}"] * unmet + [f"checks {checks.summary(event.checked)}"] * failed
            _print("; ".join(said))


def _search(event: SearchEnded) -> None:
    """Print the reason; a failure to run is named even when the search was interrupted."""
    if event.failure:
        _print(event.failure)
    elif event.failed_because and not event.interrupted:
        _print(f"FAILED: {event.failed_because[0].words}")
    elif event.severity is not Severity.GOOD and event.answer is not None and not event.interrupted:
        _print(event.answer.reason)


def _smoke(event: SmokeEnded) -> None:
    """Print the server and the first criterion that failed, or the first reason to doubt the numbers."""
    if event.interrupted:
        return
    if event.failed:
        first = event.failed[0]
        _print(f"{event.server}: FAIL: {first.name}: {first.found}")
    elif event.doubts:
        _print(f"{event.server}: {event.doubts[0].words}")


def _trial(event: TrialEnded) -> None:
    """Print the first reason why a trial did not pass."""
    if event.severity in (Severity.GOOD, Severity.INTERRUPTED):
        return
    first = next(iter(trials.reasons(event)), "")
    _print(f"{trials.name(event.plan)}: {trials.verdict(event)}{f': {first}' * bool(first)}")


def _campaign(event: CampaignEnded) -> None:
    """Print the first reason, or the invariant that was broken first, with its replay command."""
    if event.severity in (Severity.GOOD, Severity.INTERRUPTED):
        return
    failures = (f"{campaigns.invariant(each)}: {campaigns.replay(each)}" for each in event.failures)
    said = [*campaigns.reasons(event), *failures, *campaigns.unjudged(event)]
    _print(": ".join([f"{event.suite}: {campaigns.verdict(event)}", *said[:1]]))


def _stress(event: StressEnded) -> None:
    """Print the first load that did not pass, with its first reason."""
    if event.severity in (Severity.GOOD, Severity.INTERRUPTED):
        return
    others = (row for row in event.rows if row.severity is not Severity.GOOD)
    said = [*stress.why(event), *(f"{stress.name(row)}: {stress.reasons(row)[0]}" for row in others)]
    _print(": ".join([f"stress: {stress.verdict(event)}", *said[:1]]))


def _soak(event: SoakEnded) -> None:
    """Print the first reason why a soak did not pass."""
    if event.severity is not Severity.GOOD:
        _print(": ".join([f"soak: {soak.verdict(event)}", *soak.why(event)[:1]]))


def _check(event: HistoryChecked) -> None:
    """Print the first violation, or the first reason why nothing can be said."""
    if event.severity is not Severity.GOOD:
        said = [*(violation.why for violation in event.answer.violations), *histories.why(event)]
        _print(": ".join([f"check: {histories.verdict(event)}", *said[:1]]))


def _jobs_compared(event: JobsCompared) -> None:
    """Print the first check over all tests that failed or cannot tell; each test has had its own line."""
    if not event.interrupted:
        for words in jobs_compared.why(event)[:1]:
            _print(words)


def _print(words: str) -> None:
    remark(f"loadgen: {words}")
