"""An adapter as a caller process sees it: made from a plan, checked, with defaults for all that it may leave out."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from loadgen.errors import TargetError, UsageError
from loadgen.trial.adapters.errors import PartlyFailed, class_of
from loadgen.trial.observed import ERRORS, NodeState
from loadgen.trial.plan import OPERATIONS, ClientPlan
from loadgen.trial.traffic import Operation

METHODS = (*OPERATIONS, "close")


@dataclass(frozen=True, slots=True)
class Failure:
    """The end of an operation by an exception."""

    error: str
    """Its class, a key of `observed.ERRORS`."""
    words: str
    parts: Mapping[int, str] = field(default_factory=dict)
    """The class by node, "" for one that answered, where the client tells the nodes of an operation apart."""


class Adapter:
    """A client with the interface that `adapters` describes."""

    def __init__(self, client: Any, name: str) -> None:
        """Wrap what a factory returned. Raises UsageError when the client lacks a method, or mixes both kinds."""
        self._check(client, name)
        self.client = client
        self.name = name
        self.is_async = inspect.iscoroutinefunction(client.get)
        """True when the operations are coroutines."""
        self.version = str(getattr(client, "version", name))
        self._node_of: Callable[[str], int] = getattr(client, "node_of", lambda key: 0)
        self._stats: Callable[[], Mapping[int, Any]] | None = getattr(client, "stats", None)
        self._table: Mapping[type[BaseException], str] = getattr(client, "errors", {})
        self._error_class: Callable[[BaseException], str | None] = getattr(client, "error_class", lambda error: None)
        self.has_win = hasattr(client, "get_or_win")
        """True when the client says which caller is to compute a missing value."""

    @staticmethod
    def _check(client: Any, name: str) -> None:
        missing = [method for method in METHODS if not callable(getattr(client, method, None))]
        if missing:
            raise UsageError(
                f"The client of {name} ({type(client).__name__}) has no {_listed(missing)}; a client needs "
                f"{_listed(METHODS)}."
            )
        coroutines = [method for method in METHODS if inspect.iscoroutinefunction(getattr(client, method))]
        if coroutines and len(coroutines) < len(METHODS):
            plain = [method for method in METHODS if method not in coroutines]
            raise UsageError(
                f"The client of {name} ({type(client).__name__}) has coroutines ({_listed(coroutines)}) and plain "
                f"methods ({_listed(plain)}); make all of them one or the other."
            )

    def invoke(self, operation: Operation, value: bytes) -> Any:
        """Call the client: return the answer of plain methods, an awaitable of coroutines."""
        match operation.kind:
            case "get" if operation.win_ttl_s and self.has_win:
                return self.client.get_or_win(operation.key, operation.win_ttl_s)
            case "get":
                return self.client.get(operation.key)
            case "set":
                return self.client.set(operation.key, value, operation.ttl_s)
            case "delete":
                return self.client.delete(operation.key)
            case "increment":
                return self.client.increment(operation.key, operation.delta)
        return self.client.get_many(operation.keys)

    def answer(self, operation: Operation, answered: Any) -> tuple[Any, bool]:
        """Return the answer of an operation, and True when this caller is to act on a miss.

        Raises TypeError when a client's `get_or_win` did not return a pair.
        """
        if operation.win_ttl_s and self.has_win:
            answer, has_won = answered
            return answer, bool(has_won)
        return answered, True

    def place_of(self, operation: Operation) -> tuple[int, Mapping[int, Sequence[str]]]:
        """Return the number of the operation's node; 0 where it is on several, with the keys of each.

        0 and no keys where the client does not say.
        """
        if len(operation.keys) == 1:
            return self._node_of(operation.key), {}
        parts: dict[int, list[str]] = {}
        for key in operation.keys:
            parts.setdefault(self._node_of(key), []).append(key)
        if len(parts) == 1:
            return next(iter(parts)), {}
        return 0, {} if 0 in parts else parts

    def failure(self, error: BaseException) -> Failure:
        """Return what an exception says of its operation."""
        if not isinstance(error, PartlyFailed):
            return Failure(self.error_class(error), said(error))
        parts = {node: "" if end is None else self.error_class(end) for node, end in error.ends.items()}
        return Failure(self.error_class(error.first), said(error.first), parts)

    def error_class(self, error: BaseException) -> str:
        """Return the class of an exception, a key of `observed.ERRORS`."""
        said = self._error_class(error)
        return said if said in ERRORS else class_of(error, self._table)

    def states(self) -> dict[int, NodeState]:
        """Return what the client says of each node; empty when the client says nothing.

        Raises TargetError when the client's `stats` raises, or returns something else than `adapters` describes.
        """
        if self._stats is None:
            return {}
        try:
            found = dict(self._stats())
            return {int(node): of if isinstance(of, NodeState) else NodeState(**of) for node, of in found.items()}
        except Exception as error:
            raise TargetError(
                f"The statistics of {self.name} could not be read: stats raised {said(error)}."
            ) from error

    def on_transition(self, call: Callable[[int, str, str], None]) -> None:
        """Have call(node, before, after) called at each change of a breaker's state, by a client that offers it."""
        if callable(offer := getattr(self.client, "on_transition", None)):
            offer(call)

    @property
    def opens(self) -> Callable[[], Any] | None:
        """The method to call before the first operation, if there is one."""
        return getattr(self.client, "open", None)


def make(plan: ClientPlan, nodes: Sequence[tuple[str, int]], timeout_s: float) -> Any:
    """Call the factory of a plan. Return what the factory returns: a client, or an awaitable of one.

    Raises UsageError when the factory cannot be imported, or refuses its arguments by a TypeError or ValueError;
    TargetError when the factory raises anything else.
    """
    factory = _imported(plan)
    try:
        return factory(nodes=nodes, timeout_s=timeout_s, **plan.options)
    except (TypeError, ValueError) as error:
        options = f", {_listed(plan.options)}" if plan.options else ""
        raise UsageError(
            f"The factory {plan.factory} cannot be called with nodes, timeout_s{options}: {said(error)}."
        ) from error
    except Exception as error:
        raise TargetError(f"The factory {plan.factory} raised {said(error)}.") from error


def _imported(plan: ClientPlan) -> Callable[..., Any]:
    module_name, _, path = plan.factory.partition(":")
    try:
        found: Any = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        raise UsageError(
            f"The client {plan.name} cannot be imported: there is no module {error.name}. Modules are looked for in "
            "the current folder and where Python looks."
        ) from None
    except Exception as error:
        raise UsageError(f"The client {plan.name} cannot be imported: {module_name} raised {said(error)}.") from error
    for name in path.split("."):
        if not hasattr(found, name):
            raise UsageError(f"The client {plan.name} cannot be made: {module_name} has no {path}.")
        found = getattr(found, name)
    if not callable(found):
        raise UsageError(f"The client {plan.name} cannot be made: {plan.factory} is not callable.")
    return found  # type: ignore[no-any-return]


def said(error: BaseException) -> str:
    """Return an exception in words: its type and its first line."""
    lines = str(error).splitlines()
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__


def _listed(names: Any) -> str:
    return ", ".join(names)
