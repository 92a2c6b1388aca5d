"""Run folders of virtual soaks: what a leader would have written, without a load. See `soaks`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

from soaks import BEGAN_S, SERIES, Values, asked, complete

from loadgen.output.words import soak as words
from loadgen.soak import written
from loadgen.soak.asked import Asked, record
from loadgen.soak.checkpoints import Checkpoint
from loadgen.soak.diary import result
from loadgen.soak.ended import SoakBaseline, SoakEnded
from loadgen.soak.folder import Row, RunFolder, kept
from loadgen.soak.found import End, GapSeen, RestartSeen, Totals
from loadgen.soak.journal import BaselineFound, Journal

TARGET = "redis 7.2.4 at 127.0.0.1:6379"

RUN: Mapping[str, Any] = {
    "version": "0.1.0",
    "argv": ["loadgen", "soak", "--duration", "5m"],
    "host": "host, 2 × CPU, Linux",
    "pid": 1,
    "target": TARGET,
    "load": "20 connections, 80 % get + 20 % set over 10,000 keys, 500 requests/s, poisson",
}


def run_folder(
    path: Path,
    of: Asked,
    values: Values,
    *,
    totals: Totals | None = None,
    gaps: tuple[GapSeen, ...] = (),
    restarts: tuple[RestartSeen, ...] = (),
    named: Mapping[str, str] | None = None,
    until_s: float | None = None,
    ends: Callable[[Journal], End] | None = complete,
    run: Mapping[str, Any] | None = None,
    began_s: float = BEGAN_S,
) -> Path:
    """Write the folder of a soak that got a sample each second; `ends` is None for one that was killed, or still runs.

    `began_s` is when it began to settle, in Unix time.
    """
    schedule = of.schedule
    if not of.series:
        of = replace(of, series={name: SERIES[name] for name in SERIES if name in values(0.0)})
    journal = Journal(of)
    columns = tuple(of.series)
    wall = began_s + schedule.settle_s
    last_s = schedule.duration_s if until_s is None else until_s
    with RunFolder(path, {**RUN, "started_s": began_s, **record(of), **(run or {})}) as folder:

        def event(kind: str, at_s: float, **fields: Any) -> None:
            folder.event({"type": kind, "wall_s": wall + at_s, "t_s": at_s, **fields})

        for second in range(-round(schedule.settle_s) + 1, round(last_s) + 1):
            t = float(second)
            for gap in (gap for gap in gaps if t - 1 < gap.t_s <= t):
                journal.gap(gap)
                event("gap", gap.t_s, **written.gap(gap), words=f"{gap.monitor} was not read: {gap.why}")
            for restart in (restart for restart in restarts if t - 1 < restart.t_s <= t):
                journal.restart(restart)
                event("restart", restart.t_s, **written.restart(restart), words=f"{restart.monitor} was restarted")
            if totals is not None and t > 0:
                journal.totals(totals)
            now = values(t)
            row = Row(t, columns, [kept(now[name]) if name in now else None for name in columns])
            folder.sample(row)
            for news in journal.sample(row, wall + t):
                match news:
                    case BaselineFound(bases):
                        event("baseline", 0.0, values=written.bases(bases))
                        folder.log(words.baseline(SoakBaseline(of, bases))[-1])
                    case Checkpoint():
                        event("checkpoint", t, **written.checkpoint(news), totals=written.totals(journal.found.totals))
                        folder.log(words.checkpoint(of, news))
        if named:
            for column, who in named.items():
                journal.named(column, who)
            event("evidence", last_s, words="evidence", named=dict(named))
        folder.beat(wall_s=wall + last_s, monotonic_ns=0, checkpoint=len(journal.found.checkpoints), state="soaking")
        if ends is not None:
            end = ends(journal)
            event("end", end.t_s, **written.end(end), totals=written.totals(journal.found.totals))
            ended = SoakEnded(
                journal.asked,
                journal.found,
                end,
                journal.verdict(end),
                "0.1.0",
                RUN["host"],
                TARGET,
                str(path),
                began_s,
                wall_s=wall + last_s,
            )
            folder.result(result(ended))
    return path


def run_that_passed(path: Path) -> Path:
    """Write the folder of a soak of five minutes in which nothing grew."""
    answered = {"requests": Fraction(150_000), "errors": Fraction(0), "opened": Fraction(20)}
    return run_folder(
        path,
        asked(duration_s=300, checkpoint_s=20, settle_s=30),
        lambda t: {"proc.fds": 22, "load.requests": 500, "load.errors": 0, "load.p99": 2_000_000},
        totals=Totals(300, answered),
    )
