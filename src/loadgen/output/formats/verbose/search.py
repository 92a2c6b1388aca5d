"""`--format verbose` of a saturation search: a line per step, and the answer as a block."""

from __future__ import annotations

from loadgen.events import SearchEnded, StepTaken
from loadgen.output.formats import monitors
from loadgen.output.formats.verbose import account
from loadgen.output.paper.layout import hung
from loadgen.output.paper.log import Log
from loadgen.output.words import figures, search, sentences


class Search:
    """A log of the steps and the answer."""

    def __init__(self, log: Log) -> None:
        self._log = log

    def step(self, event: StepTaken) -> None:
        self._log.say_on_one_line(event.wall_s, _step(event))
        self._log.say(event.wall_s, f"  {search.why(event.step)}")

    def ended(self, event: SearchEnded) -> None:
        self._log.say(event.wall_s, f"=== Saturation Search{', interrupted' * event.interrupted} ===")
        self._log.block(*_search(event))


def _step(event: StepTaken) -> str:
    step = event.step
    rates = f"rate={figures.whole_rate(step.rate_per_s)}/s achieved={figures.whole_rate(step.achieved_per_s)}/s"
    parts = [f"{rates} for {step.length_s:.6g}s", *search.percentiles(step), search.verdict(step)]
    return f"step {event.number} ({step.purpose}): {', '.join(parts)}"


def _search(event: SearchEnded) -> list[str]:
    """Return the block: the answer first, then its reasons and counts."""
    answer = event.answer
    facts = [
        ("because", search.reason(answer) if answer else ""),
        ("took", search.effort(answer) if answer else ""),
        ("capacity", search.capacity(answer) if answer else ""),
        ("embedded", sentences.EMBEDDED if event.embedded else ""),
        ("errors", sentences.errors(event)),
        *((f"  {name}", words) for name, words in sentences.error_classes(event).items()),
        ("totals", search.totals(event)),
        ("connections", search.connections(event)),
        ("pushes", sentences.pushes(event)),
        ("history", sentences.history(event.history)),
    ]
    said = [
        f"{search.aim(event.limits)}: {search.found(event)}",
        *(f"{name}: {words}" for name, words in facts if words),
        *sentences.examples(event),
    ]
    remarks = [
        *account.balance(event),
        *([f"note: {search.KNEE}"] if not event.limits else []),
        *account.verdict(event),
    ]
    return [*hung(said), *monitors.table(event.monitors), *hung(remarks)]
