"""Who may import whom: the architecture as a table, held against every `import` and `cimport` in src/loadgen.

A row names a module, or a folder ("room") for every file in it, and lists all that it may import of loadgen. A second
table names the one door of each library from outside.
"""

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

SRC = Path(__file__).parents[1] / "src"

VALUES = {"units", "errors", "escape"}
# What every room may use. A histogram is a value too: compiled, frozen once it is in a snapshot.
TOLD = {
    "plan",
    "server_plan",
    "snapshot",
    "overload",
    "events",
    "slo",
    "signs",
    "usage",
    "verdict",
    "_histogram",
} | VALUES

# Compiled code, from the bottom up. It never imports package Python; up to `_pipeline` it reads no clock and no socket.
BITS = {"_buffer", "_random", "_request"}
CODECS = {"_codec", "_resp", "_memcache"}
LOAD = {"_keys", "_ketama", "_values", "_workload", "_schedule"}
RECORD = {"_histogram", "_recorder"}
SERVER = {"_server_connection", "_server_resp", "_server_description", "_server_redis", "_server_memcache"}
SANS_IO = BITS | CODECS | LOAD | RECORD | {"_pipeline"}

MAY_IMPORT: dict[str, set[str]] = {
    "_clock": set(),
    "_buffer": set(),
    "_random": set(),
    "_request": set(),
    "_histogram": set(),
    "_codec": BITS,
    "_resp": BITS | {"_codec"},
    "_memcache": BITS | {"_codec"},
    "_keys": BITS,
    "_ketama": BITS,
    "_values": BITS,
    "_workload": BITS | CODECS | {"_keys", "_ketama", "_values"},
    "_schedule": BITS,
    "_recorder": BITS | {"_histogram"},
    "_awake": set(),
    "_backlog": BITS | LOAD | RECORD,
    "_pipeline": BITS | CODECS | LOAD | RECORD,
    "_connection": SANS_IO,
    "_busy": set(),
    "_pauses": {"_clock"},
    "_reactor": {"_clock", "_buffer", "_connection"},
    "_pool": SANS_IO | {"_clock", "_connection", "_reactor"},
    "_engine": SANS_IO | {"_backlog", "_busy", "_clock", "_connection", "_pauses", "_pool", "_reactor"},
    "_store": BITS,
    "_server_trouble": BITS | {"_clock"},
    "_server_connection": BITS | {"_store", "_server_trouble"},
    "_server_resp": BITS | {"_store", "_server_connection"},
    "_server_description": {"_store", "_server_connection", "_server_resp"},
    "_server_redis": {"_store", "_server_connection", "_server_resp", "_server_description"},
    "_server_memcache": BITS | {"_store", "_server_connection"},
    "_server_null": SERVER,
    "_server": BITS | SERVER | {"_clock", "_store", "_server_trouble", "_server_null"},
    # Values that every room may use.
    "units": set(),
    "escape": set(),
    "errors": set(),
    "greeting": set(),
    "secret": set(),
    "plan": VALUES | {"greeting", "slo", "verdict"},
    "snapshot": VALUES | {"_histogram"},
    "slo": VALUES | {"snapshot"},
    "overload": VALUES | {"snapshot"},
    "signs": set(),
    "server_plan": set(),
    "usage": VALUES,
    "smoke": VALUES | {"causes", "diagnosis", "events", "plan", "slo", "snapshot"},
    "smoke_run": {"host", "runner", "smoke", "target", "watch", "__init__"} | TOLD,
    "comparison": VALUES | {"stats"},
    "history": VALUES | {"comparison", "stats"},
    "host": VALUES | {"signs"},
    "cgroup": VALUES,
    "causes": VALUES | {"signs"},
    "verdict": VALUES | {"snapshot", "signs", "causes", "stats"},
    "events": VALUES | {"_histogram", "overload", "plan", "snapshot", "slo", "signs", "stats", "usage"},
    "record": VALUES
    | {"_histogram", "overload", "plan", "snapshot", "slo", "signs", "stats", "events", "usage"}
    | {"comparison", "record", "smoke"},
    # The rooms. A room that lists itself may import its own files; a verb may import no verb.
    "config": {"cgroup", "comparison", "config", "secret", "smoke", "stats", "_ketama"} | TOLD,
    "worker": {"_engine", "cgroup", "secret"} | TOLD,
    "diagnosis": {"greeting"} | TOLD,
    "failures": {"causes", "diagnosis", "snapshot"} | VALUES,
    "interrupts": set(),
    "watch": TOLD,
    "worker_process": {"interrupts", "worker"} | TOLD,
    "crew": {"interrupts", "watch", "worker", "worker_process", "diagnosis"} | TOLD,
    "phases": TOLD,
    "runner": {"crew", "diagnosis", "failures", "host", "phases", "watch"} | TOLD,
    "saturation": {"diagnosis", "crew", "failures", "host", "stats"} | TOLD,
    "selftest": {"host"} | TOLD,
    "neighbours": {"host"} | VALUES,
    "record_file": VALUES,
    "results": {"comparison", "record", "record_file"} | VALUES,
    "stretch": {"causes"} | TOLD,
    "awake": {"_awake", "cgroup", "interrupts"},
    "rounds": {"awake", "comparison", "crew", "diagnosis", "failures", "host", "interrupts", "stretch", "target"}
    | TOLD,
    "contest": {"comparison", "host", "results", "rounds", "stats", "__init__"} | TOLD,
    "contestants": {"comparison", "config", "contest", "interrupts", "output", "record", "results", "rounds", "session"}
    | {"flags", "options", "presets"}
    | TOLD,
    "options": {"options"} | VALUES,
    "presets": VALUES,
    "flags": {"config", "flags", "options", "presets"} | TOLD,
    "session": {"config", "host", "output", "runner", "saturation", "selftest", "stats", "target", "__init__"}
    | {"flags", "options", "presets"}
    | TOLD,
    "output": {"causes", "comparison", "history", "output", "record", "smoke", "stats"} | TOLD,
    "target": {"greeting", "secret", "target", "_server", "__init__"} | TOLD,
    "stats": {"stats"},
    "verbs": {"config", "host", "neighbours", "output", "runner", "selftest", "session", "target", "__init__"}
    | {"flags", "options", "presets"}
    | {"comparison", "contestants", "history", "interrupts", "record", "record_file", "results"}
    | {"smoke", "smoke_run", "stats"}
    | TOLD,
    "crash": {"__init__"} | VALUES,
    "cli": {"config", "crash", "flags", "options", "presets", "verbs", "__init__"} | TOLD,
    "entry": {"cli"},
    "__main__": {"entry"},
    "__init__": set(),
}

