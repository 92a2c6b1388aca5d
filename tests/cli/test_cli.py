"""The command line: where each output goes, which setting wins over which, and the exit statuses."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import socket
import subprocess
import sys
from operator import attrgetter
from pathlib import Path

import jsonschema
import pytest
import tomli
from command import Running
from in_process import invoked
from places import CONFIGS
from real_servers import HOST, RealServer, free_port
from records import check_record
from runs import sets

from loadgen import __version__, config
from loadgen.cli import session
from loadgen.cli.flags import flags_of
from loadgen.cli.main import main
from loadgen.cli.options import parse
from loadgen.cli.verbs import run
from loadgen.errors import UsageError
from loadgen.plan import Plan, Weights
from loadgen.units import NS_PER_S

QUICK_TEST = str(CONFIGS / "quick-test.toml")
SHORT = sets("general.duration=0.1s", "general.warmup=0s", "general.threads=1", "connection.request_timeout=30s")


def plan_of(*arguments: str) -> Plan:
    """The plan that these arguments of `run` make."""
    given = parse(run.SYNTAX, arguments)
    return config.resolve(session.settings_of(given, flags_of(given)))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A file in which everything differs from the defaults."""
    path = tmp_path / "some.toml"
    path.write_text(
        """
        [general]
        duration = "7s"
        threads = 1
        seed = 7
        [target]
        endpoints = ["127.0.0.1:7777"]
        [connection]
        connections = 7
        pipeline_depth = 7
        [workload.commands]
        get = 7
        set = 1
        [workload.values]
        length = 77
        [admin]
        format = "quiet"
        """
    )
    return path


# ── What needs no run ───────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("option", ["--version", "-V"])
def test_version_is_the_packages_on_standard_output(option: str) -> None:
    done = invoked(option)
    assert (done.status, done.stdout, done.stderr) == (0, f"loadgen {__version__}\n", "")


@pytest.mark.parametrize("arguments", [[], ["--help"], ["-h"], ["help"]])
def test_help_names_every_verb_and_exit_status(arguments: list[str]) -> None:
    done = invoked(*arguments)
    assert (done.status, done.stderr) == (0, "")
    for word in ("run", "config", "serve", "--version", "CONFIG", "130  interrupted"):
        assert word in done.stdout


@pytest.mark.parametrize("verb", ["run", "config", "serve"])
def test_each_verb_has_help_of_its_own(verb: str) -> None:
    done = invoked(verb, "--help")
    assert (done.status, done.stderr) == (0, "")
    assert done.stdout.startswith(f"usage: loadgen {verb}")


@pytest.mark.parametrize(
    ("verb", "shown"),
    [
        ("run", "1m, or 10s without CONFIG"),
        ("soak", "(default: 30m)"),
        ("soak", "(default: 20)"),
        ("soak", "1000000, or 10000 without CONFIG"),
        ("stress", "get=50,set=50"),
        ("compare", "1000000, or 100000 without CONFIG"),
        ("gate", "connections in all (default: 1)"),
    ],
)
def test_the_help_of_a_verb_has_its_own_defaults(verb: str, shown: str) -> None:
    assert shown in " ".join(invoked(verb, "--help").stdout.split())


