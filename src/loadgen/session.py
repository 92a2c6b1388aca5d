"""What the verbs that put load on servers share: options, and the configuration, server and outputs that these name."""

from __future__ import annotations

import argparse
import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from loadgen import __version__, config, host, output, runner, saturation, selftest
from loadgen.config.cpu_list import usable_cpus
from loadgen.errors import ExitCode, UsageError
from loadgen.events import Configured, Event, Result, SearchEnded
from loadgen.plan import Endpoint, Plan
from loadgen.server_plan import HOST
from loadgen.slo import Answer
from loadgen.stats.search import Outcome
from loadgen.target.embedded import EmbeddedServer
from loadgen.target.identity import identify
from loadgen.target.server import ManagedServer
from loadgen.usage import Watched

# Flags that are keys of the config under another name: option strings, key, what it is.
KEYS = (
    (("-d", "--duration"), "general.duration", "how long to measure, such as 10s"),
    (("--requests",), "general.requests", "how many requests to measure, in all, instead of a duration"),
    (("--warmup",), "general.warmup", "how long to run before measuring"),
    (("--seed",), "general.seed", "what everything random comes from"),
    (("-t", "--threads"), "general.threads", "worker processes"),
    (("--cpu-list",), "general.cpu_list", "CPUs to pin workers to, such as 0-3,8"),
    (("--protocol",), "target.protocol", "resp, resp3, memcache or ping"),
    (("--user",), "target.username", "for AUTH"),
    (("-a", "--password"), "target.password", "for AUTH"),
    (("-c", "--connections"), "connection.connections", "connections in all"),
    (("-P", "--pipeline"), "connection.pipeline_depth", "requests in flight on each connection"),
    (("--batch-size",), "connection.batch_size", "the most requests written at once"),
    (("--request-timeout",), "connection.request_timeout", "how long a reply may take"),
    (("-r", "--keys"), "workload.keyspace.count", "how many keys there are"),
    (("--key-length",), "workload.keyspace.length", "characters of a key"),
    (("--value-length",), "workload.values.length", "bytes of a value"),
    (("--rate",), "workload.rate_limit", "requests per second over all connections; 0 is as fast as replies come"),
    (("--arrival",), "workload.arrival", "how requests lie in time at a rate: poisson or constant"),
)
SWITCHES = (
    (("--prefill",), "workload.prefill", "write every key before the load"),
    (("--backfill",), "workload.backfill_on_miss", "write a key that a GET missed"),
    (("--spin",), "workload.spin", "poll instead of sleeping; takes a whole core per worker"),
)
# A password may be 1234 and a CPU list 0: these are text whatever they look like.
TEXTS = ("general.cpu_list", "target.username", "target.password")
DEFAULT_PORTS = {"memcache": 11211}

