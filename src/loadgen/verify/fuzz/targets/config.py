"""Configurations and scenarios: bytes of a file to what loadgen would run."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path

from loadgen import config
from loadgen.config import scenario_file
from loadgen.errors import ConfigError, LoadgenError
from loadgen.verify.fuzz.examined import Examined

TAKEN, REFUSED = "taken", "refused"

SPELLED = "a configuration that is written out loads as the same configuration"
TOLD = "each problem of a file is a sentence on one line"


_SEED = 1
_NUMERIC = re.compile(r"\d+(?:\.\d+){3}:\d+|\[.*\]:\d+")


_FILE = os.memfd_create("configuration")
"""A file without a name, which ends with the process however that ends."""
_PATH = Path(f"/dev/fd/{_FILE}")


def _written(data: bytes) -> Path:
    """Return the path of a file with this content, until the next one."""
    os.ftruncate(_FILE, 0)
    os.pwrite(_FILE, data, 0)
    return _PATH


def examine(words: Sequence[str], data: bytes) -> Examined:
    """Read a file, and make a plan of it. Raises what is not LoadgenError."""
    try:
        if words and words[0] == "scenario":
            scenario_file.read(_written(data))
            return Examined((TAKEN,))
        found = config.load(_written(data))
    except ConfigError as error:
        return _told(error)
    written = config.dump(found)
    try:
        if config.load(_written(written.encode())) != found:
            return Examined((), SPELLED, f"another one was loaded from {written:.300}", "another configuration")
    except ConfigError as error:
        return Examined((), SPELLED, f"it was refused: {error}", "refused")
    try:
        _told_on(found)
    except LoadgenError:
        return Examined((REFUSED,))
    return Examined((TAKEN,))


def _told_on(found: config.Config) -> None:
    """Make all that a run is told of a configuration. Raises LoadgenError."""
    config.faults(found.fault, _SEED, config.cluster_plan(found))
    config.judging(found)
    config.server_plan(found, "")
    # The name of a host would be asked of DNS.
    if all(_NUMERIC.fullmatch(str(each)) for each in found.target.endpoints):
        config.resolve(found)


def _told(error: ConfigError) -> Examined:
    for problem in error.problems:
        if not problem.strip() or "\n" in problem:
            return Examined((), TOLD, f"a problem is {problem!r:.300}", "a problem is no line")
    return Examined((REFUSED,))
