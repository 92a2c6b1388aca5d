"""What a crew knows of its workers without importing their engine."""

from __future__ import annotations

from loadgen.engine._pool import OPENED_AT_A_TIME
from loadgen.worker import messages


def test_as_many_connections_are_opened_at_a_time_as_the_crew_reckons_with() -> None:
    assert messages.OPENED_AT_A_TIME == OPENED_AT_A_TIME
