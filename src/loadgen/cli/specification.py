"""The spec file of a command line: what the verbs of verification run by default, as kinds, seeds and options."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from loadgen.cli.options import Option
from loadgen.cli.options.kind import FILE_NAME
from loadgen.cli.verification import Job, Run, seeds_from
from loadgen.config import spec_file
from loadgen.config.spec_file import Vocabulary
from loadgen.errors import UsageError
from loadgen.escape import printable
from loadgen.faults.kinds import KINDS, kind_named
from loadgen.verify import kinds
from loadgen.verify.compatibility import PREFIX
from loadgen.verify.kinds import Suite, cases, kv
from loadgen.verify.kinds import oracle as comparisons
from loadgen.verify.kinds import properties as laws
from loadgen.verify.kinds.chaos import KINDS as KINDS_OF_SERVERS
from loadgen.verify.kinds.chaos import SUITE as CHAOS_SUITE
from loadgen.verify.kinds.chaos import kinds_of
from loadgen.verify.kinds.kv_groups import GROUPS
from loadgen.verify.kinds.oracle import OPERATIONS
from loadgen.verify.kinds.oracle import SUITE as ORACLE
from loadgen.verify.kinds.properties import SUITE as PROPERTIES
from loadgen.verify.kinds.scene_rows import NAMES as SCENES
from loadgen.verify.kinds.simulated import suite as simulated
from loadgen.verify.kinds.simulated.bounds import WORDS as SIMULATED
from loadgen.verify.spec import CATEGORIES, DELETES, STORES, CommandGroup, ScenarioTest, SimulatedScenario, Spec
from loadgen.verify.stress.shape import Shape, shapes
from loadgen.verify.subject import named
from loadgen.version import __version__

SPEC = Option(
    ("--spec",),
    "what is run by default: a copy of what `loadgen spec` prints, changed (default: that of loadgen)",
    FILE_NAME,
    "FILE",
)

WRITTEN = (STORES, DELETES)
"""The commands that cases of chaos write with."""

CHAOS = "chaos"
"""The scenario of `loadgen chaos` where a server is judged."""

STRESS = "stress"
"""The scenario of `loadgen stress`."""

OPERATIONS_BY_DEFAULT = 1000
"""The operations of the oracle on each server, where a spec file has no number of cases."""


def spec_of(file: str | None) -> Spec:
    """Return the spec of a file; that of loadgen without a name. Raises ConfigError."""
    if not file:
        return spec_file.spec_of(spec_file.shipped_text(), "", vocabulary())
    return spec_file.read(Path(file), vocabulary())


def vocabulary() -> Vocabulary:
    """Return the names that a spec file may use: those of this version's tests."""

    def invariant(word: str) -> str:
        return kinds.exactly(PROPERTIES, word)

    def group(word: str) -> str:
        try:
            return kinds.exactly(ORACLE, PREFIX + word).removeprefix(PREFIX)
        except ValueError as error:
            raise ValueError(str(error).replace(PREFIX, "")) from None

    def fault(word: str) -> str:
        name = word.replace("-", "_")
        known = [*dict.fromkeys((*SCENES, *KINDS))]
        if name not in known and kind_named(name) is None:
            raise ValueError(f"there is no fault {printable(word, 60)}; {kinds.suggestion(name, known)}")
        return name

    def persistence(word: str) -> str:
        known = [*dict.fromkeys(each.name for _, each in KINDS_OF_SERVERS.values())]
        if word not in known:
            raise ValueError(f"there is no persistence {printable(word, 60)}; {kinds.suggestion(word, known)}")
        return word

    def reference(word: str) -> str:
        try:
            return named.checked(word)
        except UsageError as error:
            raise ValueError(str(error)) from None

    taken = {name for suite in kinds.SUITES.values() for name in (suite.name, *suite.kinds)}
    return Vocabulary(invariant, fault, persistence, group, reference, group_of, frozenset(taken))


def suites_of(spec: Spec) -> dict[str, Suite]:
    """Return all suites, with the cases of a spec file."""
    known = dict(kinds.SUITES)
    if cases.NAME in known:
        known[cases.NAME] = cases.suite(spec)
    return known


