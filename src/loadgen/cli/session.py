"""A session: a resolved configuration with its server running and its outputs open, as a command line names them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from loadgen import config, output
from loadgen.cli import interrupts, machines
from loadgen.cli.flags import WITHOUT_FILE, Flags, flags_of
from loadgen.cli.options import Given
from loadgen.config import presets
from loadgen.config.tables.cpu_list import usable_cpus
from loadgen.errors import ExitCode, UsageError
from loadgen.events import Configured, Event, Result, ServerAwaited
from loadgen.faults.bench import bench_of
from loadgen.faults.operator_thread import OperatorThread
from loadgen.fleet.fleet import Fleet
from loadgen.host import machine
from loadgen.judge.judging import Judging
from loadgen.monitors.plan import MonitorPlan
from loadgen.plan import Plan
from loadgen.reason import Code, Reason
from loadgen.runner import beside
from loadgen.runner.discovery import on_bench, placed
from loadgen.runner.run import Run
from loadgen.runner.search import Saturation
from loadgen.runner.stop import Stop
from loadgen.selftest import reach
from loadgen.server_plan import HOST, builtin
from loadgen.severity import Severity
from loadgen.signs import Ceiling
from loadgen.stats.search import SearchSettings
from loadgen.target.talk.identity import identify
from loadgen.usage import WatchedServer
from loadgen.version import __version__

SEARCH = "workload.saturation_search"
"""The table that makes a load a search."""


@dataclass(frozen=True, slots=True)
class Session:
    """A resolved configuration with its server running and its outputs open."""

    settings: config.Config
    plans: tuple[Plan, ...]
    """The loads, run one after another; several when tests are named."""
    embedded: bool
    server: WatchedServer | None
    """The server if it was started for this session, else None."""
    operator: OperatorThread
    """Carries out the faults of the configuration."""
    notes: tuple[Reason, ...]
    """Remarks of the bench on the loads' results."""
    monitors: tuple[MonitorPlan, ...]
    """What is read beside each load."""
    outputs: output.Outputs
    identity: str
    """The server's own name and version."""
    fleet: Fleet | None = None
    """The agents that send the load; None where this machine does."""
    dry: bool = False
    """True when only what agents would do is shown."""

    def emit(self, event: Event) -> None:
        self.outputs.emit(event)

    @property
    def judging(self) -> Judging:
        """The settings by which the loads' results are judged."""
        return config.judging(self.settings)

    def announce(self, plan: Plan, sought: SearchSettings | None = None) -> None:
        """Emit the header of a load."""
        told = header(self.settings, plan, sought, embedded=self.embedded, identity=self.identity)
        if self.fleet is not None:
            told = replace(told, agents=self.fleet.hosts(plan), dry_run=self.dry)
        self.emit(told)

    def measure(self) -> ExitCode:
        """Run the loads, emit the result of each, and return the exit code of the gravest."""
        found: list[Severity] = []
        for plan in self.plans:
            self.announce(plan)
            if self.dry:
                continue
            found.append(self.measure_one(plan).severity)
            if found[-1] in (Severity.INTERRUPTED, Severity.COULD_NOT_RUN):
                break
        return Severity.gravest(found).code

    def measure_one(self, plan: Plan) -> Result:
        stop = Stop()
        with interrupts.caught(stop), beside.opened(self.monitors, plan.target, self.server) as board:
            result = Run(
                plan,
                self.emit,
                judging=self.judging,
                embedded=self.embedded,
                ceiling=ceiling_of(plan) if self.fleet is None else self.fleet.ceiling(plan),
                ceilings=self.fleet.ceilings(plan) if self.fleet is not None else {},
                server=self.server,
                operator=self.operator,
                board=board,
                notes=self.notes,
                stop=stop,
                members=self.fleet,
            ).result()
        self.emit(result)
        return result

    def search(self) -> ExitCode:
        """Search the highest rate that meets the limits, emit the steps and the answer, and return its exit code."""
        settings = config.search_settings(self.settings)
        [plan] = self.plans
        self.announce(plan, settings)
        if self.dry:
            return ExitCode.YES
        stop = Stop()
        with interrupts.caught(stop), beside.opened(self.monitors, plan.target, self.server) as board:
            ended = Saturation(
                plan,
                settings,
                self.emit,
                judging=self.judging,
                embedded=self.embedded,
                server=self.server,
                board=board,
                stop=stop,
                members=self.fleet,
            ).result()
        self.emit(ended)
        return ended.exit_code


