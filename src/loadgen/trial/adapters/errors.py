"""The classes of exceptions: from a client's exception to a key of `trial.observed.ERRORS`. Pure."""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Callable, Iterator, Mapping

BY_TYPE: Mapping[type[BaseException], str] = {
    TimeoutError: "timeout",
    ConnectionRefusedError: "refused",
    ConnectionError: "lost",
    EOFError: "lost",
    asyncio.CancelledError: "cancelled",
}
"""The classes of Python's own exceptions, where a client's table does not say otherwise."""

_UNREACHABLE = {
    errno.EHOSTUNREACH,
    errno.ENETUNREACH,
    errno.EADDRNOTAVAIL,
    errno.EHOSTDOWN,
    errno.ENETDOWN,
    errno.EMFILE,
}


class PartlyFailed(Exception):
    """Some nodes of a `get_many` failed. The first of their exceptions is the cause, and stands for the operation."""

    def __init__(self, ends: Mapping[int, BaseException | None]) -> None:
        """Take the exception of each node that was asked, by its number; None for a node that answered."""
        self.ends = ends
        self.first = next(error for error in ends.values() if error is not None)
        super().__init__(str(self.first))
        self.__cause__ = self.first


ErrorClass = Callable[[BaseException], str | None]
"""A function from an exception to a class of `ERRORS`; None where it does not know the exception."""


class NotAsked(Exception):
    """The client did not ask the server, as it takes the server for dead."""


def by_type(error: BaseException, table: Mapping[type[BaseException], str]) -> str | None:
    """Return the class of an exception by its type, the nearest type of the table first; None when none is there."""
    return next((table[kind] for kind in type(error).__mro__ if kind in table), None)


def class_of(error: BaseException, table: Mapping[type[BaseException], str]) -> str:
    """Return the class of an exception: by the client's table, else by Python's own; `other` when neither knows it."""
    found = by_type(error, table) or by_type(error, BY_TYPE)
    if found is None and isinstance(error, OSError) and error.errno in _UNREACHABLE:
        return "refused"
    return found or "other"


def root_class(error: BaseException) -> str | None:
    """Return the class of the exception of Python's own that caused a client's exception; None when there was none."""
    return next((found for cause in _causes(error) if (found := class_of(cause, {})) != "other"), None)


def _causes(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    cause = error.__cause__ or error.__context__
    while cause is not None and id(cause) not in seen:
        seen.add(id(cause))
        yield cause
        cause = cause.__cause__ or cause.__context__
