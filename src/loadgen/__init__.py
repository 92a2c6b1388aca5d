"""loadgen puts load on cache servers that speak RESP or memcache, and reports what happened.

The names in `__all__` are the library: docs/LIBRARY.md. Each name is imported on first use, because every import of a
part of loadgen, such as a worker's, runs this file too.
"""

from __future__ import annotations

import sys
from types import ModuleType

from loadgen.lazy import lazily
from loadgen.version import __version__

TYPE_CHECKING = False
if TYPE_CHECKING:
    from loadgen._memcache import Memcache
    from loadgen._resp import Resp
    from loadgen.compare.answers import Compared
    from loadgen.errors import ConfigError, LoadgenError, TargetError, UsageError, WorkerError
    from loadgen.events import Event, PhaseBegan, Progress, Result, Sample, SearchEnded
    from loadgen.library.at import at
    from loadgen.library.compare import compare
    from loadgen.library.events import events
    from loadgen.library.plan import Plan
    from loadgen.library.read import read
    from loadgen.library.run import run
    from loadgen.library.search import search
    from loadgen.library.serve import serve
    from loadgen.library.server import Server
    from loadgen.reason import Reason
    from loadgen.runner.stop import Stop
    from loadgen.slo import Objective
    from loadgen.snapshot import Histogram, Snapshot, Tally

__all__ = [
    "Compared",
    "ConfigError",
    "Event",
    "Histogram",
    "LoadgenError",
    "Memcache",
    "Objective",
    "PhaseBegan",
    "Plan",
    "Progress",
    "Reason",
    "Resp",
    "Result",
    "Sample",
    "SearchEnded",
    "Server",
    "Snapshot",
    "Stop",
    "Tally",
    "TargetError",
    "UsageError",
    "WorkerError",
    "__version__",
    "at",
    "compare",
    "events",
    "read",
    "run",
    "search",
    "serve",
]

__getattr__ = lazily(
    __name__,
    {
        "Memcache": "_memcache",
        "Resp": "_resp",
        "client": "client:",
        "Compared": "compare.answers",
        "ConfigError": "errors",
        "LoadgenError": "errors",
        "TargetError": "errors",
        "UsageError": "errors",
        "WorkerError": "errors",
        "Event": "events",
        "PhaseBegan": "events",
        "Progress": "events",
        "Sample": "events",
        "Result": "events",
        "SearchEnded": "events",
        "at": "library.at",
        "compare": "library.compare",
        "events": "library.events",
        "Plan": "library.plan",
        "read": "library.read",
        "run": "library.run",
        "search": "library.search",
        "serve": "library.serve",
        "Server": "library.server",
        "Reason": "reason",
        "Stop": "runner.stop",
        "Objective": "slo",
        "Histogram": "snapshot",
        "Snapshot": "snapshot",
        "Tally": "snapshot",
    },
)


class _Face(ModuleType):
    """This package as a module whose `events` and `compare` stay functions when modules of those names are imported.

    The import system sets each imported submodule as an attribute of its package, which would replace the functions.
    `from loadgen.events import …` finds the modules without the attributes. See "Customizing module attribute access"
    in Python's reference.
    """

    def __setattr__(self, name: str, value: object) -> None:
        if not (name in __all__ and isinstance(value, ModuleType)):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Face
