"""The candidates of `compare` and `gate`: words of the command line, turned into contestants of rounds.

A candidate is written as a server file, an address, a command with {port} in it, or a result file.
"""

from __future__ import annotations

import contextlib
import os
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from loadgen import config, output
from loadgen.cli import interrupts
from loadgen.cli.flags import flags_of
from loadgen.cli.options import Given, Option, OptionGroup, Positional, Syntax
from loadgen.cli.options.kind import COUNT, FOLDER, LITERAL, TIME
from loadgen.cli.options.load import (
    ANY_KEY,
    CONVERSATION,
    GENERATOR,
    HISTORY_KEYS,
    KEYS,
    LOAD,
    MEMTIER,
    REFUSED,
    RESULTS,
    refused,
)
from loadgen.cli.session import refuse_faults
from loadgen.compare import results
from loadgen.compare.answers import Compared, NoiseFound
from loadgen.compare.comparison import Comparison, contestant
from loadgen.compare.results import Stored
from loadgen.compare.rounds import Contestant
from loadgen.config import Config, Flag, presets
from loadgen.errors import UsageError
from loadgen.events import Event
from loadgen.reason import Code, Reason
from loadgen.runner.stop import Stop
from loadgen.secret import without_user
from loadgen.server_address import is_url
from loadgen.server_plan import ServerPlan

RESULT_FILES = (".json", ".ndjson", ".jsonl")

# Defaults without a CONFIG: redis-benchmark's number of connections, and more keys than a CPU's cache holds.
WITHOUT_FILE: dict[str, object] = {
    "connection.connections": 50,
    "workload.keyspace.count": 100_000,
}


CANDIDATES = (
    "a candidate is a word of its own: a server file or preset, an address such as 127.0.0.1:6379, a command with "
    "{port} in it, or a result file"
)


HISTORIES = OptionGroup(
    "histories, for loadgen check",
    (
        Option(
            ("--history",),
            "write each request's times, end and value to a file for each candidate and round, in FOLDER",
            FOLDER,
            key="workload.history",
        ),
        HISTORY_KEYS,
    ),
)


def rounds(table: str) -> OptionGroup:
    """Return the options of rounds; `table` is the configuration's, compare or gate."""
    rows = (
        ("rounds", COUNT, "maximum number of rounds"),
        ("slice", TIME, "time for which one slice of load on one server is measured"),
        ("slices", COUNT, "number of slices of each server in a round; an even number"),
        ("settle", TIME, "time under load before a slice is measured"),
        ("load_share", LITERAL, "share of the first server's closed-loop rate at which response times are compared"),
    )
    options = (Option((f"--{key.replace('_', '-')}",), what, kind, key=f"{table}.{key}") for key, kind, what in rows)
    return OptionGroup(f"rounds, keys of [{table}]", tuple(options))


def syntax(table: str, *positionals: Positional, groups: Sequence[OptionGroup] = ()) -> Syntax:
    """Return the syntax of a verb that runs rounds: its own words and groups, and the load's flags."""
    results = RESULTS.without("--csv", "--history", "--history-keys")
    load = LOAD.without("--duration", "--warmup", "--requests", "--tests")
    memtier = MEMTIER.without("--test-time", "--rate-limiting", "--unix-socket")
    return Syntax(
        (*groups, rounds(table), CONVERSATION, load, KEYS, GENERATOR, results, HISTORIES, ANY_KEY, memtier),
        positionals,
        without_file=WITHOUT_FILE,
        refused=(
            *REFUSED,
            *refused("rounds measure slices of time; write how long with --slice", "-n", "--duration", "--test-time"),
            *refused("how long a load runs before it is measured is --settle here", "--warmup"),
            *refused("all rounds have one mix; write it with --mix", "-t"),
            *refused("a comparison has no row for each test; --format json has all figures", "--csv"),
            *refused("write the rate of all connections with --rate", "--rate-limiting"),
            *refused(CANDIDATES, "-h", "-p", "-u", "-s", "-S", "--embedded"),
            *(refused(CANDIDATES, "--server") if table == "compare" else ()),
        ),
    )


