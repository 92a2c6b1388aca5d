"""[[check]]: the keys it takes, the checks it comes to, and everything that is wrong with their texts, at once."""

from __future__ import annotations

from pathlib import Path

import pytest
from config_problems import found, problems

from loadgen.config import judging, load
from loadgen.config.scenario_file import scenario_of
from loadgen.errors import ConfigError
from loadgen.judge.check import Check, Level

FAULT = '[[fault]]\nkind = "kill"\nat = "5s"\n'


def checks(*exprs: str) -> str:
    return "".join(f"[[check]]\nexpr = '{expr}'\n" for expr in exprs)


def test_a_check_must_hold_unless_it_is_nice(tmp_path: Path) -> None:
    path = tmp_path / "bench.toml"
    path.write_text(f'{checks("p99 < 5ms", "errors == 0")}level = "nice"\n')
    assert judging(load(path)).checks == (Check("p99 < 5ms"), Check("errors == 0", Level.NICE))


def test_all_mistakes_of_all_checks_are_found_at_once_with_their_columns(tmp_path: Path) -> None:
    text = checks("p99 < 5 and errors < 1 %", "p99 < 5ms", "(p99", "rss < 1GB")
    assert problems(tmp_path, text) == [
        "bench.toml:2:1: check[0].expr: column 7: p99 is a time, and 5 is a number: they cannot be compared; write it "
        "with a unit, such as 5ms",
        "bench.toml:2:1: check[0].expr: column 22: errors is a count, and 1 % is a share: they cannot be compared; "
        "divide the count by what it is a share of, such as errors / requests",
        'bench.toml:6:1: check[2].expr: column 5: the end where ")" is expected, for "(" in column 1',
        "bench.toml:8:1: check[3].expr: column 1: rss is a series; write a value of it, such as max(rss) or last(rss)",
    ]


def test_a_wrong_key_of_a_check_hides_no_mistake_of_the_others(tmp_path: Path) -> None:
    text = f'{checks("p99 < 5ms")}level = "may"\n[[check]]\nexprr = "p99 < 5ms"\n{checks("p99 < 5ms", "p97 < 1ms")}'
    text += f'[[check]]\nexpr = 5\nlevel = "must"\n{checks("p96 < 1ms")}'
    assert [problem.partition("; ")[0] for problem in problems(tmp_path, text)] == [
        'bench.toml:3:1: check[0].level: must be one of "must", "nice", not "may"',
        "bench.toml:4:3: check[1].expr: is missing from [[check]]",
        "bench.toml:5:1: check[1].exprr: unknown key",
        "bench.toml:9:1: check[3].expr: column 1: there is no p97 here",
        "bench.toml:11:1: check[4].expr: must be text in quotes, not 5",
        "bench.toml:14:1: check[5].expr: column 1: there is no p96 here",
    ]


def test_a_table_that_is_left_out_of_its_list_is_no_contradiction(tmp_path: Path) -> None:
    """Without the first phase, the other sends nothing."""
    text = '[[workload.phase]]\nrate = 100\nfor = "5s"\nzzz = 1\n[[workload.phase]]\nrate = 0\nfor = "5s"\n'
    assert [problem.partition("; ")[0] for problem in problems(tmp_path, text)] == [
        "bench.toml:4:1: workload.phase[0].zzz: unknown key"
    ]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (checks("p98 < 5ms"), "unknown-name"),
        (checks("p99[fault] < 5ms"), "unknown-name"),
        (checks("p99 < 5"), "no-condition"),
        (checks("p99 <"), "no-condition"),
        (checks("outage < 5s"), "unknown-name"),
        (FAULT + checks("outage[node 2] < 5s"), "no-condition"),
        (checks("p99[phase 1] < 5ms"), "no-condition"),
        ('[target]\nprotocol = "ping"\n' + checks("p99[get] < 5ms"), "unknown-name"),
        ('[[check]]\nexpr = "p99 < 5ms"\nlevel = "may"\n', "no-choice"),
        ("[[check]]\nexpr = 5\n", "wrong-type"),
        ('[[check]]\nlevel = "must"\n', "missing"),
        ('[[check]]\nexpr = "p99 < 5ms"\nname = "x"\n', "unknown"),
        ("[workload.saturation_search]\n" + checks("p99 < 5ms"), "never-judged"),
    ],
)
def test_a_bad_check_is_refused(tmp_path: Path, text: str, code: str) -> None:
    assert [code for _, code in found(tmp_path, text)] == [code]


