"""The results of a batch: what was done for each key, and what failed. Values; no I/O."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TypeVar

from loadgen.client.errors import CacheError

Key = TypeVar("Key")
Result = TypeVar("Result")


class Results(dict[Key, Result]):
    """A dict with the result of each key, and the errors of keys that failed beside it.

    A batch is split by node, and the parts end independently: a node that fails takes no other node's results away.
    """

    def __init__(self, results: Iterable[tuple[Key, Result]], errors: Mapping[Key, CacheError]) -> None:
        super().__init__(results)
        self.errors = errors
        """The error of each key that failed. A key of `get_many` that is neither here nor in the dict was a miss."""

    def raise_for_errors(self) -> None:
        """Raise the first of the errors, if there is one."""
        for error in self.errors.values():
            raise error
