"""The words for phases and failures are the same in Python and in compiled code."""

from __future__ import annotations

from loadgen._request import PHASE_NAMES
from loadgen.engine._pool import FAILURE_NAMES
from loadgen.phase import COUNTED, OF_A_LOAD, Failure, Phase


def test_phases_that_are_counted_are_the_compiled_ones_in_their_order() -> None:
    assert COUNTED == PHASE_NAMES
    assert {*OF_A_LOAD} < {*COUNTED} < {*Phase}


def test_failures_are_the_compiled_ones_in_their_order() -> None:
    nothing, *names = FAILURE_NAMES
    assert nothing == ""
    assert tuple(Failure) == tuple(names)
