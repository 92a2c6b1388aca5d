"""Where processes of a test are, in words, the same in every format for people. Pure functions."""

from __future__ import annotations

from collections.abc import Sequence

from loadgen.escape import printable

LONGEST_NAME = 40


def placed(namespaces: Sequence[str]) -> list[str]:
    """Return "in the network namespaces a and b, by turns", or of one "in the network namespace a"; none for none."""
    names = [printable(each, LONGEST_NAME) for each in namespaces]
    if len(names) <= 1:
        return [f"in the network namespace {name}" for name in names]
    return [f"in the network namespaces {', '.join(names[:-1])} and {names[-1]}, by turns"]
