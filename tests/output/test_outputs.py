"""Several outputs at once: a terminal beside a file for the results and a file for the JSON records."""

from __future__ import annotations

import contextlib
import fcntl
import io
import os
import re
from pathlib import Path

import pytest
from constructed_comparisons import COMPARISONS, GATES
from constructed_events import RUNS
from constructed_smokes import matrix
from in_process import invoked
from rendered import ALL

from loadgen import output
from loadgen.errors import OutputError, UsageError
from loadgen.output import FORMATS, Wanted, create

PEOPLE = ("clean", "verbose", "quiet")


class Stdout(io.TextIOWrapper):
    """Standard output of a test: what was written to it, and whether it takes any more."""

    def __init__(self) -> None:
        super().__init__(io.BytesIO(), encoding="utf-8")

    @property
    def text(self) -> str:
        taken = self.buffer
        assert isinstance(taken, io.BytesIO)
        return taken.getvalue().decode()


@pytest.fixture
def stdout() -> Stdout:
    return Stdout()


def printed(format: str, run: str = "closed_loop") -> str:
    stream = io.StringIO()
    one = create(format, stream)
    for event in RUNS[run]():
        one.emit(event)
    return stream.getvalue()


def told(stdout: io.TextIOWrapper, format: str, **files: str | None) -> None:
    with contextlib.redirect_stdout(stdout), output.opened(Wanted(format, **files)) as outputs:
        for event in RUNS["closed_loop"]():
            outputs.emit(event)


@pytest.mark.parametrize(
    ("format", "shown"), [("clean", "clean"), ("quiet", "quiet"), ("verbose", "verbose"), ("json", "clean")]
)
def test_a_file_has_the_format_and_standard_output_is_for_people(
    format: str, shown: str, stdout: Stdout, tmp_path: Path
) -> None:
    told(stdout, format, file=str(tmp_path / "results"))
    assert (tmp_path / "results").read_text(encoding="utf-8") == printed(format)
    assert stdout.text == printed(shown)


@pytest.mark.parametrize("format", FORMATS)
def test_json_goes_to_its_file_beside_any_format(format: str, stdout: Stdout, tmp_path: Path) -> None:
    told(stdout, format, json=str(tmp_path / "results.json"))
    assert (tmp_path / "results.json").read_text(encoding="utf-8") == printed("json")
    assert stdout.text == printed(format)


def test_three_outputs_at_once(stdout: Stdout, tmp_path: Path) -> None:
    told(stdout, "verbose", file=str(tmp_path / "log"), json=str(tmp_path / "json"))
    assert (tmp_path / "log").read_text(encoding="utf-8") == stdout.text == printed("verbose")
    assert (tmp_path / "json").read_text(encoding="utf-8") == printed("json")


@pytest.mark.parametrize("options", [{"json": "-"}, {"file": "-"}, {}])
def test_a_dash_is_standard_output_alone(options: dict[str, str], stdout: Stdout) -> None:
    told(stdout, "quiet", **options)
    assert stdout.text == printed("json" if options.get("json") else "quiet")


def test_two_options_may_not_name_one_file(stdout: Stdout, tmp_path: Path) -> None:
    path = str(tmp_path / "results")
    with pytest.raises(UsageError, match=re.escape(f"-o and --json both name {path}")):
        told(stdout, "clean", file=path, json=path)
    assert not (tmp_path / "results").exists()


