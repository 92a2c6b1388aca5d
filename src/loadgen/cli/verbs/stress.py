"""Put many connections on few keys: every connection draws from all keys, so that they contend for them.

-c, -k and --value-size take several values, such as -c 10,100,1000; there is a load for each combination, and one table
of throughput, percentiles and the server's memory. Without a server named, redis-server (or valkey-server, or the
built-in server; memcached for memcache) is started for each load. [[check]] and [slo] of CONFIG judge each load.
"""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Callable
from dataclasses import replace

from loadgen import config, output
from loadgen.cli import interrupts, session, specification, verification
from loadgen.cli.flags import Flags, flags_of
from loadgen.cli.options import Given, Option, OptionGroup, Syntax, Word, tells
from loadgen.cli.options.kind import SIZE, TEXT, ValueKind, choice
from loadgen.cli.options.load import ANY_KEY, CONFIG, CONVERSATION, GENERATOR, LOAD, TARGET
from loadgen.cli.options.verification import RESULTS
from loadgen.cli.specification import SPEC
from loadgen.config import Config, Flag
from loadgen.errors import ExitCode, UsageError
from loadgen.host import memory
from loadgen.plan import Plan
from loadgen.protocol import PROTOCOLS
from loadgen.runner.stop import Stop
from loadgen.server_plan import ServerPlan, builtin
from loadgen.target.servers import servers_of
from loadgen.units import format_duration, parse_count, parse_size
from loadgen.verify.stress.ended import StressBegan
from loadgen.verify.stress.shape import Shape, shapes
from loadgen.verify.stress.stress import ShapedLoad, StressTest
from loadgen.verify.subject import named
from loadgen.version import __version__

CONNECTIONS, KEYS, VALUES = "connection.connections", "workload.keyspace.count", "workload.values.length"

WITHOUT_FILE: dict[str, object] = {
    "general.warmup": "1s",
    "general.duration": "10s",
    CONNECTIONS: 100,
    KEYS: 100_000,
    VALUES: 1024,
    "workload.commands.get": 50,
    "workload.commands.set": 50,
    "workload.prefill": True,
}
"""The load without a CONFIG: as many writes as reads, of keys that are all there."""

_REDIS = ("--bind", "{host}", "--port", "{port}", "--dir", "{dir}", "--daemonize", "no", "--save", "")
_MEMCACHED_CONNECTIONS = 1024
"""memcached's own limit."""
_SPARE_CONNECTIONS = 16
_LEAST_BYTES = 256 << 20
"""The least memory that servers with a limit are given."""


def several(metavar: str, read: Callable[[str], int]) -> ValueKind:
    """Return the kind of a value that is one number, or several with commas between."""
    return ValueKind(metavar, lambda word: [read(part) for part in word.split(",")])


SYNTAX = Syntax(
    (
        OptionGroup(
            "contention",
            (
                Option(("-c", "--connections"), "connections, such as 100 or 10,100,1000 (default: 100)",
                       several("N[,N]", parse_count)),
                Option(("-k", "--keys"), "keys, which all connections share, such as 10 or 1k,100k,1m (default: "
                       "100,000)", several("N[,N]", parse_count)),
                Option(("-d", "--value-size"), "bytes in a value, such as 1kb or 1kb,10kb,100kb (default: 1,024)",
                       several("SIZE[,SIZE]", parse_size), betrays=tells.of_duration),
                Option(("--mix",), "command weights, such as get=6,set=3,delete=1 (default: get=50,set=50)", TEXT,
                       "WEIGHTS"),
                Option(("--distribution",), "popularity of keys: uniform, or zipf (few keys far more than the rest)",
                       choice(("uniform", "zipf")), key="workload.keyspace.distribution"),
                Option(("--scenario",), "loads that belong together, instead of -c, -k and --value-size: a test of the "
                       "spec file (connections, keys, hot_keys, values, hot_large), or all", TEXT, "NAME"),
                SPEC,
                Option(("--max-memory",), "skip loads whose keys and values are more than this (default: half of this "
                       "machine's available memory)", SIZE),
            ),
        ),
        TARGET,
        CONVERSATION,
        LOAD.without("--connections", "--mix", "--tests", "-k"),
        GENERATOR,
        RESULTS,
        ANY_KEY,
    ),
    (CONFIG,),
    without_file=WITHOUT_FILE,
)  # fmt: skip