# Somebody who gives no file wants an answer in seconds.
WARMUP_WITHOUT_FILE = "1s"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of a verb that opens a session."""
    parser.add_argument(
        "config", nargs="?", type=Path, metavar="CONFIG", help="a TOML file; see `loadgen config --example`"
    )
    add_results(parser)
    target = parser.add_argument_group("target")
    target.add_argument("--embedded", action="store_true", help="run against the built-in server, started for this run")
    target.add_argument(
        "--server",
        type=Path,
        metavar="FILE",
        help="a server file, such as server/config/redis.toml: started for this run, watched and ended",
    )
    target.add_argument("--host", help="the server's host; with --port, instead of target.endpoints")
    target.add_argument("--port", "-p", type=int, help="the server's port (default: 6379, or 11211 for memcache)")
    add_keys(parser)


def add_results(parser: argparse.ArgumentParser) -> None:
    """The options that say where results go, and how they look."""
    results = parser.add_argument_group("results")
    results.add_argument("--format", choices=output.FORMATS, help="overrides [admin] format")
    results.add_argument(
        "-o",
        "--output",
        metavar="FILE",
        help="write the results there; standard output shows them for people all the same",
    )
    results.add_argument("--json", metavar="FILE", help="write the results there too, as --format json does")
    results.add_argument("--color", choices=("auto", "always", "never"), help="overrides [admin] color")


def add_keys(parser: argparse.ArgumentParser, without: Sequence[str] = ()) -> None:
    """The options that are keys of the configuration, but for those keys that a verb has no use for."""
    keys = parser.add_argument_group("config keys", "each wins over the file; --set wins over both")
    keys.add_argument(
        "--set", action="append", default=[], metavar="TABLE.KEY=VALUE", help="any key, typed as TOML; may be repeated"
    )
    keys.add_argument("--ratio", metavar="GET:SET[:DELETE]", help="command weights, such as 80:20")
    for options, key, what in KEYS:
        if key in without:
            continue
        keys.add_argument(*options, dest=key, metavar=key.rpartition(".")[2].upper(), help=what)
    for options, key, what in SWITCHES:
        keys.add_argument(*options, dest=key, action="store_true", help=what)


@dataclass(frozen=True, slots=True)
class Session:
    """A configuration, resolved, with its server there and its outputs open."""

    settings: config.Config
    plan: Plan
    embedded: bool
    server: Watched | None
    """The server, where it was started for this session."""
    outputs: output.Outputs

    def emit(self, event: Event) -> None:
        self.outputs.emit(event)

    def measure(self) -> ExitCode:
        """Puts the load on, and prints what came of it."""
        test = selftest.kept(__version__)
        ceiling = test.ceiling(self.plan, usable_cpus()) if test is not None else None
        result = runner.run(self.plan, self.emit, embedded=self.embedded, ceiling=ceiling, server=self.server)
        self.emit(result)
        code = verdict_of(result)
        if not result.valid and not result.interrupted:
            self.outputs.remark(result.failure or result.invalid_because[0])
        elif code not in (ExitCode.YES, ExitCode.INTERRUPTED):
            self.outputs.remark(f"SLO {output.objectives(result.checks)}")
        return code

    def search(self) -> ExitCode:
        """Searches the highest rate that meets the limits, and prints how that went."""
        settings = config.search_settings(self.settings)
        ended = saturation.search(self.plan, settings, self.emit, embedded=self.embedded, server=self.server)
        self.emit(ended)
        code = outcome_of(ended)
        if ended.failure:
            self.outputs.remark(ended.failure)
        elif code != ExitCode.YES and ended.answer is not None and not ended.interrupted:
            self.outputs.remark(ended.answer.reason)
        return code


@contextlib.contextmanager
def opened(args: argparse.Namespace, *, force_search: bool = False) -> Iterator[Session]:
    """The session that the options name; with `force_search` its configuration has a search, if only by default.

    Raises LoadgenError for whatever keeps it from being opened.
    """
    flags = flags_of(args)
    if args.config is None and not (args.embedded or args.server or args.host or args.port or args.set or flags):
        raise UsageError("name a CONFIG file, or a server by --host and --port, or --embedded for the built-in one.")
    if sum((args.embedded, args.server is not None, args.host is not None or args.port is not None)) > 1:
        raise UsageError("--embedded, --server and --host with --port each name the server: keep one of them.")
    if args.config is None:
        shorten_warmup(flags, args.set)
    if args.embedded:
        # One server, whose port is known when it runs, in place of any that the file names.
        flags["target.endpoints"] = config.Flag("--embedded", [f"{HOST}:1"])
    settings = config.load(args.config, args.set, flags, server=args.server)
    if force_search and not config.wants_search(settings):
        flags["workload.saturation_search"] = config.Flag("saturate", {})
        settings = config.load(args.config, args.set, flags, server=args.server)
    for warning in settings.warnings:
        output.remark(f"warning: {warning}")
    with contextlib.ExitStack() as stack:
        plan = config.resolve(settings)
        server: ManagedServer | EmbeddedServer | None = None
        if args.embedded:
            server = stack.enter_context(EmbeddedServer("memcache" if plan.protocol == "memcache" else "resp"))
        elif (told := config.server_plan(settings, name_of(args))) is not None:
            server = stack.enter_context(ManagedServer(told))
        if server is not None:
            plan = replace(plan, endpoints=(Endpoint(server.host, server.port, server.host),))
        outputs = stack.enter_context(outputs_of(args, settings, output.create))
        session = Session(settings, plan, args.embedded, server, outputs)
        search = config.search_settings(settings) if config.wants_search(settings) else None
        identity, machine = identify(plan), host.fingerprint()
        session.emit(Configured(plan, __version__, settings.warnings, args.embedded, identity, search, machine))
        yield session


def outputs_of(
    args: argparse.Namespace, settings: config.Config, create: output.Create
) -> contextlib.AbstractContextManager[output.Outputs]:
    """The outputs that the options and [admin] name, to be opened. See `output.opened`."""
    admin = settings.admin
    return output.opened(create, admin.format, color=admin.color, file=args.output, json=args.json)


def shorten_warmup(flags: dict[str, object], overrides: Sequence[str]) -> None:
    """Where no file says how long the warm-up is, nor a flag; a number of requests has none unless one is asked for."""
    counted = any(override.partition("=")[0].strip() == "general.requests" for override in overrides)
    if not counted and "general.requests" not in flags:
        flags.setdefault("general.warmup", WARMUP_WITHOUT_FILE)


def name_of(args: argparse.Namespace) -> str:
    """What to call a server that is described by one of these files."""
    file: Path | None = args.server or args.config
    return file.stem if file is not None else ""


def flags_of(args: argparse.Namespace) -> dict[str, object]:
    """The config keys that options gave."""
    given: dict[str, object] = {}
    values = vars(args)
    for options, key, _ in KEYS:
        if values.get(key) is not None:
            value = values[key] if key in TEXTS else number_or_text(values[key])
            given[key] = config.Flag(options[-1], value)
    for options, key, _ in SWITCHES:
        if values[key]:
            given[key] = config.Flag(options[-1], True)
    for key in ("format", "color"):
        if values.get(key):
            given[f"admin.{key}"] = config.Flag(f"--{key}", values[key])
    if args.ratio is not None:
        for name, weight in zip(("get", "set", "delete"), weights_of(args.ratio), strict=True):
            given[f"workload.commands.{name}"] = config.Flag("--ratio", weight)
    if values.get("host") is not None or values.get("port") is not None:
        port = values["port"] or DEFAULT_PORTS.get(values["target.protocol"] or "", 6379)
        name = values["host"] or "127.0.0.1"
        given["target.endpoints"] = config.Flag("--host", [f"[{name}]:{port}" if ":" in name else f"{name}:{port}"])
    return given


def number_or_text(text: str) -> int | float | str:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            pass
    return text


def weights_of(ratio: str) -> list[int]:
    """The weights of GET:SET[:DELETE]. Raises UsageError."""
    parts = ratio.split(":")
    if len(parts) not in (2, 3) or not all(part.isascii() and part.isdigit() for part in parts):
        raise UsageError(f'--ratio is GET:SET or GET:SET:DELETE in whole numbers, such as 80:20, not "{ratio}".')
    return [int(part) for part in parts] + [0] * (3 - len(parts))


def verdict_of(result: Result) -> ExitCode:
    if result.interrupted:
        return ExitCode.INTERRUPTED
    if result.failure:
        return ExitCode.COULD_NOT_RUN
    answers = {check.answer for check in result.checks}
    if not result.valid:
        return ExitCode.CANNOT_TELL
    if Answer.BREACHED in answers:
        return ExitCode.NO
    return ExitCode.CANNOT_TELL if Answer.UNKNOWN in answers else ExitCode.YES


OUTCOMES = {
    Outcome.FOUND: ExitCode.YES,
    Outcome.NEVER_FAILED: ExitCode.YES,
    Outcome.NEVER_PASSED: ExitCode.NO,
    Outcome.GENERATOR_LIMITED: ExitCode.CANNOT_TELL,
    Outcome.WIDE: ExitCode.CANNOT_TELL,
    Outcome.UNCONFIRMED: ExitCode.CANNOT_TELL,
}


def outcome_of(ended: SearchEnded) -> ExitCode:
    if ended.interrupted:
        return ExitCode.INTERRUPTED
    if ended.failure or ended.answer is None:
        return ExitCode.COULD_NOT_RUN
    return ExitCode.CANNOT_TELL if ended.unaccounted else OUTCOMES[ended.answer.outcome]
