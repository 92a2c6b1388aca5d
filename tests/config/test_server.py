"""[target.server] and server files: the command that is started, placeholders, and combinations that are refused."""

from __future__ import annotations

import os
from pathlib import Path

import jsonschema
import pytest
from config_problems import found
from hypothesis import given
from hypothesis import strategies as st

from loadgen.config import Config, Flag, dump, is_server_file, json_schema, load, resolve, server_plan
from loadgen.errors import ConfigError
from loadgen.plan import Endpoint, Target
from loadgen.server_plan import HOST, ServerPlan, loopback

S = 10**9
SERVER = "[target.server]\n"
STARTED = SERVER + 'command = ["redis-server", "--port", "{port}"]\n'


def problems(tmp_path: Path, text: str, *overrides: str, server: str | None = None) -> list[str]:
    """The problems of a file, or of one with a server file, their folder left out."""
    with pytest.raises(ConfigError) as error:
        loaded(tmp_path, text, *overrides, server=server)
    return [problem.replace(f"{tmp_path}/", "") for problem in error.value.problems]


def loaded(tmp_path: Path, text: str, *overrides: str, server: str | None = None) -> Config:
    path, other = tmp_path / "bench.toml", tmp_path / "server.toml"
    path.write_text(text)
    if server is not None:
        other.write_text(server)
    return load(path, overrides, server=other if server is not None else None)


def told(tmp_path: Path, text: str, name: str = "") -> ServerPlan:
    plan = server_plan(loaded(tmp_path, text), name)
    assert plan is not None
    return plan


# ── What it comes to ────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_command_is_all_that_a_server_needs(tmp_path: Path) -> None:
    assert told(tmp_path, STARTED) == ServerPlan("redis-server", ("redis-server", "--port", "{port}"), loopback("resp"))


def test_every_key_reaches_the_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    text = """\
[target]
protocol = "resp3"
username = "u"
password = "p"
[target.server]
command = ["bin/server", "{host}:{port}", "{dir}"]
cwd = "work"
port = 7000
ready_timeout = "2s"
stop_timeout = 0
cpu_list = "0"
log = "server.log"
log_patterns = ["ERROR", 'code \\d+']
build = ["make", "{x}"]
build_timeout = "3s"
[target.server.env]
LISTEN = "{port}"
"A B" = ""
[target.server.files]
"a.conf" = "port {port} {other}"
"""
    assert told(tmp_path, text, "mine") == ServerPlan(
        name="mine",
        command=(str(tmp_path / "bin/server"), "{host}:{port}", "{dir}"),
        target=Target("resp3", (Endpoint(HOST, 7000, HOST),), "u", "p"),
        env=(("LISTEN", "{port}"), ("A B", "")),
        files=(("a.conf", "port {port} {other}"),),
        build=("make", "{x}"),
        build_timeout_ns=3 * S,
        cwd=str(tmp_path / "work"),
        ready_timeout_ns=2 * S,
        stop_timeout_ns=0,
        cpus=(0,),
        log=str(tmp_path / "server.log"),
        log_patterns=("ERROR", "code \\d+"),
    )


@pytest.mark.parametrize("program", ["redis-server", "/usr/bin/redis-server", "{dir}/redis-server"])
def test_a_program_that_is_no_relative_path_is_left_as_it_is(tmp_path: Path, program: str) -> None:
    plan = told(tmp_path, STARTED.replace("redis-server", program))
    assert (plan.command[0], plan.name) == (program, "redis-server")


def test_without_a_server_there_is_nothing_to_start(tmp_path: Path) -> None:
    assert server_plan(load(None), "x") is None


def test_a_server_stands_in_the_place_of_all_endpoints(tmp_path: Path) -> None:
    config = loaded(tmp_path, STARTED + "port = 7000\n[connection]\nconnections = 3\n[general]\nthreads = 2\n")
    plan = resolve(config)
    assert config.target.endpoints == ()
    assert plan.target.endpoints == (Endpoint("127.0.0.1", 7000, "127.0.0.1"),)
    assert sorted(worker.connections for worker in plan.workers) == [(1,), (2,)]
    assert resolve(loaded(tmp_path, STARTED)).target.endpoints == (Endpoint("127.0.0.1", 0, "127.0.0.1"),)