@contextlib.contextmanager
def opened(given: Given, *, force_search: bool = False) -> Iterator[Session]:
    """Open the session that the options name; with `force_search` a configuration without a search gets the default.

    Raises LoadgenError when the session cannot be opened.
    """
    flags = flags_of(given)
    check_target(given, flags)
    settings = settings_of(given, flags, server=flags.target.file)
    if force_search and not config.wants_search(settings):
        flags = flags.having({SEARCH: config.Flag("saturate", {})})
        settings = settings_of(given, flags, server=flags.target.file)
    if config.wants_search(settings) and settings.admin.format == "csv":
        raise output.no_csv("a search")
    if config.wants_search(settings) and (tests := given.word("tests")) is not None:
        raise UsageError(
            f"{tests.spelling} runs tests one after another, and {SEARCH} makes a search: keep one of them."
        )
    if settings.fault and (tests := given.word("tests")) is not None:
        raise UsageError(
            f"{tests.spelling} runs tests one after another, and [[fault]] is for one load: keep one of them."
        )
    if settings.workload.history is not None and (tests := given.word("tests")) is not None:
        raise UsageError(
            f"{tests.spelling} runs tests one after another, and a history is of one load: leave out --history and "
            "workload.history, or name one test by --mix."
        )
    for warning in settings.warnings:
        output.remark(f"warning: {warning}")
    with contextlib.ExitStack() as stack:
        plans, monitors = plans_of(given, flags, settings), config.monitors(settings)
        dry = bool(given.get("dry_run"))
        where = machines.launcher(given)
        if where is not None:
            tests = given.word("tests")
            machines.refuse(plans[0], tests.spelling if tests is not None else None)
        outputs = stack.enter_context(output.opened(wanted(given, settings)))
        fleet = stack.enter_context(machines.agents(given, where)) if where is not None else None
        if fleet is not None:
            plans = tuple(plan.spread(len(fleet.machines)) for plan in plans)
        own = config.server_plan(settings, name_of(given, flags))
        if given.embedded:
            own = builtin(plans[0].target.protocol)
        if own is None:
            plans = tuple(map(placed, plans))
        bench = bench_of(
            plans[0].target, own, config.faults(settings.fault, plans[0].seed, config.cluster_plan(settings))
        )
        bench.check()
        if own is not None and not given.embedded:
            sought = config.search_settings(settings) if config.wants_search(settings) else None
            load = replace(header(settings, plans[0], sought), dry_run=dry)
            outputs.emit(ServerAwaited(own.name, load))
        up = stack.enter_context(bench.up(outputs.emit))
        plans = tuple(on_bench(plan, up) for plan in plans)
        identity = identify(plans[0].target)
        if where is not None:
            for words in machines.doubts(plans[0], where):
                output.remark(f"warning: {words}")
        yield Session(
            settings,
            plans,
            given.embedded,
            up.server,
            up.operator,
            up.notes,
            monitors,
            outputs,
            identity,
            fleet,
            dry=dry,
        )


def ceiling_of(plan: Plan) -> Ceiling | None:
    """Return the ceiling of such a load by this host's self-test; None without one."""
    test = reach.kept(__version__)
    return test.ceiling(plan, usable_cpus()) if test is not None else None


def header(
    settings: config.Config, plan: Plan, sought: SearchSettings | None, *, embedded: bool = False, identity: str = ""
) -> Configured:
    """Return the event that precedes a load; `identity` is empty while the server is not identified."""
    judging = config.judging(settings)
    warnings = remarks(settings.warnings)
    faults = config.faults(settings.fault, plan.seed, config.cluster_plan(settings))
    return Configured(plan, __version__, warnings, embedded, identity, sought, machine.fingerprint(), judging, faults)


def remarks(warnings: Iterable[str]) -> tuple[Reason, ...]:
    """Return the warnings of a configuration as reasons."""
    return tuple(Reason(Code.CONFIGURATION, words) for words in warnings)


def refuse_faults(settings: config.Config, verb: str) -> None:
    """Raise UsageError when a configuration has faults, which a verb does not carry out."""
    if settings.fault:
        raise UsageError(
            f"[[fault]] is for loadgen run, and {verb} is of servers without faults: leave the faults out, by "
            "--set fault=[] for this time."
        )


