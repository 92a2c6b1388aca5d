"""Scenarios by name: `module:function`, or `file.py:function`. Imports users' code."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import sys
from pathlib import Path

from loadgen.errors import UsageError
from loadgen.escape import printable
from loadgen.verify.scenario.run import Scenario, in_words


def loaded(name: str) -> Scenario:
    """Return the scenario of a name. Modules are looked for in the working folder too. Raises UsageError."""
    where, _, function = name.partition(":")
    if not where or not function:
        raise UsageError(f'"{printable(name)}" names no scenario; write module:function, or file.py:function.')
    try:
        module = _of_file(Path(where)) if where.endswith(".py") else _of_name(where)
    except ImportError as error:
        raise UsageError(f"{printable(where)}: cannot be imported: {printable(str(error))}.") from None
    except (Exception, SystemExit) as error:
        raise UsageError(f"{printable(where)}: cannot be imported: {printable(in_words(error), 200)}.") from None
    scenario = getattr(module, function, None)
    if not inspect.iscoroutinefunction(scenario):
        there = [each for each, value in vars(module).items() if inspect.iscoroutinefunction(value)]
        known = f"it has {', '.join(there)}." if there else "it has no coroutine function."
        raise UsageError(f"{printable(where)} has no coroutine function {printable(function)}; {known}")
    try:
        inspect.signature(scenario).bind(None)
    except TypeError as error:
        told = f"{printable(where)}: {function} cannot be called with a world: {error}"
        raise UsageError(f"{told}; write async def {function}(world).") from None
    return scenario


def _of_name(name: str) -> object:
    folder = str(Path.cwd())
    if folder not in sys.path:
        sys.path.insert(0, folder)
    return importlib.import_module(name)


def _of_file(path: Path) -> object:
    if not path.is_file():
        raise ImportError("there is no such file")
    name = path.stem
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ImportError("it is no Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module