# One door per library, and per header by which C code would read a clock or touch a socket.
DOORS: dict[str, set[str]] = {
    "tomli": {"config"},
    "pydantic": {"config"},
    "pydantic_core": {"config"},
    "orjson": {"record"},
    "hdrh": {"snapshot"},
    "uvloop": {"worker", "target"},
    "hiredis": {"target"},
    "rich": {"output", "cli"},
    "psutil": {"target"},
    "time.h": {"_clock", "_reactor", "_engine", "_server_connection", "_server_trouble"},
    "sys/socket.h": {"_connection", "_reactor", "_server", "_server_connection"},
}
CLOCKS = {"time", "datetime", "libc.time", "posix.time", "cpython.time"}
COMPILERS_OWN = {"cython", "libc", "posix", "cpython"}


def room_of(module: str) -> str:
    """The row of `loadgen.config.toml` is `config`, that of `loadgen` is `__init__`."""
    return [*module.split("."), "__init__"][1]


def python_imports(source: str, package: str) -> Iterator[str]:
    """Every module that Python source imports, anywhere in it, as an absolute dotted name."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            names = [alias.name for alias in node.names]
            yield from absolute("." * node.level + (node.module or ""), names, package)


def cython_imports(source: str, package: str) -> Iterator[str]:
    """The same for Cython, and every C header that it names. Docstrings and comments do not count."""
    yield from re.findall(r"""(?m)^[ \t]*#[ \t]*include[ \t]*[<"]([\w./]+)""", source)
    source = re.sub(r'(""".*?"""|\'\'\'.*?\'\'\'|#[^\n]*)', "", source, flags=re.DOTALL)
    for found in re.finditer(r"(?m)^[ \t]*c?import[ \t]+([\w., \t]+)", source):
        yield from (name.split()[0] for name in found[1].split(","))
    for found in re.finditer(r"(?m)^[ \t]*from[ \t]+([\w.]+)[ \t]+c?import[ \t]*(\([^)]*\)|[^\n]*)", source):
        yield from absolute(found[1], re.findall(r"(\w+)(?:\s+as\s+\w+)?", found[2]), package)
    for found in re.finditer(r"""(?m)^[ \t]*cdef[ \t]+extern[ \t]+from[ \t]+["']<?([\w./]+)""", source):
        yield found[1]


def absolute(written: str, names: list[str], package: str) -> list[str]:
    """`from . import errors` in loadgen imports loadgen.errors; `from loadgen import __version__`, loadgen itself."""
    level = len(written) - len(written.lstrip("."))
    parents = package.split(".")[: len(package.split(".")) - level + 1] if level else []
    module = ".".join([*parents, written.lstrip(".")]).strip(".")
    if module != "loadgen":
        return [module]
    return [f"loadgen.{name}" if name in MAY_IMPORT else "loadgen" for name in names]


def imports(path: str, source: str) -> list[str]:
    package = ".".join(Path(path).parts[:-1])
    return list((python_imports if path.endswith((".py", ".pyi")) else cython_imports)(source, package))


