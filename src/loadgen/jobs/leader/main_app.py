"""The process of a user's own test: `python -m loadgen.jobs.leader.main_app MODULE:FUNCTION [STORAGE]`.

The function is called, and awaited where it is a coroutine function. The queues that it makes write to the ledger that
the environment names. The exit status is that of the error that ends it; the error is the last line on standard error.
"""

from __future__ import annotations

import asyncio
import importlib
import importlib.util
import inspect
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from loadgen.errors import LoadgenError, UsageError

STORAGE = "storage"
"""The parameter that receives the URL of --storage."""


def main() -> None:
    """Call the function that the arguments name."""
    word, *storage = sys.argv[1:]
    try:
        function = found(word)
        named = {STORAGE: storage[0]} if storage else {}
        if named and STORAGE not in inspect.signature(function).parameters:
            raise UsageError(f"{word} has no parameter {STORAGE}, to which --storage could be passed; leave it out.")
        result = function(**named)
        if inspect.isawaitable(result):
            asyncio.run(_awaited(result))
    except LoadgenError as error:
        print(error, file=sys.stderr)
        sys.exit(int(error.exit_code))
    except Exception as error:
        import traceback

        traceback.print_exc()
        print(f"{word} raised {type(error).__name__}: {error}", file=sys.stderr)
        sys.exit(1)


async def _awaited(result: Any) -> None:
    await result


def found(word: str) -> Callable[..., Any]:
    """Return the function of `module:function`, where module is a name or a file. Raises UsageError."""
    module_name, colon, name = word.rpartition(":")
    if not colon or not name:
        raise UsageError(f"{word} names no function: write MODULE:FUNCTION, such as mytest:main.")
    try:
        module = _of_file(Path(module_name)) if module_name.endswith(".py") else _of_name(module_name)
    except UsageError:
        raise
    except BaseException as error:
        raise UsageError(f"{module_name} cannot be imported: {type(error).__name__}: {error}.") from None
    function: Callable[..., Any] | None = getattr(module, name, None)
    if not callable(function):
        raise UsageError(f"there is no function {name} in {module_name}.")
    return function


def _of_name(name: str) -> Any:
    sys.path.insert(0, str(Path.cwd()))
    return importlib.import_module(name)


def _of_file(path: Path) -> Any:
    if not path.exists():
        raise UsageError(f"there is no file {path}.")
    sys.path.insert(0, str(path.parent.absolute()))
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    return module


if __name__ == "__main__":
    main()
