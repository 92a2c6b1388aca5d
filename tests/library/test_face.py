"""The names that `import loadgen` offers, and the modules that it imports."""

from __future__ import annotations

import subprocess
import sys

import loadgen
import loadgen.compare.rounds
import loadgen.events

PUBLIC = [
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


def imported_by(statement: str) -> set[str]:
    """The modules that a fresh interpreter has after a statement and had not before."""
    source = f"import sys; before = {{*sys.modules}}; {statement}; print(*({{*sys.modules}} - before))"
    done = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, check=True)
    return {*done.stdout.split()}


def test_the_names_of_the_library_are_these_and_all_are_there() -> None:
    assert sorted(loadgen.__all__) == PUBLIC
    assert [name for name in PUBLIC if not hasattr(loadgen, name)] == []


def test_importing_loadgen_imports_next_to_nothing() -> None:
    assert imported_by("import loadgen") <= {"loadgen", "loadgen.lazy", "loadgen.version", "types", "__future__"}


def test_a_worker_has_none_of_the_librarys_libraries() -> None:
    imported = imported_by("import loadgen.worker.main")
    assert "loadgen.engine._engine" in imported
    assert {name.partition(".")[0] for name in imported}.isdisjoint(
        {"pydantic", "pydantic_core", "tomli", "orjson", "rich", "hiredis", "psutil"}
    )
    assert not any(name.startswith("loadgen.library") for name in imported)


def test_codecs_and_histograms_need_no_configuration() -> None:
    imported = imported_by("import loadgen; loadgen.Resp, loadgen.Memcache, loadgen.Histogram")
    assert {name.partition(".")[0] for name in imported}.isdisjoint({"pydantic", "tomli", "orjson", "uvloop"})


def test_a_function_keeps_its_name_though_a_module_of_that_name_is_imported() -> None:
    assert callable(loadgen.events)
    assert callable(loadgen.compare)
    assert "loadgen.events" in sys.modules
    assert "loadgen.compare" in sys.modules
    from loadgen.events import Result

    assert Result is loadgen.Result


def test_a_module_that_is_imported_first_does_not_take_the_functions_place() -> None:
    source = "import loadgen.compare.rounds, loadgen.events; import loadgen; assert callable(loadgen.events); "
    subprocess.run([sys.executable, "-c", f"{source}assert callable(loadgen.compare)"], check=True)
