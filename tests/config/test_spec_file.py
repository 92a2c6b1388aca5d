"""Spec files: the one of loadgen, every key, and every problem at once, with its line."""

from __future__ import annotations

from pathlib import Path

import pytest

from loadgen.cli import specification
from loadgen.config import spec_file
from loadgen.config.spec_file import Vocabulary
from loadgen.errors import ConfigError
from loadgen.verify import kinds
from loadgen.verify.expectation import Exactly
from loadgen.verify.kinds.property_rows import PROPERTIES
from loadgen.verify.kinds.scene_rows import SCENES
from loadgen.verify.reply import OK
from loadgen.verify.spec import (
    CommandGroup,
    FaultKind,
    Future,
    Invariant,
    Operation,
    Scenario,
    ScenarioTest,
    SimulatedScenario,
    Spec,
)

EVERY_KEY = """
version = "1.0"

[[invariants]]
name = "incr_monotonic"
description = "it grows"
category = "data_integrity"

[[faults]]
name = "disk_full"
description = "no space is left"
severity = "high"
recovery = "an error, and no damage"

[scenarios.smoke]
description = "quick"
[[scenarios.smoke.tests]]
name = "basic"
description = "the basics"
operations = ["SET", "GET"]
keys = 100
iterations = 1000
include_restart = true

[scenarios.properties]
default_seeds = 7
tests = [{ name = "numbers", invariants = ["incr_monotonic"], operations = ["INCR"] }]

[scenarios.chaos]
tests = [
  { name = "full", faults = ["disk_full"], operations = ["SET"], expect = "error_returned", persistence = ["rdb"] },
  { name = "short", operations = 60, faults = ["disk_full"] },
]

[scenarios.stress]
[[scenarios.stress.tests]]
name = "many"
connections = [10, 100]
keys = 10
value_sizes = [1024]
operations = 500
operations_per_connection = 50
measure = ["throughput"]

[scenarios.soak]
[[scenarios.soak.tests]]
name = "memory"
duration = "1h"
operations_per_second = 1000
measure = ["rss_growth"]
alert_threshold = { rss_growth_percent = 10, throughput_drop_percent = 20 }

[oracle]
description = "alike"
reference = "redis://localhost:6379"
command_groups.strings = { commands = ["SET", "GET"], test_cases = 5 }

[simulation]
description = "virtual"
default_config = { seeds = 1000, operations_per_seed = 10000, clients = 10, tick_ms = 1 }
[[simulation.scenarios]]
name = "rare"
description = "seldom"
fault_rate = 0.001
faults = ["disk_full"]

[[case]]
name = "a_case"
description = "words"
setup = [{ cmd = "SET", args = ["a", 5, -1.0, 2.5, { bytes = [0, 255] }] }]
operations = [
  { cmd = "EXPIREAT", args = ["a", { future_seconds = 60 }], expect = 1, connection = 2, wait_ms = 10 },
  { cmd = "PEXPIREAT", args = ["a", { future_ms = 60000 }], expect = { status = "OK" } },
]
"""


def read(text: str) -> Spec:
    return spec_file.spec_of(text, "my.toml", specification.vocabulary())


def problems(text: str) -> list[str]:
    with pytest.raises(ConfigError) as error:
        read(text)
    return list(error.value.problems)


def test_every_key_comes_to_its_value() -> None:
    spec = read(EVERY_KEY)
    assert spec.invariants == (Invariant("incr_is_monotonic", "it grows", "data_integrity"),)
    assert spec.faults == (FaultKind("disk_full", "no space is left", "high", "an error, and no damage"),)
    [smoke] = spec.tests("smoke")
    assert (smoke.name, smoke.operations) == ("basic", ("SET", "GET"))
    assert smoke.settings == {"keys": 100, "iterations": 1000, "include_restart": True}
    numbers = ScenarioTest("numbers", ("incr_is_monotonic",), operations=("INCR",))
    assert spec.scenarios["properties"] == Scenario("", 7, (numbers,))
    full, short = spec.tests("chaos")
    assert (full.faults, full.settings) == (("disk_full",), {"expect": "error_returned"})
    assert (full.operations, full.persistence, full.most_operations) == (("SET",), ("rdb",), None)
    assert (short.operations, short.most_operations) == ((), 60)
    [many] = spec.tests("stress")
    assert many.settings == {
        "connections": (10, 100),
        "keys": (10,),
        "value_sizes": (1024,),
        "requests": 500,
        "operations_per_connection": 50,
        "measure": ("throughput",),
    }
    [memory] = spec.tests("soak")
    assert memory.settings["duration"] == 3600 * 10**9
    assert (memory.settings["rss_growth_percent"], memory.settings["throughput_drop_percent"]) == (10, 20)
    assert spec.oracle.reference == "redis://localhost:6379"
    assert spec.oracle.command_groups == {"strings": CommandGroup(("SET", "GET"), 5)}
    assert spec.simulation.default_config["tick_ms"] == 1
    assert spec.simulation.scenarios == (SimulatedScenario("rare", "seldom", 0.001, ("disk_full",)),)
    [case] = spec.cases
    assert case.operations == (
        Operation((b"SET", b"a", b"5", b"-1", b"2.5", b"\x00\xff")),
        Operation((b"EXPIREAT", b"a", Future(60, 1)), Exactly(1), 2, 10),
        Operation((b"PEXPIREAT", b"a", Future(60000, 1000)), Exactly(OK)),
    )