def cautions(spec: Spec) -> list[str]:
    """Return a sentence, without its full stop, for each table or word that this version does not act on."""
    acted_on = (PROPERTIES.name, kv.SUITE.name, CHAOS, STRESS)
    parts = [part for part in spec.scenarios if part not in acted_on]
    said = [f"scenarios.{part} is not acted on by loadgen {__version__}" for part in parts]
    for scene in spec.simulation.scenarios:
        if scene.faults and not scene.fault_rate:
            said.append(f"simulation: {printable(scene.name, 60)}: its faults are left out, as its fault_rate is 0")
        elif left := [word for word in scene.faults if word not in SIMULATED]:
            said.append(
                f"simulation: {printable(scene.name, 60)}: {', '.join(left)} is left out, as simulated servers have "
                f"{', '.join(SIMULATED)}"
            )
    for test in spec.tests(CHAOS):
        if others := [word for word in test.operations if word.upper() not in WRITTEN]:
            said.append(
                f"scenarios.chaos: {printable(test.name, 60)}: {printable(', '.join(others), 60)} is left out, as "
                f"cases of chaos write with {' and '.join(WRITTEN)}"
            )
    return said


# ── Chaos ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def faults(spec: Spec, words: str | None, *, by_default: bool) -> str | None:
    """Return the faults that --faults names, severities in it as the faults that a spec file gives them.

    Without words, those of the file's [scenarios.chaos] when it is to say so `by_default`; else None. A fault that the
    file has for some ways of keeping data only is there with these: bit_flip_rdb.
    """
    if words is None:
        names = dict.fromkeys(name for test in spec.tests(CHAOS) for name in _names_of(test))
        return ",".join(names) if by_default and names else None
    found: list[str] = []
    for word in words.split(","):
        severe = [each.name for each in spec.faults if each.severity == word.strip().lower()]
        found += severe or [word]
    return ",".join(dict.fromkeys(found))


def _names_of(test: ScenarioTest) -> list[str]:
    """Return the faults of a test of chaos, or the kinds of those that judge a server with its persistence only."""
    if not test.persistence:
        return [*test.faults]
    return [kind for fault in test.faults for kind in _kinds_of(fault, test.persistence)]


def _kinds_of(fault: str, persistence: Sequence[str] = ()) -> list[str]:
    """Return the kinds of a fault that judge a server; none for a fault of clients."""
    of_server = kinds_of(fault) if fault in SCENES else ()
    return [kind for kind in of_server if not persistence or KINDS_OF_SERVERS[kind][1].name in persistence]


def chaos(spec: Spec, options: Mapping[str, str], seeds: Sequence[int], wanted: Sequence[str]) -> list[Job]:
    """Return the jobs of some kinds of chaos, with what the spec file's tests of each want.

    `options` are those of the command line, which win over a test's. Kinds of which the same is wanted are one job. A
    kind of several tests, of which each wants another thing, is in several jobs.
    """
    suite = CHAOS_SUITE
    of_kind: dict[str, list[tuple[str, str]]] = {}
    for test in spec.tests(CHAOS):
        wants = (_writes_of(test), test.settings.get("expect", ""))
        for fault in test.faults:
            for kind in _kinds_of(fault, test.persistence):
                of_kind.setdefault(kind, []).append(wants)
    jobs: dict[tuple[str, str], dict[str, None]] = {}
    for kind in wanted:
        for operations, expect in of_kind.get(kind, [("", "")]):
            wants = (options["operations"] or operations, options["expect"] or expect)
            jobs.setdefault(wants, {})[kind] = None
    return [
        Job(suite, {**options, "operations": operations, "expect": expect}, (Run((*chosen,), seeds),), spec)
        for (operations, expect), chosen in jobs.items()
    ]


def _writes_of(test: ScenarioTest) -> str:
    """Return what a test of chaos says of its writes, as the option has it."""
    if test.most_operations is not None:
        return str(test.most_operations)
    return ",".join(dict.fromkeys(word.upper() for word in test.operations if word.upper() in WRITTEN))


# ── Simulation ────────────────────────────────────────────────────────────────────────────────────────────────────────


