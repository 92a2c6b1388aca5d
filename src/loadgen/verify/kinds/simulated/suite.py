"""The suite of `simulate`: loadgen's own code in simulated worlds. No server is started, and no clock is read."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial

from loadgen.errors import UsageError
from loadgen.escape import printable
from loadgen.verify.case import Kind
from loadgen.verify.kinds.simulated.client_kinds import PROFILES, ClientKind
from loadgen.verify.kinds.simulated.durable_redis import DurableRedis
from loadgen.verify.kinds.simulated.engine_operations import MOST_OPERATIONS, EngineOperations
from loadgen.verify.kinds.simulated.twice import Twice
from loadgen.verify.kinds.suite import Emit, Opened, Suite
from loadgen.verify.mutants.registry import planted

KINDS: dict[str, Callable[[int], Kind]] = {
    EngineOperations.name: EngineOperations,
    **{profile.name: partial(ClientKind, profile) for profile in PROFILES},
    DurableRedis.name: DurableRedis,
}
"""By name, what makes a kind of so many operations. Every case is run twice."""


@contextlib.contextmanager
def _opened(kinds: Sequence[str], options: Mapping[str, str], emit: Emit) -> Iterator[Opened]:
    operations = _count(options["ops"])
    with planted() as mutant:
        identity = f"a simulated world with the mutant '{mutant}'" if mutant else "a simulated world"
        yield Opened([Twice(KINDS[name](operations)) for name in kinds], identity)


def _count(text: str) -> int:
    """Return the number of operations that an option names. Raises UsageError."""
    if not (text.isascii() and text.isdecimal() and len(text) <= 7 and 1 <= int(text) <= MOST_OPERATIONS):
        raise UsageError(f'--ops: "{printable(text, 40)}" is not a whole number from 1 to {MOST_OPERATIONS}.')
    return int(text)


SUITE = Suite("simulate", tuple(KINDS), _opened, {"ops": "1000"}, {"concurrent_operations": (EngineOperations.name,)})
