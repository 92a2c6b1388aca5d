"""A campaign as Markdown: the counts, the failed tests with their replay commands, and all results.

Words from outside are escaped, so that they cannot break a table or become links or images.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from loadgen import escape
from loadgen.output.paper.markdown import escaped, listed, table
from loadgen.output.words import campaigns, figures
from loadgen.units import span
from loadgen.verify.case import Verdict
from loadgen.verify.ended import CampaignEnded, CaseEnded

MOST_UNFOLDED = 20
"""Results that are shown; more are folded."""

MOST_LISTED = 1000
"""Rows of a table; `--format json` has all."""

_REPLAY = "loadgen replay --seed "
_ADD = "loadgen seeds add --seed "


def document(ended: CampaignEnded) -> str:
    """Return the document."""
    failed = [each for each in ended.cases if each.verdict is Verdict.FAIL]
    return "\n".join(
        [
            f"# {escaped(ended.suite)}: {campaigns.verdict(ended)}",
            "",
            f"Generated: {datetime.fromtimestamp(ended.wall_s, UTC).strftime('%Y-%m-%dT%H:%M:%SZ')} by loadgen "
            f"{escaped(ended.version)}  ",
            f"Suite: {escaped(ended.suite)}  ",
            f"Server: {escaped(ended.identity or 'not known')}",
            "",
            *_summary(ended),
            *listed("Reasons", campaigns.reasons(ended)),
            *(_failed(ended, failed) if failed else []),
            *listed("Compatibility", campaigns.compatible(ended)),
            *listed("Acknowledged writes", campaigns.survived(ended)),
            *listed("Not judged", campaigns.unjudged(ended)),
            *listed("States", campaigns.states(ended)),
            *listed("Machines", campaigns.machines(ended)),
            *listed("Notes", campaigns.notes(ended)),
            *_results(ended),
        ]
    )


def _summary(ended: CampaignEnded) -> Iterator[str]:
    counts = [f"{ended.counts.get(each, 0):,}" for each in Verdict]
    rows = zip(
        ("Total", *(heading.capitalize() for heading in campaigns.HEADINGS), "Seeds", "Seeds per second", "Duration"),
        (f"{ended.total:,}", *counts, f"{ended.seeds:,}", figures.rate(ended.seeds_per_s), span(ended.took_ns)),
        strict=True,
    )
    yield from ("## Summary", "")
    yield from table(["Metric", "Value"], [*rows])
    yield from ("", f"Status: **{campaigns.verdict(ended)}**", "")


def _failed(ended: CampaignEnded, failed: Sequence[CaseEnded]) -> Iterator[str]:
    yield from ("## Failed Tests", "")
    rows = [[campaigns.named(each), str(each.seed), each.error, each.replay] for each in failed[:MOST_LISTED]]
    yield from table(["Test", "Seed", "Error", "Replay Command"], rows)
    yield from _more(len(failed))
    yield ""
    for failure in ended.failures:
        yield from (f"### {escaped(failure.kind)}, seed {failure.seed}", "")
        yield f"{escaped(campaigns.invariant(failure))}: {escaped(campaigns.message(failure))}"
        yield from ("", f"{escaped(campaigns.size(failure))}:", "")
        yield from (f"{number}. {escaped(step)}" for number, step in enumerate(campaigns.steps(failure), 1))
        if failure.artifact:
            yield from ("", f"Artifact: {escaped(failure.artifact)}")
        yield ""
    yield from ("## Add to Regression Bank", "", "```sh")
    for failure in ended.failures:
        if not failure.replay.startswith(_REPLAY):
            continue
        if failure.artifact:
            yield f"loadgen seeds add {shlex.quote(escape.printable(failure.artifact))}"
        else:
            told = shlex.quote(escape.printable(failure.outcome.fingerprint))
            yield f"{_ADD}{campaigns.replay(failure).removeprefix(_REPLAY)} --description {told}"
    yield from ("```", "")


def _results(ended: CampaignEnded) -> Iterator[str]:
    """Yield a row for each case; more than MOST_UNFOLDED are folded."""
    folds = len(ended.cases) > MOST_UNFOLDED
    yield from ("## All Results", "")
    if folds:
        yield from ("<details>", f"<summary>{len(ended.cases):,} results</summary>", "")
    rows = [
        [campaigns.named(each), str(each.seed), str(each.verdict), campaigns.milliseconds(each.took_ns)]
        for each in ended.cases[:MOST_LISTED]
    ]
    yield from table(["Test", "Seed", "Result", "ms"], rows)
    yield from _more(ended.total)
    yield from ("", "</details>", "") if folds else ("",)


def _more(count: int) -> list[str]:
    left = count - MOST_LISTED
    return ["", f"and {left:,} more, which --format json has"] if left > 0 else []
