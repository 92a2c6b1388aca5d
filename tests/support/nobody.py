"""Commands that the user nobody runs, for tests of what works without root."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

NOBODY = 65_534


def as_nobody(*command: str) -> subprocess.CompletedProcess[str]:
    """Runs a command to its end, as root only can."""
    # Beside this Python's own folder, which may be closed to others, a system's Python finds the same packages.
    environment = os.environ | {"TMPDIR": "/tmp", "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    return subprocess.run(
        command,
        env=environment,
        cwd="/",
        user=NOBODY,
        group=NOBODY,
        extra_groups=[],
        capture_output=True,
        text=True,
        timeout=120,
    )


def python_of_nobody() -> str:
    """A Python of this version that nobody can run; skips the test where there is none."""
    if os.geteuid() != 0:
        pytest.skip("only root can become nobody")
    version = f"import sys; sys.exit(sys.version_info[:2] != {tuple(sys.version_info[:2])})"
    for path in (sys.executable, "/usr/bin/python3"):
        try:
            if as_nobody(path, "-c", version).returncode == 0:
                return path
        except OSError:
            continue
    pytest.skip("no Python of this version can be run by nobody")
