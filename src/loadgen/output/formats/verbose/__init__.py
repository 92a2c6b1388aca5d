"""`--format verbose`: log lines with a time stamp, one per interval, and the results as a block, much as crucible's.

Latencies are whole microseconds; every line that is not one per interval or per step of a search fits 80 columns.
"""

from __future__ import annotations

from loadgen.compare.answers import Compared, NoiseFound
from loadgen.compare.round import ContestBegan, RoundEnded
from loadgen.events import Configured, PhaseBegan, Progress, Result, Sample, SearchEnded, ServerAwaited, StepTaken
from loadgen.output.formats.format import Laid, on
from loadgen.output.formats.verbose.comparison import Comparison
from loadgen.output.formats.verbose.run import Run
from loadgen.output.formats.verbose.search import Search
from loadgen.output.formats.verbose.smoke import Smoke
from loadgen.output.paper.log import Log
from loadgen.output.paper.sink import Sink
from loadgen.smoke.ended import SmokeBegan, SmokeEnded


class Verbose(Laid):
    """A log of all that happens. The load of a single smoke test is logged before its answer."""

    silent = frozenset({Progress, SmokeBegan, ContestBegan})
    logs_tests = True

    def __init__(self, sink: Sink) -> None:
        log, explained = Log(sink), set[str]()
        # The signs beside percentiles are explained once, by the load or by its test.
        run, search, smoke, comparison = Run(log, explained), Search(log), Smoke(log, explained), Comparison(log)
        super().__init__(
            sink,
            {
                **on(ServerAwaited, run.awaited),
                **on(Configured, run.configured),
                **on(PhaseBegan, run.phase),
                **on(Sample, run.sample),
                **on(Result, run.result),
                **on(StepTaken, search.step),
                **on(SearchEnded, search.ended),
                **on(SmokeEnded, smoke.ended),
                **on(RoundEnded, comparison.round),
                **on(Compared, comparison.compared),
                **on(NoiseFound, comparison.noise),
            },
        )
