"""Run every verb of verification on one server, one after the other, as one report.

The parts: smoke (the kv suite), cases, properties, oracle, chaos, stress, check, fuzz, simulate and soak. What this
version does not have is listed as skipped, and never counted as passed. With --quick it takes less than ten minutes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from loadgen.cli import full, specification, verification
from loadgen.cli.options import Given, Option, OptionGroup, Syntax
from loadgen.cli.options.kind import TEXT
from loadgen.cli.options.verification import ARTIFACT, RESULTS
from loadgen.cli.specification import SPEC
from loadgen.errors import ExitCode, UsageError
from loadgen.escape import printable
from loadgen.protocol import Wire
from loadgen.verify import kinds
from loadgen.verify.full import Part
from loadgen.verify.kinds.scene_rows import SCENES
from loadgen.verify.kinds.simulated import suite as simulated
from loadgen.verify.spec import Spec
from loadgen.verify.subject import named
from loadgen.version import __version__

QUICK = 10
"""The number by which --quick divides numbers of seeds."""

LIMITS_S = {
    "smoke": 30.0,
    "cases": 20.0,
    "properties": 120.0,
    "oracle": 40.0,
    "chaos": 120.0,
    "stress": 40.0,
    "check": 15.0,
    "fuzz": 80.0,
    "simulate": 40.0,
    "soak": 80.0,
}
"""With --quick, the longest time of each part: below ten minutes in all."""

STARTED = ("auto", *named.PERSISTENT)
"""The servers whose acknowledged writes chaos judges, as it starts them with a file."""

SYNTAX = Syntax(
    (
        OptionGroup(
            "what is verified",
            (
                Option(
                    ("--subject",),
                    f"the server: {named.SUBJECTS}, in RESP (default: what is installed)",
                    TEXT,
                    "SERVER",
                ),
                Option(("--quick",), "a tenth of the seeds, and short loads: less than ten minutes"),
                Option(
                    ("-f", "--filter"),
                    "run these parts only, such as properties,oracle",
                    TEXT,
                    "PARTS",
                ),
                SPEC,
                ARTIFACT,
            ),
        ),
        RESULTS,
    ),
    stray="a server is named by --subject",
)


def run(given: Given) -> ExitCode:
    """Run the parts, print the report, and return the exit code. Raises LoadgenError."""
    spec = specification.spec_of(given.spec)
    if given.subject is not None and named.wire_of(named.checked(given.subject)) is not Wire.RESP:
        raise UsageError(
            f"{given.subject} speaks memcache, and most parts speak RESP: run properties and oracle on it."
        )
    parts = [*parts_of(given, spec)]
    if given.filter is not None:
        wanted = kinds.named("full", [part.name for part in parts], given.filter, "part")
        parts = [part for part in parts if part.name in wanted]
    return full.run(parts, verification.wanted(given))


def parts_of(given: Given, spec: Spec) -> Iterator[Part]:
    """Yield the parts in their order."""
    subject, quick = given.subject, given.quick
    shared = (*(("--spec", given.spec) if given.spec else ()), "--artifacts", given.artifacts)
    on = ("--subject", subject) if subject else ()

    def seeds(count: int) -> tuple[str, ...]:
        return ("--seeds", str(max(1, count // QUICK) if quick else count))

    artifacts = ("--artifacts", given.artifacts)
    # Without a subject the reference, which is what is installed, is held against the model.
    ops = () if given.spec else ("--ops", "5000" if quick else "50000")
    # A load of stress, the inputs of fuzz and soak take their time; all others, as long as their seeds.
    shapes = ("--scenario", "all", "--spec", given.spec) if given.spec and spec.tests(specification.STRESS) else ()
    load = ("--duration", "5s") if quick else shapes or ("--scenario", "connections")
    found = (
        Part("smoke", ("--suite", "kv", *on, *shared)),
        Part("cases", (*((subject,) if subject else ()), *shared), lack="" if spec.cases else _no_case(spec)),
        Part("properties", (*on, *seeds(spec.seeds("properties", 1000)), *shared)),
        Part("oracle", ("--subject", subject or "model", *ops, *shared)),
        _chaos(subject, spec, (*seeds(spec.seeds("chaos", 100)), *shared)),
        _stress(subject, load),
        _check(subject, given.artifacts, "50000" if quick else "1000000"),
        Part("fuzz", ("--duration", "60s" if quick else "600s", *artifacts)),
        _simulate(spec, quick=quick, shared=shared),
        _soak(subject, quick=quick),
    )
    for part in found:
        lack = part.lack or ("" if full.has_verb(part.name) else f"loadgen {__version__} has no {part.name}")
        yield replace(part, lack=lack, limit_s=LIMITS_S[part.name] if quick else 0.0)


def _no_case(spec: Spec) -> str:
    return f"{printable(spec.source)} has no [[case]]"


def _chaos(subject: str | None, spec: Spec, words: tuple[str, ...]) -> Part:
    """Return the part that judges acknowledged writes under the faults of the spec file, or all faults of servers."""
    if subject is not None and subject not in STARTED:
        return Part("chaos", lack=f"chaos judges a server that loadgen starts with a file, and {subject} is none")
    faults = specification.faults(spec, None, by_default=True)
    server = ("--server", subject) if subject else ()
    return Part("chaos", ("--faults", faults or ",".join(SCENES), *server, *words))


def _simulate(spec: Spec, *, quick: bool, shared: tuple[str, ...]) -> Part:
    """Return the part that simulates loadgen's own code, with the spec file's simulation."""
    config, divisor = spec.simulation.default_config, QUICK if quick else 1
    seeds = max(1, config.get("seeds", 1000) // divisor)
    operations = max(1, config.get("operations_per_seed", simulated.OPERATIONS) // divisor)
    return Part("simulate", ("--seeds", str(seeds), "--ops", str(operations), *shared))


def _check(subject: str | None, artifacts: str, requests: str) -> Part:
    """Return the part that judges the history of a load of so many requests, half of them writes of few keys."""
    if subject in ("model", "fakeredis"):
        return Part("check", lack=f"{subject} is in this process, and takes no load")
    resolved = named.resolved(subject or named.AUTO, Wire.RESP)
    path = str(Path(artifacts) / "full.history")
    load = ("-n", requests, "-c", "16", "-r", "100", "-d", "64", "--mix", "set=1,get=1", "--prefill", "-q")
    return Part("check", (path,), first=("run", *_of_server(resolved), "--history", path, *load), file=path)


def _stress(subject: str | None, load: tuple[str, ...]) -> Part:
    """Return the part that puts load on the server."""
    if subject in ("model", "fakeredis"):
        return Part("stress", lack=f"{subject} is in this process, and takes no load")
    if subject in (None, named.AUTO):
        return Part("stress", load)
    return Part("stress", (*_of_server(str(subject)), *load))


def _soak(subject: str | None, *, quick: bool) -> Part:
    """Return the part that soaks the server; with `quick` it is long enough to tell a large leak only."""
    if subject in ("model", "fakeredis"):
        return Part("soak", lack=f"{subject} is in this process, and takes no load")
    on = () if subject in (None, named.AUTO) else _of_server(str(subject))
    times = ("60s", "--every", "250ms", "--settle", "5s") if quick else ("10m",)
    return Part("soak", (*on, "--duration", *times))


def _of_server(subject: str) -> tuple[str, ...]:
    """Return the flags of a load by which it finds a subject."""
    if subject == "builtin":
        return ("--embedded",)
    if subject in named.PERSISTENT:
        # The server preset of the same name.
        return ("--server", subject)
    [endpoint] = named.address(subject).endpoints
    return ("-s", endpoint.path) if endpoint.path else ("-h", endpoint.address, "-p", str(endpoint.port))
