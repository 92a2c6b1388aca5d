"""docs/MONITORS.md: its tables are made of the kinds, keys and series that there are, and its example loads.

`MONITORS=write` in the environment writes the tables anew; read their diff before you keep them.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

import pytest
from places import ROOT

from loadgen.config import load, monitors
from loadgen.judge.expression.vocabulary import Known, Over
from loadgen.monitors.kinds import KINDS, ROWS, Kind
from loadgen.monitors.making import make
from loadgen.monitors.plan import MonitorPlan
from loadgen.monitors.prometheus import USUAL

PAGE = ROOT / "docs" / "MONITORS.md"


def of_keys(kind: Kind) -> str:
    rows = [f"| `{key.name}` | {key.means}{', which must be given' if key.is_needed else ''} |" for key in kind.keys]
    return "\n".join([f"Reads {kind.reads}.", "", "| key | meaning |", "|---|---|", *rows])


def of_series(series: Mapping[str, Known], metrics: Mapping[str, str] | None = None) -> str:
    rows = [
        f"| `{name}` | {known.dimension} | {'total' if known.over is Over.TOTAL else 'level'} | "
        f"{f'`{metrics[name]}`' if metrics else known.meaning} |"
        for name, known in series.items()
    ]
    return "\n".join([f"| series | what it is | | {'metric' if metrics else 'meaning'} |", "|---|---|---|---|", *rows])


def series_of(kind: str) -> Mapping[str, Known]:
    return make(MonitorPlan(kind, kind, url="http://h/")).series


MADE = {
    **{f"keys {row.name}": of_keys(row) for row in ROWS if row.keys},
    **{f"series {row.name}": of_series(series_of(row.name)) for row in ROWS if row.name != "prometheus"},
    "usual": of_series(series_of("prometheus"), USUAL),
}


@pytest.mark.parametrize("name", MADE)
def test_a_table_is_made_of_what_there_is(name: str) -> None:
    text = PAGE.read_text(encoding="utf-8")
    table = re.compile(rf"<!-- {name} -->\n(?:Reads .*\n\n)?(?:\|.*\n)*")
    made = f"<!-- {name} -->\n{MADE[name]}\n"
    if os.environ.get("MONITORS") == "write":
        text = table.sub(lambda _: made, text)
        PAGE.write_text(text, encoding="utf-8")
    found = table.search(text)
    assert found is not None
    assert found[0] == made, "if it is meant to be so: MONITORS=write, and look at the difference"


def test_every_kind_has_a_section() -> None:
    sections = re.findall(r"^## `(\w+)`$", PAGE.read_text(encoding="utf-8"), re.M)
    assert sections == [*KINDS]


def test_its_example_loads_and_its_checks_are_judged(tmp_path: Path) -> None:
    [example] = re.findall(r"^```toml\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.M | re.S)
    path = tmp_path / "bench.toml"
    path.write_text(example)
    config = load(path)
    assert [plan.name for plan in monitors(config)] == ["redis", "proc", "proxy"]
    assert len(config.check) == 3
