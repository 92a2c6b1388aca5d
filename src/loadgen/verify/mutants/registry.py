"""Every mutant by name, and the one that the environment asks for."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from loadgen.errors import UsageError
from loadgen.escape import printable
from loadgen.verify.mutants import client, cluster, disk, engine, fleet, jobs, proxy, servers
from loadgen.verify.mutants.mutant import Mutant

VARIABLE = "LOADGEN_MUTANT"
"""The environment variable that names a mutant to plant."""

MUTANTS: dict[str, Mutant] = {
    mutant.name: mutant
    for piece in (servers, client, engine, cluster, disk, proxy, jobs, fleet)
    for mutant in piece.MUTANTS
}


@contextmanager
def planted() -> Iterator[str]:
    """Plant the mutant that the environment asks for while the block runs; yield its name, empty for none.

    Raises UsageError for a name that no mutant has.
    """
    name = os.environ.get(VARIABLE, "")
    if not name:
        yield ""
        return
    mutant = MUTANTS.get(name)
    if mutant is None:
        raise UsageError(f'{VARIABLE}: there is no mutant "{printable(name, 60)}"; there are {", ".join(MUTANTS)}.')
    with mutant.planted():
        yield name
