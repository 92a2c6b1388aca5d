"""The report of a soak from its run folder: every field of the templates is filled, and the pictures are there."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any
from urllib.parse import unquote
from xml.etree import ElementTree

import pytest
from in_process import invoked
from run_folders import run_folder, run_that_passed
from soaks import SERIES, asked, column

from loadgen.errors import ExitCode
from loadgen.judge.check import Check, Level
from loadgen.soak.found import End, GapSeen, How, RestartSeen, Totals

PEER = "tcp to 10.0.0.7:443, established +200"
GOOD = Totals(
    300,
    {
        "requests": Fraction(150_000),
        "errors": Fraction(0),
        "opened": Fraction(20),
        "throughput": Fraction(500, 10**9),
        "p50": Fraction(2_000_000),
    },
)
OF = replace(
    asked(duration_s=300, checkpoint_s=20, settle_s=30, series=SERIES),
    checks=(Check("growth(fds) < 5/min"), Check("max(threads) < 10", Level.NICE)),
)


def values(leak_per_min: float = 0.0) -> Any:
    def at(t: float) -> dict[str, float]:
        return {
            "proc.fds": 22 + math.floor(max(0.0, t) * leak_per_min / 60) + (int(t) * 7919 % 11 == 0),
            "proc.threads": 4,
            "proc.rss": 16_600_000 + 4096 * (int(t) * 7919 % 13),
            "redis.used_memory": 5_200_000 + 64 * (int(t) * 7919 % 17),
            "pool.idle": 8 + int(t) % 3,
            "health.healthy": 1,
            "load.requests": 500,
            "load.errors": 0,
            "load.throughput": 500.0 + int(t) * 7919 % 5,
            "load.p99": 2_000_000 + 1000 * (int(t) * 7919 % 23),
        }

    return at


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return run_folder(tmp_path_factory.mktemp("good") / "run", OF, values(), totals=GOOD)


@pytest.fixture(scope="module")
def leaking(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return run_folder(
        tmp_path_factory.mktemp("leaking") / "run",
        OF,
        values(40),
        totals=GOOD,
        gaps=(GapSeen("redis", 70.0, "no answer"),),
        restarts=(RestartSeen("redis", 130.0, "run_id a", "run_id b"),),
        named={"proc.fds": PEER},
    )


def reported(run: Path, *more: str) -> str:
    done = invoked("report", str(run), *more)
    assert (done.status, done.stderr) == (ExitCode.YES, "")
    return done.stdout


def test_every_field_of_the_users_template_is_filled(good: Path) -> None:
    text = reported(good, "--template", "soak.md")
    assert text == (good / "soak.md").read_text("utf-8")
    for line in (
        "**Date:** 2025-11-07",
        "**Duration:** 5 minutes",
        "| FDs | 22 | 22 | +0 | 0/min | &lt;5/min | ✅ |",
        "| Requests | 0 | 150,000 | +150,000 | - | - | ✅ |",
        "- Total Requests: 150,000",
        "- Restarts: 0 ✅",
        "- Crashes: 0 ✅",
        "- Errors: 0 ✅",
        "- Uptime: 5 minutes ✅",
        "✅ PASS",
    ):
        assert line in text.splitlines(), line
    assert re.search(r"^\*\*Baseline:\*\* FD=22, THREADS=4,", text, re.M)
    assert re.search(r"^- Idle Connections: 9(\.\d+)? \(avg\)$", text, re.M)
    assert re.search(r"^- Active Connections: 1 \(avg\)$", text, re.M), "500/s × 2 ms are one in flight"
    assert re.search(r"^- Estimated Reuse Rate: 99\.\d+ %, good", text, re.M)
    assert re.search(r"^- \[x\] full duration \(5m of 5m\)$", text, re.M)
    assert re.search(r"^- \[x\] FDs growth &lt;2/min \(exceptional\)", text, re.M)
    # Nothing that a template asked for is missing.
    assert not re.search(r"(\(|: |\| )(None|)(\)| \||$)", text, re.M), text


def test_a_leak_is_a_cross_a_reason_and_a_name(leaking: Path) -> None:
    text = reported(leaking, "--template", "soak.md")
    assert re.search(r"^\| FDs \| 22 \| 2\d\d \| \+\d+ \| 4\d(\.\d)?/min \| &lt;5/min \| ❌ \|$", text, re.M)
    assert "❌ FAIL" in text.splitlines()
    assert "- Restarts: 1 ❌" in text.splitlines()
    assert re.search(r"^- \[ \] FDs growth not above 30/min \(.*10\.0\.0\.7:443", text, re.M)
    own = reported(leaking)
    assert own == (leaking / "report.md").read_text("utf-8")
    assert f"- FDs: {PEER}" in own.splitlines()
    assert "redis was not read: no answer" in own


def test_what_cannot_be_told_of_loadgen_itself_is_in_the_table_and_no_reason(tmp_path: Path) -> None:
    of = replace(OF, series={**SERIES, "self.tasks": column("tasks")}, kinds={**OF.kinds, "self": "self"})

    def rarely(t: float) -> dict[str, float]:
        return {**values()(t), **({"self.tasks": 3} if t % 20 == 0 else {})}

    text = reported(run_folder(tmp_path / "run", of, rarely, totals=GOOD))
    assert re.search(r"^\| Tasks of self \| 3 \| 3 \| \+0 \| - \| - \|.*\| \? \| ❓ \|$", text, re.M)
    assert "Nothing was found that speaks against it." in text


def test_the_pictures_are_those_that_the_report_shows(leaking: Path) -> None:
    # Markdown's escapes.
    shown = [file.replace("\\", "") for file in re.findall(r"^!\[.*?\]\((.*?)\)$", reported(leaking), re.M)]
    assert "plots/proc.fds.svg" in shown
    for file in shown:
        ElementTree.parse(leaking / file)
    fds = (leaking / "plots" / "proc.fds.svg").read_text("utf-8")
    assert "red 30/min" in fds
    assert fds.count("restart-line") >= 2, "in the picture, and in its legend"
    names = {path.stem for path in (leaking / "plots").iterdir()}
    assert names == {name for name in SERIES if name in values()(0)}


def test_links_lead_from_where_the_report_is_written(good: Path, tmp_path: Path) -> None:
    out = tmp_path / "deep" / "results.md"
    out.parent.mkdir()
    assert reported(good, "-o", str(out)) == ""
    file = re.findall(r"^!\[.*?\]\((.*?)\)$", out.read_text("utf-8"), re.M)[0].replace("\\", "")
    assert (out.parent / file).resolve() == (good / "plots" / Path(file).name).resolve()


def test_a_link_has_no_character_that_ends_it(tmp_path: Path) -> None:
    run = run_that_passed(tmp_path / "run (2) of friday")
    out = tmp_path / "results.md"
    reported(run, "-o", str(out))
    files = re.findall(r"^!\[.*?\]\((.*?)\)$", out.read_text("utf-8"), re.M)
    assert files
    for file in files:
        assert not set(file) & set(" ()")
        assert (tmp_path / unquote(file.replace("\\", ""))).exists()


def test_a_report_is_not_taken_for_its_template_nor_written_over_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = run_that_passed(tmp_path / "run")
    monkeypatch.chdir(run)
    for arguments in ([], ["--template", "soak.md"]):
        assert reported(Path(), *arguments) == reported(Path(), *arguments)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "report.md").write_text("{{ verdict }}")
    assert reported(run).startswith("# Soak: ")
    assert reported(run, "--template", "report.md") == "PASS"
    mine = run / "mine.md"
    mine.write_text("{{ verdict }}")
    done = invoked("report", str(run), "--template", str(mine))
    assert (done.status, mine.read_text()) == (ExitCode.USAGE, "{{ verdict }}")
    assert "written over its template" in done.stderr


def test_a_soak_that_was_killed_has_a_report_of_what_there_is(tmp_path: Path) -> None:
    run = run_folder(tmp_path / "run", OF, values(), totals=GOOD, until_s=150, ends=None)
    text = reported(run, "--template", "soak.md")
    assert "**Duration:** 2 minutes 30 seconds" in text
    assert "❓ CAN'T TELL" in text
    assert re.search(r"^- \[ \] full duration", text, re.M)


def test_a_crash_is_counted(tmp_path: Path) -> None:
    run = run_folder(
        tmp_path / "run", OF, values(), totals=GOOD, until_s=60, ends=lambda _: End(How.CRASHED, 60, "redis ended")
    )
    text = reported(run, "--template", "soak.md")
    assert "- Crashes: 1 ❌" in text.splitlines()
    assert "- Uptime: 1 minute ❌" in text.splitlines()


def test_a_template_of_the_users_own_has_all_fields_and_its_mistakes_are_said(good: Path, tmp_path: Path) -> None:
    mine = tmp_path / "mine.txt"
    mine.write_text("{{ target }}|{{ rows[0].series }}|{{ must|length > 3 }}")
    assert reported(good, "--template", str(mine)) == "redis 7.2.4 at 127.0.0.1:6379|proc.fds|True"
    mine.write_text("\n{{ baselin }}")
    done = invoked("report", str(good), "--template", str(mine))
    assert done.status == ExitCode.USAGE
    assert f'{mine}:2: there is no field "baselin"; did you mean baseline?' in done.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["{empty}"], "is no run folder of a soak: it has no run.json"),
        (["{good}", "--format", "json"], "--format is for a file of results"),
        (["{good}", "--template", "/nope.md"], "/nope.md: cannot be read"),
        (["{good}", "--color", "never"], "--color is for a file of results"),
        (["{good}", "-o", "{good}/run.json"], "written over the soak's run.json"),
        (["{good}/run.json", "--template", "soak.md"], "--template is for the run folder of a soak"),
    ],
)
def test_what_is_no_report_is_refused(arguments: list[str], words: str, good: Path, tmp_path: Path) -> None:
    done = invoked("report", *(each.format(good=good, empty=tmp_path) for each in arguments))
    assert (done.status, done.stdout) == (ExitCode.USAGE, "")
    assert words in done.stderr
    assert len(done.stderr.splitlines()) == 1