@dataclass(frozen=True, slots=True)
class Named:
    """A candidate that a word of the command line names, before CPUs are assigned."""

    settings: Config
    server: ServerPlan | None
    """The server that is started for the candidate; None for one that runs already."""


@dataclass(frozen=True, slots=True)
class Pins:
    """The CPUs of the load, and of the servers that name none; empty when nothing is pinned."""

    load: tuple[int, ...] = ()
    servers: tuple[int, ...] = ()


class Contestants:
    """The candidates of one command line. Raises UsageError or ConfigError for invalid ones."""

    def __init__(self, args: Given, table: str, file: Path | None) -> None:
        self.args = args
        self.table = table
        self.file = file
        told = flags_of(args)
        self.flags = dict(told.keys)
        if file is None:
            self.flags = {key: Flag(table, value) for key, value in WITHOUT_FILE.items()} | self.flags
        self.warnings: dict[str, None] = {}
        self.notes: list[Reason] = []
        self.settings = config.load(file, args.set, self.flags)
        """The CONFIG by itself, for the tables that do not describe a server."""
        refuse_faults(self.settings, "a comparison")
        for key in self.in_vain():
            self.warnings[f"{file}: {key} is not acted on by {table}: rounds have loads of their own"] = None
        if self.settings.workload.history is not None and "prefill" not in self.settings.workload.model_fields_set:
            # As without a history; a history also wants to know who wrote what a running server has.
            self.flags["workload.prefill"] = Flag(table, True)
        # All candidates get the same requests.
        seed = self.settings.general.seed
        self.seed = seed if seed is not None else int.from_bytes(os.urandom(6))
        if seed is None:
            self.flags["general.seed"] = Flag(table, self.seed)
        self.stop = Stop()
        """The token that ends the rounds; Ctrl-C sets it."""

    def in_vain(self) -> list[str]:
        """Return the keys of the CONFIG that only other verbs act on."""
        workload = self.settings.workload
        asked = {
            "workload.phase": workload.phase,
            "workload.saturation_search": workload.saturation_search,
            "slo": self.settings.slo,
        }
        return [key for key, value in asked.items() if value]

    def candidates(self, words: Sequence[str]) -> list[Contestant | Stored]:
        """Return the candidates that these words name; an empty word is the CONFIG's own [target]."""
        found = [self.of(word) for word in words]
        pins = self.pins([each.server for each in found if isinstance(each, Named) and each.server is not None])
        return [each if isinstance(each, Stored) else self.contestant(each, pins) for each in found]

    def pins(self, servers: Sequence[ServerPlan]) -> Pins:
        """Return separate CPUs for load and servers, unless general.cpu_list is set: what shares a CPU waits."""
        cpus = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
        if not servers or self.settings.general.cpu_list is not None or len(cpus) < 2:
            return Pins()
        taken = {cpu for server in servers for cpu in server.cpus}
        ours = [cpu for cpu in cpus if cpu not in taken][: len(cpus) // 2]
        if not ours:
            words = "the servers' cpu_list leaves the load no CPU of its own, so the load is not pinned"
            self.notes.append(Reason(Code.CPUS_SHARED_OUT, words))
            return Pins()
        pins = Pins(tuple(ours), tuple(cpu for cpu in cpus if cpu not in ours))
        theirs = {server.cpus or pins.servers for server in servers}
        listed = " and ".join(_listed(each) for each in sorted(theirs))
        words = (
            f"the load runs on CPU {_listed(ours)}, servers run on CPU {listed}; to change that, set general.cpu_list "
            "and the server's cpu_list"
        )
        self.notes.append(Reason(Code.CPUS_SHARED_OUT, words))
        return pins

    def compare(self, found: Sequence[Contestant | Stored], wanted: output.Wanted) -> list[Compared]:
        """Compare the candidates, and print the progress and the answers."""
        settings = (config.gate_settings if self.table == "gate" else config.compare_settings)(self.settings)
        comparison = Comparison(found, settings, self.seed, self.notes)
        with self.outputs(wanted) as emit:
            return comparison.run(emit, stop=self.stop)

    def compare_with_itself(self, word: str, wanted: output.Wanted) -> NoiseFound:
        """Compare a candidate with itself, and print the noise and the rate of false alarms."""
        found = self.candidates([word, word])
        if isinstance(found[0], Stored):
            raise UsageError("--aa runs the candidate: name a server file, an address or a command, not results.")
        # A false alarm is a gate's, so the gate's thresholds count.
        thresholds = config.gate_settings(self.settings).thresholds
        settings = replace(config.compare_settings(self.settings), one_sided=True, thresholds=thresholds)
        comparison = Comparison(found, settings, self.seed, self.notes)
        with self.outputs(wanted) as emit:
            return comparison.run_noise(emit, stop=self.stop)

    @contextlib.contextmanager
    def outputs(self, wanted: output.Wanted) -> Iterator[Callable[[Event], None]]:
        """Print the warnings, open the outputs, and yield the function that emits events to them."""
        for warning in self.warnings:
            output.remark(f"warning: {warning}")
        if wanted.format == "csv":
            raise output.no_csv("a gate" if self.table == "gate" else "a comparison")
        with output.opened(wanted) as outputs, interrupts.caught(self.stop):
            yield outputs.emit

    def load(self, flags: Mapping[str, object], server: Path | None = None) -> Config:
        settings = config.load(self.file, self.args.set, {**self.flags, **flags}, server=server)
        self.warnings |= dict.fromkeys(settings.warnings)
        return settings

    def of(self, word: str) -> Named | Stored:
        """Return the candidate that a word names."""
        if not word:
            assert self.file is not None, "without a CONFIG, somebody else is named"
            return named(self.load({}), self.file.stem)
        path = Path(word)
        if "{port}" in word or "{socket}" in word:
            return self.command(word)
        if path.suffix in RESULT_FILES:
            return results.read(path)
        if is_url(word) or word.startswith("unix:") or path.suffix == ".sock":
            return self.endpoint(word)
        if path.suffix == ".toml" or presets.is_there(word) or presets.SERVERS.path(word):
            return self.server_file(presets.SERVERS.file(word))
        host, colon, port = word.rpartition(":")
        if colon and host and port.isdecimal():
            return self.endpoint(word)
        if near := presets.SERVERS.near(word):
            raise UsageError(f'there is no file and no server preset "{_quoted(word)}"; did you mean {near}?')
        raise UsageError(
            f'"{_quoted(word)}" is no candidate; name a server file (server/config/redis.toml), an address '
            '(127.0.0.1:6379, unix:/run/redis.sock), a command ("redis-server --port {port}") or a result file '
            "(result.json)."
        )

    def server_file(self, path: Path) -> Named:
        return named(self.load({}, path), path.stem)

    def endpoint(self, address: str) -> Named:
        name = without_user(address)
        return named(self.load({"target.endpoints": Flag(name, [address])}), name)

    def command(self, text: str) -> Named:
        try:
            words = shlex.split(text)
        except ValueError as error:
            raise UsageError(f'"{_quoted(text)}" cannot be split into words: {error}.') from None
        return named(self.load({"target.server": Flag(_quoted(text), {"command": words})}), Path(words[0]).name)

    def contestant(self, found: Named, pins: Pins) -> Contestant:
        settings, server = found.settings, found.server
        plan, limits = config.contested(settings, pins.load)
        if server is not None:
            server = replace(server, cpus=server.cpus or pins.servers)
        return contestant(plan, server, limits, config.monitors(settings))


def named(settings: Config, name: str) -> Named:
    return Named(settings, config.server_plan(settings, name))


def _listed(cpus: Sequence[int]) -> str:
    return ",".join(map(str, cpus))


def _quoted(command: str) -> str:
    """Return the program of a command, for messages: the rest may hold a password, or the environment."""
    program, blank, _ = command.partition(" ")
    return f"{program} …" if blank else program
