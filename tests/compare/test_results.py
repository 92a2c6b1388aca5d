"""Earlier result files: their values, and the sentence about a file that has none."""

from __future__ import annotations

import codecs
import json
from pathlib import Path
from typing import Any

import constructed_comparisons
import pytest

from loadgen.compare.results import read
from loadgen.compare.shape import Shape
from loadgen.errors import UsageError
from loadgen.record import encode

CONFIG = {"type": "config", "host": "box: 2 × CPU", "server": "redis 7.0.15", "loop": "closed"}


def result(throughput: float = 1000.0, **more: Any) -> dict[str, Any]:
    response = {"p50_ns": 50_000, "p99_ns": 90_000, "p999_ns": 200_000}
    return {
        "type": "result",
        "ts": "2026-11-21T10:00:00.000000Z",
        "loop": "closed",
        "throughput": throughput,
        "latency": {"all": {"response": response}},
        "server": {"cpu_us_per_request": 4.5, "max_rss_bytes": 3_000_000},
        "verdict": {"valid": True},
        **more,
    }


def written(folder: Path, *records: object, name: str = "result.json") -> Path:
    path = folder / name
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return path


def test_a_closed_loop_says_throughput_and_no_latency(tmp_path: Path) -> None:
    found = read(written(tmp_path, CONFIG, result(1000.0)))
    assert found.values == ({"throughput": 1000.0},)
    assert found.rate_per_s == 0
    assert (found.candidate.name, found.candidate.kind) == ("result", "results")
    assert (found.candidate.host, found.candidate.identity) == ("box: 2 × CPU", "redis 7.0.15")
    assert found.candidate.taken == "2026-11-21T10:00:00.000000Z"


def test_an_open_loop_says_latency_at_its_rate_and_no_throughput(tmp_path: Path) -> None:
    found = read(written(tmp_path, {**CONFIG, "ratelimit": 5000}, result(loop="open")))
    assert found.values[0] == {"p50": 5e4, "p99": 9e4, "p999": 2e5, "server_cpu": 4500.0}
    assert found.rate_per_s == 5000


def test_every_result_of_a_file_is_a_round(tmp_path: Path) -> None:
    found = read(written(tmp_path, CONFIG, result(1.0), CONFIG, result(2.0), result(3.0)))
    assert [values["throughput"] for values in found.values] == [1.0, 2.0, 3.0]


def test_a_result_without_a_watched_server_has_the_rest(tmp_path: Path) -> None:
    [values] = read(written(tmp_path, {**CONFIG, "ratelimit": 5000}, result(loop="open", server=None))).values
    assert set(values) == {"p50", "p99", "p999"}


def test_an_invalid_result_says_nothing(tmp_path: Path) -> None:
    [values] = read(written(tmp_path, CONFIG, result(verdict={"valid": False}))).values
    assert values == {}


def test_of_a_comparison_the_candidate_is_taken(tmp_path: Path) -> None:
    record = {
        "type": "comparison",
        "ts": "2026-11-21T10:00:00.000000Z",
        "host": "box",
        "b": {"name": "new", "identity": "redis 7.2"},
        "rate_per_s": 6000,
        "rounds": [
            {"a": {"throughput": 1.0}, "b": {"throughput": 2.0, "p99": 3.0}},
            {"a": {"throughput": 1.0}, "b": {"throughput": 4.0, "p99": None}},
        ],
    }
    found = read(written(tmp_path, record))
    assert found.values == ({"throughput": 2.0, "p99": 3.0}, {"throughput": 4.0})
    assert (found.rate_per_s, found.candidate.identity) == (6000, "redis 7.2")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "has no result"),
        ("nonsense\n", ":1: is no record"),
        ("[1]\n", ":1: is no record"),
        ('{"type": 3}\n', ":1: is no record"),
        ("[" * 100_000, ":1: is no record"),
        (json.dumps(CONFIG), "has no result"),
        ('{"type": "result"}\n', "not as loadgen writes it"),
        (json.dumps(result(verdict=None)), "not as loadgen writes it"),
        (json.dumps(result(throughput="quick")), "not as loadgen writes it"),
        (json.dumps({"type": "comparison", "rounds": 3}), "not as loadgen writes it"),
    ],
)
def test_what_is_no_result_file_is_said_in_a_sentence(content: str, words: str, tmp_path: Path) -> None:
    path = tmp_path / "bad.json"
    path.write_text(content)
    with pytest.raises(UsageError, match=words):
        read(path)


