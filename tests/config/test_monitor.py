"""[[monitor]]: the keys it takes, the plans it comes to, and what is refused."""

from pathlib import Path

import jsonschema
import pytest
from config_problems import found, problem, problems

from loadgen.config import dump, json_schema, load, monitors
from loadgen.config.tables.monitor import MonitorTable
from loadgen.monitors.kinds import ROWS
from loadgen.monitors.plan import MonitorPlan
from loadgen.plan import Endpoint, Target

S = 10**9


def read(tmp_path: Path, text: str) -> tuple[MonitorPlan, ...]:
    path = tmp_path / "bench.toml"
    path.write_text(text)
    return monitors(load(path))


# ── What it comes to ────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_kind_alone_is_a_monitor_of_its_name_of_the_server_under_load(tmp_path: Path) -> None:
    assert read(tmp_path, '[[monitor]]\nkind = "redis"\n[[monitor]]\nkind = "proc"\n') == (
        MonitorPlan("redis", "redis", every_ns=S, timeout_ns=5 * S),
        MonitorPlan("proc", "proc", every_ns=S, timeout_ns=5 * S),
    )


def test_every_key_comes_to_its_field(tmp_path: Path) -> None:
    text = """
    [[monitor]]
    kind = "proc"
    name = "proxy"
    every = "500ms"
    timeout = "2s"
    pid = 4711
    evidence = ["http://127.0.0.1:6060/x?debug=1", "py-spy dump --pid {pid}"]
    [[monitor]]
    kind = "proc"
    name = "named"
    process = "haproxy"
    [[monitor]]
    kind = "prometheus"
    url = "http://[::1]:9121/metrics"
    metrics = { refused = 'http_requests_total{code="503"}' }
    [[monitor]]
    kind = "http"
    url = "https://user:secret@example.com/health"
    path = "nodes[0].status"
    metrics = { idle = "pool.idle" }
    [[monitor]]
    kind = "command"
    command = ["redis-cli", "dbsize"]
    [[monitor]]
    kind = "docker"
    container = "cache-1"
    """
    evidence = ("http://127.0.0.1:6060/x?debug=1", "py-spy dump --pid {pid}")
    assert read(tmp_path, text) == (
        MonitorPlan("proc", "proxy", S // 2, 2 * S, pid=4711, evidence=evidence),
        MonitorPlan("proc", "named", process="haproxy"),
        MonitorPlan(
            "prometheus",
            "prometheus",
            url="http://[::1]:9121/metrics",
            metrics={"refused": 'http_requests_total{code="503"}'},
        ),
        MonitorPlan(
            "http",
            "http",
            url="https://user:secret@example.com/health",
            path="nodes[0].status",
            metrics={"idle": "pool.idle"},
        ),
        MonitorPlan("command", "command", command=("redis-cli", "dbsize")),
        MonitorPlan("docker", "docker", container="cache-1"),
    )


def test_a_server_that_is_named_is_asked_with_the_credentials_of_the_target(tmp_path: Path) -> None:
    text = '[target]\nusername = "u"\npassword = "p"\n[[monitor]]\nkind = "redis"\nserver = "localhost:7000"\n'
    endpoint = Endpoint("localhost", 7000, "127.0.0.1")
    assert read(tmp_path, text)[0].server == Target("resp", (endpoint,), username="u", password="p")
    memcached = '[[monitor]]\nkind = "memcached"\nserver = "localhost:7000"\n'
    assert read(tmp_path, memcached)[0].server == Target("memcache", (endpoint,))


def test_monitors_are_written_out_as_they_are_read(tmp_path: Path) -> None:
    path, again = tmp_path / "bench.toml", tmp_path / "again.toml"
    path.write_text(
        '[[monitor]]\nkind = "prometheus"\nurl = "http://h/m"\nmetrics = { "a" = \'x_total{a="\\""}\' }\n'
        '[[monitor]]\nkind = "command"\ncommand = ["a", "b c"]\nevery = "2s"\n'
    )
    again.write_text(dump(load(path)))
    assert monitors(load(again)) == monitors(load(path))


def test_a_dump_without_secrets_has_none_of_a_monitor(tmp_path: Path) -> None:
    path = tmp_path / "bench.toml"
    path.write_text(
        '[target]\npassword = "sesame-street"\n[[monitor]]\nkind = "http"\nurl = "http://me:hush@h/p"\n'
        'evidence = ["http://me:hush@h/e", "redis-cli -a sesame-street info"]\n'
        '[[monitor]]\nkind = "command"\ncommand = ["redis-cli", "-a", "sesame-street"]\n'
    )
    shown = dump(load(path), show_secrets=False)
    assert "sesame" not in shown
    assert "hush" not in shown
    assert 'url = "http://***@h/p"' in shown


# ── What is refused ─────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_table_has_the_keys_of_all_kinds_and_no_other() -> None:
    shared = {"kind", "name", "every", "timeout", "evidence"}
    assert set(MonitorTable.model_fields) - shared == {key.name for row in ROWS for key in row.keys}


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            'kind = "prometeus"',
            '2:1: monitor[0].kind: there is no kind of monitor "prometeus"; did you mean "prometheus"?',
        ),
        ("pid = 1", "1:3: monitor[0].kind: is missing from [[monitor]]; add it"),
        (
            'kind = "redis"\npid = 12',
            '3:1: monitor[0].pid: is no key of the kind "redis"; its keys are server',
        ),
        (
            'kind = "self"\nurl = "http://h/"',
            '3:1: monitor[0].url: is no key of the kind "self"; it has none of its own',
        ),
        (
            'kind = "proc"\npid = 12\nprocess = "redis-server"',
            "4:1: monitor[0].process: names what pid names; keep one of the two",
        ),
        (
            'kind = "prometheus"',
            '1:3: monitor[0]: a monitor of the kind "prometheus" needs url; add one, such as '
            'url = "http://127.0.0.1:9121/metrics"',
        ),
        (
            'kind = "http"\nurl = "example.com/health"',
            "3:1: monitor[0].url: example.com/health is no URL of HTTP; write one such as "
            "http://127.0.0.1:8001/metrics",
        ),
        (
            'kind = "prometheus"\nurl = "http://h/m"\nmetrics = { a = "go goroutines" }',
            "4:1: monitor[0].metrics: \"go goroutines\" names no metric; write one such as 'go_goroutines' or "
            "'http_requests_total{code=\"500\"}'",
        ),
        (
            'kind = "http"\nurl = "http://h/m"\nmetrics = { a = "pool..idle" }',
            '4:1: monitor[0].metrics: "pool..idle" is no place in a JSON document; write one such as "pool.idle" or '
            '"nodes[0].fds"',
        ),
        (
            'kind = "http"\nurl = "http://h/m"\nmetrics = { "a b" = "x" }',
            '4:1: monitor[0].metrics: "a b" is no name that a check can have; write letters, digits and _, such as '
            '"proxy_1"',
        ),
        (
            'kind = "proc"\nname = "my-proxy"',
            '3:1: monitor[0].name: "my-proxy" is no name that a check can have; write letters, digits and _, such as '
            '"proxy_1"',
        ),
        (
            'kind = "proc"\nname = "get"',
            '3:1: monitor[0].name: "get" is no name that a check can have; write letters, digits and _, such as '
            '"proxy_1"',
        ),
        (
            'kind = "http"\nurl = "http://h/m"\nmetrics = { answer_time = "x" }',
            '4:1: monitor[0].metrics: every monitor of the kind "http" has a series answer_time; give this another '
            "name",
        ),
        (
            'kind = "redis"\nevidence = ["http://h/{pid}", "py-spy dump --pid {pid}"]',
            '3:1: monitor[0].evidence: "py-spy dump --pid {pid}" has {pid}, the process that a monitor of the kind '
            '"proc" reads; this one is of the kind "redis"',
        ),
        ('kind = "proc"\nevery = "10ms"', '3:1: monitor[0].every: must be at least "100ms"'),
        (
            'kind = "command"\ncommand = "redis-cli dbsize"',
            '3:1: monitor[0].command: is one text, and no shell takes it apart; write a list: ["redis-cli", "dbsize"]',
        ),
        (
            'kind = "self"\nevidence = ["say \'so"]',
            '3:13: monitor[0].evidence[0]: "say \'so" is neither an address nor a command; write one such as "py-spy '
            'dump --pid 123"',
        ),
        (
            'kind = "memcached"',
            '2:1: monitor[0].kind: a monitor of the kind "memcached" cannot read the server under load, whose protocol '
            'is "resp"; write server = "HOST:PORT" in [[monitor]], or another kind',
        ),
        (
            'kind = "host"\n[[monitor]]\nkind = "host"',
            '4:1: monitor[1].kind: there are two monitors named "host"; give this one another name, such as '
            'name = "host_2"',
        ),
        (
            'kind = "host"\n[[monitor]]\nkind = "self"\nname = "host"',
            '5:1: monitor[1].name: there are two monitors named "host"; give this one another name, such as '
            'name = "host_2"',
        ),
    ],
)  # fmt: skip
def test_a_wrong_monitor_is_one_sentence_at_its_place(tmp_path: Path, text: str, sentence: str) -> None:
    assert problem(tmp_path, f"[[monitor]]\n{text}\n") == f"bench.toml:{sentence}"