def test_standard_output_that_gives_out_costs_no_result_in_a_file(
    stdout: Stdout, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stdout.close()
    told(stdout, "json", file=str(tmp_path / "results"))
    assert (tmp_path / "results").read_text(encoding="utf-8") == printed("json")
    with pytest.raises(OutputError, match="standard output"):
        told(stdout, "json")

    class Full(io.RawIOBase):
        def writable(self) -> bool:
            return True

        def write(self, data: object) -> int:
            raise OSError(28, "No space left on device")

    told(io.TextIOWrapper(io.BufferedWriter(Full())), "json", file=str(tmp_path / "more"))
    assert (tmp_path / "more").read_text(encoding="utf-8") == printed("json")
    complaint = "loadgen: results could not be written to standard output: No space left on device"
    assert capsys.readouterr().err == f"{complaint}; the results are in {tmp_path / 'more'}\n"


def test_a_matrix_keeps_the_loads_of_its_tests_to_itself(stdout: Stdout, tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    began, *tests = matrix()
    with contextlib.redirect_stdout(stdout), output.opened(Wanted("clean", json=str(path))) as outputs:
        for event in [began, *RUNS["closed_loop"](), *tests]:
            outputs.emit(event)
    types = re.findall(r'^{"type":"(\w+)"', path.read_text(encoding="utf-8"), re.MULTILINE)
    assert types == ["smoke"] * len(tests)
    assert "RESULTS" not in stdout.text


def test_a_comparison_shows_its_table_beside_the_json(stdout: Stdout, tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    with contextlib.redirect_stdout(stdout), output.opened(Wanted("clean", json=str(path))) as outputs:
        for event in COMPARISONS["compare_better"]():
            outputs.emit(event)
    assert '"type":"comparison"' in path.read_text(encoding="utf-8")
    assert "COMPARISON" in stdout.text


def test_a_run_shows_a_table_and_keeps_json(tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    short = ("--embedded", "--connections", "1", "--warmup", "0s", "--duration", "100ms")
    done = invoked("run", *short, "--json", str(path))
    assert done.status == 0, done.stderr
    assert "throughput" in done.stdout
    assert re.findall(r'^{"type":"(\w+)"', path.read_text(), re.MULTILINE)[-1] == "result"


def test_two_spellings_of_one_file_are_one_file(stdout: Stdout, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(UsageError, match="both name"):
        told(stdout, "json", file=str(tmp_path / "r.json"), json=str(tmp_path / "folder" / ".." / "r.json"))


def test_a_reader_that_has_seen_enough_of_a_view_is_nothing_to_speak_of(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with open(writer, "w", encoding="utf-8") as gone:  # noqa: PTH123
        told(gone, "clean", json=str(tmp_path / "results.json"))
    assert (tmp_path / "results.json").read_text(encoding="utf-8") == printed("json")
    assert capfd.readouterr().err == ""


def test_a_reader_that_stands_still_does_not_make_a_view_a_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("loadgen.output.paper.sink.PATIENCE_S", 0.05)
    reader, writer = os.pipe()
    fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, 4096)
    os.write(writer, b"x" * 4096)
    with open(writer, "w", encoding="utf-8") as full:  # noqa: PTH123
        told(full, "clean", json=str(tmp_path / "results.json"))
        with pytest.raises(OutputError, match="took nothing"):
            told(full, "clean")
    os.close(reader)
    assert (tmp_path / "results.json").read_text(encoding="utf-8") == printed("json")


def test_a_table_ndjson_and_every_report_at_once(
    stdout: Stdout, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    paths = {kind: str(tmp_path / kind) for kind in ("json", "plot", "junit", "markdown")}
    with contextlib.redirect_stdout(stdout), output.opened(Wanted(annotations=True, **paths)) as outputs:
        for event in GATES["gate_failed"]():
            outputs.emit(event)
    assert "GATE" in stdout.text
    begins = {kind: Path(path).read_text(encoding="utf-8")[:5] for kind, path in paths.items()}
    assert begins == {"json": '{"typ', "plot": "<svg ", "junit": "<?xml", "markdown": "## ❌ "}
    assert capsys.readouterr().err.startswith("::error title=")


class Terminal(Stdout):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("run", "remark"),
    [
        ("closed_loop", ""),
        ("failed", "loadgen: FAILED: 1,000 of 1,500 requests"),
        ("errors_of_all_kinds", "loadgen: A worker's CPU was 99 % busy."),
        ("objectives", "loadgen: SLO BREACHED"),
        ("interrupted", ""),
        ("search_failed", "loadgen: 127.0.0.1:6379 closed all 50 connections."),
        ("search_interrupted", ""),
        ("smoke_failed", "loadgen: crucible-with-a-very-long-name: FAIL: still up: it was killed by SIGSEGV"),
        ("smoke_doubtful", "loadgen: memcached: the generator fell behind"),
        ("gate_failed", ""),
    ],
)
def test_who_does_not_see_the_results_is_told_what_the_exit_status_rests_on(
    run: str, remark: str, capsys: pytest.CaptureFixture[str]
) -> None:
    remarks = []
    for stdout, live in ((Stdout(), True), (Terminal(), True), (Stdout(), False)):
        with contextlib.redirect_stdout(stdout), output.opened(Wanted("json", live=live)) as outputs:
            for event in ALL[run]():
                outputs.emit(event)
        remarks.append(capsys.readouterr().err)
    assert remarks[0].startswith(remark)
    assert bool(remarks[0]) is bool(remark)
    assert remarks[1:] == ["", ""]