@pytest.mark.parametrize(
    "text",
    [
        FAULT + checks("outage[node 1] < 5s and recovered < 10s"),
        '[[workload.phase]]\nrate = 100\nfor = "5s"\n' + checks("p99[phase 1, get] < 5ms"),
    ],
)
def test_names_are_those_of_what_the_configuration_has(tmp_path: Path, text: str) -> None:
    assert found(tmp_path, text) == []


READ = '[[monitor]]\nkind = "redis"\n[[monitor]]\nkind = "proc"\nname = "proxy"\npid = 1\n'


def loaded(tmp_path: Path, text: str) -> None:
    path = tmp_path / "good.toml"
    path.write_text(text)
    load(path)


def test_the_series_of_monitors_are_names(tmp_path: Path) -> None:
    of_one = checks("growth(used_memory) < 1MB/min", "max(fds) < 9 and max(rss[proxy]) < 1GB", "gaps[redis] == 0")
    loaded(tmp_path, READ + of_one)


def test_what_only_one_monitor_has_needs_no_selector_and_what_several_have_does(tmp_path: Path) -> None:
    assert problems(tmp_path, f"{READ}{checks('max(uptime) > 1s')}") == [
        "bench.toml:8:1: check[0].expr: column 5: the monitors redis and proxy have uptime; name one of them: "
        "uptime[redis]"
    ]


def test_a_managed_server_keeps_its_names(tmp_path: Path) -> None:
    """`cpu` is a number of both; with two monitors of the kind it is still the server's."""
    server = '[target.server]\ncommand = ["redis-server", "--port", "{port}"]\n'
    again = '[[monitor]]\nkind = "proc"\npid = 2\n'
    loaded(tmp_path, f"{server}{READ}{again}{checks('max(cpu) < 1')}")
    assert len(problems(tmp_path, f"{READ}{again}{checks('max(cpu) < 1')}")) == 1


def test_a_monitor_that_is_wrong_makes_no_mistake_of_a_check_on_it(tmp_path: Path) -> None:
    [only] = problems(tmp_path, f'[[monitor]]\nkind = "proc"\nevery = "1ns"\n{checks("max(uptime) < 1s")}')
    assert only.startswith("bench.toml:3:1: monitor[0].every: ")


def test_a_scenario_has_checks_with_the_names_of_a_trial() -> None:
    scenario = scenario_of(f"title = 'x'\nnodes = 2\n{checks('p99[fault, node 2] < 50ms')}", "mine", "mine.toml")
    assert scenario.checks == (Check("p99[fault, node 2] < 50ms"),)
    assert scenario.quick().checks == scenario.checks


def test_all_mistakes_in_the_checks_of_a_scenario_are_found_at_once() -> None:
    text = (
        f"title = 'x'\nnodes = 2\n{checks('p99[fault, node 3] < 50', 'leakd == 0')}level = 'may'\n[[check]]\nexpr = 1\n"
    )
    with pytest.raises(ConfigError) as error:
        scenario_of(text, "mine", "mine.toml")
    assert error.value.problems == [
        "mine.toml:4:1: check[0].expr: column 12: there is no node 3; they are 1 to 2",
        "mine.toml:6:1: check[1].expr: column 1: there is no leakd here; did you mean leaked?",
        'mine.toml:7:1: check[1].level: must be one of "must", "nice", not "may"',
        "mine.toml:9:1: check[2].expr: must be text in quotes, not 1",
    ]
