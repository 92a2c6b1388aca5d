"""Put a client on trial, or what a server keeps: faults over the nodes, and checks on what the client or server did.

A scenario has a baseline, a fault and a recovery. Without --scenario and --faults the workload runs without faults,
until q, Ctrl-C or --duration. docs/CHAOS.md has what each scenario shows and what each number means.

With --faults of disks and processes, such as power_cut, and without --client, the acknowledged writes of a server are
looked for after the fault and a restart: docs/VERIFY.md. redis-server (or valkey-server) is started with an append-only
file, with appendfsync everysec and always, and with RDB files only. --faults also takes severities of the spec file's
faults, such as high,critical, and single tests, such as power_cut_rdb; --spec FILE alone runs the faults of its
[scenarios.chaos].
"""

from __future__ import annotations

import random
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from loadgen import output
from loadgen.cli import durability, interrupts, specification, verification
from loadgen.cli.options import Given, Option, OptionGroup, Syntax
from loadgen.cli.options.kind import COUNT, FOLDER, TEXT, TIME_NS, choice, whole
from loadgen.cli.options.verification import ARTIFACT, RESULTS
from loadgen.cli.specification import SPEC
from loadgen.cli.trials import SERVERS, Case, cases_of, judge_server
from loadgen.cli.verification import Planned
from loadgen.config import catalogue
from loadgen.errors import ExitCode, UsageError
from loadgen.faults.cleanup import cleanup
from loadgen.runner.stop import Stop
from loadgen.severity import Severity
from loadgen.trial.adapters import clients
from loadgen.trial.ended import ChaosBegan, ChaosEnded, TrialEnded
from loadgen.trial.trial import Trial
from loadgen.trial.workloads import MEANINGS
from loadgen.verify.history import folder
from loadgen.verify.spec import Expected

MOST_KEPT = 200
"""Trials of a loop that are kept for the end; of more, those that passed are dropped first."""

SYNTAX = Syntax(
    (
        OptionGroup(
            "what happens",
            (
                Option(("--scenario",), "the scenario to run: a name of --list, `all`, or a TOML file", TEXT, "NAME"),
                Option(("--faults",), "kinds of faults, such as latency,kill: when and where is drawn by seed", TEXT,
                       "KINDS"),
                Option(("--seeds",), "number of scenarios to draw, from --seed on (default: 1; of a server's faults "
                       f"{durability.SEEDS})", whole("N", 1, 10_000)),
                Option(("--seed",), "seed of everything random (default: drawn; of a server's faults 0)", COUNT),
                Option(("--quick",), "short phases: 5 s of baseline, a quarter of the fault, 10 s of recovery"),
                Option(("--duration",), "length of the fault phase; without a scenario, of the workload", TIME_NS),
                Option(("--loop",), "repeat the scenarios until Ctrl-C"),
                Option(("--set",), "set a key of the scenario, such as client.max_size=4; may be repeated", TEXT,
                       "KEY=VALUE", many=True, default=[]),
            ),
        ),
        OptionGroup(
            "who is on trial",
            (
                Option(("--client",), "clients, each in turn: builtin, pymemcache, aiomcache, redis-py, valkey-py, "
                       "coredis, or module:factory (default: builtin; where only redis can be the node, redis-py)",
                       TEXT, "NAME[,NAME]"),
                Option(("--workload",), "the workload: a name of --list (default: the scenario's)", TEXT, "NAME"),
                Option(("--concurrency",), "callers, such as 100 to 1000", whole("N", 1, 10_000)),
                Option(("--protocol",), "what the nodes speak, where scenario and client leave it open",
                       choice(tuple(SERVERS))),
            ),
        ),
        OptionGroup(
            "nodes",
            (
                Option(("--nodes",), "servers to start (default: 3)", whole("N", 1, 16)),
                Option(("--endpoints",), "nodes that run already; only faults of the proxy can come over them", TEXT,
                       "HOST:PORT,…"),
                Option(("--toxiproxy",), "API of a Toxiproxy to put before the nodes (default: loadgen's own proxy)",
                       TEXT, "URL"),
            ),
        ),
        OptionGroup(
            "a server's acknowledged writes",
            (
                Option(("--server",), "the server that is judged: redis, valkey or a server file (default: the first "
                       "of redis and valkey that is installed)", TEXT, "SERVER"),
                Option(("--operations",), "the most writes of a case, or the commands that it writes with: SET, or "
                       "SET,DEL (default: the spec file's, else as many as the fault takes, of both)", TEXT, "N"),
                Option(("--expect",), "what must come about beside that acknowledged writes survive (default: the spec "
                       "file's)", choice(tuple(Expected))),
                SPEC,
                ARTIFACT,
            ),
        ),
        RESULTS,
        OptionGroup(
            "histories and the dashboard",
            (
                Option(("--history",), "write the times, end and value of each operation to a file for each trial in "
                       "FOLDER, for loadgen check", FOLDER),
                Option(("--tui",), "show a dashboard while trials run: q ends them, n goes on to the next"),
                Option(("--no-tui",), "show no dashboard; the default with a scenario"),
            ),
        ),
        OptionGroup(
            "instead of a trial",
            (
                Option(("--list",), "list scenarios, workloads and clients"),
                Option(("--show",), "print a scenario, to be copied and changed", TEXT, "NAME"),
                Option(("--cleanup",), "remove what killed commands have left: interfaces, mounts, servers"),
            ),
        ),
    ),
)  # fmt: skip


