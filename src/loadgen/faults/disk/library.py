"""The library that stands between a server and its files: compiled once from `notes.c`, and kept.

The library is loaded by the dynamic linker (LD_PRELOAD). A statically linked server does not load it.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
from pathlib import Path

from loadgen.faults import needs
from loadgen.faults.interpreter import FaultError

SOURCE = Path(__file__).with_name("notes.c")

# A server that has given up root must be able to read the library, so root's own folder is no place for it.
_ROOTS_CACHE = Path("/var/cache/loadgen")
_TIMEOUT_S = 60.0


def built() -> str:
    """Return the path of the library, which is compiled if this version of it is not there. Raises FaultError."""
    compiler = needs.compiler()
    if compiler is None:
        raise FaultError("There is no C compiler for the library that faults of the disk take: apt-get install gcc.")
    version = hashlib.sha256(SOURCE.read_bytes()).hexdigest()[:16]
    library = _cache() / f"disk-{version}.so"
    if library.exists():
        return str(library)
    try:
        library.parent.mkdir(parents=True, exist_ok=True)
        # Two loadgens may compile at once: each has a file of its own, and the rename is one step.
        fresh = library.with_suffix(f".{os.getpid()}")
        command = [compiler, "-O2", "-shared", "-fPIC", "-o", str(fresh), str(SOURCE), "-ldl"]
        ran = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=_TIMEOUT_S)
        if ran.returncode == 0:
            fresh.chmod(0o755)
            fresh.rename(library)
            return str(library)
        said = next((line for line in ran.stderr.splitlines() if "error" in line), ran.stderr.strip())
    except (OSError, subprocess.TimeoutExpired) as error:
        said = str(error)
    raise FaultError(
        f"The library that faults of the disk take could not be compiled into {library.parent} ({said}): see that "
        f"{compiler} compiles for this system, and that the folder can be written to."
    )


def _cache() -> Path:
    if os.geteuid() == 0:
        return _ROOTS_CACHE
    return Path(os.environ.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser()) / "loadgen"
