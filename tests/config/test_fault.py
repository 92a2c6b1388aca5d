"""[[fault]]: the keys it takes, the faults it comes to, and what is refused."""

from pathlib import Path

import jsonschema
import pytest
from config_problems import found, problem, problems

from loadgen.config import dump, faults, json_schema, load
from loadgen.config.tables.fault import FaultTable
from loadgen.faults.fault import Fault, Layer
from loadgen.faults.kinds import ROWS, Measure

MS = 10**6
S = 10**9

TARGET = '[connection]\nconnections = 3\n[target]\nendpoints = ["127.0.0.1:1", "127.0.0.1:2", "127.0.0.1:3"]\n'


def faulty(text: str, rest: str = "") -> str:
    return f"{TARGET}{rest}[[fault]]\n{text}\n"


def read(tmp_path: Path, text: str, seed: int = 1) -> tuple[Fault, ...]:
    path = tmp_path / "bench.toml"
    path.write_text(text)
    return faults(load(path).fault, seed)


# ── What it comes to ────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_kind_alone_is_a_fault_on_every_node_for_the_whole_window(tmp_path: Path) -> None:
    [fault] = read(tmp_path, faulty('kind = "kill"'))
    assert (fault.kind, fault.layer, fault.on, fault.at_ns, fault.for_ns, fault.times) == (
        "kill", Layer.PROCESS, (), 0, 0, 1,
    )  # fmt: skip


def test_every_key_comes_to_its_field(tmp_path: Path) -> None:
    keys = 'on = [3, 1]\nat = "10s"\nfor = "1s"\nevery = "5s"\ntimes = 3\nstagger = "500ms"\nseed = 7\ndelay = "20ms"'
    [fault] = read(tmp_path, faulty(f'kind = "latency"\nlayer = "proxy"\n{keys}'))
    assert fault == Fault(
        "latency", Layer.PROXY, on=(3, 1), at_ns=10 * S, for_ns=S, every_ns=5 * S, times=3, stagger_ns=500 * MS,
        parameters={"delay": 20 * MS, "jitter": 0, "stream": "downstream", "toxicity": 1.0}, seed=7,
    )  # fmt: skip


@pytest.mark.parametrize(("written", "on"), [('"all"', ()), ("2", (2,)), ("[1, 2]", (1, 2))])
def test_nodes_are_a_number_several_or_all(tmp_path: Path, written: str, on: tuple[int, ...]) -> None:
    assert read(tmp_path, faulty(f'kind = "down"\non = {written}'))[0].on == on


def test_a_kind_has_several_names(tmp_path: Path) -> None:
    for name in ("packet_loss", "packet-loss", "loss"):
        assert read(tmp_path, faulty(f'kind = "{name}"'))[0].kind == "loss"


def test_seeds_are_drawn_from_the_runs_and_differ_from_fault_to_fault(tmp_path: Path) -> None:
    twice = faulty('kind = "loss"\n[[fault]]\nkind = "loss"')
    first, second = read(tmp_path, twice, seed=1)
    assert first.seed != second.seed
    assert [fault.seed for fault in read(tmp_path, twice, seed=1)] == [first.seed, second.seed]
    assert read(tmp_path, twice, seed=2)[0].seed != first.seed


def test_faults_are_written_out_as_they_are_read(tmp_path: Path) -> None:
    path, again = tmp_path / "bench.toml", tmp_path / "again.toml"
    path.write_text(faulty('kind = "latency"\non = [1, 2]\nat = "1s"\ndelay = "20ms"\njitter = "5ms"'))
    again.write_text(dump(load(path)))
    assert load(again).fault == load(path).fault


def test_faults_can_be_set_on_the_command_line_and_taken_away() -> None:
    settings = load(None, ['fault=[{kind="kill", at="1s"}]'], {"target.endpoints": ["127.0.0.1:1"]})
    assert [fault.kind for fault in settings.fault] == ["kill"]
    assert load(None, ['fault=[{kind="kill"}]', "fault=[]"], {"target.endpoints": ["127.0.0.1:1"]}).fault == ()


# ── The kinds' parameters ───────────────────────────────────────────────────────────────────────────────────────────


def test_the_table_has_the_parameters_of_all_kinds_and_no_other() -> None:
    own = {"kind", "layer", "on", "at", "lasts", "every", "times", "stagger", "seed"}
    assert set(FaultTable.model_fields) - own == {its.name for row in ROWS for its in row.parameters}
    assert not own & {its.name for row in ROWS for its in row.parameters}


