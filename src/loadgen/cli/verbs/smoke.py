"""Start a server, send it PING, SET and GET, put load on it, and stop it: PASS or FAIL, with the reasons.

The criteria are in [smoke]. The load is that of CONFIG, without a saturation search; [slo] and [[check]] are printed,
but not judged.
With --matrix, every server file that matches the pattern is tested, one after the other.

With --suite kv, no load is put on: the server is asked what it must get right, in seven groups of commands, in seconds.
Without a server named, redis-server (or valkey-server, or the built-in server) is started. A group that the server does
not have is counted as skipped. --suite has options of its own: loadgen smoke --suite kv --help.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from loadgen import config, output
from loadgen.cli import interrupts, session, specification, verification
from loadgen.cli.flags import flags_of
from loadgen.cli.flags.address import target_of
from loadgen.cli.options import Given, Option, OptionGroup, Syntax
from loadgen.cli.options.kind import TEXT, choice, whole
from loadgen.cli.options.load import CONFIG, GROUPS, REFUSED, TARGET, refused
from loadgen.cli.options.verification import RESULTS, seeds
from loadgen.cli.specification import SPEC
from loadgen.cli.verification import Job, Planned
from loadgen.config import presets
from loadgen.errors import ConfigError, ExitCode, UsageError
from loadgen.runner.stop import Stop
from loadgen.server_plan import builtin
from loadgen.severity import Severity
from loadgen.smoke.ended import SmokeBegan, SmokeEnded
from loadgen.smoke.test import Case, run_all
from loadgen.target.servers import servers_of
from loadgen.verify.kinds import kv
from loadgen.verify.subject.named import SUBJECTS

NO_SEARCH = "workload.saturation_search is not acted on: a smoke test puts on the load of [workload] itself"

SEEDS = 1
"""The number of seeds of the kv suite, where a spec file has none."""

SUITE = Option(("--suite",), "ask the server what it must get right, and put no load on it", choice(("kv",)))

SYNTAX = Syntax(
    (
        OptionGroup("answers only", (SUITE,)),
        OptionGroup(
            "many servers",
            (
                Option(
                    ("--matrix",),
                    "test every server file that matches a pattern in quotes, such as 'server/config/*.toml', where ** "
                    "matches folders; or every server preset, such as 'redis*'",
                    TEXT,
                    "GLOB",
                ),
            ),
        ),
        *(group.without("--tests", "--csv", "--tui") for group in GROUPS),
    ),
    (CONFIG,),
    refused=(
        *REFUSED,
        *refused("a smoke test has one mix; write it with --mix", "-t"),
        *refused("a smoke test has no row for each test; --format json has all figures", "--csv"),
    ),
)

SUITE_SYNTAX = Syntax(
    (
        OptionGroup(
            "what is verified",
            (
                SUITE,
                Option(("--subject",), f"the server: {SUBJECTS} (default: what is installed)", TEXT, "SERVER"),
                *TARGET.without("--uri", "--server").options,
                Option(
                    ("-f", "--filter"),
                    "ask these groups only, such as lists,hashes: whole names, or parts of them",
                    TEXT,
                    "GROUPS",
                ),
                SPEC,
            ),
        ),
        OptionGroup(
            "how much",
            (
                Option(("--keys",), "number of keys (default: of the spec file, 100)", whole("N", 1, kv.MOST_KEYS)),
                Option(
                    ("--iterations",),
                    "rounds of commands in each group, on drawn keys (default: of the spec file, 1,000)",
                    whole("N", 1, kv.MOST_ITERATIONS),
                ),
            ),
        ),
        seeds(SEEDS, by_spec=True),
        RESULTS,
    ),
    stray="a server is named by --subject",
)


def syntax_of(words: Sequence[str]) -> Syntax:
    """Return the syntax of a command line: that of a suite where one is named."""
    return SUITE_SYNTAX if any(word.partition("=")[0] == "--suite" for word in words) else SYNTAX


def run(given: Given) -> ExitCode:
    """Test the servers, print the results, and return the gravest exit code. Raises LoadgenError for other failures."""
    return ask(given) if given.suite is not None else test(given)


def ask(given: Given) -> ExitCode:
    """Run the kv suite."""
    return verification.run(given, Planned(kv.SUITE.name, jobs_of(given)))


def jobs_of(given: Given) -> list[Job]:
    """Return what a command line asks of the suite. Raises UsageError and ConfigError."""
    spec = specification.spec_of(given.spec)
    options = {**verification.options_of(given, kv.SUITE), **subject_of(given)}
    typed = {name: str(given.get(name)) for name in ("keys", "iterations") if given.get(name) is not None}
    seeds = verification.seeds_from(given.seed, given.seeds or spec.seeds(kv.SUITE.name, SEEDS))
    return specification.smoke(spec, options, typed, seeds, given.filter)


def subject_of(given: Given) -> dict[str, str]:
    """Return the server that the flags of a load name, as an option of the suite. Raises UsageError."""
    address = target_of(given, memtier=False).address
    named = [*filter(None, (given.word("subject"), given.word("embedded"))), *address.words]
    if len(named) > 1:
        raise UsageError(f"{' and '.join(each.spelling for each in named)} each name the server: keep one of them.")
    if address:
        endpoints = address.endpoint("resp").value
        assert isinstance(endpoints, list), "an address is one of the configuration's endpoints"
        return {"subject": str(endpoints[0])}
    return {"subject": "builtin"} if given.embedded else {}


def test(given: Given) -> ExitCode:
    """Put load on the servers, one after the other."""
    cases, settings = cases_of(given)
    for words in dict.fromkeys(warning.words for case in cases for warning in case.warnings):
        output.remark(f"warning: {words}")
    wanted = session.wanted(given, settings)
    if wanted.format == "csv":
        raise output.no_csv("a smoke test")
    began_s = time.monotonic()
    stop = Stop()
    with output.opened(wanted) as outputs, interrupts.caught(stop):
        outputs.emit(SmokeBegan(matrix=given.matrix is not None))
        ended = [*run_all(cases, outputs.emit, stop=stop)]
    if given.matrix is not None:
        output.remark(f"loadgen: {tally_of(ended, time.monotonic() - began_s)}")
    return Severity.gravest(each.severity for each in ended).code


# ── The servers to test ───────────────────────────────────────────────────────────────────────────────────────────────


def cases_of(given: Given) -> tuple[list[Case], config.Config]:
    """Return a case for each server, in order, and the settings of the first, for the outputs of all.

    Raises UsageError or ConfigError, the latter with the problems of all files.
    """
    flags = flags_of(given)
    session.check_target(given, flags, given.matrix)
    files: Sequence[Path | None] = [flags.target.file] if given.matrix is None else matched(given.matrix)
    loaded, problems = [], dict[str, None]()
    for file in files:
        try:
            loaded.append(session.settings_of(given, flags, server=file))
        except ConfigError as error:
            problems |= dict.fromkeys(error.problems)
    if problems:
        raise ConfigError([*problems])
    session.refuse_faults(loaded[0], "a smoke test")
    session.refuse_history(loaded[0], "a smoke test")
    stems = Counter(file.stem for file in files if file is not None)
    cases = []
    for file, settings in zip(files, loaded, strict=True):
        name = session.name_of(given, flags) if file is None else file.stem if stems[file.stem] == 1 else str(file)
        cases.append(case_of(settings, name, given.embedded))
    return cases, loaded[0]


def matched(pattern: str) -> list[Path]:
    """Return the files that a pattern matches, or else the server presets, sorted. Raises UsageError for none."""
    root = Path(pattern).anchor
    try:
        files = sorted(file for file in Path(root).glob(pattern.removeprefix(root)) if file.is_file())
    except ValueError:
        files = []
    if not files and not (files := presets.SERVERS.matching(pattern)):
        raise UsageError(f'--matrix "{pattern}" names no file and no preset: check the pattern, and keep it in quotes.')
    return files


def case_of(settings: config.Config, name: str, embedded: bool) -> Case:
    plan = config.resolve(settings)
    server = config.server_plan(settings, name)
    if embedded:
        # In a smoke test the built-in server is one like any other: watched, and with a log.
        server = builtin(plan.target.protocol, name="built-in server")
    return Case(
        name=server.name if server is not None else ", ".join(map(str, plan.target.endpoints)),
        plan=plan,
        servers=servers_of(plan.target, server),
        limits=config.smoke_limits(settings),
        judging=config.judging(settings),
        monitors=config.monitors(settings),
        embedded=embedded,
        warnings=session.remarks([*settings.warnings, *([NO_SEARCH] if config.wants_search(settings) else ())]),
    )


# ── The tally of answers ──────────────────────────────────────────────────────────────────────────────────────────────


def tally_of(ended: Sequence[SmokeEnded], took_s: float) -> str:
    """Return the number of tests, and how they ended: "19 servers in 2 min 5 s: 17 PASS, 2 FAIL"."""
    counts = Counter(output.smoke_verdict(each) for each in ended)
    listed = ", ".join(f"{count} {verdict}" for verdict, count in counts.items())
    return f"{output.count(len(ended), 'server', took_s)}: {listed}"
