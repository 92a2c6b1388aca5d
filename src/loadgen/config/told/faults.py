"""The faults of a configuration: kinds looked up, parameters filled in, seeds drawn."""

from __future__ import annotations

from collections.abc import Iterable

from loadgen.config.tables.fault import MAX_FAULT_SEED, FaultTable
from loadgen.faults.fault import Fault
from loadgen.faults.kinds import KINDS
from loadgen.server_plan import ClusterPlan
from loadgen.split import worker_seed

_STREAM = 1 << 32
"""The place of the faults' seeds among the outputs of the generator that workers' seeds are drawn from."""


def faults(tables: Iterable[FaultTable], seed: int, cluster: ClusterPlan | None = None) -> tuple[Fault, ...]:
    """Return the faults of `[[fault]]`. `seed` is the run's, from which a fault without a seed draws its own.

    `cluster` is the one that loadgen starts, whose nodes have the roles by which faults may name them.
    """
    roles = cluster.roles if cluster is not None else ()
    return tuple(
        Fault(
            kind=table.kind,
            layer=KINDS[table.kind].layer,
            on=table.numbers(roles),
            roles=tuple(roles[node - 1] for node in table.numbers(roles)) if roles else (),
            at_ns=table.at,
            for_ns=table.lasts,
            every_ns=table.every,
            times=table.times,
            stagger_ns=table.stagger,
            parameters=KINDS[table.kind].defaults() | table.given(),
            seed=worker_seed(seed, _STREAM + number) & MAX_FAULT_SEED if table.seed is None else table.seed,
        )
        for number, table in enumerate(tables)
    )
