"""`--format verbose` of clients on trial: a line for each event, and below a trial's answer every check and figure."""

from __future__ import annotations

from loadgen.events import FaultBegan, FaultEnded
from loadgen.output.formats import monitors
from loadgen.output.paper.layout import hung
from loadgen.output.paper.log import Log
from loadgen.output.words import figures, named, trials
from loadgen.severity import Severity
from loadgen.trial.ended import ChaosEnded, TrialBegan, TrialEnded, TrialPhaseBegan, TrialSample
from loadgen.units import span


class Trial:
    """A log of trials."""

    def __init__(self, log: Log) -> None:
        self._log = log

    def trial(self, event: TrialBegan) -> None:
        self._log.say(event.wall_s, trials.title(event.plan), f"{event.plan.client.name}: {trials.setting(event.plan)}")

    def phase(self, event: TrialPhaseBegan) -> None:
        length = f" ({span(event.length_ns)})" if event.length_ns else ""
        self._log.say(event.wall_s, f"phase {event.phase}{length}")

    def sample(self, event: TrialSample) -> None:
        self._log.say(event.wall_s, trials.sample(event))

    def fault_began(self, event: FaultBegan) -> None:
        self._log.say(event.wall_s, trials.fault_began(event), level="WARN")

    def fault_ended(self, event: FaultEnded) -> None:
        self._log.say(event.wall_s, trials.fault_ended(event), level="WARN")

    def ended(self, event: TrialEnded) -> None:
        level = "INFO" if event.severity is Severity.GOOD else "WARN"
        self._log.say(event.wall_s, f"{trials.verdict(event)} {trials.name(event.plan)}", level=level)
        self._log.block(*hung(_below(event)), *monitors.table(event.monitors))

    def all_ended(self, event: ChaosEnded) -> None:
        if len(event.trials) > 1:
            cells = map(trials.summary, event.trials)
            self._log.block(*hung([", ".join(f"{k} {v}" for k, v in each.items()) for each in cells]))


def _below(event: TrialEnded) -> list[str]:
    """Return the lines below the answer: reasons, checks, figures, errors, transitions, pools."""
    limits = (f" (limit {check.limit})" if check.limit else "" for check in event.checks)
    return [
        *(f"  reason: {words}" for words in trials.reasons(event)),
        f"  client: {trials.client(event)}",
        *(f"  fault: {words}" for words in trials.effects(event)),
        *(f"  {words}" for words in trials.node_figures(event)),
        *(f"  note: {words}" for words in trials.notes(event)),
        *(
            f"  {check.name}: {named.answer(check)}, {named.found(check)}{limit}"
            for check, limit in zip(event.checks, limits, strict=True)
        ),
        *(f"  {words}" for words in map(_figures, trials.rows(event))),
        *(f"  errors: {words}" for words in trials.errors(event)),
        *(f"  breaker: {words}" for words in trials.transitions(event)),
        *(f"  pool: {words}" for words in trials.pools(event)),
        *(f"  abandoned: {words}" for words in trials.late_replies(event)),
        *(f"  loads: {words}" for words in trials.loads(event)),
        *(f"  wrong: {words}" for words in trials.wrong(event)),
    ]


def _figures(row: trials.Row) -> str:
    p50, p95, p99, most = map(figures.word, row.latencies)
    return (
        f"{row.phase} node={row.node} ok={row.ok_per_s}/s success={row.ok_share}% failed={row.failed_share}% "
        f"p50={p50} p95={p95} p99={p99} max={most} service_p99={figures.word(row.service_p99)}"
    )
