"""Recorded soaks of healthy servers, ten minutes each, judged again: at most one of twenty fails.

`make soaks` recorded them (benchmark/README.md): their series have what real servers do while nothing leaks.
"""

from __future__ import annotations

import importlib.util
import json
import lzma
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
from in_process import invoked
from places import ROOT

from loadgen.soak.folder import RUN, SAMPLES

FOLDER = ROOT / "tests" / "soak" / "recorded"
RECORDED = sorted(each.parent for each in FOLDER.glob(f"*/{RUN}"))
FEW = RECORDED[::20]
"""One of memcached, and one of redis-server."""

DOCUMENT = (ROOT / "docs" / "SOAK.md").read_text(encoding="utf-8")
SECTION = DOCUMENT.split("## How often real servers fail")[1].split("\n## ")[0]


@pytest.fixture(scope="module")
def soaks() -> Iterator[ModuleType]:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(ROOT / "benchmark")
        # tests/support has a module of this name.
        spec = importlib.util.spec_from_file_location("benchmark_soaks", ROOT / "benchmark" / "soaks.py")
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        patch.setitem(sys.modules, spec.name, module)
        spec.loader.exec_module(module)
        yield module


def test_there_are_forty_recorded_soaks_of_less_than_five_megabytes() -> None:
    kinds = [run.name.rpartition("-")[0] for run in RECORDED]
    assert (len(kinds), kinds.count("redis"), kinds.count("memcached")) == (40, 20, 20)
    assert sum(file.stat().st_size for run in RECORDED for file in run.iterdir()) < 5_000_000
    for run in RECORDED:
        recorded = json.loads((run / RUN).read_text("utf-8"))
        assert recorded["argv"][recorded["argv"].index("--duration") + 1] == "600s"
        assert int(recorded["argv"][recorded["argv"].index("--rate") + 1]) <= 500


@pytest.mark.parametrize("run", FEW, ids=lambda run: run.name)
def test_a_healthy_server_passes(run: Path, soaks: ModuleType) -> None:
    found = soaks.judged(run)
    assert (found.answer, found.wrong) == ("pass", ())
    assert {"proc.rss", "proc.fds", "proc.threads"} <= {*found.grades}
    assert {soaks.grade(*each) for each in found.grades.values()} == {"below warn"}


@pytest.mark.parametrize(("per_min", "status", "grade"), [(40, 1, "red"), (20, 0, "warn"), (4, 0, "target")])
def test_a_leak_that_is_added_to_a_recorded_soak_is_found(
    per_min: float, status: int, grade: str, tmp_path: Path
) -> None:
    """The control: the same series with descriptors that are opened and kept."""
    run = tmp_path / "run"
    shutil.copytree(FEW[0], run)
    packed = run / f"{SAMPLES}.xz"
    with (run / SAMPLES).open("w", encoding="utf-8") as samples:
        at = 0
        for line in lzma.decompress(packed.read_bytes()).splitlines():
            match json.loads(line):
                case {"names": names}:
                    at = names.index("proc.fds") + 1
                case [t_s, *_] as row:
                    if row[at] is not None:
                        row[at] += int((t_s + 60) * per_min / 60)
                    line = json.dumps(row).encode()
            samples.write(line.decode() + "\n")
    packed.unlink()
    done = invoked("soak", "--replay", str(run), "--format", "json")
    assert done.status == status, done.stderr
    (fds,) = (each for each in json.loads(done.stdout)["judged"]["graded"] if each["series"] == "proc.fds")
    assert (fds["best"], fds["worst"]) == (grade, grade)
    assert fds["per_min"] == pytest.approx(per_min, rel=0.02)


@pytest.mark.law
@pytest.mark.timeout(900)
def test_at_most_one_of_twenty_recorded_soaks_of_healthy_servers_fails(soaks: ModuleType) -> None:
    found = soaks.replayed(FOLDER)
    assert sum(each.answer == "FAIL" for each in found) <= soaks.MOST_RED * len(found)
    assert "\n".join(soaks.table(found)) in SECTION, "the document has the tables"