def test_a_file_that_cannot_be_read_is_said_to_be_so(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        read(tmp_path / "none.json")
    (tmp_path / "latin.json").write_bytes(b"\xff\n")
    with pytest.raises(UsageError, match=":1: is no record"):
        read(tmp_path / "latin.json")
    (tmp_path / "odd.json").write_bytes(b"\xff\xfe\n")
    with pytest.raises(UsageError, match="begins like UTF-16, and is none"):
        read(tmp_path / "odd.json")


MARKS = {"utf-8": codecs.BOM_UTF8, "utf-16-le": codecs.BOM_UTF16_LE, "utf-16-be": codecs.BOM_UTF16_BE}


@pytest.mark.parametrize("encoding", MARKS)
def test_a_baseline_that_a_shell_redirected_is_the_same_baseline(encoding: str, tmp_path: Path) -> None:
    """As PowerShell does it: with a byte order mark, and line ends of Windows. The file has a gate's comparison."""
    line = b"".join(map(encode, constructed_comparisons.gate_failed())).decode()
    plain, redirected = tmp_path / "plain" / "gate.json", tmp_path / "redirected" / "gate.json"
    for path, data in (
        (plain, line.encode()),
        (redirected, MARKS[encoding] + line.replace("\n", "\r\n").encode(encoding)),
    ):
        path.parent.mkdir()
        path.write_bytes(data)
    assert read(redirected) == read(plain)
    assert len(read(redirected).values) > 1


def test_results_of_two_rates_or_two_machines_are_not_of_one_thing(tmp_path: Path) -> None:
    opened = result(loop="open")
    with pytest.raises(UsageError, match=r"different rates \(1000, 2000/s\)"):
        read(written(tmp_path, {**CONFIG, "ratelimit": 1000}, opened, {**CONFIG, "ratelimit": 2000}, opened))
    with pytest.raises(UsageError, match="two machines"):
        read(written(tmp_path, CONFIG, result(), {**CONFIG, "host": "another"}, result()))
    with pytest.raises(UsageError, match="two servers"):
        read(written(tmp_path, CONFIG, result(), {**CONFIG, "server": "redis 7.2"}, result()))


LOAD = {"conns": 50, "pipeline": 1, "weights": {"get": 80, "set": 20, "delete": 0}, "prefill": True, "loop": "closed"}


def test_results_say_under_which_load_they_were_taken(tmp_path: Path) -> None:
    found = read(written(tmp_path, {**CONFIG, **LOAD, "arrival": "constant", "duration_secs": 3.0}, result()))
    assert found.candidate.shape.record() == {key: LOAD[key] for key in ("conns", "pipeline", "weights", "prefill")}
    opened = {**CONFIG, **LOAD, "loop": "open", "arrival": "constant", "ratelimit": 5}
    assert read(written(tmp_path, opened, result(loop="open"))).candidate.shape.arrival == "constant"
    compared = {"type": "comparison", "ts": "2026", "host": "box", "rate_per_s": 0, "rounds": [{"a": {}, "b": {}}]}
    record = {**compared, "b": {"name": "b", "identity": None, "load": {"conns": 7}}}
    assert read(written(tmp_path, record)).candidate.shape == Shape(conns=7)


def test_results_of_two_loads_are_not_of_one_thing(tmp_path: Path) -> None:
    one, ratio = {**CONFIG, **LOAD}, {"get": 8, "set": 2, "delete": 0}
    assert len(read(written(tmp_path, one, result(), {**one, "weights": ratio}, result())).values) == 2
    other = {**one, "conns": 100, "weights": {"get": 1, "set": 1, "delete": 0}, "prefill": False}
    words = "two loads .conns 50, not 100; weights 80% get / 20% set, not 50% get / 50% set; prefill true, not false.:"
    with pytest.raises(UsageError, match=words):
        read(written(tmp_path, one, result(), other, result()))


def test_a_rate_that_changed_is_not_one_to_compare_latency_at(tmp_path: Path) -> None:
    ramp = {**CONFIG, "ratelimit": 500, "profile": [{"from_per_s": 0, "to_per_s": 1000}]}
    with pytest.raises(UsageError, match="rate changed"):
        read(written(tmp_path, ramp, result(loop="open")))


def test_comparisons_of_two_candidates_are_not_of_one_thing(tmp_path: Path) -> None:
    first = {"type": "comparison", "ts": "2026", "host": "box", "b": {"name": "b", "identity": None}, "rate_per_s": 0}
    first["rounds"] = [{"a": {"throughput": 1.0}, "b": {"throughput": 2.0}}]
    second = {**first, "b": {"name": "c", "identity": None}}
    with pytest.raises(UsageError, match="b and c"):
        read(written(tmp_path, first, second))