def test_version_imports_nothing_that_it_does_not_need() -> None:
    libraries = [
        "uvloop",
        "asyncio",
        "pydantic",
        "hiredis",
        "rich",
        "hdrh",
        "orjson",
        "tomli",
        "psutil",
        "argparse",
        "loadgen.runner.run",
    ]
    script = (
        "import sys; from loadgen.cli.main import main; main(['--version']); "
        f"print([name for name in {libraries} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[1] == "[]"


# ── Flags, --set and the file ───────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("arguments", "field", "expected"),
    [
        ("-c 12", "wire.connections", 12),
        ("--connections 12", "wire.connections", 12),
        ("-P 5", "wire.pipeline_depth", 5),
        ("--pipeline 5", "wire.pipeline_depth", 5),
        ("-P 5 --batch-size 2", "wire.batch_size", 2),
        ("-P 5 --refill drained", "wire.refill", "drained"),
        ("--duration 90s", "load.duration_ns", 90 * NS_PER_S),
        ("--duration 2m", "load.duration_ns", 120 * NS_PER_S),
        ("--warmup 250ms", "load.warmup_ns", NS_PER_S // 4),
        ("--seed 99", "seed", 99),
        ("--protocol memcache", "target.protocol", "memcache"),
        ("--protocol resp3", "target.protocol", "resp3"),
        ("--rate 1500", "load.rate_per_s", 1500.0),
        ("--rate 0.5", "load.rate_per_s", 0.5),
        ("--mix get=80,set=20", "workload.weights", Weights(get=4, set=1, delete=0)),
        ("--mix get=1,set=2,delete=3", "workload.weights", Weights(get=1, set=2, delete=3)),
        ("--mix set=5", "workload.weights", Weights(get=0, set=1, delete=0)),
        ("--ratio 20:80", "workload.weights", Weights(get=4, set=1, delete=0)),
        ("--ratio 1:0", "workload.weights", Weights(set=1)),
        ("--multi-key-get 5", "workload.weights", Weights(set=1, mget=2)),
        ("--multi-key-get 5", "workload.keys_per_request", 5),
        ("--ratio 1:3 --multi-key-get 5", "workload.keys_per_request", 3),
        ("--ratio 2:3 --multi-key-get 1", "workload.weights", Weights(set=2, get=3)),
        ("--mix mset=1,incr=3", "workload.weights", Weights(mset=1, incr=3)),
        ("--value-length 512", "workload.value_bytes", 512),
        ("--value-length 2KiB", "workload.value_bytes", 2048),
        ("--request-timeout 3s", "wire.request_timeout_ns", 3 * NS_PER_S),
        ("--prefill", "workload.prefill", True),
        ("--backfill", "workload.backfill_on_miss", True),
        ("--password 123456", "target.password", "123456"),
        ("--user bench -a 1e5", "target.password", "1e5"),
        ("--user 0x10 -a p", "target.username", "0x10"),
    ],
)
def test_a_flag_reaches_the_plan(arguments: str, field: str, expected: object, file: Path) -> None:
    # Both without a file and over one.
    assert attrgetter(field)(plan_of(*arguments.split())) == expected
    assert attrgetter(field)(plan_of(str(file), *arguments.split())) == expected


def test_flags_of_the_keyspace_and_of_workers_reach_the_plan() -> None:
    told = plan_of("--threads", "3", "-c", "9", "-r", "5000", "--key-length", "24", "--cpu-list", "0")
    assert [worker.connections for worker in told.workers] == [(3,), (3,), (3,)]
    assert [worker.cpu for worker in told.workers] == [0, 0, 0]
    assert (told.workload.keyspace.count, told.workload.keyspace.length) == (5000, 24)


@pytest.mark.parametrize(
    ("arguments", "endpoint"),
    [
        ("--host 127.0.0.2 --port 7000", "127.0.0.2:7000"),
        ("--port 7000", "127.0.0.1:7000"),
        ("-p 7000", "127.0.0.1:7000"),
        ("--host 127.0.0.2", "127.0.0.2:6379"),
        ("--host 127.0.0.2 --protocol memcache", "127.0.0.2:11211"),
        ("--host ::1 --port 7000", "[::1]:7000"),
    ],
)
def test_host_and_port_are_the_endpoint(arguments: str, endpoint: str, file: Path) -> None:
    assert [str(e) for e in plan_of(*arguments.split()).target.endpoints] == [endpoint]
    assert [str(e) for e in plan_of(str(file), *arguments.split()).target.endpoints] == [endpoint]


def test_set_wins_over_a_flag_and_a_flag_over_the_file(file: Path) -> None:
    assert plan_of(str(file)).wire.connections == 7
    assert plan_of(str(file), "-c", "8").wire.connections == 8
    assert plan_of(str(file), "-c", "8", "--set", "connection.connections=9").wire.connections == 9
    assert plan_of(str(file), "--set", "connection.connections=9", "-c", "8").wire.connections == 9
    assert plan_of("--set", "general.seed=1", "--set", "general.seed=2").seed == 2


def test_what_no_flag_names_stays_as_in_the_file(file: Path) -> None:
    told = plan_of(str(file), "-c", "8")
    assert (told.wire.pipeline_depth, told.seed) == (7, 7)
    assert (told.workload.value_bytes, told.workload.weights) == (77, Weights(get=7, set=1))


def test_set_is_typed_as_toml_and_takes_text_as_it_is() -> None:
    told = plan_of(
        *sets(
            "general.duration=90s",
            "workload.prefill=true",
            "connection.connections=2",
            'target.endpoints=["127.0.0.1:1", "127.0.0.1:2"]',
        )
    )
    assert (told.load.duration_ns, told.workload.prefill, len(told.target.endpoints)) == (90 * NS_PER_S, True, 2)


@pytest.mark.parametrize("ratio", ["80", "80:20:1", "a:b", "-1:2", "1.5:2", ":", ""])
def test_a_ratio_that_is_none_is_refused(ratio: str) -> None:
    with pytest.raises(UsageError, match="SET:GET"):
        plan_of("--ratio", ratio)


# ── loadgen config ──────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("*.toml")), ids=lambda path: path.stem)
def test_the_resolved_config_loads_again_as_the_same(path: Path, tmp_path: Path) -> None:
    done = invoked("config", str(path), "--set", "general.seed=5")
    assert (done.status, done.stderr) == (0, "")
    again = tmp_path / "again.toml"
    again.write_text(done.stdout)
    assert config.resolve(config.load(again)) == config.resolve(config.load(path, ["general.seed=5"]))
    assert invoked("config", str(again)).stdout == done.stdout


def test_the_example_loads_and_is_all_defaults(tmp_path: Path) -> None:
    done = invoked("config", "--example")
    assert (done.status, done.stderr) == (0, "")
    path = tmp_path / "example.toml"
    path.write_text(done.stdout)
    assert config.load(path) == config.load(None)


def test_the_schema_is_a_json_schema_and_what_is_shipped_conforms() -> None:
    done = invoked("config", "--schema")
    assert (done.status, done.stderr) == (0, "")
    schema = json.loads(done.stdout)
    jsonschema.validators.validator_for(schema).check_schema(schema)
    for path in CONFIGS.glob("*.toml"):
        jsonschema.validate(tomli.loads(path.read_text()), schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"connection": {"connections": "many"}}, schema)


