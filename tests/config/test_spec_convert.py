"""Upstream's YAML: what it comes to as a spec file, and each thing that cannot be read, with its line."""

from __future__ import annotations

from pathlib import Path

import pytest
from in_process import invoked

from loadgen.cli import specification
from loadgen.config import spec_yaml
from loadgen.config.spec_convert import converted
from loadgen.errors import ConfigError
from loadgen.verify.expectation import Between, Exactly, OfType
from loadgen.verify.reply import OK, Status
from loadgen.verify.spec import CommandGroup, Future, Operation, Spec

SPEC = """\
# A specification, written as redlite-dst's is.
---
version: "1.0"

invariants:
  - name: "incr_monotonic"       # without the "is"
    description: 'it''s: a counter # not a comment'
    category: "data_integrity"

faults:
- name: disk_full
  description: no space
  severity: high
  recovery: "an error"

scenarios:
  smoke:
    description: "quick"
    tests:
      - name: "basic"
        operations: ["SET", "GET"]
        keys: 100
        include_restart: true
  properties:
    default_seeds: 7
    tests:
      - name: numbers
        invariants: ["incr_monotonic"]
        operations: [
          "INCR", "GET",
          "SET",
        ]
      - name: nothing
        invariants: []
  chaos:
    tests:
      - {name: full, faults: [disk_full], expect: "error_returned"}
  soak:
    tests:
      - name: long
        duration: "1h"
        alert_threshold:
          rss_growth_percent: 10

oracle:
  reference: "redis://localhost:6379"
  command_groups:
    strings:
      commands: ["SET", "GET"]
      test_cases: 5
    expiration:
      commands: ["TTL"]

simulation:
  default_config:
    seeds: 1000
  scenarios:
    - name: rare
      fault_rate: 0.001
      faults: ["disk_full"]
    - name: none
      fault_rate: 0.0
"""

CASES = """\
name: Key Commands
version: "1.0"

tests:
  # ======
  - name: SET and GET, twice!
    operations:
      - { cmd: SET, args: ["key", { bytes: [0, 255] }], expect: true }   # true is OK
      - { cmd: GET, args: ["key"], expect: { bytes: [0, 255] } }
      - { cmd: GET, args: ["no"], expect: null }
      - { cmd: TYPE, args: [key], expect: string }

  - name: SET and GET; twice?
    setup:
      - { cmd: ZADD, args: ["z", [[1.0, "a"], [-2.5, "b"]]] }
      - cmd: DEL
        args:
          - [k1, k2]
    operations:
      - { cmd: EXPIREAT, args: ["z", { future_seconds: 60 }], expect: true }
      - { cmd: HEXISTS, args: ["h", "f"], expect: false }
      - { cmd: ZSCORE, args: ["z", "a"], expect: 1.0 }
      - { cmd: CONFIG, args: ["SET", "maxmemory", "1"], expect: "OK" }
      - { cmd: MGET, args: [["a", "b"]], expect: ["it's", null] }
      - { cmd: KEYS, args: ["*"], expect: { type: "list" } }
      - { cmd: DBSIZE, args: [], expect: 3 }
"""


@pytest.fixture(autouse=True)
def folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)


def spec_of(**texts: str) -> Spec:
    for name, text in texts.items():
        Path(f"{name}.yaml").write_text(text)
    done = invoked("spec", "convert", *(f"{name}.yaml" for name in texts))
    assert (done.status, done.stderr) == (0, "")
    Path("made.toml").write_text(done.stdout)
    return specification.spec_of("made.toml")


def problems(text: str, name: str = "x.yaml") -> list[str]:
    Path(name).write_text(text)
    with pytest.raises(ConfigError) as error:
        converted([Path(name)], specification.vocabulary())
    return list(error.value.problems)