@pytest.mark.parametrize(
    "told_by",
    [
        'command = ["s", "--listen={host}:{port}"]',
        'command = ["s"]\nenv = { PORT = "{port}" }',
        'command = ["s"]\nport = 7000',
        """command = ["s", '{"port": {port}}', "{}", "{1,2}"]""",
    ],
)
def test_a_server_is_told_its_port_by_command_or_environment_or_knows_it(tmp_path: Path, told_by: str) -> None:
    told(tmp_path, SERVER + told_by)


# ── What cannot be meant ────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("text", "place_and_key", "code"),
    [
        ("", "1:9: target.server.command", "missing"),
        ('command = "redis-server --port {port}"', "2:1: target.server.command", "wrong-type"),
        ("command = \"a 'b\"", "2:1: target.server.command", "wrong-type"),
        ("command = []", "2:1: target.server.command", "empty"),
        ("command = 5", "2:1: target.server.command", "wrong-type"),
        ('command = ["s", 5]', "2:17: target.server.command[1]", "wrong-type"),
        ('command = ["", "{port}"]', "2:1: target.server.command", "no-program"),
        ('command = ["s", "{prt}"]', "2:17: target.server.command[1]", "bad-placeholder"),
        ('command = ["s", "\\u0000"]', "2:17: target.server.command[1]", "bad-character"),
        ('command = ["s"]', "2:1: target.server.command", "no-port"),
        ('command = ["s"]\nport = 0', "2:1: target.server.command", "no-port"),
        ("port = 65536", "2:1: target.server.port", "too-large"),
        ('env = "A=5"', "2:1: target.server.env", "wrong-type"),
        ("env = { A = 5 }", "2:9: target.server.env.A", "wrong-type"),
        ('env = { A = "{x}" }', "2:9: target.server.env.A", "bad-placeholder"),
        ("env = { 'A=B' = '' }", "2:1: target.server.env", "bad-name"),
        ("env = { '' = '' }", "2:1: target.server.env", "bad-name"),
        *(
            (f"files = {{ {name} = '' }}", "2:1: target.server.files", "bad-name")
            for name in ('"../x"', '"/x"', '"a/b"', '".."', '"."', '""', '"\\u0000"', f'"{"é" * 128}"')
        ),
        *(
            (f"files = {{ '{name}' = '' }}", "2:1: target.server.files", "bad-name")
            for name in ("server.log", ".loadgen", ".loadgen-new")
        ),
        ("files = { a = 5 }", "2:11: target.server.files.a", "wrong-type"),
        ('build = "make -j"', "2:1: target.server.build", "wrong-type"),
        ('build = [""]', "2:1: target.server.build", "no-program"),
        ('build = ["make", "{dir}/x"]', "2:18: target.server.build[1]", "bad-placeholder"),
        ("build_timeout = 0", "2:1: target.server.build_timeout", "too-small"),
        ('cwd = ""', "2:1: target.server.cwd", "empty"),
        ('cwd = "{dir}/x"', "2:1: target.server.cwd", "bad-placeholder"),
        ('log = "{port}.log"', "2:1: target.server.log", "bad-placeholder"),
        ('log = "\\u0000"', "2:1: target.server.log", "bad-character"),
        ("ready_timeout = 0", "2:1: target.server.ready_timeout", "too-small"),
        ('stop_timeout = "x"', "2:1: target.server.stop_timeout", "malformed"),
        ('cpu_list = "3-1"', "2:1: target.server.cpu_list", "malformed"),
        ('log_patterns = "ERROR"', "2:1: target.server.log_patterns", "wrong-type"),
        ('log_patterns = ["E", "("]', "2:22: target.server.log_patterns[1]", "malformed"),
        ('log_patterns = ["E?"]', "2:17: target.server.log_patterns[0]", "matches-all"),
        ("comand = []", "2:1: target.server.comand", "unknown"),
    ],
)  # fmt: skip
def test_a_server_that_cannot_be_started_is_named_with_its_place_and_what_would_be_right(
    tmp_path: Path, text: str, place_and_key: str, code: str
) -> None:
    rest = 'command = ["s", "{port}"]' if text and not text.startswith("command") else ""
    assert found(tmp_path, f"{SERVER}{text}\n{rest}\n") == [(place_and_key, code)]


def test_a_cpu_that_is_not_there_is_named(tmp_path: Path) -> None:
    [problem] = problems(tmp_path, STARTED + 'cpu_list = "99999"')
    assert problem.startswith("bench.toml:3:1: target.server.cpu_list: names CPU 99999, which this machine does not")


