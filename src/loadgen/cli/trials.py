"""Words of the command line → the trials that they name: scenarios, clients, workloads and nodes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from difflib import get_close_matches

from loadgen import config
from loadgen.cli import placed
from loadgen.cli.options import Given
from loadgen.config import catalogue, presets, scenario_file
from loadgen.errors import LoadgenError, UsageError
from loadgen.escape import printable
from loadgen.faults.bench import Bench
from loadgen.faults.fault import Layer
from loadgen.faults.kinds import KINDS, Judged, Kind, judged, kind_named
from loadgen.plan import Endpoint
from loadgen.reason import Code, Reason
from loadgen.server_address import parse_endpoint
from loadgen.trial import drawn
from loadgen.trial.adapters import clients
from loadgen.trial.plan import Phases, TrialPlan
from loadgen.trial.scenario import Scenario
from loadgen.trial.workloads import workload_named
from loadgen.units import NS_PER_S
from loadgen.verify.kinds.chaos import KINDS as KINDS_OF_SERVERS

ALL = "all"
BUILTIN = "builtin"
DEFAULT_CLIENTS = {"memcache": BUILTIN, "resp": "redis-py"}
SERVERS = {"memcache": "memcached", "resp": "redis"}
"""By protocol, the server file of a node."""
ON_DISK = {"memcache": "memcached", "resp": "redis-aof"}
"""The same where a fault is to come that is about what the server keeps: the server has a file."""

GROUPS_RULE = (
    "the kinds for disks and processes judge a server's acknowledged writes, and the others judge a client: give each "
    "group a command of its own"
)


@dataclass(frozen=True, slots=True)
class Case:
    """One trial to come."""

    plan: TrialPlan
    bench: Bench
    notes: tuple[Reason, ...] = ()


def cases_of(given: Given, seed: int) -> list[Case]:
    """Return the trials that the options name, in order. Raises UsageError or ConfigError."""
    names = None if given.client is None else [name.strip() for name in given.client.split(",") if name.strip()]
    if given.client is not None and not names:
        raise UsageError("--client names no client: write one such as pymemcache.")
    scenarios = [*_scenarios(given, seed)]
    cases = []
    for scenario in scenarios:
        for name in names or scenario.clients or [_default_client(scenario, given.protocol)]:
            protocol = _protocol(scenario, name, given.protocol)
            if protocol is None:
                if given.scenario == ALL:
                    continue
                protocol = scenario.protocol
            cases.append(_case(given, scenario, name, protocol, seed))
    if not cases:
        raise UsageError("no scenario is for these clients: `loadgen chaos --list` has the protocol of each.")
    return cases


def _case(given: Given, scenario: Scenario, name: str, protocol: str, seed: int) -> Case:
    """Return the trial of one client under one scenario."""
    options, notes = _options(given, scenario, name)
    client = clients.client_named(name, options)
    clients.check(client, protocol)
    plan = scenario.plan(client, protocol, workload_named(scenario.workload), seed)
    return Case(plan, _bench(given, plan), notes)


def _options(
    given: Given, scenario: Scenario, name: str
) -> tuple[dict[str, str | int | float | bool], tuple[Reason, ...]]:
    """Return the settings of a client, and a note where those of the scenario are not acted on.

    The scenario's settings are those of the built-in client. Any client gets those that --set names.
    """
    if name == BUILTIN:
        return dict(scenario.client), ()
    asked = {override.partition("=")[0].strip() for override in given.set}
    options = {key: value for key, value in scenario.client.items() if f"client.{key}" in asked}
    left = ", ".join(f"{key} = {value}" for key, value in scenario.client.items() if key not in options)
    words = f"[client] of the scenario is for the built-in client, and {name} has its own settings instead of {left}"
    return options, (Reason(Code.CONFIGURATION, words),) * bool(left)


def _default_client(scenario: Scenario, protocol: str | None) -> str:
    wanted = protocol or scenario.protocol
    return DEFAULT_CLIENTS["memcache" if wanted == "any" else wanted]


def _protocol(scenario: Scenario, name: str, asked: str | None) -> str | None:
    """Return what the nodes speak under a scenario for a client; None where the client does not speak that."""
    row = clients.CLIENTS.get(name.lower().replace("_", "-"))
    spoken = row.protocols if row is not None else tuple(SERVERS)
    if asked is not None:
        if scenario.protocol not in ("any", asked):
            raise UsageError(f"--protocol {asked}: the scenario {scenario.name} is for {scenario.protocol} only.")
        return asked
    if scenario.protocol == "any":
        return spoken[0]
    return scenario.protocol if scenario.protocol in spoken else None


# ── Scenarios ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def _scenarios(given: Given, seed: int) -> Iterator[Scenario]:
    """Yield the scenarios that the options name."""
    if given.scenario is not None and given.faults is not None:
        raise UsageError("--scenario has its own faults, and --faults draws some: keep one of them.")
    if given.seeds is not None and given.faults is None:
        raise UsageError("--seeds draws scenarios of the kinds of --faults: add --faults, such as latency,kill.")
    if given.faults is not None:
        kinds = [_kind(name) for name in names_of(given.faults)]
        nodes = given.nodes or _given_nodes(given) or 3
        for number in range(given.seeds or 1):
            yield _shaped(given, scenario_file.changed(drawn.scenario(kinds, seed + number, nodes), _overrides(given)))
    elif given.scenario is not None:
        words = [*catalogue.scenarios()] if given.scenario == ALL else [given.scenario]
        for word in words:
            yield drawn.completed(_shaped(given, catalogue.scenario(word, _overrides(given))), seed)
    else:
        yield _without_faults(given)


def _overrides(given: Given) -> list[str]:
    """Return the options that set a key of the scenario, and after them --set."""
    nodes = given.nodes or _given_nodes(given)
    flags = {"nodes": nodes, "concurrency": given.concurrency}
    workload = None if given.workload is None else workload_named(given.workload).name
    named = [f'workload="{workload}"', "rate=0"] if workload is not None else []
    return [*(f"{key}={value}" for key, value in flags.items() if value is not None), *named, *given.set]


def _shaped(given: Given, scenario: Scenario) -> Scenario:
    """Return a scenario with the lengths that the options ask for: --quick leaves the phases that --set names."""
    if given.quick:
        asked = {override.partition("=")[0].strip() for override in given.set}
        kept = {
            f"{name}_ns": getattr(scenario.phases, f"{name}_ns")
            for name in ("settle", "baseline", "recovery")
            if f"phases.{name}" in asked
        }
        scenario = scenario.quick()
        scenario = replace(scenario, phases=replace(scenario.phases, **kept))
    return scenario if given.duration is None else scenario.lasting(given.duration)


def _without_faults(given: Given) -> Scenario:
    """Return the workload alone, for --duration or until somebody stops it."""
    nodes = given.nodes or _given_nodes(given) or 3
    changed = scenario_file.changed(Scenario(name="", title="", nodes=nodes), _overrides(given))
    return replace(changed, phases=Phases(NS_PER_S, given.duration or 0, 0, 0))


def judge_server(given: Given, faults: str | None) -> bool:
    """Return True when `faults` are to judge a server. Raises UsageError for kinds of both groups."""
    if faults is None or given.client is not None or given.scenario is not None:
        return False
    names = names_of(faults)
    servers = [name for name in names if name in KINDS_OF_SERVERS or judged(name) is Judged.SERVER]
    if servers and len(servers) < len(names):
        raise UsageError(f"--faults {printable(faults, 80)}: {GROUPS_RULE}.")
    return bool(servers)


def names_of(words: str) -> list[str]:
    """Return the names of kinds that --faults has. Raises UsageError when there is none."""
    names = [word.strip().replace("-", "_") for word in words.split(",") if word.strip()]
    if not names:
        raise UsageError("--faults names no kind: write some, such as latency,kill.")
    return names


def _kind(name: str) -> Kind:
    kind = kind_named(name)
    if kind is not None:
        return kind
    near = get_close_matches(name.lower()[:40], [*KINDS], n=1)
    hint = f"did you mean {near[0]}?" if near else f"the kinds are {', '.join(KINDS)}."
    raise UsageError(f'--faults: there is no kind of fault "{printable(name, 60)}"; {hint}')


# ── Nodes ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _endpoints(given: Given) -> tuple[Endpoint, ...]:
    """Return the nodes that --endpoints names; empty without it. Raises UsageError."""
    if given.endpoints is None:
        return ()
    if given.nodes is not None:
        raise UsageError("--nodes starts servers, and --endpoints names servers that run: keep one of them.")
    found = []
    for word in given.endpoints.split(","):
        try:
            endpoint = parse_endpoint(word.strip())
        except ValueError as error:
            raise UsageError(f"--endpoints: {error}.") from None
        if endpoint.path:
            raise UsageError(f"--endpoints: {endpoint} is a Unix socket, and clients on trial connect by TCP.")
        found.append(replace(endpoint, address=endpoint.host))
    return tuple(found)


def _given_nodes(given: Given) -> int | None:
    return len(_endpoints(given)) or None


def _bench(given: Given, plan: TrialPlan) -> Bench:
    """Return the bench of a trial: nodes that were named, or servers to start. Raises LoadgenError."""
    endpoints = _endpoints(given)
    if plan.namespaces:
        placed.check(plan, endpoints, given.toxiproxy or "")
    if endpoints:
        beyond = [fault for fault in plan.faults if fault.layer is not Layer.PROXY]
        if beyond:
            raise LoadgenError(
                f"the scenario {plan.scenario} has a fault of the {beyond[0].layer} layer, which takes servers that "
                "loadgen started; leave --endpoints out, or choose a scenario of the proxy layer."
            )
        return Bench(
            given=endpoints,
            faults=plan.faults,
            groups=plan.groups,
            toxiproxy=given.toxiproxy or "",
            beside_nodes=bool(plan.namespaces),
        )
    name = SERVERS[plan.protocol]
    if any(KINDS[fault.kind].judged is Judged.SERVER for fault in plan.faults):
        name = ON_DISK[plan.protocol]
    server = config.server_plan(config.load(None, server=presets.SERVERS.file(name)), name)
    assert server is not None, "a server file describes a server"
    return Bench(
        managed=(server,) * plan.nodes, faults=plan.faults, groups=plan.groups, toxiproxy=given.toxiproxy or ""
    )