def run(given: Given) -> ExitCode:
    """Put on the loads, print their table, and return the exit code. Raises LoadgenError."""
    wanted = verification.wanted(given)
    loads = loads_of(given)
    stop = Stop()
    with output.opened(wanted) as outputs, interrupts.caught(stop):
        began = StressBegan(tuple(load.shape for load in loads), __version__, options_of(loads[0].plan))
        ended = StressTest(loads, outputs.emit, stop).ended(began)
        outputs.emit(ended)
    return ended.exit_code


# ── The loads ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def loads_of(given: Given) -> list[ShapedLoad]:
    """Return a load for each shape. Raises UsageError and ConfigError."""
    flags = flags_of(given)
    session.refuse_several_servers(given, flags)
    protocol = flags.keys.get("target.protocol")
    refuse_without_keys(str(protocol.value) if protocol is not None else "")
    without = {} if given.config is not None else {key: Flag("stress", value) for key, value in WITHOUT_FILE.items()}
    flags = replace(flags, keys={**without, **flags.keys})
    base = session.settings_of(given, flags, server=flags.target.file)
    refuse(base)
    if base.general.seed is None:
        flags = flags.having({"general.seed": Flag("stress", int.from_bytes(os.urandom(4)))})
    starts = not (given.embedded or flags.target.address or flags.target.file or names_server(base, given))
    timed = given.word("general.duration") is not None or given.word("general.requests") is not None
    loads = [
        load_of(given, flags, base.target.protocol, shape, 0 if timed else requests, starts=starts)
        for shape, requests in shapes_of(given, base)
    ]
    for words in dict.fromkeys(warning.words for load in loads for warning in load.warnings):
        output.remark(f"warning: {words}")
    return loads


def load_of(given: Given, flags: Flags, protocol: str, shape: Shape, requests: int, *, starts: bool) -> ShapedLoad:
    """Return the load of a shape; with `starts`, on a server that is started because none was named."""
    own = flags.having(keys_of(shape, requests))
    settings, server = with_server(given, own, protocol, shape, starts=starts)
    plan = config.resolve(settings)
    return ShapedLoad(
        # --set wins over the shape.
        Shape(plan.wire.connections, plan.workload.keyspace.count, plan.workload.value_bytes),
        plan,
        servers_of(plan.target, server),
        config.judging(settings),
        replay_command(given, shape, plan.seed, requests),
        config.monitors(settings),
        session.remarks(settings.warnings),
        embedded=server is not None and server.command[0] == "loadgen",
        ceiling=session.ceiling_of(plan),
        lack=lack_of(shape, given.max_memory),
    )


def keys_of(shape: Shape, requests: int) -> dict[str, Flag]:
    """Return the configuration's keys for a shape and a number of requests; 0 leaves the duration as it is."""
    counted = {"general.requests": requests, "general.duration": 0, "general.warmup": 0} if requests else {}
    return {
        CONNECTIONS: Flag("-c", shape.connections),
        KEYS: Flag("-k", shape.keys),
        VALUES: Flag("--value-size", shape.value_bytes),
        **{key: Flag("--scenario", value) for key, value in counted.items()},
    }


def shapes_of(given: Given, base: Config) -> list[tuple[Shape, int]]:
    """Return the shapes that the options name, each with its number of requests; 0: as many as its duration allows.

    What the options leave open is the configuration's. Raises UsageError and ConfigError.
    """
    if (spec := given.word("spec")) is not None and given.scenario is None:
        raise UsageError(f"{spec.spelling} has the loads of --scenario: name one of them, or all.")
    axes = [word for name in ("connections", "keys", "value_size") if (word := given.word(name)) is not None]
    if given.scenario is not None:
        if axes:
            raise UsageError(f"--scenario has its own shapes: leave out {' and '.join(w.spelling for w in axes)}.")
        return specification.stress(specification.spec_of(given.spec), given.scenario)
    named = shapes(
        given.connections or [base.connection.connections],
        given.keys or [base.workload.keyspace.count],
        given.value_size or [base.workload.values.length],
    )
    return [(shape, 0) for shape in named]


def refuse(base: Config) -> None:
    """Raise UsageError for what a stress test does not do."""
    session.refuse_faults(base, "a stress test")
    session.refuse_history(base, "a stress test")
    if config.wants_search(base):
        raise UsageError("workload.saturation_search is not acted on by stress: leave it out, or use saturate.")
    refuse_without_keys(base.target.protocol)


def refuse_without_keys(protocol: str) -> None:
    if protocol in PROTOCOLS and not PROTOCOLS[protocol].has_keys:
        raise UsageError(f"{protocol} has no keys to contend for: name resp, resp3 or memcache.")