def test_a_key_of_the_server_in_another_table_is_told_where_it_belongs(tmp_path: Path) -> None:
    assert problems(tmp_path, "[target]\nready_timeout = 5") == [
        "bench.toml:2:1: target.ready_timeout: unknown key; ready_timeout belongs in [target.server]"
    ]
    assert problems(tmp_path, "[server]\ncommand = []") == [
        "bench.toml:1:2: server: unknown table; server belongs elsewhere: write [target.server]"
    ]
    assert problems(tmp_path, '[env]\nA = ""') == [
        "bench.toml:1:2: env: unknown table; env belongs elsewhere: write [target.server.env]"
    ]


def test_what_the_environment_may_hold_is_not_repeated(tmp_path: Path) -> None:
    assert not any("12345678" in problem for problem in problems(tmp_path, STARTED + "env = { TOKEN = 12345678 }"))


def test_endpoints_beside_a_server_are_a_contradiction(tmp_path: Path) -> None:
    assert problems(tmp_path, '[target]\nendpoints = ["a:1"]\n' + STARTED) == [
        "bench.toml:2:1: target.endpoints: names servers that are there, and [target.server] describes one to be "
        "started; keep one of them"
    ]


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="here it would be warned of anyway")
def test_a_cpu_list_is_warned_of_where_no_process_can_be_pinned(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = STARTED + 'cpu_list = "0"\n'
    assert loaded(tmp_path, text).warnings == ()
    monkeypatch.delattr("os.sched_setaffinity")
    [warning] = loaded(tmp_path, text).warnings
    assert "target.server.cpu_list: is not acted on: this system cannot pin a process to a CPU" in warning


# ── Layers ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_endpoints_on_the_command_line_stand_in_place_of_a_files_server_and_the_other_way_round(tmp_path: Path) -> None:
    elsewhere = loaded(tmp_path, STARTED, 'target.endpoints=["a:1"]')
    assert (elsewhere.target.server, elsewhere.target.endpoints) == (None, ("a:1",))
    started = loaded(tmp_path, '[target]\nendpoints = ["a:1"]\n', 'target.server.command=["s", "{port}"]')
    assert started.target.endpoints == ()
    assert server_plan(started, "") == ServerPlan("s", ("s", "{port}"), loopback("resp"))
    changed = server_plan(loaded(tmp_path, STARTED, "target.server.port=7", "target.server.env.A=b"), "")
    assert changed is not None
    assert (changed.port, changed.env, changed.command[0]) == (7, (("A", "b"),), "redis-server")


def test_a_command_line_that_names_both_contradicts_itself() -> None:
    with pytest.raises(ConfigError, match=r"^--host: names servers .*keep one of them$"):
        load(None, ['target.server.command=["s", "{port}"]'], {"target.endpoints": Flag("--host", ["a:1"])})


def test_a_server_file_takes_the_place_of_the_whole_target(tmp_path: Path) -> None:
    config = '[target]\nprotocol = "memcache"\nendpoints = ["a:1", "b:1"]\ntls_verify = true\n[general]\nthreads = 1\n'
    one = loaded(tmp_path, config, server=STARTED)
    assert (one.target.protocol, one.target.endpoints, one.general.threads, one.warnings) == ("resp", (), 1, ())
    two = loaded(tmp_path, f'{STARTED}env = {{ A = "b" }}\nport = 7', server=STARTED.replace("redis", "valkey"))
    assert server_plan(two, "") == ServerPlan("valkey-server", ("valkey-server", "--port", "{port}"), loopback("resp"))


def test_a_server_file_may_name_an_endpoint_and_how_to_log_in(tmp_path: Path) -> None:
    there = '[target]\nendpoints = ["a:1"]\nprotocol = "resp3"\nusername = "u"\npassword = "p"\n'
    target = loaded(tmp_path, STARTED, server=there).target
    assert (target.server, target.endpoints, target.protocol, target.username) == (None, ("a:1",), "resp3", "u")


def test_a_server_file_needs_no_other_file_and_gives_way_to_the_command_line(tmp_path: Path) -> None:
    path = tmp_path / "server.toml"
    path.write_text(STARTED)
    config = load(None, ["target.server.port=7"], {"target.protocol": Flag("--protocol", "resp3")}, server=path)
    plan = server_plan(config, "")
    assert plan is not None
    assert (plan.port, plan.target.protocol) == (7, "resp3")


def test_a_problem_of_a_server_file_has_its_place_there(tmp_path: Path) -> None:
    assert problems(tmp_path, "[general]\nbogus = 1", "general.threads=0", server=SERVER + "port = -1\n") == [
        "bench.toml:2:1: general.bogus: unknown key; the keys of [general] are requests, duration, warmup, threads, "
        "cpu_list, seed, interval, io_engine",
        "server.toml:1:9: target.server.command: is missing from [target.server]; add it",
        "server.toml:2:1: target.server.port: must be at least 0, not -1",
        "--set: general.threads: must be at least 1, not 0",
    ]
    assert problems(tmp_path, "[general]\nthreads = 1", server="target = 5") == [
        "server.toml:1:1: target: must be a table; write [target] and its keys below, not 5"
    ]


def test_a_server_file_has_nothing_else_in_it(tmp_path: Path) -> None:
    assert problems(tmp_path, "", server=f"threads = 1\n{STARTED}[general]\nduration = 0\n") == [
        "server.toml:1:1: threads: a server file describes a server: only [target] belongs in it; "
        "move the rest to a CONFIG file",
        "server.toml:4:2: general: a server file describes a server: only [target] belongs in it; "
        "move the rest to a CONFIG file",
    ]


@pytest.mark.parametrize(("text", "place"), [("", "1:1"), ("\n[target]\nprotocol = 'resp'", "2:2")])
def test_a_server_file_describes_a_server(tmp_path: Path, text: str, place: str) -> None:
    sentence = "names no server; write [target.server] with its command, or endpoints in [target]"
    assert problems(tmp_path, STARTED, server=text) == [f"server.toml:{place}: target: {sentence}"]


@pytest.mark.parametrize(
    ("text", "is_one"),
    [(STARTED, True), ("target.endpoints = ['a:1']", True), (f"{STARTED}[general]", False), ("", False), ("[", False)],
)
def test_a_server_file_is_told_from_others_by_its_tables(tmp_path: Path, text: str, is_one: bool) -> None:
    path = tmp_path / "server.toml"
    path.write_text(text)
    assert is_server_file(path) is is_one
    assert not is_server_file(tmp_path / "absent.toml")


def test_files_that_cannot_be_read_are_all_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as error:
        load(tmp_path / "a.toml", server=tmp_path / "b.toml")
    assert error.value.problems == [f"{tmp_path}/{name}.toml: there is no such file; check the path" for name in "ab"]


# ── Shown, and read again ───────────────────────────────────────────────────────────────────────────────────────────


@given(
    st.lists(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0{"), min_size=1), min_size=1),
    st.dictionaries(
        st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0="), min_size=1),
        st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0{")),
    ),
)
def test_any_server_survives_being_dumped_and_loaded(
    tmp_path_factory: pytest.TempPathFactory, command: list[str], env: dict[str, str]
) -> None:
    table = {"command": [*command, "{port}"], "env": env, "log_patterns": ["a\\b"], "stop_timeout": "1ms"}
    config = load(None, flags={"target.server": table})
    path = tmp_path_factory.mktemp("dumped") / "bench.toml"
    path.write_bytes(dump(config).encode())
    again = load(path)
    assert again == config
    assert server_plan(again, "") == server_plan(config, "")


def test_the_json_schema_agrees_with_what_loads(tmp_path: Path) -> None:
    accepted = jsonschema.Draft202012Validator(json_schema())
    command = ["s", "{port}"]
    good: list[dict[str, object]] = [
        {"command": command},
        {"command": command, "env": {"A": "b"}, "cwd": "a", "port": 1, "log": "l", "log_patterns": ["E"]},
        {"command": ["s"], "files": {"a": "{port}"}, "build": ["make"], "build_timeout": "1m"},
        {"command": command, "ready_timeout": 1, "stop_timeout": "1ms", "cpu_list": "0"},
    ]
    bad: list[dict[str, object]] = [
        {},
        {"command": []},
        {"command": "s"},
        {"command": [1]},
        {"command": command, "env": {"A": 1}},
        {"command": command, "files": {"a": 1}},
        {"command": command, "build": "make"},
        {"command": command, "port": 65536},
        {"command": command, "log_patterns": "E"},
        {"command": command, "x": 1},
    ]
    for table, is_good in [*((table, True) for table in good), *((table, False) for table in bad)]:
        assert accepted.is_valid({"target": {"server": table}}) is is_good, table
        if is_good:
            load(None, flags={"target.server": table})
        else:
            with pytest.raises(ConfigError):
                load(None, flags={"target.server": table})