SPELT = {
    Measure.DURATION: ('"150ms"', 150 * MS),
    Measure.SHARE: ('"25%"', 0.25),
    Measure.RATE: ('"64KB"', 64_000),
    Measure.SIZE: ('"2MiB"', 2 << 20),
    Measure.COUNT: ("7", 7),
}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_each_parameter_is_spelt_as_its_measure(tmp_path: Path, row: object) -> None:
    from loadgen.faults.kinds import Kind

    assert isinstance(row, Kind)
    values = {
        its.name: (f'"{its.words[-1]}"', its.words[-1]) if its.measure is Measure.WORD else SPELT[its.measure]
        for its in row.parameters
    }
    lines = "\n".join(f"{name} = {spelt}" for name, (spelt, _) in values.items())
    [fault] = read(tmp_path, faulty(f'kind = "{row.name}"\n{lines}'))
    assert fault.layer is row.layer
    assert fault.parameters == {name: value for name, (_, value) in values.items()}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_a_kinds_defaults_are_within_its_own_bounds(row: object) -> None:
    from loadgen.faults.kinds import Kind

    assert isinstance(row, Kind)
    for its in row.parameters:
        if its.measure is Measure.WORD:
            assert its.default in its.words
        else:
            assert isinstance(its.default, int | float)
            assert isinstance(its.least, int | float)
            assert its.default >= its.least


# ── What is refused ─────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ('kind = "kil"', '6:1: fault[0].kind: there is no kind of fault "kil"; did you mean "kill"?'),
        ("at = 1", "5:3: fault[0].kind: is missing from [[fault]]; add it"),
        (
            'kind = "pause"\ndelay = "1ms"',
            '7:1: fault[0].delay: is no parameter of the kind "pause"; it has none of its own',
        ),
        (
            'kind = "reorder"\njitter = "1ms"',
            '7:1: fault[0].jitter: is no parameter of the kind "reorder"; its parameters are probability, delay, '
            "direction",
        ),
        ('kind = "loss"\nprobabilty = 1', "7:1: fault[0].probabilty: unknown key; did you mean probability?"),
        (
            'kind = "kill"\nlayer = "net"',
            '7:1: fault[0].layer: "kill" is a fault of the process layer; write layer = "process", or leave it out',
        ),
        (
            'kind = "loss"\nprobability = 1.5',
            "7:1: fault[0].probability: is not a share; write a number from 0 to 1, such as 0.1, or a percentage, such "
            'as "10%"',
        ),
        ('kind = "throttle"\nrate = 100', "7:1: fault[0].rate: must be at least 1000 for throttle, not 100"),
        (
            'kind = "kill"\non = 0',
            '7:1: fault[0].on: must be the number of a node, such as 1, or several, such as [1, 2], or "all"; in '
            'a cluster that loadgen starts, also a role, such as "master 1"',
        ),
        ('kind = "kill"\non = [1, 1]', "7:1: fault[0].on: names a node twice; name it once"),
        (
            'kind = "kill"\non = 4',
            "7:1: fault[0].on: there are 3 nodes, and no node 4; name nodes that target.endpoints has, or "
            "[target.server]",
        ),
        (
            'kind = "kill"\nat = "60s"',
            "7:1: fault[0].at: the fault would begin after 1m, and the measurement lasts 1m; let it begin sooner, or "
            "make general.duration longer",
        ),
        (
            'kind = "kill"\nat = "10s"\nfor = "1s"\nevery = "20s"\ntimes = 4',
            "7:1: fault[0].at: the fault would begin after 70s, and the measurement lasts 1m; let it begin sooner, or "
            "make general.duration longer",
        ),
        (
            'kind = "kill"\ntimes = 2',
            '7:1: fault[0].times: takes a time between two beginnings; add one, such as every = "10s"',
        ),
        (
            'kind = "kill"\nfor = "5s"\nevery = "5s"\ntimes = 2',
            "9:1: fault[0].times: comes again after 5s, and the fault must have ended by then; write a shorter time in "
            "for",
        ),
        (
            'kind = "delay"\njitter = "1s"',
            "5:3: fault[0]: its jitter, 1s, is longer than its delay, 100ms, and no packet comes before it was sent; "
            "make the jitter shorter",
        ),
    ],
)
def test_a_wrong_fault_is_one_sentence_at_its_place(tmp_path: Path, text: str, sentence: str) -> None:
    assert problem(tmp_path, faulty(text)) == f"bench.toml:{sentence}"


def test_faults_and_what_gives_no_length_of_time_contradict_each_other(tmp_path: Path) -> None:
    assert found(tmp_path, faulty('kind = "kill"', "[general]\nrequests = 1000\n")) == [
        ("7:3: fault", "no-known-length")
    ]
    assert found(tmp_path, faulty('kind = "kill"', "[workload.saturation_search]\n")) == [
        ("6:3: fault", "faults-in-a-search")
    ]


def test_all_problems_of_several_faults_are_found_at_once(tmp_path: Path) -> None:
    said = problems(tmp_path, faulty('kind = "kil"\n[[fault]]\nkind = "kill"\non = "none"\nat = "soon"'))
    assert [words.split(": ")[1] for words in said] == ["fault[0].kind", "fault[1].on", "fault[1].at"]


def test_the_json_schema_agrees_with_what_loads() -> None:
    accepted = jsonschema.Draft202012Validator(json_schema())
    good: dict[str, object] = {"fault": [{"kind": "latency", "on": [1, 2], "at": "10s", "for": 5, "delay": "100ms"}]}
    assert accepted.is_valid(good)
    for bad in ({"on": 1}, {"kind": "kill", "on": 0}, {"kind": "kill", "stream": "up"}, {"kind": "kill", "speed": 1}):
        assert not accepted.is_valid({"fault": [bad]})
