"""Names of a package that are imported on first use, so that a command imports only what it uses. No I/O."""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:  # `typing` takes longer to import than this whole module.
    from collections.abc import Callable, Mapping
    from typing import Any


def lazily(package: str, places: Mapping[str, str]) -> Callable[[str], Any]:
    """Return a package's `__getattr__`.

    `places` has `module`, `module:name`, or `module:` for the module itself, relative to the package, by name.
    """

    def get(name: str) -> Any:
        if name not in places:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        from importlib import import_module

        module, colon, attribute = places[name].partition(":")
        found = import_module(f"{package}.{module}")
        value = found if colon and not attribute else getattr(found, attribute or name)
        setattr(sys.modules[package], name, value)
        return value

    return get