def test_a_specification_keeps_every_key() -> None:
    spec = spec_of(spec=SPEC)
    [invariant] = spec.invariants
    assert (invariant.name, invariant.description) == ("incr_is_monotonic", "it's: a counter # not a comment")
    [fault] = spec.faults
    assert (fault.name, fault.severity, fault.recovery) == ("disk_full", "high", "an error")
    assert spec.tests("smoke")[0].settings == {"keys": 100, "include_restart": True}
    assert spec.seeds("properties", 1) == 7
    assert spec.tests("properties")[0].operations == ("INCR", "GET", "SET")
    assert spec.tests("properties")[1].invariants == ()
    assert spec.tests("chaos")[0].faults == ("disk_full",)
    assert spec.tests("soak")[0].settings["rss_growth_percent"] == 10
    assert spec.oracle.reference == "redis://localhost:6379"
    assert spec.oracle.command_groups == {
        "strings": CommandGroup(("SET", "GET"), 5),
        "expiry": CommandGroup(("TTL",)),
    }
    assert spec.simulation.default_config == {"seeds": 1000}
    assert [(each.name, each.fault_rate, each.faults) for each in spec.simulation.scenarios] == [
        ("rare", 0.001, ("disk_full",)),
        ("none", 0.0, ()),
    ]


def test_cases_become_commands_and_replies_with_their_types() -> None:
    one, two = spec_of(keys=CASES).cases
    assert (one.name, one.description) == ("keys_set_and_get_twice", "SET and GET, twice!")
    assert one.operations == (
        Operation((b"SET", b"key", b"\x00\xff"), Exactly(OK)),
        Operation((b"GET", b"key"), Exactly(b"\x00\xff")),
        Operation((b"GET", b"no"), OfType("nil")),
        Operation((b"TYPE", b"key"), Exactly(Status(b"string"))),
    )
    assert two.name == "keys_set_and_get_twice_2"
    assert two.operations[:6] == (
        Operation((b"ZADD", b"z", b"1", b"a", b"-2.5", b"b")),
        Operation((b"DEL", b"k1", b"k2")),
        Operation((b"EXPIREAT", b"z", Future(60, 1)), Exactly(1)),
        Operation((b"HEXISTS", b"h", b"f"), Exactly(0)),
        Operation((b"ZSCORE", b"z", b"a"), Between(1.0, 1.0)),
        Operation((b"CONFIG", b"SET", b"maxmemory", b"1"), Exactly(OK)),
    )
    assert str(two.operations[6].expect) == '["it\'s", nil]'
    assert two.operations[7].expect == OfType("array")
    assert two.operations[8] == Operation((b"DBSIZE",), Exactly(3))


def test_several_files_become_one() -> None:
    spec = spec_of(spec=SPEC, keys=CASES, lists=CASES)
    assert len(spec.invariants) == 1
    assert [case.name for case in spec.cases] == [
        "keys_set_and_get_twice",
        "keys_set_and_get_twice_2",
        "lists_set_and_get_twice",
        "lists_set_and_get_twice_2",
    ]


def test_a_converted_file_is_run() -> None:
    spec_of(spec=SPEC, keys=CASES.replace("CONFIG", "ECHO").replace('args: ["SET", "maxmemory", "1"]', 'args: ["OK"]'))
    done = invoked("cases", "model", "--spec", "made.toml", "--filter", "keys_set_and_get_twice", "-q")
    assert done.status == 0
    assert invoked("properties", "--subject", "model", "--spec", "made.toml", "-q").stdout.startswith(
        "PASS properties  7 seeds, 7 cases: 7 passed"
    )