@pytest.mark.parametrize("verb", ["config", "run"])
def test_every_error_in_a_config_is_listed_and_the_exit_status_is_2(verb: str, tmp_path: Path) -> None:
    path = tmp_path / "wrong.toml"
    path.write_text('[general]\nduraton = "1s"\nwarmup = "soon"\n[connection]\nconnections = 0\n')
    done = invoked(verb, str(path), "--set", "workload.nothing=1", "--set", "rubbish")
    assert (done.status, done.stdout) == (2, "")
    lines = done.stderr.splitlines()
    assert len(lines) == 5
    for words in ("duraton", "warmup", "connections", "workload.nothing", "rubbish"):
        assert sum(words in line for line in lines) == 1, words
    assert f"{path}:2:" in lines[0]
    assert "duration" in lines[0]


@pytest.mark.parametrize(
    "arguments",
    [
        ["--colour"],
        ["run", "--colour"],
        ["config", "--colour"],
        [QUICK_TEST, "--format", "xml"],
        [QUICK_TEST, "--dur", "1s"],
        ["run"],
        ["config"],
        ["config", QUICK_TEST, "--schema"],
        [QUICK_TEST, QUICK_TEST],
        ["no-such-file.toml"],
        ["--port", "many"],
        ["run", "--port", "1", "--ratio", "1"],
    ],
    ids=" ".join,
)
def test_a_wrong_command_line_is_exit_2_with_a_sentence_and_no_traceback(arguments: list[str]) -> None:
    done = invoked(*arguments)
    assert (done.status, done.stdout) == (2, "")
    assert done.stderr
    assert "Traceback" not in done.stderr


