"""The verbs of redlite-dst with their flags, short forms, defaults and names, as its users know them."""

from __future__ import annotations

from importlib import import_module

import pytest

from loadgen.cli import main, specification
from loadgen.cli.options import Syntax
from loadgen.cli.options.parse import parse
from loadgen.cli.verbs import fuzz, stress
from loadgen.verify import kinds

S_NS = 1_000_000_000

BUILT = ("smoke", "properties", "oracle", "chaos", "stress", "fuzz", "replay", "full", "seeds")
UPSTREAM = {*BUILT, "simulate", "soak", "cloud"}

FLAGS = (
    ("properties", ("-s", "--seeds"), "(default: of the spec file, 1,000)"),
    ("properties", ("-f", "--filter"), ""),
    ("oracle", ("--redis",), ""),
    # `-o` is the file of the results, on every verb.
    ("oracle", ("--ops",), "1,000 operations in all)"),
    ("chaos", ("--faults",), ""),
    ("chaos", ("--seeds",), "of a server's faults 100)"),
    ("stress", ("-c", "--connections"), "(default: 100)"),
    ("stress", ("-k", "--keys"), "(default: 100,000)"),
    ("fuzz", ("-t", "--target"), "(default: all)"),
    ("fuzz", ("-d", "--duration"), "(default: 60s)"),
    ("replay", ("--seed",), ""),
    ("replay", ("--test",), ""),
    ("full", ("--quick",), ""),
    ("seeds", ("--seed",), ""),
    ("seeds", ("--description",), ""),
    ("seeds", ("--test",), "(default: properties)"),
    ("seeds", ("--bank",), "(default: tests/regression_seeds.txt)"),
    *(
        (verb, *flag)
        for verb in BUILT
        for flag in (
            (("--format",), "(default: console)"),
            (("-o", "--output"), "standard output still shows them"),
            (("-v", "--verbose"), "the same as --format verbose"),
        )
    ),
)
"""By verb, each flag of redlite-dst: its spellings, and what its explanation says of the default."""


def syntax_of(verb: str) -> Syntax:
    module = import_module(f"loadgen.cli.verbs.{verb}")
    found = module.syntax_of(["--suite", "kv"]) if verb == "smoke" else module.SYNTAX
    assert isinstance(found, Syntax)
    return found


@pytest.mark.parametrize(("verb", "spellings", "said"), FLAGS)
def test_a_flag_of_redlite_dst_is_there_with_its_default(verb: str, spellings: tuple[str, ...], said: str) -> None:
    syntax = syntax_of(verb)
    [option] = [each for each in syntax.options() if spellings[-1] in each.spellings]
    assert option.spellings == spellings
    shown = option.default and "default:" not in option.what
    explained = f"{option.what} (default: {option.default})" if shown else option.what
    assert said in explained
    assert explained in " ".join(main.help_text(verb, "", syntax).split())


def test_what_is_run_without_options_is_as_much_as_there() -> None:
    spec = specification.spec_of(None)
    assert (spec.seeds("properties", 0), spec.seeds("chaos", 0)) == (1000, 100)
    [load] = stress.loads_of(parse(stress.SYNTAX, ["--embedded"]))
    assert load.plan.load.duration_ns == 10 * S_NS
    assert (load.shape.connections, load.shape.keys) == (100, 100_000)
    assert fuzz.DURATION_S == 60


def test_a_bare_number_is_a_time_in_seconds() -> None:
    for flag in ("-d", "--duration"):
        assert parse(fuzz.SYNTAX, [flag, "60"]).duration == 60 * S_NS
    [load] = stress.loads_of(parse(stress.SYNTAX, ["--embedded", "--duration", "60"]))
    assert load.plan.load.duration_ns == 60 * S_NS


@pytest.mark.parametrize("format", ["console", "json", "markdown"])
def test_every_format_of_redlite_dst_is_taken(format: str) -> None:
    for verb in BUILT:
        words = ["list"] if verb == "seeds" else []
        assert parse(syntax_of(verb), [*words, "--format", format]).format == format


@pytest.mark.parametrize(
    ("suite", "names"),
    [
        (
            "properties",
            "properties set_get_roundtrip incr_is_monotonic incr_monotonic list_order_preserved hash_fields_unique "
            "sorted_set_ordering expire_removes_key crash_recovery_consistent wal_durability ttl_monotonic_decrease",
        ),
        ("chaos", "chaos disk_full corrupt_read corrupt_write slow_write crash_mid_write memory_pressure"),
        ("fuzz", "fuzz resp_parser query_parser command_handler"),
        ("oracle", "oracle"),
        ("smoke", "smoke"),
    ],
)
def test_a_test_type_of_redlite_dst_names_kinds(suite: str, names: str) -> None:
    for name in names.split():
        selection = kinds.selected(name)
        assert selection.suite.name == suite, name
        assert selection.kinds, name
        assert kinds.selected(name.replace("_", "-")) == selection


def test_every_kind_of_a_suite_is_a_test_type_of_its_own() -> None:
    for suite in kinds.SUITES.values():
        for kind in suite.kinds:
            assert kinds.selected(kind) == kinds.Selection(suite, (kind,))


@pytest.mark.parametrize(
    "name", ["concurrent_operations", "crash_recovery", "connection_storm", "write-contention", "liveness"]
)
def test_a_simulated_test_type_names_the_kinds_of_every_subject(name: str) -> None:
    found = kinds.selected(name)
    assert found.suite is kinds.SUITES["simulate"]
    assert found.kinds == tuple(f"{subject}_{name.replace('-', '_')}" for subject in ("engine", "client"))
    assert kinds.selected("simulate").kinds == kinds.SUITES["simulate"].kinds


def test_every_verb_is_there() -> None:
    assert {*main.VERBS} >= UPSTREAM
