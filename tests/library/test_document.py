"""Every example of docs/LIBRARY.md runs as it stands there, for a shorter time and on the test's own server."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from constructed_rounds import run_first_rounds_only
from places import ROOT
from real_servers import RealServer

import loadgen
from loadgen import record
from loadgen.library.plan import KEYS

TEXT = (ROOT / "docs/LIBRARY.md").read_text()
EXAMPLES = re.findall(r"^```python\n(.*?)^```", TEXT, re.M | re.S)

# What an example's settings become, so that it takes less than a second.
BRIEFLY = (
    (r"keys=1000", 'keys=1000, threads=1, warmup="20ms"'),
    (r"keys=1000(.*)compare", r"keys=1000, rate=1000\1compare"),
    (r'duration="\d+s"', 'duration="200ms", interval="50ms"'),
    (r'warmup="\d+s"', 'warmup="20ms"'),
    (r'"measure", "1s"', '"measure", "50ms"'),
    (r'"measure", "1200ms"', '"measure", "150ms"'),
    (r'"([\w.]+)sample_window": "2s"', r'"\1sample_window": "100ms", "\1start_rate": 500, "\1max_rate": 500'),
    (r'"250ms"\}', '"50ms", "compare.slices": 2, "compare.settle": "10ms"}'),
    (r"Timer\(1\.0", "Timer(0.3"),
)


@pytest.fixture(scope="module")
def redis() -> Iterator[RealServer]:
    with RealServer.redis() as server:
        yield server


@pytest.mark.parametrize("number", range(len(EXAMPLES)), ids=lambda number: f"example{number + 1}")
def test_an_example_runs(number: int, redis: RealServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    run_first_rounds_only(monkeypatch)
    example: str = EXAMPLES[number].replace("127.0.0.1:6379", f"127.0.0.1:{redis.port}")
    for long, brief in BRIEFLY:
        example = re.sub(long, brief, example)
    if "result.json" in example:
        events: list[loadgen.Event] = []
        plan = loadgen.Plan(f"127.0.0.1:{redis.port}", keys=100, warmup="20ms", duration="50ms")
        loadgen.run(plan, on_event=events.append)
        Path("result.json").write_bytes(b"".join(map(record.encode, events)))
    names: dict[str, object] = {"__name__": "example"}
    exec(compile(example, f"docs/LIBRARY.md, example {number + 1}", "exec"), names)
    for test in (value for name, value in names.items() if name.startswith("test_") and callable(value)):
        with loadgen.serve() as server:
            test(server)


def test_the_document_names_every_keyword_of_a_plan_and_everything_that_the_library_has() -> None:
    assert [name for name in KEYS if f"`{name}`" not in TEXT] == []
    assert {*inspect.signature(loadgen.Plan).parameters} == {*KEYS, "target", "file", "settings"}
    unnamed = {"__version__", "Snapshot", "Tally", "Objective", "SearchEnded", "Compared", "Event"}
    assert [name for name in loadgen.__all__ if name not in TEXT and name not in unnamed] == []