# ── Runs ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_first_word_that_is_no_verb_means_run() -> None:
    for words in ([], ["run"]):
        done = invoked(*words, QUICK_TEST, "--embedded", "--format", "quiet", *SHORT)
        assert done.status == 0, done.stderr
        assert "req/s" in done.stdout


def test_flags_alone_are_enough_for_a_run() -> None:
    with RealServer.redis() as server:
        flags = [
            "-c",
            "2",
            "-P",
            "4",
            "--threads",
            "2",
            "--duration",
            "0.2s",
            "--warmup",
            "0.1s",
            "--ratio",
            "1:1",
            "--protocol",
            "resp3",
            "--seed",
            "5",
            "--format",
            "json",
        ]
        done = invoked("run", "--host", HOST, "--port", str(server.port), *flags)
    assert (done.status, done.stderr) == (0, "")
    told, *_, result = done.records
    assert (told["conns"], told["pipeline"], told["threads"], told["protocol"]) == (2, 4, 2, "Resp3")
    assert (told["weights"], told["seed"], told["target"]) == (
        {"get": 1, "set": 1, "delete": 0},
        5,
        f"{HOST}:{server.port}",
    )
    assert (result["duration_secs"], result["seed"]) == (0.2, 5)


@pytest.mark.parametrize("protocol", ["resp", "resp3", "memcache", "ping"])
def test_embedded_works_for_every_protocol_and_says_whose_numbers_they_are(protocol: str) -> None:
    arguments = ["--embedded", "--protocol", protocol, *SHORT]
    done = invoked("run", *arguments, "--format", "json")
    assert (done.status, done.stderr) == (0, "")
    assert done.records[0]["embedded"] is done.records[-1]["embedded"] is True


@pytest.mark.parametrize("format", ["clean", "verbose", "quiet"])
def test_every_format_says_in_words_that_the_numbers_are_the_built_in_servers(format: str) -> None:
    done = invoked(QUICK_TEST, "--embedded", "--format", format, *SHORT)
    assert done.status == 0
    assert "built-in server" in done.stdout


def test_nothing_listening_is_exit_3_and_names_both_ways_out() -> None:
    port = free_port()
    done = invoked(QUICK_TEST, "--port", str(port), "--format", "quiet")
    assert (done.status, done.stdout) == (3, "")
    assert done.stderr.count("\n") == 1
    for words in (f"{HOST}:{port}", "Start a server", "--embedded"):
        assert words in done.stderr


def test_quiet_is_one_line() -> None:
    done = invoked(QUICK_TEST, "--embedded", "--format", "quiet", *SHORT)
    assert (done.status, done.stdout.count("\n"), done.stderr) == (0, 1, "")


def test_json_is_pure_ndjson_and_warnings_go_to_standard_error() -> None:
    done = invoked(QUICK_TEST, "--embedded", "--format", "json", *SHORT, "--set", "general.io_engine=uring")
    assert done.status == 0
    assert {record["type"] for record in done.records} == {"config", "phase", "sample", "result"}
    for record in done.records:
        check_record(record)
    assert done.stderr.startswith("warning: ")
    assert "io_engine" in done.stderr


def test_the_format_flag_wins_over_the_file(file: Path) -> None:
    arguments = [str(file), "--embedded", *SHORT]
    assert invoked(*arguments).stdout.count("\n") == 1
    assert invoked(*arguments, "--format", "json").stdout.startswith('{"type":"config"')
    assert invoked(*arguments, "--set", "admin.format=json").stdout.startswith('{"type":"config"')


