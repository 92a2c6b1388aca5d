"""An action at a set time of a load, from a program: `at`."""

from __future__ import annotations

from collections.abc import Callable

from loadgen.errors import UsageError
from loadgen.phase import Phase
from loadgen.runner.timeline import At
from loadgen.units import parse_duration


def at(phase: str, offset: str, do: Callable[[], object]) -> At:
    """Return an action for the `timeline` of `run`: call `do` at an offset of a phase, `warmup` or `measure`.

    Raises UsageError when `phase` is no phase of a load, or `offset` is no duration such as `"1500ms"`.
    """
    if phase not in (Phase.WARMUP, Phase.MEASURE):
        raise UsageError(f'an action is at an offset of "warmup" or of "measure", not of "{phase}".')
    try:
        offset_ns = parse_duration(offset)
    except ValueError as error:
        raise UsageError(f"the offset of an action: {error}.") from None
    return At(Phase(phase), offset_ns, do)