def test_checks_name_the_series_of_monitors_and_a_name_that_none_has_is_refused(tmp_path: Path) -> None:
    text = (
        '[[monitor]]\nkind = "proc"\n[[monitor]]\nkind = "http"\nname = "proxy"\nurl = "http://h/"\n'
        'metrics = { fds = "x" }\n'
    )
    for expr in ("growth(fds[proxy]) < 5/min", "max(fds[proc]) < 100", "gaps == 0", "min(healthy) == 1"):
        read(tmp_path, f"{text}[[check]]\nexpr = '{expr}'\n")
    for expr in ("max(fds) < 100", "max(fds[redis]) < 100", "max(used_memory) < 1GB"):
        assert len(found(tmp_path, f"{text}[[check]]\nexpr = '{expr}'\n")) == 1


def test_all_problems_of_several_monitors_are_found_at_once(tmp_path: Path) -> None:
    text = (
        '[[monitor]]\nkind = "prok"\n[[monitor]]\nkind = "http"\nurl = "x"\nevery = "1ms"\n'
        '[[monitor]]\nkind = "host"\n[[monitor]]\nkind = "host"\n'
    )
    assert [code for _, code in found(tmp_path, text)] == ["no-choice", "malformed", "too-small", "twice"]
    assert [words.split(": ")[1] for words in problems(tmp_path, text)] == [
        "monitor[0].kind", "monitor[1].url", "monitor[1].every", "monitor[3].kind",
    ]  # fmt: skip


def test_the_json_schema_agrees_with_what_loads() -> None:
    accepted = jsonschema.Draft202012Validator(json_schema())
    good = {"kind": "prometheus", "url": "http://h/m", "every": "2s", "metrics": {"a": "b"}, "evidence": ["x"]}
    assert accepted.is_valid({"monitor": [good]})
    for bad in ({"pid": 1}, {"kind": "proc", "pid": 0}, {"kind": "http", "metrics": {"a": 1}}, {"kind": "x", "y": 1}):
        assert not accepted.is_valid({"monitor": [bad]})
