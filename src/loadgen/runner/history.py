"""The file of a run's history: created with its metadata before the workers append to it, and its counts at the end."""

from __future__ import annotations

import os
from collections.abc import Iterable

from loadgen.plan import KeptHistory, Plan
from loadgen.snapshot import HistoryCounts
from loadgen.verify.history.file import Metadata, create
from loadgen.version import __version__
from loadgen.worker.messages import Drained


def begin(plan: Plan, kept: KeptHistory) -> None:
    """Create the file, in place of one that is there. Raises OutputError."""
    keyspace = plan.workload.keyspace
    more = {
        "servers": [str(endpoint) for endpoint in plan.target.endpoints],
        "key_count": keyspace.count,
        "value_bytes": plan.workload.value_bytes,
        "prefill": plan.workload.prefill,
        "seed": plan.seed,
        "run": f"{kept.run:016x}",
    }
    metadata = Metadata(
        origin=f"loadgen {__version__}",
        protocol=plan.target.protocol,
        keys=f"{keyspace.prefix}%0{keyspace.length - len(keyspace.prefix)}x",
        sampling=kept.keys,
        more=more,
        workers=len(plan.workers),
    )
    os.close(create(kept.path, metadata))


def counted(finals: Iterable[Drained | None]) -> tuple[HistoryCounts, bool]:
    """Return the counts of all workers, and whether the history has all of their records: none has died."""
    told = [final.history if final is not None else None for final in finals]
    return sum((counts for counts in told if counts is not None), HistoryCounts()), None not in told
