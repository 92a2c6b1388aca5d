"""The metrics that are computed from slices of load."""

from __future__ import annotations

from constructed_events import counted

from loadgen.compare.stretch import CLOSED, OPEN, Stretch, reasons, values
from loadgen.judge.verdict import VerdictLimits
from loadgen.reason import Code
from loadgen.severity import Severity
from loadgen.signs import PauseAccount, WorkerSigns
from loadgen.snapshot import Snapshot, Tally
from loadgen.units import NS_PER_MS, NS_PER_S


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


def test_a_slice_in_which_the_generator_was_late_has_the_verdict_s_code_and_names_who_had_its_cpu() -> None:
    measured = counted({"get": Tally(planned=10_000, ok=10_000, hits=10_000)}, 7, open_loop=True)
    lag = measured.lag_ours.quantile(0.99)
    strict = VerdictLimits(lag_ns=lag // 2, lag_share=0.0)
    waited_ns = 500 * NS_PER_MS
    signs = WorkerSigns(0, NS_PER_S, NS_PER_S // 10, waited_ns, PauseAccount(1, waited_ns, 0, waited_ns, 0))
    for used_ns, named in ((waited_ns, True), (waited_ns // 10, False)):
        late = Stretch(measured, NS_PER_S, workers=(signs,), own_cpu_ns={"idle redis": used_ns})
        [reason] = reasons(strict, late, spin=False)
        assert (reason.code, reason.severity) == (Code.GENERATOR_LATE, Severity.INVALID)
        assert ("idle redis used" in reason.words) is named
    assert reasons(VerdictLimits(lag_ns=2 * lag), Stretch(measured, NS_PER_S), spin=False) == ()
