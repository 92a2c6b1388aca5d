"""What came of one input: states that were reached, and what is wrong. A value; no I/O."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Examined:
    """What a target did with an input."""

    states: tuple[str, ...] = ()
    """Those of the target's states that were reached."""
    invariant: str = ""
    """What was broken, as a sentence; empty when nothing was."""
    found: str = ""
    """What was found, with its values."""
    shape: str = ""
    """What was found, without its values: what is found in the same way is the same failure."""


Examine: TypeAlias = Callable[[Sequence[str], bytes], Examined]
"""Gives an input to a target: the words of its items, and the bytes of all. Raises whatever the target raises."""