def test_the_file_of_loadgen_names_every_test_of_this_version() -> None:
    """Each invariant is a property, in its own words, and each group of the oracle has its cases."""
    spec = specification.spec_of(None)
    assert {each.name: each.description for each in spec.invariants} == {
        name: each.invariant for name, each in PROPERTIES.items()
    }
    assert {name for test in spec.tests("properties") for name in test.invariants} == {*PROPERTIES}
    assert {each.name for each in spec.faults} == {*SCENES}
    # Redis itself fails the two others, and bit_flip of an append-only file.
    assert {name for test in spec.tests("chaos") for name in test.faults} == {*SCENES} - {
        "disk_full_rewrite",
        "clock_jump",
    }
    assert {name for test in spec.tests("chaos") if not test.persistence for name in test.faults} == {*SCENES} - {
        *("bit_flip", "torn_tail", "disk_full_rewrite", "clock_jump"),
    }
    assert {f"oracle_{name}" for name in spec.oracle.command_groups} == {*kinds.SUITES["oracle"].kinds}
    assert [words.split()[0] for words in specification.cautions(spec)] == ["scenarios.soak"]


@pytest.mark.parametrize(
    ("key", "problem"),
    [
        ('operations = ["HSET"]', "operations: must name SET, with which cases of chaos write, or be the most writes"),
        ("operations = 2", "operations: must be"),
        ('expect = "luck"', "expect: must be one of error_returned"),
        ('persistence = ["rbd"]', "persistence[0]: there is no persistence rbd; did you mean rdb?"),
    ],
)
def test_what_a_test_of_chaos_cannot_want_is_a_problem(key: str, problem: str) -> None:
    [found] = problems(f'[[scenarios.chaos.tests]]\nname = "x"\nfaults = ["disk_full"]\n{key}\n')
    assert f"scenarios.chaos.tests[0].{problem}" in found


def test_the_same_text_has_the_same_hash_and_another_text_another() -> None:
    one, two = read(EVERY_KEY), read(EVERY_KEY + "\n")
    assert read(EVERY_KEY).hash == one.hash != two.hash
    assert len(one.hash) == 16


BAD = """version = "2.0"
colour = 5
[[invariants]]
name = "incr_monoton"
category = "speed"
[[faults]]
name = "disk_full"
description = "x"
severity = "hihg"
[scenarios.propertes]
default_seeds = 5
[scenarios.properties]
default_seeds = 0
[[scenarios.properties.tests]]
invariants = ["ttl_decreases"]
faults = ["disk_full"]
[[scenarios.chaos.tests]]
name = "y"
faults = ["disk_ful"]
[oracle.command_groups]
string = { test_cases = "x" }
[[case]]
name = "set_get_roundtrip"
operations = [
  { cmd = "SET", args = ["a", [1]], expect = true },
  { cmd = "GET x", expect = { range = [2, 1] } },
  { expect = { typ = "x" } },
  { cmd = "X", args = { a = 1 }, expect = { type = "nill" } },
  { cmd = "X", args = [{ bytes = [256] }], expect = { approx = 1 } },
  { cmd = "X", expct = 1, wait_ms = -1 },
]
[[case]]
name = "B"
operations = []
[[case]]
setup = 5
"""


