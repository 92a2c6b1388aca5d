"""Porcupine, a checker in Go, as an oracle beside loadgen's own: built once, where Go is and the tests are told to."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path

from loadgen.verify.history._operations import CAS_TO, Operations

BUILD = "LOADGEN_BUILD_PORCUPINE"
"""The variable that, set to 1, has the tests build the oracle: half a minute."""

SOURCE = Path(__file__).parent / "porcupine"


def program() -> Path | None:
    """Return the oracle, built once into the user's cache; None where it is not and is not to be built."""
    files = ("main.go", "go.mod", "go.sum")
    version = hashlib.sha256(b"".join((SOURCE / name).read_bytes() for name in files)).hexdigest()[:12]
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "loadgen", f"porcupine-{version}")
    built = cache / "oracle"
    if not built.exists() and os.environ.get(BUILD) == "1" and shutil.which("go"):
        cache.mkdir(parents=True, exist_ok=True)
        command = ["go", "build", "-o", str(built), "."]
        subprocess.run(command, cwd=SOURCE, check=True, timeout=300)
    return built if built.exists() else None


def illegal_keys(oracle: Path, histories: Iterable[Operations], *, strict: bool) -> list[set[int]]:
    """Return the keys of each history that Porcupine finds illegal."""
    lines = "".join(json.dumps({"strict": strict, "records": _records(each)}) + "\n" for each in histories)
    done = subprocess.run([oracle], input=lines, capture_output=True, text=True, check=True, timeout=60)
    return [{*json.loads(line)["illegal"]} for line in done.stdout.splitlines()]


def _records(operations: Operations) -> list[list[int]]:
    found = []
    for index in range(len(operations)):
        op, key, value, call, end, _, outcome, _ = operations[index]
        if op == CAS_TO:
            # The second record of a cas: the first has the value that was expected.
            found[-1][2], found[-1][3] = value, found[-1][2]
        else:
            found.append([op, key, value, 0, call, end, outcome])
    return found