def simulation(
    spec: Spec, options: Mapping[str, str], seeds: Sequence[int], wanted: Sequence[str], words: str | None
) -> list[Job]:
    """Return a job for each scenario of a spec file's simulation, of the kinds that are `wanted`.

    A scenario with the name of a kind or of a test has these kinds only. `words`, as of --filter, name scenarios, or
    kinds of every scenario. Raises UsageError.
    """
    suite, config = simulated.SUITE, spec.simulation.default_config
    own = {name: str(config[key]) for name, key in (("clients", "clients"), ("tick-ms", "tick_ms")) if key in config}
    scenes = spec.simulation.scenarios
    asked = [part.strip() for part in (words or "").split(",") if part.strip()]
    named = [scene for scene in scenes if scene.name in asked]
    others = ",".join(word for word in asked if all(scene.name != word for scene in named))
    kept = kinds.filtered(suite, others) if others else suite.kinds
    jobs = []
    for scene in named or scenes:
        of_name = suite.names.get(scene.name) or ((scene.name,) if scene.name in suite.kinds else suite.kinds)
        chosen = tuple(kind for kind in wanted if kind in kept and kind in of_name)
        if chosen:
            jobs.append(Job(suite, {**options, **own, **_faults_of(scene)}, (Run(chosen, seeds),), spec))
    if not scenes:
        jobs.append(Job(suite, {**options, **own}, (Run(tuple(k for k in wanted if k in kept), seeds),), spec))
    if not any(run.kinds for job in jobs for run in job.runs):
        raise UsageError("no scenario of the spec file's simulation has a test that is asked for.")
    return jobs


def _faults_of(scene: SimulatedScenario) -> dict[str, str]:
    words = [word for word in scene.faults if word in SIMULATED]
    if scene.faults and scene.fault_rate and not words:
        raise UsageError(
            f"simulation: {printable(scene.name, 60)} has no fault that simulated servers have; name some of "
            f"{', '.join(SIMULATED)}, or none for all of each test."
        )
    return {"fault-rate": str(scene.fault_rate), "faults": ",".join(words)}


# ── Properties ────────────────────────────────────────────────────────────────────────────────────────────────────────


def properties(spec: Spec, options: Mapping[str, str], seeds: Sequence[int], words: str | None) -> list[Job]:
    """Return the jobs of the properties that a spec file runs by default, or of those that `words` names.

    `words` are names, parts of names and categories, as of --filter. Tests with the same `operations` are one job, and
    so are the properties that no test has. Raises UsageError for an unknown word.
    """
    suite = PROPERTIES
    tests = spec.tests(suite.name)
    by_default = {name for test in tests for name in test.invariants} or {*suite.kinds}
    named = by_default if words is None else {*filtered(spec, suite, words)}
    wanted = laws.spoken([kind for kind in suite.kinds if kind in named], options)
    commands = {name: ",".join(test.operations) for test in tests for name in test.invariants}
    jobs = []
    for each in dict.fromkeys(commands.get(kind, "") for kind in wanted):
        chosen = tuple(kind for kind in wanted if commands.get(kind, "") == each)
        drawn = {"commands": options["commands"] or each}
        jobs.append(Job(suite, {**options, **drawn}, (Run(chosen, seeds),), spec))
    return jobs


def filtered(spec: Spec, suite: Suite, words: str) -> list[str]:
    """Return the properties that --filter names. Raises UsageError."""
    found: list[str] = []
    for word in filter(None, (part.strip() for part in words.split(","))):
        if (category := word.lower().replace("-", "_")) in CATEGORIES:
            found += (each.name for each in spec.invariants if each.category == category)
        else:
            found += kinds.filtered(suite, word)
    return found or [*kinds.filtered(suite, words)]


# ── The oracle ────────────────────────────────────────────────────────────────────────────────────────────────────────


