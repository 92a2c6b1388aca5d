"""`--format verbose` of a campaign: a line for each case, failures in full, the answer, and the counts of each kind."""

from __future__ import annotations

from loadgen.output.paper.layout import hung, width, wrapped
from loadgen.output.paper.log import Log
from loadgen.output.words import campaigns, commands
from loadgen.severity import Severity
from loadgen.verify.case import Verdict
from loadgen.verify.ended import CampaignBegan, CampaignEnded, CaseEnded, FailureFound


class Campaign:
    """A log of campaigns."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._wall_s = 0.0

    def began(self, event: CampaignBegan) -> None:
        self._wall_s = event.wall_s
        self._log.say(event.wall_s, campaigns.title(event), campaigns.options(event))

    def case(self, event: CaseEnded) -> None:
        self._log.block(*wrapped(campaigns.case(event)))
        if event.replay and event.verdict is Verdict.FAIL:
            self._log.block(*(f"  {line}" for line in commands.lines(event.replay, width() - 2)))

    def failure(self, event: FailureFound) -> None:
        self._log.say(event.wall_s, campaigns.failed(event), level="WARN")
        said = {
            "invariant": campaigns.invariant(event),
            "found": campaigns.message(event),
            "size": campaigns.size(event),
            "diverged": campaigns.divergence(event),
            "artifact": campaigns.artifact(event),
        }
        steps = [f"  case: {words}" for words in campaigns.steps(event)]
        self._log.block(*hung([f"  {label}: {words}" for label, words in said.items() if words]), *hung(steps))

    def ended(self, event: CampaignEnded) -> None:
        level = "INFO" if event.severity is Severity.GOOD else "WARN"
        said = f"{campaigns.verdict(event)} {event.suite}: {campaigns.summary(event)}"
        self._log.say(event.wall_s, said, level=level)
        self._log.block(*hung(_below(event)))


def _below(event: CampaignEnded) -> list[str]:
    """Return the lines below the answer."""
    rows = campaigns.by_kind(event)
    counts = (
        ", ".join(f"{c} {h}" for c, h in zip(campaigns.cells(row), campaigns.HEADINGS, strict=True)) for row in rows
    )
    return [
        *(f"  reason: {words}" for words in campaigns.reasons(event)),
        *(f"  {row.kind}: {words}" for row, words in zip(rows, counts, strict=True)),
        *(f"  compatible: {words}" for words in campaigns.compatible(event)),
        *(f"  writes: {words}" for words in campaigns.survived(event)),
        *(f"  not judged: {words}" for words in campaigns.unjudged(event)),
        *(f"  state: {words}" for words in campaigns.states(event)),
        *(f"  machine: {words}" for words in campaigns.machines(event)),
        *(f"  alike: {words}" for words in campaigns.alike(event)),
        *(f"  note: {words}" for words in campaigns.notes(event)),
    ]