class Skip:
    """The wish for the next trial, which a dashboard's key makes."""

    def __init__(self) -> None:
        self._wished = False

    def wish(self) -> None:
        self._wished = True

    def taken(self) -> bool:
        """Return True once for each wish."""
        wished, self._wished = self._wished, False
        return wished


def run(given: Given) -> ExitCode:
    """Run the trials, print the results, and return the gravest exit code. Raises LoadgenError for other failures."""
    if given.list:
        return _printed(listing())
    if given.show is not None:
        return _printed(catalogue.entry(given.show).text)
    if given.cleanup:
        removed = cleanup()
        return _printed("".join(f"removed {each}\n" for each in removed) or "nothing was left behind\n")
    if (of_server := _of_server(given)) is not None:
        return verification.run(given, of_server)
    durability.refuse_options(given)
    seed = random.SystemRandom().randrange(1, 2**31) if given.seed is None else given.seed
    cases = cases_of(given, seed)
    histories = None if given.history is None else folder.made(given.history, "trial")
    skip, stop = Skip(), Stop()
    next_one = skip.wish if len(cases) > 1 or given.loop else None
    with output.opened(wanted(given, stop.set, next_one)) as outputs, interrupts.caught(stop):
        outputs.emit(ChaosBegan(tuple(case.plan for case in cases), given.loop))
        ended = [*_ended(cases, outputs, stop, skip, loops=given.loop, histories=histories)]
        end = ChaosEnded(tuple(ended), any(each.interrupted for each in ended))
        outputs.emit(end)
    return end.exit_code


def planned(given: Given) -> Planned:
    """Return the campaign that the options ask for. Raises UsageError where a client is on trial, and ConfigError."""
    for name in ("list", "show", "cleanup"):
        if (word := given.word(name)) is not None:
            raise UsageError(f"{word.spelling} runs nothing: leave it out.")
    found = _of_server(given)
    if found is None:
        raise UsageError(
            "chaos on several machines is for faults that judge a server: name some by --faults, such as power_cut, "
            "and no client."
        )
    return found


def _of_server(given: Given) -> Planned | None:
    """Return the campaign of faults that judge a server; None where a client is on trial."""
    if given.faults is None and given.spec is None:
        return None
    spec = specification.spec_of(given.spec)
    faults = specification.faults(spec, given.faults, by_default=given.spec is not None)
    return durability.planned(given, faults or "", spec) if judge_server(given, faults) else None


def _ended(
    cases: Sequence[Case], outputs: output.Outputs, stop: Stop, skip: Skip, *, loops: bool, histories: Path | None
) -> list[TrialEnded]:
    """Carry out the trials, in a loop until somebody stops it, and return their ends.

    A history of each trial is kept in the folder `histories`, where there is one.
    """
    ended: list[TrialEnded] = []
    number = 0
    while True:
        for case in cases:
            number += 1
            plan = case.plan
            trial = Trial(plan, case.bench, outputs.emit, stop, number, case.notes, skip.taken)
            if histories is not None:
                trial.history = folder.named(histories, f"{number:03}", plan.scenario, plan.client.name)
            ended.append(trial.ended())
            if len(ended) > MOST_KEPT:
                good = (index for index, each in enumerate(ended) if each.severity is Severity.GOOD)
                del ended[next(good, 0)]
            if stop.is_set:
                return ended
        if not loops:
            return ended


def wanted(given: Given, quit: Callable[[], None], skip: Callable[[], None] | None) -> output.Wanted:
    """Return the outputs that the options name. Without a scenario, a terminal shows the dashboard.

    `quit` and `skip` are the actions of its keys; `skip` is None where there is no next trial. Raises UsageError for
    options that contradict each other.
    """
    if given.tui and given.no_tui:
        raise UsageError("--tui and --no-tui contradict each other: keep one of them.")
    named = verification.wanted(given)
    by_default = given.scenario is None and given.faults is None and named.format == "clean"
    shown = given.tui or (by_default and not given.no_tui)
    return replace(named, dashboard=output.Dashboard(skip, quit, asked=bool(given.tui)) if shown else None)


def _printed(text: str) -> ExitCode:
    output.write_lines(sys.stdout, [text.encode()])
    return ExitCode.YES


# ── The list ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def listing() -> str:
    """Return the scenarios with layer, protocol and upstream's names, the workloads and the clients."""
    lines = ["scenarios: name, layer, nodes' protocol, what happens (the name in pior/memcache)"]
    for name, entry in catalogue.entries().items():
        scenario = catalogue.scenario(name)
        layers = "+".join(map(str, scenario.layers))
        title = f"the same as {entry.same_as}" if entry.same_as else scenario.title
        upstream = f" ({scenario.upstream})" if scenario.upstream else ""
        lines.append(f"  {name:<32} {layers:<18} {scenario.protocol:<9} {title}{upstream}")
    lines += ["", "workloads"]
    lines += [f"  {name:<12} {meaning}" for name, meaning in MEANINGS.items()]
    lines += ["", "clients"]
    lines += [f"  {row.name:<12} {', '.join(row.protocols):<9} {row.note}" for row in clients.ROWS]
    lines += ["  module:factory        a client of yours: docs/CHAOS.md has it in ten lines"]
    return "\n".join(lines) + "\n"