def groups(
    spec: Spec, options: Mapping[str, str], first: int, words: str | None = None, ops: int | None = None
) -> list[Job]:
    """Return the jobs of the groups that a spec file compares by default, or of those that `words` names.

    `first` is the first seed, and `ops` the number of operations of all groups together, in place of the file's cases.
    Groups with the same `commands` are one job. Raises UsageError.
    """
    suite = ORACLE
    given = {PREFIX + name: group for name, group in spec.oracle.command_groups.items()}
    wanted = (
        kinds.filtered(suite, words)
        if words is not None
        else [kind for kind in suite.kinds if not given or kind in given]
    )
    wanted = comparisons.spoken(wanted, options)
    even = -(-(ops or OPERATIONS_BY_DEFAULT) // (OPERATIONS * len(wanted)))
    jobs: dict[str, dict[int, list[str]]] = {}
    for kind in wanted:
        group = given.get(kind, CommandGroup())
        cases_of = group.test_cases if ops is None and group.test_cases is not None else even
        commands = options["commands"] or ",".join(group.commands)
        jobs.setdefault(commands, {}).setdefault(cases_of, []).append(kind)
    return [
        Job(
            suite,
            {**options, "commands": commands},
            tuple(Run(tuple(each), seeds_from(first, number)) for number, each in runs.items()),
            spec,
        )
        for commands, runs in jobs.items()
    ]


# ── The kv suite ──────────────────────────────────────────────────────────────────────────────────────────────────────


def smoke(
    spec: Spec, options: Mapping[str, str], typed: Mapping[str, str], seeds: Sequence[int], words: str | None
) -> list[Job]:
    """Return the jobs of the groups that a spec file runs by default, or of those that `words` names.

    `typed` are the options that win over those of a test. Tests with the same `keys` and `iterations` are one job.
    Raises UsageError.
    """
    suite = kv.SUITE
    tests = spec.tests(suite.name)
    settings = {kind: _typed(test, typed) for test in tests for kind in (group_of(test),)}
    wanted = kinds.filtered(suite, words) if words is not None else tuple(settings) or suite.kinds
    jobs: dict[tuple[tuple[str, str], ...], list[str]] = {}
    for kind in suite.kinds:
        if kind in wanted:
            own = {**options, **settings.get(kind, typed)}
            jobs.setdefault(tuple(own.items()), []).append(kind)
    return [Job(suite, dict(own), (Run(tuple(chosen), seeds),), spec) for own, chosen in jobs.items()]


def _typed(test: ScenarioTest, typed: Mapping[str, str]) -> dict[str, str]:
    """Return the options of a test, under those that were typed."""
    return {name: str(test.settings[name]) for name in ("keys", "iterations") if name in test.settings} | {**typed}


def group_of(test: ScenarioTest) -> str:
    """Return the group that a test names, else the one that has the most of its operations. Raises ValueError."""
    name = f"kv_{test.name.removeprefix('kv_')}"
    if name in GROUPS:
        return name
    if test.settings.get("include_restart"):
        return next(name for name, group in GROUPS.items() if group.restarts)
    asked = {operation.upper().encode() for operation in test.operations}
    shared = {name: len(asked & {*kv.commands(group)}) for name, group in GROUPS.items() if not group.restarts}
    if not any(shared.values()):
        raise ValueError(
            f"{printable(test.name, 60)} is no group of the kv suite, and no group has its "
            f"operations; {kinds.suggestion(name, [*GROUPS])}"
        )
    return max(shared, key=lambda name: shared[name])


# ── Stress ────────────────────────────────────────────────────────────────────────────────────────────────────────────

CONNECTIONS, KEYS, VALUE_BYTES = 100, 100_000, 1024
"""The shape of a test of stress where its file leaves it open."""


def stress(spec: Spec, name: str) -> list[tuple[Shape, int]]:
    """Return the shapes of a test of stress, or with `all` of every one, each with its number of requests.

    0: as many as the load's duration allows. Raises UsageError for an unknown name.
    """
    tests = {test.name: test for test in spec.tests(STRESS)}
    if not tests:
        raise UsageError("the spec file has no test of stress: add one to scenarios.stress, or name -c and -k.")
    if name != "all" and name not in tests:
        there = f"there is no scenario of stress {printable(name, 60)}"
        raise UsageError(f"{there}; {kinds.suggestion(name, [*tests, 'all'])}")
    found: dict[tuple[Shape, int], None] = {}
    for test in tests.values() if name == "all" else [tests[name]]:
        own = test.settings
        made = shapes(
            own.get("connections", [CONNECTIONS]), own.get("keys", [KEYS]), own.get("value_sizes", [VALUE_BYTES])
        )
        for shape in made:
            each = own.get("operations_per_connection", 0) * shape.connections
            found[shape, own.get("requests", each)] = None
    return [*found]