def lack_of(shape: Shape, allowed: int | None) -> str:
    """Return why a load of this shape is not put on: it does not fit in memory; empty when it does."""
    if allowed is None:
        available = memory.available_bytes()
        allowed = shape.stored_bytes if available is None else available // 2
    if shape.stored_bytes <= allowed:
        return ""
    return (
        f"{shape.keys:,} keys with {shape.value_bytes:,} B each take some {shape.stored_bytes / 1e9:.3g} GB, and "
        f"--max-memory is {allowed / 1e9:.3g} GB"
    )


# ── The server ────────────────────────────────────────────────────────────────────────────────────────────────────────


def names_server(base: Config, given: Given) -> bool:
    """True when the CONFIG or --set names the server."""
    typed = any(override.strip().startswith("target.") for override in given.set)
    return "target" in base.model_fields_set and (given.config is not None or typed)


def with_server(
    given: Given, flags: Flags, protocol: str, shape: Shape, *, starts: bool
) -> tuple[Config, ServerPlan | None]:
    """Return the configuration with its server, and the plan of the server when loadgen is to start it."""
    if not starts:
        settings = session.settings_of(given, flags, server=flags.target.file)
        own = config.server_plan(settings, session.name_of(given, flags))
        return settings, built_in(protocol, shape) if given.embedded else own
    word = named.resolved(named.AUTO, PROTOCOLS[protocol].wire)
    if word == "builtin":
        # Its port is known when it runs.
        at = {"target.endpoints": Flag("stress", ["127.0.0.1:1"])}
        return session.settings_of(given, flags.having(at)), built_in(protocol, shape)
    command = {"target.server": Flag("stress", {"command": command_of(word, shape)})}
    settings = session.settings_of(given, flags.having(command))
    return settings, config.server_plan(settings, word)


def built_in(protocol: str, shape: Shape) -> ServerPlan:
    return builtin(protocol, "--max-memory", str(max(_LEAST_BYTES, 2 * shape.stored_bytes)))


def command_of(word: str, shape: Shape) -> list[str]:
    """Return the command of a server that holds all keys of a shape in memory."""
    if word == "memcached":
        connections = max(_MEMCACHED_CONNECTIONS, shape.connections + _SPARE_CONNECTIONS)
        # Items stand in slabs of sizes that grow by a quarter.
        megabytes = max(_LEAST_BYTES, shape.stored_bytes * 3 // 2) >> 20
        limits = ["-c", str(connections), "-m", str(megabytes)]
        return ["memcached", "-l", "{host}", "-p", "{port}", "-U", "0", "-u", "nobody", *limits]
    return [f"{word}-server", *_REDIS]


# ── Words ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def options_of(plan: Plan) -> dict[str, str]:
    """Return what all loads have in common, in words."""
    load = plan.load
    loop = f"{load.arrival}, {load.rate_per_s:g} requests/s" if load.open_loop else "closed"
    whole = sum(weight for _, weight in plan.mix)
    mix = " + ".join(f"{100 * weight / whole:.3g} % {name}" for name, weight in plan.mix if weight)
    return {
        "duration": format_duration(load.duration_ns),
        "loop": loop,
        "mix": mix,
        "depth": str(plan.wire.pipeline_depth),
        "distribution": plan.workload.keyspace.distribution,
        "seed": str(plan.seed),
    }


_OWN = ("connections", "keys", "value_size", "scenario", "spec", "general.seed")
"""The names of the options that a replay command has in its own words."""


def replay_command(given: Given, shape: Shape, seed: int, requests: int = 0) -> str:
    """Return the command that puts on the load of one shape again. A password is not repeated."""
    outputs = {option.name for option in RESULTS.options}
    words = ["loadgen", "stress", *filter(None, [given.config])]
    for word in given.words:
        if word.option.name not in outputs and word.option.name not in _OWN:
            words += [word.spelling, *([] if word.option.kind is None else [told(word)])]
    own = {"-c": shape.connections, "-k": shape.keys, "--value-size": shape.value_bytes, "--seed": seed}
    own |= {"-n": requests} if requests else {}
    return shlex.join([*words, *(text for flag, value in own.items() for text in (flag, str(value)))])


def told(word: Word) -> str:
    """Return the value of an option as text, without a password."""
    if word.option.key == "target.password":
        return "PASSWORD"
    text = re.sub(r"^target\.password *=.*", "target.password=PASSWORD", str(word.value), flags=re.DOTALL)
    return re.sub("//[^@/]*@", "//PASSWORD@", text)
