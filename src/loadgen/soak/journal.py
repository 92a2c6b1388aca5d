"""The journal of a soak: told each sample, gap and restart in the order of time, it says what is new, and the verdict.

The leader of a soak under way and the replay of a recorded one tell it the same, and get the same answers. It reads no
clock and no file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from loadgen.judge import check
from loadgen.soak import checkpoints, dataset, growths, verdict
from loadgen.soak.asked import Asked, banded
from loadgen.soak.bands import Grade
from loadgen.soak.checkpoints import AFTER_S, Base, Checkpoint
from loadgen.soak.folder import Row
from loadgen.soak.found import End, Found, GapSeen, RestartSeen, Totals
from loadgen.soak.growths import Beside, Grown
from loadgen.soak.metrics import SoakMetrics, vocabulary
from loadgen.soak.store import Points, Store
from loadgen.soak.verdict import Graded, Verdict
from loadgen.units import NS_PER_MIN


@dataclass(frozen=True, slots=True)
class BaselineFound:
    """The baseline of each series."""

    bases: dict[str, Base]


@dataclass(frozen=True, slots=True)
class Breach:
    """A series whose growth is above warn, or red, for certain; said once for each of the two."""

    t_s: float
    graded: Graded

    @property
    def is_red(self) -> bool:
        return self.graded.best is Grade.RED


_SUSPICIOUS = 0.5
"""A series that has grown by this share of what is worth a warning, as a checkpoint says, is looked at more closely."""

News = BaselineFound | Checkpoint | Breach

Grow = Callable[[Points, Sequence[float]], Grown]
"""Returns the growth of a series, which is cut at these times."""


class Journal:
    """What a soak has come to so far. Growth is what it has beyond `against`, the journal of another soak."""

    def __init__(self, asked: Asked, grow: Grow = growths.grown, against: Journal | None = None) -> None:
        self.asked = asked
        self._against = against
        self.store = Store(asked.schedule.rows, asked.counted)
        self._grow = grow
        self._columns = tuple(asked.series)
        self._found = Found()
        self._judged: tuple[object, tuple[Graded, ...]] | None = None
        """The newest grades, and of what they are."""
        self._graded: dict[str, Grade] = {}
        """The gravest grade that was said of each column."""
        self._began_wall_s: float | None = None
        self._paused_wall_s = 0.0

    @property
    def found(self) -> Found:
        return self._found

    @property
    def t_s(self) -> float:
        """The time of the newest sample; before the first, the beginning of settling."""
        return self.store.end_s if len(self.store) else -self.asked.schedule.settle_s

    # ── What is told ──────────────────────────────────────────────────────────────────────────────────────────────────

    def sample(self, row: Row, wall_s: float) -> list[News]:
        """Take a sample, which came at `wall_s` by the clock on the wall, and return what is new with it."""
        news: list[News] = []
        if row.t_s > 0 and self._began_wall_s is None:
            # The sample is of the interval that ends now.
            self._began_wall_s = wall_s - min(row.t_s, self.asked.schedule.every_s)
            news.append(self._take_baseline())
            self._found = replace(self._found, checkpoints_s=(self._began_wall_s,))
        self.store.add(row)
        due = self.asked.schedule.due(self._reached, row.t_s) if row.t_s > 0 else 0
        if due > self._reached:
            news += self._check(due, row.t_s, wall_s)
        return news

    def gap(self, gap: GapSeen) -> None:
        """Take a reading that a monitor missed."""
        self._found = replace(self._found, gaps=(*self._found.gaps, gap))

    def restart(self, restart: RestartSeen) -> None:
        """Take the restart of what a monitor reads: the series are cut there."""
        self._found = replace(self._found, restarts=(*self._found.restarts, restart))

    def totals(self, totals: Totals) -> None:
        """Take what the load came to so far."""
        self._found = replace(self._found, totals=totals)

    def paused(self, length_s: float) -> None:
        """Take a pause of this length: its time is in no judgement."""
        self._paused_wall_s += length_s
        self._found = replace(self._found, paused_s=self._found.paused_s + length_s)

    def extended(self, duration_s: float) -> None:
        """Go on for longer than was asked, up to this time in all."""
        self.asked = replace(self.asked, schedule=self.asked.schedule.extended(duration_s))

    def named(self, column: str, who: str) -> None:
        """Take who leaks, by the evidence of a breach."""
        self._found = replace(self._found, named={**self._found.named, column: who})

    # ── What is said ──────────────────────────────────────────────────────────────────────────────────────────────────

    def grown(self, column: str) -> Grown:
        """Return the growth of a series so far; of memory, that of what is not the dataset."""
        other = self._against
        if other is not None and len(other.store.points(column, AFTER_S)):
            return growths.grown_beyond(self.beside(column), other.beside(column))
        of = self.beside(column)
        return self._grow(of.points, of.restarts)

    def beside(self, column: str) -> Beside:
        """Return a series so far, to be held against another soak's; of memory, what is not the dataset."""
        points = self.store.points(column, AFTER_S)
        points = dataset.outside(self.store, self.asked, self._found.bases, column, points)
        loads = self.store.points("load.throughput", AFTER_S).values
        cuts = sorted({restart.t_s for restart in self._found.restarts})
        return Beside(points, cuts, sum(loads) / len(loads) if loads else None)

    def graded(self) -> tuple[Graded, ...]:
        """Return the growth of each series that has a band."""
        key = len(self.store), len(self._found.restarts), len(self._found.named)
        if self._judged is None or self._judged[0] != key:
            found = tuple(map(self._grade, banded(self.asked)))
            self._judged = key, tuple(each for each in found if each.final is not None)
        return self._judged[1]

    def verdict(self, end: End) -> Verdict:
        """Return the verdict on the soak as far as it came."""
        metrics = SoakMetrics(self.asked, self.store, self._found, self.grown)
        names = vocabulary(self.asked)
        return Verdict(
            verdict.rows(self.asked, self._found, end),
            self.graded(),
            check.judge(self.asked.checks, names, metrics),
        )

    def undecided(self) -> str:
        """Return why a longer soak may tell what this one cannot; empty when it would not."""
        open_ones = [each for each in self.graded() if each.passed is None and each.severity is not each.severity.GOOD]
        return f"the growth of {open_ones[0].column} cannot be told yet" if open_ones else ""

    # ── ───────────────────────────────────────────────────────────────────────────────────────────────────────────────

    @property
    def _reached(self) -> int:
        return self._found.checkpoints[-1].number if self._found.checkpoints else 0

    def _take_baseline(self) -> BaselineFound:
        bases = checkpoints.baseline(self.store, self.asked.schedule, self._columns)
        self._found = replace(self._found, bases=bases)
        return BaselineFound(bases)

    def _check(self, number: int, t_s: float, wall_s: float) -> list[News]:
        """Take a checkpoint; where several were missed, the newest."""
        schedule, found = self.asked.schedule, self._found
        at = checkpoints.checkpoint(
            self.store, schedule, found.bases, number, t_s, self._columns, frozenset(self.asked.counted)
        )
        # A series that has come since counts from here.
        bases = {
            column: Base(reached.value, t_s)
            for column, reached in at.reached.items()
            if column not in found.bases and reached.value is not None
        }
        self._found = replace(
            found,
            bases={**found.bases, **bases},
            checkpoints=(*found.checkpoints, at),
            checkpoints_s=(*found.checkpoints_s, wall_s - self._paused_wall_s),
        )
        return [at, *self._breaches(at)]

    def _grade(self, column: str) -> Graded:
        return verdict.graded(self.asked, self._found, column, self.grown(column), self.store.newest(column, AFTER_S))

    def _breaches(self, at: Checkpoint) -> Iterable[Breach]:
        """Yield the series that are above warn, or red, since this checkpoint.

        An interval takes a tenth of a second to compute, beside the load: only what has grown is asked for one.
        """
        for column, band in banded(self.asked).items():
            reached = at.reached.get(column)
            if reached is None or (reached.per_min or 0.0) < _SUSPICIOUS * band.warn * NS_PER_MIN:
                continue
            each = self._grade(column)
            if each.warns and each.best is not None and each.best > self._graded.get(each.column, Grade.BONUS):
                self._graded[each.column] = each.best
                yield Breach(at.t_s, each)
