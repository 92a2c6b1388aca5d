"""The interface of monitors."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from loadgen.judge.expression.vocabulary import Known
from loadgen.plan import Target


class Unreadable(Exception):
    """A monitor cannot be read now. The text is a sentence without a full stop, fit to be shown, which says why."""


@dataclass(frozen=True, slots=True)
class Found:
    """The values of one reading, before it has a time."""

    values: Mapping[str, float]
    """By series, in base units; finite."""
    identity: str = ""
    """As in Reading."""
    lacking: str = ""
    """Why a part of the values is missing, as the text of Unreadable; empty when nothing is."""


class Monitor(Protocol):
    """A thing that is read again and again, by one thread."""

    @property
    def name(self) -> str: ...

    @property
    def kind(self) -> str: ...

    @property
    def every_ns(self) -> int:
        """The time from one reading to the next."""

    @property
    def series(self) -> Mapping[str, Known]:
        """The series that its readings can have, known before the first."""

    def read(self) -> Found:
        """Read the values. Raises Unreadable; waits for as long as the monitor's timeout."""

    def evidence(self) -> Mapping[str, str]:
        """Return texts by file name that show the cause of a trouble, as far as they can be had; never raises.

        May be called from another thread than `read`. Waits for as long as the timeout for each of its sources.
        """

    def close(self) -> None:
        """Give up what is kept between readings. Called once, when no thread reads any more."""


@dataclass(frozen=True, slots=True)
class UnderLoad:
    """The servers under load, for monitors whose plans name none."""

    target: Target | None = None
    """Their addresses, when they are up; None where nothing is under load."""
    pid: Callable[[], int] | None = None
    """The process of the first server now, 0 while there is none; None where loadgen has not started the server."""