def violations(path: str, source: str) -> list[str]:
    """What the file at `path` (loadgen/...) imports and may not, one sentence each."""
    row = room_of(".".join(Path(path).with_suffix("").parts))
    if row not in MAY_IMPORT:
        return [f"new module {row}: say in tests/test_layering.py what it may import"]
    allowed = MAY_IMPORT[row]
    if path.startswith("loadgen/_") and row != "__init__":
        # A compiled module is several files, of which the .pyi never runs: it may name the types of values.
        allowed = allowed | {row} | (TOLD if path.endswith(".pyi") else set())
    wrong = []
    for name in imports(path, source):
        top = name.split(".")[0]
        if top == "loadgen":
            if room_of(name) not in allowed:
                wrong.append(f"{path} may not import {room_of(name)}")
        elif name in DOORS or top in DOORS:
            if row not in (doors := DOORS.get(name) or DOORS[top]):
                wrong.append(f"{path} may not use {name}, whose only door is {' and '.join(sorted(doors))}")
        elif row in SANS_IO and name in CLOCKS:
            wrong.append(f"{path} may not read a clock ({name}): it takes the time as an argument")
        elif not (top in sys.stdlib_module_names or top in COMPILERS_OWN or name.endswith(".h")):
            wrong.append(f"new library {top}: say in tests/test_layering.py which module is its door")
    return wrong


def sources() -> list[str]:
    return sorted(
        str(path.relative_to(SRC))
        for path in (SRC / "loadgen").rglob("*")
        if path.suffix in {".py", ".pyi", ".pyx", ".pxd"}
    )


@pytest.mark.parametrize("path", sources())
def test_a_module_imports_only_what_its_row_allows(path: str) -> None:
    assert violations(path, (SRC / path).read_text()) == []


def test_the_table_has_no_circle() -> None:
    below = {row: {other for other in allowed if other != row} for row, allowed in MAY_IMPORT.items()}
    while bottom := {row for row, allowed in below.items() if not allowed}:
        below = {row: allowed - bottom for row, allowed in below.items() if row not in bottom}
    assert below == {}


@pytest.mark.parametrize(
    ("path", "source", "complaint"),
    [
        ("loadgen/plan.py", "import loadgen.config", "may not import config"),
        ("loadgen/plan.py", "def later():\n    from .config import toml", "may not import config"),
        ("loadgen/plan.py", "from . import runner", "may not import runner"),
        ("loadgen/output/clean.py", "from loadgen.config import Config", "may not import config"),
        ("loadgen/output/clean.py", "from ..runner import run", "may not import runner"),
        ("loadgen/verbs/run.py", "from loadgen.verbs.serve import serve", "may not import verbs"),
        ("loadgen/verbs/run.py", "from . import serve", "may not import verbs"),
        ("loadgen/output/json.py", "import orjson", "only door is record"),
        ("loadgen/output/json.py", "from hiredis import Reader", "only door is target"),
        ("loadgen/stats/rank.py", "import numpy", "new library numpy"),
        ("loadgen/surprise.py", "", "new module surprise"),
        ("loadgen/_surprise.pyx", "", "new module _surprise"),
        ("loadgen/_codec.pyx", "from loadgen._pipeline cimport Pipeline", "may not import _pipeline"),
        ("loadgen/_resp.pxd", "from loadgen cimport _memcache", "may not import _memcache"),
        ("loadgen/_resp.pxd", "from . cimport _memcache", "may not import _memcache"),
        ("loadgen/_keys.pyx", "from ._buffer cimport (\n    Bytes,\n)\nfrom ._schedule cimport due", "_schedule"),
        ("loadgen/_engine.pyx", "cimport loadgen._reactor, loadgen._server", "may not import _server"),
        ("loadgen/_engine.pyi", "from loadgen.worker import main", "may not import worker"),
        ("loadgen/_engine.pyx", "from loadgen.errors import WorkerError", "may not import errors"),
        ("loadgen/_pipeline.pyx", "from loadgen._clock cimport now_ns", "may not import _clock"),
        ("loadgen/_pipeline.pyx", "    import time", "may not read a clock"),
        ("loadgen/_recorder.pyx", "from posix.time cimport clock_gettime", "may not read a clock"),
        ("loadgen/_schedule.pyx", 'cdef extern from "time.h" nogil:', "may not use time.h"),
        ("loadgen/_keys.pxd", 'cdef extern from *:\n    """\n    #include <time.h>\n    """', "may not use time.h"),
        ("loadgen/_pipeline.pyx", 'cdef extern from "<sys/socket.h>":', "may not use sys/socket.h"),
    ],
)
def test_a_forbidden_import_is_found(path: str, source: str, complaint: str) -> None:
    assert [complaint in wrong for wrong in violations(path, source)] == [True]


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("loadgen/crew.py", "from loadgen.worker import main\nfrom loadgen.plan import Plan\nimport asyncio"),
        ("loadgen/target/builtin.py", "import uvloop\nfrom loadgen._server import Server"),
        ("loadgen/cli.py", "from loadgen import __version__\nfrom loadgen.verbs import run"),
        ("loadgen/_engine.pyx", "from loadgen._clock cimport now_ns\nfrom libc.stdint cimport int64_t"),
        ("loadgen/_codec.pyx", '"""Text may say:\nimport time\n"""\n# from loadgen import errors'),
    ],
)
def test_an_allowed_import_is_left_alone(path: str, source: str) -> None:
    assert violations(path, source) == []