def test_every_problem_is_told_at_once_with_its_line() -> None:
    found = problems(BAD)
    parted = [problem.split(": ", 2) for problem in found]
    assert [(int(place.split(":")[1]), key) for place, key, _ in parted] == [
        (1, "version"),
        (2, "colour"),
        (3, "invariants[0]"),
        (4, "invariants[0].name"),
        (5, "invariants[0].category"),
        (9, "faults[0].severity"),
        (10, "scenarios.propertes"),
        (13, "scenarios.properties.default_seeds"),
        (14, "scenarios.properties.tests[0]"),
        (15, "scenarios.properties.tests[0].invariants[0]"),
        (16, "scenarios.properties.tests[0].faults"),
        (19, "scenarios.chaos.tests[0].faults[0]"),
        (21, "oracle.command_groups.string"),
        (21, "oracle.command_groups.string.test_cases"),
        (23, "case[0].name"),
        (25, "case[0].operations[0].args"),
        (25, "case[0].operations[0].expect"),
        (26, "case[0].operations[1].cmd"),
        (26, "case[0].operations[1].expect"),
        (27, "case[0].operations[2]"),
        (27, "case[0].operations[2].expect"),
        (28, "case[0].operations[3].args"),
        (28, "case[0].operations[3].expect"),
        (29, "case[0].operations[4].args"),
        (29, "case[0].operations[4].expect"),
        (30, "case[0].operations[5].expct"),
        (30, "case[0].operations[5].wait_ms"),
        (33, "case[1].name"),
        (34, "case[1].operations"),
        (35, "case[2]"),
        (35, "case[2]"),
        (36, "case[2].setup"),
    ]


def test_problems_say_what_to_do() -> None:
    words = "\n".join(problems(BAD))
    for said in (
        'properties has no test "incr_monoton"; did you mean incr_is_monotonic?',
        "did you mean high?",
        "unknown scenario; did you mean properties?",
        'oracle has no test "string"; did you mean strings',
        '"set_get_roundtrip" is the name of a test already; choose another',
        'servers answer no true and false: write { status = "OK" }, 1 or 0',
        "the range is empty: 2 is above 1",
        "did you mean nil?",
        "approx needs a tolerance beside it",
        "unknown key; did you mean expect?",
        "must be one word; write the others in args",
        "must be a list of tables; write [[case.setup]] above the keys of each",
    ):
        assert said in words


def test_what_a_test_names_must_be_listed() -> None:
    lacking = EVERY_KEY.replace('faults = ["disk_full"], operations', 'faults = ["torn_tail"], operations')
    [problem] = problems(lacking)
    assert problem.endswith('"torn_tail" is not listed in [[faults]]; listed are disk_full')
    twice = EVERY_KEY.replace(
        "[[faults]]", '[[faults]]\nname = "disk_full"\ndescription = "x"\nseverity = "low"\n[[faults]]', 1
    )
    [problem] = problems(twice)
    assert problem.endswith('"disk_full" is listed already; keep one of them')


def test_a_name_is_for_one_case() -> None:
    [problem] = problems(EVERY_KEY + EVERY_KEY[EVERY_KEY.index("[[case]]") :])
    assert problem.endswith('"a_case" is the name of another case already; choose another')


def test_a_file_of_another_kind_is_refused_in_a_sentence(tmp_path: Path) -> None:
    path = tmp_path / "spec.toml"
    path.write_text("invariants = 5\nscenarios = 3\n[case]\nx = 1\n")
    with pytest.raises(ConfigError) as error:
        spec_file.read(path, Vocabulary())
    assert [problem.split(": ", 1)[1] for problem in error.value.problems] == [
        "invariants: must be a list of tables; write [[invariants]] above the keys of each",
        "scenarios: must be a table; write [scenarios] and its keys below",
        "case: must be a list of tables; write [[case]] above the keys of each",
    ]


def test_a_server_that_is_none_and_a_smoke_test_of_no_group_are_told_with_their_lines() -> None:
    text = '[oracle]\nreference = "reddis"\n[[scenarios.smoke.tests]]\nname = "geo"\noperations = ["GEOADD"]\n'
    with pytest.raises(ConfigError) as error:
        spec_file.spec_of(text, "my.toml", specification.vocabulary())
    assert [problem.partition("; ")[0] for problem in error.value.problems] == [
        'my.toml:2:1: oracle.reference: "reddis" is no server to verify: write redis, valkey, memcached, builtin, '
        "model, fakeredis, an address such as 127.0.0.1:6379, or memcache://127.0.0.1:11211.",
        "my.toml:3:19: scenarios.smoke.tests[0]: geo is no group of the kv suite, and no group has its operations",
    ]
