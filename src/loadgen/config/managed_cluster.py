"""The contradictions of `[target.server.cluster]`, and of faults that name a node of a cluster by its role."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from loadgen.config.document.problem import Problem
from loadgen.config.tables.refused import ProblemCode
from loadgen.config.tables.schema import Config
from loadgen.config.tables.server import has
from loadgen.config.told.plans import cluster_plan
from loadgen.server_plan import BUS_DISTANCE

_SERVER = ("target", "server")
_NODES = (*_SERVER, "cluster")
_PORT = (*_SERVER, "port")

_HIGHEST_PORT = 65_535


def _load_knows_the_cluster(config: Config) -> Iterator[Problem]:
    target = config.target
    if cluster_plan(config) is not None and not target.cluster:
        yield Problem(
            (_NODES, ("target", "cluster")),
            ProblemCode.MISSING,
            "starts a Redis Cluster, to which load goes by slots; write cluster = true in [target]",
        )


def _nodes_listen_on_ports(config: Config) -> Iterator[Problem]:
    server, plan = config.target.server, cluster_plan(config)
    if server is None or plan is None:
        return
    if has("{socket}", server):
        yield Problem(
            ((*_SERVER, "command"), _NODES),
            ProblemCode.NO_PORT,
            "has {socket}, and the nodes of a cluster reach each other by ports; write {port}",
        )
    elif not has("{port}", server):
        yield Problem(
            ((*_SERVER, "command"), _NODES),
            ProblemCode.NO_PORT,
            "does not tell each node its port; write {port} where the program takes it",
        )
    highest = _HIGHEST_PORT - BUS_DISTANCE - len(plan.roles) + 1
    if server.port > highest:
        yield Problem(
            (_PORT, _NODES),
            ProblemCode.TOO_LARGE,
            f"must be at most {highest:,}: nodes have ports in a row, and each a bus {BUS_DISTANCE:,} above; write a "
            "lower one, or leave it out for free ones",
        )


def _faults_are_on_nodes_that_start(config: Config) -> Iterator[Problem]:
    plan = cluster_plan(config)
    for index, fault in enumerate(config.fault):
        path = ("fault", index, "on")
        if plan is None:
            if fault.roles:
                yield Problem(
                    (path,),
                    ProblemCode.NO_NODE,
                    f'"{fault.roles[0]}" is a node of a cluster that loadgen starts, and there is none; describe it in '
                    "[target.server.cluster], or write the number of a node",
                )
            continue
        numbers_and_roles = {*range(1, len(plan.roles) + 1), *plan.roles}
        absent = [node for node in fault.on if node not in numbers_and_roles]
        if absent:
            named = f'"{absent[0]}"' if isinstance(absent[0], str) else f"node {absent[0]}"
            yield Problem(
                (path,),
                ProblemCode.NO_NODE,
                f"there is no {named}: the nodes are {_listed(plan.roles)}, with the numbers 1 to {len(plan.roles)}; "
                "name one of them",
            )
            continue
        numbers = fault.numbers(plan.roles)
        if len({*numbers}) < len(numbers):
            yield Problem((path,), ProblemCode.TWICE, "names a node twice, by its role and its number; name it once")


def _listed(roles: tuple[str, ...]) -> str:
    masters = [role for role in roles if role.startswith("master")]
    replicas = [role for role in roles if role.startswith("replica")]
    return " and ".join(
        f'"{each[0]}" to "{each[-1]}"' if len(each) > 1 else f'"{each[0]}"' for each in (masters, replicas) if each
    )


RULES: tuple[Callable[[Config], Iterator[Problem]], ...] = (
    _load_knows_the_cluster,
    _nodes_listen_on_ports,
    _faults_are_on_nodes_that_start,
)
