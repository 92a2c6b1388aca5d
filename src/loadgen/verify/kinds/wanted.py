"""What a user wants of the cases of a fault: how much is written, and what is expected beside what they always show."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from loadgen.errors import UsageError
from loadgen.escape import printable
from loadgen.verify.spec import DELETES, LEAST_WRITES, MOST_WRITES, STORES, Expected


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is wanted of a case."""

    most: int | None = None
    """The most writes; None: as many as the fault's script has."""
    deletes: bool = True
    """False: no key is deleted."""
    expected: Expected | None = None

    @classmethod
    def of(cls, options: Mapping[str, str]) -> Wanted:
        """Return what the options `operations` and `expect` of a suite say. Raises UsageError."""
        operations, expect = options.get("operations", ""), options.get("expect", "")
        if expect and expect not in [*Expected]:
            raise UsageError(f'--expect "{printable(expect, 60)}": write one of {", ".join(Expected)}.')
        expected = Expected(expect) if expect else None
        if not operations:
            return cls(expected=expected)
        if operations.isascii() and operations.isdecimal() and LEAST_WRITES <= int(operations) <= MOST_WRITES:
            return cls(int(operations), expected=expected)
        commands = {word.strip().upper() for word in operations.split(",")}
        if STORES not in commands or not commands <= {STORES, DELETES}:
            raise UsageError(
                f'--operations "{printable(operations, 60)}": write the most writes of a case, '
                f"{LEAST_WRITES} to {MOST_WRITES}, or the commands that it writes with: {STORES} or {STORES},{DELETES}."
            )
        return cls(deletes=DELETES in commands, expected=expected)


ANYTHING = Wanted()
"""What is wanted where nobody says anything."""
