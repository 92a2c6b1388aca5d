"""Messages as bytes, and back: pickles that can make nothing but loadgen's own frozen values.

An ordinary pickle can have any function called. These can name classes of the vocabulary, and nothing else.
"""

from __future__ import annotations

import importlib
import io
import pickle
from functools import cache
from typing import Any

PROTOCOL = 5
"""The pickle protocol, which every supported Python knows."""

VOCABULARY = (
    "loadgen.command",
    "loadgen.engine._histogram",
    "loadgen.fleet.leases",
    "loadgen.fleet.seed_messages",
    "loadgen.phase",
    "loadgen.plan",
    "loadgen.protocol",
    "loadgen.reason",
    "loadgen.severity",
    "loadgen.signs",
    "loadgen.snapshot",
    "loadgen.verify.account",
    "loadgen.verify.artifact",
    "loadgen.verify.case",
    "loadgen.verify.durability.survival",
    "loadgen.verify.ended",
    "loadgen.verify.tape",
    "loadgen.worker.messages",
)
"""The modules whose classes may be named: frozen values, and nothing that acts when it is made."""

_MAKER = "from_bytes"
"""The class method that makes a histogram."""


class UnknownMessageError(Exception):
    """Bytes that are no message of loadgen's."""


class _Vocabulary(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        """Return a class of the vocabulary, or the maker of a histogram. Raises UnpicklingError for all else."""
        return _found(module, name)


@cache
def _found(module: str, name: str) -> Any:
    if module in VOCABULARY:
        owner, _, method = name.partition(".")
        found = getattr(importlib.import_module(module), owner, None)
        if isinstance(found, type) and found.__module__ == module and method in ("", _MAKER):
            return getattr(found, method) if method else found
    raise pickle.UnpicklingError(f"{module}.{name} is no part of a message")


def pickled(message: object) -> bytes:
    return pickle.dumps(message, PROTOCOL)


def unpickled(body: bytes) -> Any:
    """Return the message. Raises UnknownMessageError."""
    try:
        return _Vocabulary(io.BytesIO(body)).load()
    except Exception as error:  # a damaged pickle raises whatever the classes that it names raise
        raise UnknownMessageError(f"no message of loadgen's ({type(error).__name__}: {error})") from None