def refuse_history(settings: config.Config, verb: str) -> None:
    """Raise UsageError when a configuration has a history, which a verb does not keep."""
    if settings.workload.history is not None:
        raise UsageError(
            f"a history is kept by loadgen run, saturate, compare and chaos, and {verb} keeps none: leave out "
            "--history and workload.history."
        )


def check_target(given: Given, flags: Flags, matrix: str | None = None) -> None:
    """Raise UsageError when the flags name no server, or more than one."""
    named = refuse_several_servers(given, flags, matrix)
    if given.config is None and not (named or given.set or flags):
        raise UsageError(
            "name a server by -h and -p, a CONFIG file or a preset, or --embedded for the built-in server."
        )


def refuse_several_servers(given: Given, flags: Flags, matrix: str | None = None) -> bool:
    """Raise UsageError when the flags name more than one server; return True when they name one."""
    named = [
        *(["--embedded"] if given.embedded else []),
        *(["--server"] if flags.target.file is not None else []),
        *(word.spelling for word in flags.target.address.words),
        *(["--matrix"] if matrix is not None else []),
    ]
    if len(named) > 1:
        raise UsageError(f"{' and '.join(named)} each name the server: keep one of them.")
    return bool(named)


def settings_of(given: Given, flags: Flags, server: Path | None = None) -> config.Config:
    """Return the configuration that file, flags and --set make. Raises UsageError or ConfigError."""
    file = presets.CONFIGS.named(given.config)
    keys: dict[str, object] = {} if file is not None else without_file(given)
    keys |= flags.keys
    if SEARCH in flags.keys and "general.duration" not in flags.keys:
        # A search has its own length for each rate.
        keys.pop("general.duration", None)
    if given.embedded:
        # One server in place of those of the file; its port is known when the server runs.
        keys["target.endpoints"] = config.Flag("--embedded", [f"{HOST}:1"])
    address = flags.target.address
    if not address:
        settings = config.load(file, given.set, keys, server=server)
    else:
        protocol = flags.keys.get("target.protocol")
        at = address.endpoint(str(protocol.value) if protocol else "")
        settings = config.load(file, given.set, {**keys, "target.endpoints": at}, server=server)
        # Only the file may give the protocol, and with the protocol the default port.
        if (own := address.endpoint(settings.target.protocol)) != at:
            settings = config.load(file, given.set, {**keys, "target.endpoints": own}, server=server)
    return settings.warned((*flags.remarks, *settings.warnings))


def without_file(given: Given) -> dict[str, object]:
    """Return the defaults without a file; with a number of requests by --set, neither a warm-up nor a duration."""
    counted = any(override.partition("=")[0].strip() == "general.requests" for override in given.set)
    return {key: value for key, value in WITHOUT_FILE.items() if not (counted and key.startswith("general."))}


def plans_of(given: Given, flags: Flags, settings: config.Config) -> tuple[Plan, ...]:
    """Return the loads to run one after another: one for each test, or the one load of the configuration."""
    if not flags.tests:
        return (config.resolve(settings),)
    option = given.word("tests")
    spelling = option.spelling if option is not None else "-t"
    plans: list[Plan] = []
    for number, test in enumerate(flags.tests):
        keys = {key: config.Flag(spelling, value) for key, value in test.keys().items()}
        if number:
            # Each test has a seed of its own, which is in the result: a test can be repeated alone.
            keys["general.seed"] = config.Flag(spelling, (plans[0].seed + number) % (config.MAX_SEED + 1))
        plan = config.resolve(settings_of(given, flags.having(keys), server=flags.target.file))
        prefill = plan.workload.prefill and not number
        plans.append(replace(plan, test=test.title, workload=replace(plan.workload, prefill=prefill)))
    return tuple(plans)


def wanted(given: Given, settings: config.Config) -> output.Wanted:
    """Return the outputs that the options and [admin] name."""
    admin = settings.admin
    return output.Wanted(
        admin.format,
        admin.color,
        file=given.output,
        json=given.json,
        plot=given.get("plot"),
        dashboard=output.Dashboard() if given.get("tui") else None,
    )


def name_of(given: Given, flags: Flags) -> str:
    """Return the name of a server that the server file or the CONFIG describes: the file's, without its suffix."""
    return flags.target.file.stem if flags.target.file is not None else Path(given.config or "").stem