def test_problems_have_the_lines_of_the_yaml() -> None:
    wrong = SPEC.replace("severity: high", "severity: hihg").replace("    default_seeds: 7", "    default_seeds: no")
    wrong = wrong.replace("expiration:", "expiratoin:") + "colour: red\n"
    found = problems(wrong)
    assert [line.split(": ")[0] for line in found] == ["x.yaml:63:1"]
    found = problems(wrong.replace("colour: red\n", ""))
    assert [line.split(": ")[:2] for line in found] == [
        ["x.yaml:13:3", "faults[0].severity"],
        ["x.yaml:25:5", "scenarios.properties.default_seeds"],
        ["x.yaml:51:5", "oracle.command_groups.expiratoin"],
    ]
    cases = CASES.replace("{ future_seconds: 60 }", "{ future_days: 60 }").replace(
        "expect: 3", "expect: {ramge: [1, 2]}"
    )
    cases = cases.replace("  - name: SET and GET; twice?\n", "  - title: x\n")
    assert [line.split(": ")[:2] for line in problems(cases)] == [
        ["x.yaml:13:5", "tests[1]"],
        ["x.yaml:13:5", "tests[1].title"],
        ["x.yaml:20:26", "tests[1].operations[0].args"],
        ["x.yaml:26:34", "tests[1].operations[6].expect"],
    ]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a: &x 1\n", "x:1:4: has an anchor, which this reader does not know; write it out"),
        ("a: *x\n", "x:1:4: has an alias"),
        ("a: !!str 1\n", "x:1:4: has a tag"),
        ("a: |\n  text\n", "x:1:4: has a text over several lines"),
        ("a:\n\tb: 1\n", "x:2:1: is indented by a tab"),
        ("a: 1\n  b: 2\n", "x:2:3: is indented further than the lines beside it"),
        ("a:\n    b: 1\n  c: 2\n", "x:3:3: is indented further than the lines beside it"),
        ("  a: 1\nb: 2\n", "x:2:1: is indented as no line before it"),
        ("a: 1\na: 2\n", "x:2:1: has the key a a second time"),
        ("a: 1\nwords\n", "x:2:1: has no key; write KEY: VALUE"),
        ("- 1\n", "x:1:1: is no mapping"),
        ("a: [1, 2\n", "x:1:9: lacks the closing ]"),
        ("a: {b: 1]\n", "x:1:9: lacks the closing }"),
        ("a: {b 1}\n", "x:1:8: has no colon behind a key in brackets"),
        ('a: ["x" "y"]\n', "x:1:9: has no comma between two values in brackets"),
        ("a: [1] 2\n", "x:1:7: has more behind a closing bracket"),
        ('a: "x\n', "x:1:4: has a quote that is not closed"),
        ('a: "\\q"\n', "x:1:4: has an escape that this reader does not know"),
        ("a:\n" + "".join(f"{' ' * depth}b:\n" for depth in range(1, 40)), "is nested deeper than any specification"),
        ("a: " + "[" * 40, "is nested deeper than any specification"),
    ],
)
def test_what_is_not_read_is_refused_with_its_place(text: str, problem: str) -> None:
    with pytest.raises(ConfigError) as error:
        spec_yaml.parsed(text, "x")
    [found] = error.value.problems
    assert problem in found


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a: 5", 5),
        ("a: -5", -5),
        ("a: 0.5", 0.5),
        ("a: 1e3", 1000.0),
        ("a: true", True),
        ("a: ~", None),
        ("a:", None),
        ("a: yes", "yes"),
        ("a: '5'", "5"),
        ('a: "\\n\\u00e9#"', "\né#"),
        ("a: it's [fine]", "it's [fine]"),
        ("a: http://x#y # z", "http://x#y"),
        ("a: []", []),
        ("a: {}", {}),
        ("a: [ [1, 2], {b: [], 'c d': -1}, x y ]", [[1, 2], {"b": [], "c d": -1}, "x y"]),
        ("a:\n- 1\n-\n  b: 2\n  c: 3\n- - 4\n  - [5]\n-", [1, {"b": 2, "c": 3}, [4, [5]], None]),
    ],
)
def test_values_are_those_of_yaml(text: str, value: object) -> None:
    assert spec_yaml.parsed(text, "x").tree == {"a": value}