def test_output_goes_to_the_file_and_standard_output_is_for_people(tmp_path: Path) -> None:
    path = tmp_path / "results.ndjson"
    done = invoked(QUICK_TEST, "--embedded", "--format", "json", *SHORT, "-o", str(path))
    assert done.status == 0
    assert "RESULTS" in done.stdout
    assert '{"type"' not in done.stdout
    assert [json.loads(line)["type"] for line in path.read_text().splitlines()][-1] == "result"


def test_an_output_file_that_cannot_be_written_is_said_before_any_load(tmp_path: Path) -> None:
    with RealServer.redis() as server:
        done = invoked(QUICK_TEST, "--port", str(server.port), *SHORT, "-o", str(tmp_path / "none" / "results"))
        assert done.status == 3
        assert done.stderr.count("\n") == 1
        assert server.redis().dbsize() == 0


# ── Colour ──────────────────────────────────────────────────────────────────────────────────────────────────────────

ESCAPE = "\x1b["


@pytest.fixture(autouse=True)
def _nobody_asks_for_colour_or_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.delenv("FORCE_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")


@pytest.mark.parametrize(("color", "colored"), [("auto", False), ("never", False), ("always", True)])
def test_what_is_no_terminal_gets_colour_only_when_it_is_asked_for(color: str, colored: bool) -> None:
    done = invoked(QUICK_TEST, "--embedded", "--format", "clean", "--color", color, *SHORT)
    assert done.status == 0
    assert (ESCAPE in done.stdout) == colored


@pytest.mark.parametrize("no_color", [False, True])
def test_a_terminal_gets_colour_unless_no_color_is_set(no_color: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if no_color:
        monkeypatch.setenv("NO_COLOR", "1")
    ours, theirs = pty.openpty()
    shown = b""
    with Running(QUICK_TEST, "--embedded", "--format", "clean", *SHORT, stdout=theirs) as running:
        os.close(theirs)
        # The end of a terminal that nobody else has open is an error on Linux.
        with os.fdopen(ours, "rb", buffering=0) as terminal, contextlib.suppress(OSError):
            while part := terminal.read(65536):
                shown += part
        assert running.finish().status == 0
    assert b"req/s" in shown or b"throughput" in shown
    assert (ESCAPE.encode() in shown) != no_color


# ── main() itself ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_python_m_loadgen_is_the_command() -> None:
    done = subprocess.run([sys.executable, "-m", "loadgen", "--version"], capture_output=True, text=True, check=True)
    assert done.stdout == f"loadgen {__version__}\n"


def test_main_returns_the_exit_status(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    with socket.create_server((HOST, 0)) as free:
        port = free.getsockname()[1]
    assert main(["run", "--port", str(port), "--duration", "1s"]) == 3
    assert main(["no-such-file.toml"]) == 2
    captured = capsys.readouterr()
    assert captured.out.startswith(f"loadgen {__version__}\n")
    assert captured.err.count("\n") == 2


@pytest.mark.parametrize("word", ["x" * 300, "x" * 300 + ".toml", "/" + "x" * 5000])
def test_a_word_that_no_file_can_be_named_is_an_error_of_whoever_typed_it(word: str) -> None:
    for arguments in (["run", word], ["run", "--server", word], ["compare", word, word]):
        done = invoked(*arguments)
        assert (done.status, done.stderr.count("\n")) == (2, 1), done.stderr


def test_a_folder_does_not_win_over_a_preset(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("redis", "quick-test"):
        (tmp_path / name).mkdir()
        assert invoked("config", name).status == 0


def test_tests_of_a_search_are_refused() -> None:
    done = invoked("run", "slo-search", "-t", "get,set")
    assert done.status == 2
    assert "-t runs tests one after another, and workload.saturation_search makes a search" in done.stderr
