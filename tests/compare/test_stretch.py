"""The metrics that are computed from slices of load."""

from __future__ import annotations

from constructed_events import counted

from loadgen.compare.stretch import CLOSED, OPEN, Stretch, values
from loadgen.snapshot import Snapshot, Tally
from loadgen.units import NS_PER_S


def of(tally: Tally) -> dict[str, float]:
    measured: Snapshot = counted({"get": tally}, 7, open_loop=True)
    return values({CLOSED: Stretch(measured, NS_PER_S), OPEN: Stretch(measured, NS_PER_S)}, 0)


def test_only_good_replies_are_throughput() -> None:
    assert of(Tally(planned=1000, ok=1000, hits=1000))["throughput"] == 1000
    assert of(Tally(planned=1000, ok=800, errors=200, hits=800))["throughput"] == 800


def test_errors_however_quick_exceed_every_percentile() -> None:
    good = of(Tally(planned=10_000, ok=10_000, hits=10_000))
    assert set(good) == {"throughput", "p50", "p99", "p999"}
    few = of(Tally(planned=10_000, ok=9_950, errors=50, hits=9_950))
    assert few["p99"] >= good["p99"] * 0.8
    # Of more than a thousandth nothing is known beyond which good replies lie.
    assert "p999" not in few
    assert "p99" not in of(Tally(planned=10_000, ok=9_800, errors=200, hits=9_800))
