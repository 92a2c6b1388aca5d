"""The generator's verdict on its own numbers: counts and signs in, whole sentences out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pytest

from loadgen.judge.causes import CLOCK_SOURCES
from loadgen.judge.verdict import Verdict, VerdictLimits, judge
from loadgen.reason import Code
from loadgen.severity import Severity
from loadgen.signs import Ceiling, HostSigns, PauseAccount, Signs, WorkerSigns
from loadgen.snapshot import Histogram, Snapshot, Tally
from loadgen.units import NS_PER_MS, NS_PER_S, NS_PER_US

LIMITS = VerdictLimits()
WINDOW_NS = 10 * NS_PER_S
QUIET = Signs((WorkerSigns(0, WINDOW_NS, WINDOW_NS // 5, 0, PauseAccount(), 0),), HostSigns(0.0, "tsc"))

RESPONSE_P99_NS = 92 * NS_PER_MS
LAG_NS = 101 * NS_PER_MS


NO_PAUSES = PauseAccount()


def worker(index: int = 0, *, pauses: PauseAccount = NO_PAUSES, overdue: int = 0, **said: int | None) -> WorkerSigns:
    """One that used a fifth of its CPU for the whole window, where `said` is not something else."""
    signs = WorkerSigns(index, WINDOW_NS, WINDOW_NS // 5, 0, pauses, overdue)
    return replace(signs, **said)  # type: ignore[arg-type]


def stopped(index: int, ns: int) -> WorkerSigns:
    return worker(index, pauses=PauseAccount(1, ns, stopped_ns=ns))


def samples(*counted: tuple[int, int]) -> Histogram:
    """From (value in ns, count)."""
    histogram = Histogram()
    for value, count in counted:
        if count:
            histogram.record_many(value, count)
    return histogram


def sent(late: int = 0, late_ns: int = LAG_NS, of: int = 10_000, response_p99_ns: int = RESPONSE_P99_NS) -> Snapshot:
    """So many of all requests were sent late by us; 2 % took the p99 response time, and none longer."""
    lag = samples((NS_PER_US, of - late), (late_ns, late))
    response = samples((NS_PER_US, of - of // 50), (response_p99_ns, of // 50))
    return Snapshot(
        tallies={"get": Tally(planned=of, ok=of)}, response={"get": response}, lag_ours=lag, answered_in_time=of
    )


@dataclass(frozen=True)
class Said:
    """A verdict's words, and the codes beside them."""

    reasons: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    codes: tuple[Code, ...] = field(default=(), compare=False)


def said(verdict: Verdict) -> Said:
    assert {reason.severity for reason in verdict.reasons} <= {Severity.INVALID}
    assert {note.severity for note in verdict.notes} <= {Severity.GOOD}
    words = (tuple(one.words for one in some) for some in (verdict.reasons, verdict.notes))
    return Said(*words, tuple(one.code for one in (*verdict.reasons, *verdict.notes)))


def judged(
    measured: Snapshot,
    *workers: WorkerSigns,
    host: HostSigns = QUIET.host,
    p99s: Sequence[int] = (),
    ceiling: Ceiling | None = None,
    open_loop: bool = True,
    spin: bool = False,
    steady: bool = True,
    limits: VerdictLimits = LIMITS,
) -> Said:
    signs = Signs(workers or QUIET.workers, host, tuple(p99s), ceiling)
    return said(judge(limits, measured, signs, open_loop=open_loop, spin=spin, duration_ns=WINDOW_NS, steady=steady))


LATE = "p99 of the generator's own send lag was 101 ms, over the limit of 9.2 ms (10 % of the p99 response time): "

# ── Reasons ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_run_on_a_quiet_machine_is_valid_without_a_word() -> None:
    assert judged(sent()) == Said()


def test_nothing_planned_and_nothing_known_is_nothing_said() -> None:
    for open_loop in (True, False):
        assert judge(LIMITS, Snapshot(), Signs(), open_loop=open_loop, spin=False, duration_ns=0) == Verdict()
    assert judged(Snapshot(), worker(overdue=1)) == Said()


def test_a_stop_invalidates_the_run_and_is_said_once() -> None:
    assert judged(sent(late=200), stopped(0, 200 * NS_PER_MS)) == Said(
        (
            LATE + "worker 0 was stopped for 200 ms (SIGSTOP, a debugger, swapping, a suspended machine); "
            "repeat the run undisturbed",
        )
    )


@pytest.mark.parametrize(
    ("signs", "why"),
    [
        (
            [worker(cpu_ns=WINDOW_NS * 99 // 100)],
            "worker 0 used 99 % of its CPU; use more workers (general.threads) or a lower rate",
        ),
        (
            [worker(0), *(worker(i, cpu_ns=WINDOW_NS * (96 + i) // 100) for i in (1, 2, 3))],
            "workers 1, 2 and 3 used up to 99 % of a CPU each; use more workers (general.threads) or a lower rate",
        ),
        (
            [worker(queued_ns=WINDOW_NS * 12 // 100)],
            "worker 0 waited for a CPU 12 % of the time (other programs or a CPU quota); "
            "reserve CPUs for the workers (general.cpu_list)",
        ),
        (
            [worker(0, queued_ns=WINDOW_NS * 12 // 100), worker(1, queued_ns=WINDOW_NS // 40), worker(2)],
            "workers 0 and 1 waited for a CPU up to 12 % of the time (other programs or a CPU quota); "
            "reserve CPUs for the workers (general.cpu_list)",
        ),
        (
            [worker(pauses=PauseAccount(3, 90 * NS_PER_MS, busy_ns=240 * NS_PER_MS))],
            "worker 0 had too much work at once, and fell behind by 240 ms in total; "
            "use more workers (general.threads) or a lower rate",
        ),
        (
            [stopped(0, 200 * NS_PER_MS), stopped(1, 150 * NS_PER_MS), stopped(2, 50 * NS_PER_MS)],
            "workers 0 and 1 were stopped for up to 200 ms (SIGSTOP, a debugger, swapping, a suspended machine); "
            "repeat the run undisturbed",
        ),
    ],
)
def test_a_reason_names_its_cause(signs: list[WorkerSigns], why: str) -> None:
    assert judged(sent(late=200), *signs) == Said((LATE + why,))


def test_stolen_time_is_a_cause() -> None:
    assert judged(sent(late=200), host=HostSigns(0.032, "tsc")) == Said(
        (LATE + "CPU steal was 3.2 % (the hypervisor ran other machines); use a machine with dedicated CPUs",)
    )


def test_a_slow_clock_is_the_cause_only_where_nothing_else_is() -> None:
    words = (
        "the kernel's clock source is hpet, which takes a system call to read; "
        "choose a faster clock source (/sys/devices/system/clocksource/clocksource0)"
    )
    hpet = HostSigns(0.0, "hpet")
    assert judged(sent(late=200), host=hpet) == Said((LATE + words,))
    (reason,) = judged(sent(late=200), stopped(0, 200 * NS_PER_MS), host=hpet).reasons
    assert "stopped" in reason
    assert "hpet" not in reason


def test_the_cause_that_took_the_most_time_comes_first_and_one_of_half_as_much_second() -> None:
    both = worker(pauses=PauseAccount(1, NS_PER_S, stopped_ns=NS_PER_S), queued_ns=NS_PER_S * 6 // 10)
    (reason,) = judged(sent(late=200), both).reasons
    assert reason == (
        LATE + "worker 0 was stopped for 1 s (SIGSTOP, a debugger, swapping, a suspended machine), "
        "and worker 0 waited for a CPU 6 % of the time (other programs or a CPU quota); "
        "repeat the run undisturbed, and reserve CPUs for the workers (general.cpu_list)"
    )
    (reason,) = judged(sent(late=200), replace(both, queued_ns=NS_PER_S * 4 // 10)).reasons
    assert "waited for a CPU" not in reason


def test_no_more_than_two_causes_are_named() -> None:
    three = worker(pauses=PauseAccount(1, NS_PER_S, stopped_ns=NS_PER_S), queued_ns=NS_PER_S * 9 // 10)
    verdict = judged(sent(late=200), three, host=HostSigns(0.08, "tsc"))
    assert ["hypervisor" in sentence for sentence in (*verdict.reasons, *verdict.warnings)] == [False, True]


def test_stolen_time_is_no_cause_beside_a_stop_that_took_far_more() -> None:
    verdict = judged(sent(late=200), stopped(0, NS_PER_S), host=HostSigns(0.02, "tsc"))
    assert ["hypervisor" in sentence for sentence in (*verdict.reasons, *verdict.warnings)] == [False, True]


def test_what_took_less_than_a_third_of_the_lag_is_not_its_cause() -> None:
    (reason,) = judged(sent(late=200), stopped(0, 34 * NS_PER_MS)).reasons
    assert reason.startswith(LATE + "worker 0 was stopped for 34 ms")
    (reason,) = judged(sent(late=200), stopped(0, 33 * NS_PER_MS)).reasons
    assert reason == LATE + "the cause is unknown; use more workers (general.threads) or a lower rate"


@pytest.mark.parametrize("signs", [QUIET, Signs(), Signs((), HostSigns(0.005, "tsc"))])
def test_without_a_cause_that_is_said(signs: Signs) -> None:
    verdict = said(judge(LIMITS, sent(late=200), signs, open_loop=True, spin=False, duration_ns=WINDOW_NS))
    assert verdict.reasons == (LATE + "the cause is unknown; use more workers (general.threads) or a lower rate",)


def test_a_lag_too_short_for_a_pause_is_laid_on_the_kernels_wake_ups() -> None:
    what = "p99 of the generator's own send lag was 150 µs, over the limit of 100 µs: "
    short = sent(late=200, late_ns=150 * NS_PER_US, response_p99_ns=NS_PER_MS)
    assert judged(short).reasons == (
        what + "the kernel probably woke the generator late; "
        "poll instead of sleeping (workload.spin), or use more workers (general.threads)",
    )
    assert judged(short, spin=True).reasons == (
        what + "the cause is unknown; use more workers (general.threads) or a lower rate",
    )


def test_the_lag_has_to_exceed_both_of_its_limits() -> None:
    assert judged(sent(late=200, late_ns=90 * NS_PER_US, response_p99_ns=NS_PER_MS // 2)).reasons == ()
    assert judged(sent(late=200, late_ns=9 * NS_PER_MS)).reasons == ()
    assert judged(sent(late=200, late_ns=10 * NS_PER_MS)).reasons != ()


def test_the_limits_of_the_plan_count() -> None:
    loose = VerdictLimits(lag_ns=NS_PER_S, shortfall=1.0)
    assert judged(sent(late=200), worker(overdue=500), limits=loose).reasons == ()
    assert judged(sent(), worker(overdue=1), limits=VerdictLimits(shortfall=0.0)).reasons != ()


def test_more_overdue_than_the_shortfall_is_invalid() -> None:
    busy = replace(worker(overdue=120), cpu_ns=WINDOW_NS)
    assert judged(sent(), busy) == Said(
        (
            "the generator had not sent 120 of 10,000 requests (1.2 %) 10 ms after the window had closed, over "
            "the limit of 0.5 %: worker 0 used 100 % of its CPU; use more workers (general.threads) or a lower rate",
        )
    )


def test_a_shortfall_without_a_cause_is_not_laid_on_the_kernels_wake_ups() -> None:
    (reason,) = judged(sent(), worker(overdue=120)).reasons
    assert reason.endswith(": the cause is unknown; use more workers (general.threads) or a lower rate")


def test_overdue_requests_of_all_workers_count_together() -> None:
    assert judged(sent(), worker(0, overdue=25), worker(1, overdue=25)).reasons == ()
    assert len(judged(sent(), worker(0, overdue=25), worker(1, overdue=26)).reasons) == 1


def test_both_reasons_are_given() -> None:
    assert len(judged(sent(late=200), replace(stopped(0, NS_PER_S), overdue=500)).reasons) == 2


def test_a_cause_of_two_reasons_is_said_with_its_remedy_once() -> None:
    first, second = judged(sent(late=200), replace(stopped(0, NS_PER_S), overdue=500)).reasons
    assert first.endswith("; repeat the run undisturbed")
    assert second.endswith(", over the limit of 0.5 %: for the same reason")


def test_a_closed_loop_has_no_reasons() -> None:
    assert judged(sent(late=200), replace(stopped(0, NS_PER_S), overdue=500), open_loop=False).reasons == ()


# ── Warnings: signs ──────────────────────────────────────────────────────────────────────────────────────────────────

SIGNS = {
    "cpu": (
        worker(cpu_ns=WINDOW_NS * 96 // 100),
        "worker 0 used 96 % of its CPU, so part of this latency is the generator's own; "
        "use more workers (general.threads) or a lower rate",
    ),
    "queue": (
        worker(queued_ns=WINDOW_NS * 12 // 1000),
        "worker 0 waited for a CPU 1.2 % of the time (other programs or a CPU quota), "
        "so part of this latency is the machine's; "
        "reserve CPUs for the workers (general.cpu_list)",
    ),
    "queued at once": (
        worker(pauses=PauseAccount(1, 12 * NS_PER_MS, queued_ns=12 * NS_PER_MS), queued_ns=20 * NS_PER_MS),
        "worker 0 waited for a CPU 0.2 % of the time (other programs or a CPU quota), "
        "so part of this latency is the machine's; "
        "reserve CPUs for the workers (general.cpu_list)",
    ),
    "stopped": (
        stopped(0, 31 * NS_PER_MS),
        "worker 0 was stopped for 31 ms (SIGSTOP, a debugger, swapping, a suspended machine), "
        "so part of this latency is the machine's; repeat the run undisturbed",
    ),
    "busy": (
        worker(pauses=PauseAccount(1, 31 * NS_PER_MS, busy_ns=31 * NS_PER_MS)),
        "worker 0 had too much work at once, and fell behind by 31 ms in total, "
        "so part of this latency is the generator's own; use more workers (general.threads) or a lower rate",
    ),
}


@pytest.mark.parametrize(("signs", "words"), SIGNS.values(), ids=SIGNS)
def test_a_sign_is_a_warning_where_the_numbers_hold(signs: WorkerSigns, words: str) -> None:
    assert judged(sent(), signs) == Said((), (words,))


def test_steal_and_a_slow_clock_are_warnings_where_the_numbers_hold() -> None:
    assert judged(sent(), host=HostSigns(0.011, "acpi_pm")).warnings == (
        "CPU steal was 1.1 % (the hypervisor ran other machines), so part of this latency is the machine's; "
        "use a machine with dedicated CPUs",
        "the kernel's clock source is acpi_pm, which takes a system call to read, so part of this latency is the "
        "generator's own; choose a faster clock source (/sys/devices/system/clocksource/clocksource0)",
    )


@pytest.mark.parametrize(
    "signs",
    [
        worker(cpu_ns=WINDOW_NS * 95 // 100),
        worker(queued_ns=WINDOW_NS // 100),
        stopped(0, 10 * NS_PER_MS),
        worker(pauses=PauseAccount(90, 9 * NS_PER_MS, 200 * NS_PER_MS, 90 * NS_PER_MS, 99 * NS_PER_MS)),
        worker(queued_ns=None),
        worker(wall_ns=0, cpu_ns=NS_PER_MS, queued_ns=NS_PER_MS),
    ],
)
@pytest.mark.parametrize("open_loop", [True, False])
def test_within_its_limit_a_sign_goes_without_saying(signs: WorkerSigns, open_loop: bool) -> None:
    assert judged(sent(), signs, open_loop=open_loop) == Said()


def test_steal_within_its_limit_goes_without_saying() -> None:
    assert judged(sent(), host=HostSigns(0.01, "tsc")) == Said()


@pytest.mark.parametrize("source", ["", *sorted(CLOCK_SOURCES)])
def test_a_quick_clock_and_an_unknown_one_go_without_saying(source: str) -> None:
    assert judged(sent(), host=HostSigns(None, source)) == Said()


def test_a_worker_that_polls_may_use_its_cpu_up() -> None:
    assert judged(sent(), worker(cpu_ns=WINDOW_NS), spin=True) == Said()


def test_of_a_pause_only_what_made_up_a_good_part_of_it_is_said() -> None:
    pauses = PauseAccount(2, 31 * NS_PER_MS, busy_ns=2 * NS_PER_MS, queued_ns=15 * NS_PER_MS, stopped_ns=30 * NS_PER_MS)
    words = [warning.split(",")[0] for warning in judged(sent(), worker(pauses=pauses, queued_ns=NS_PER_MS)).warnings]
    assert words == [
        "worker 0 waited for a CPU 0.01 % of the time (other programs or a CPU quota)",
        "worker 0 was stopped for 30 ms (SIGSTOP",
    ]


def test_a_sign_that_is_a_reasons_cause_is_not_said_twice_and_another_is_said() -> None:
    verdict = judged(sent(late=200), stopped(0, NS_PER_S), worker(1, queued_ns=WINDOW_NS // 50))
    assert len(verdict.reasons) == 1
    (warning,) = verdict.warnings
    assert warning.startswith("worker 1 waited for a CPU 2 % of the time")


def throttled(index: int = 0, *, count: int = 90, queued_ns: int = 7 * NS_PER_S, **said: int) -> WorkerSigns:
    pauses = PauseAccount(count, 75 * NS_PER_MS, queued_ns=queued_ns)
    signs = worker(index, pauses=pauses, queued_ns=queued_ns, throttled=count, throttled_ns=7 * NS_PER_S)
    return replace(signs, quota_cpus=0.25, **said)  # type: ignore[arg-type]


RAISE = "raise the quota of the control group (cpu.max), or use a lower rate or fewer workers (general.threads)"


def test_a_cpu_quota_is_named_with_its_size() -> None:
    held = "worker 0 was held up 70 % of the time by a CPU quota of 0.25 CPUs, which was used up 90 times"
    assert judged(sent(late=200), throttled()).reasons == (f"{LATE}{held}; {RAISE}",)
    assert judged(sent(), throttled()).warnings == (f"{held}, so part of this latency is the machine's; {RAISE}",)


def test_a_quota_is_named_also_where_the_kernel_does_not_count_its_time_as_waiting() -> None:
    pauses = PauseAccount(90, 75 * NS_PER_MS, stopped_ns=7 * NS_PER_S)
    (reason,) = judged(sent(late=200), throttled(queued_ns=0, pauses=pauses)).reasons  # type: ignore[arg-type]
    assert "by a CPU quota of 0.25 CPUs" in reason
    assert "SIGSTOP" not in reason


@pytest.mark.parametrize(("count", "whose"), [(0, "other programs"), (1, "other programs or a CPU quota")])
def test_a_quota_that_took_little_or_nothing_is_not_the_cause(count: int, whose: str) -> None:
    signs = throttled(count=count, throttled_ns=count * NS_PER_MS)
    (reason,) = judged(sent(late=200), signs).reasons
    assert f"waited for a CPU 70 % of the time ({whose})" in reason


def test_workers_that_share_a_quota_are_named_together() -> None:
    (reason,) = judged(sent(late=200), throttled(0), throttled(1)).reasons
    assert "workers 0 and 1 were held up for up to 70 % of the time by a CPU quota" in reason


def test_pauses_of_which_nobody_can_say_whose_they_were_make_an_upper_bound() -> None:
    sure, most = samples((NS_PER_US, 200)), samples((LAG_NS, 200))
    measured = replace(sent(), lag_unsure=sure, lag_unsure_most=most)
    verdict = judged(measured, stopped(0, 200 * NS_PER_MS))
    assert verdict.reasons == ()
    assert verdict.warnings[0].startswith(
        "p99 of the generator's own send lag was at least 1 µs and at most 101 ms (limit 9.2 ms), as the generator "
    )
    assert "worker 0 was stopped for 200 ms" in verdict.warnings[0]
    # What is certain already is said as that.
    certain = judged(replace(sent(late=200), lag_unsure=sure, lag_unsure_most=most), stopped(0, 200 * NS_PER_MS))
    assert certain.reasons[0].startswith(LATE)
    assert certain.warnings == ()


def test_a_saturated_closed_loop_is_said_in_one_line() -> None:
    full = [worker(index, cpu_ns=WINDOW_NS * 99 // 100) for index in (0, 1, 3)]
    assert judged(sent(), full[0], open_loop=False).warnings == (
        "worker 0 used 99 % of its CPU, so the generator, not the server, may be the limit; "
        "use more workers (general.threads)",
    )
    assert judged(sent(), *full, worker(2), open_loop=False).warnings == (
        "workers 0, 1 and 3 used up to 99 % of a CPU each, so the generator, not the server, may be the limit; "
        "use more workers (general.threads)",
    )


def test_a_shared_core_is_said_in_one_line_in_a_closed_loop_too() -> None:
    shared = [worker(index, queued_ns=WINDOW_NS * (10 + index) // 100) for index in range(9)]
    assert judged(sent(), *shared, open_loop=False).warnings == (
        "9 workers waited for a CPU up to 18 % of the time (other programs or a CPU quota), so "
        "part of this latency is the machine's; "
        "reserve CPUs for the workers (general.cpu_list)",
    )


# ── Warnings: tail, ceiling, drift ───────────────────────────────────────────────────────────────────────────────────


def test_late_sends_that_show_beyond_p99_are_said_with_their_cause() -> None:
    assert judged(sent(late=33), stopped(0, 120 * NS_PER_MS)) == Said(
        (),
        (
            "the generator sent 0.33 % of requests more than 9.2 ms late, so percentiles above p99.67 are in part the "
            "generator's own: worker 0 was stopped for 120 ms (SIGSTOP, a debugger, swapping, a suspended machine); "
            "repeat the run undisturbed",
        ),
    )


@pytest.mark.parametrize(("late", "is_said"), [(5, False), (6, True), (11, True), (100, True)])
def test_a_tail_is_said_from_p9995_down(late: int, is_said: bool) -> None:
    assert bool(judged(sent(late=late)).warnings) is is_said


def test_a_lag_beyond_the_table_counts_as_late() -> None:
    (warning,) = judged(sent(late=33, late_ns=100 * NS_PER_S)).warnings
    assert warning.startswith("the generator sent 0.33 % of requests more than 9.2 ms late")


def test_wake_ups_within_a_millisecond_are_no_news() -> None:
    assert judged(sent(late=90, late_ns=999 * NS_PER_US, response_p99_ns=NS_PER_MS)) == Said()


def test_a_tail_that_the_response_time_dwarfs_is_not_said() -> None:
    measured = sent(late=33, late_ns=20 * NS_PER_MS, response_p99_ns=NS_PER_MS)
    assert judged(measured).warnings != ()
    slow = samples((NS_PER_US, 9950), (300 * NS_PER_MS, 50))
    assert judged(replace(measured, response={"get": slow})) == Said()


def test_a_closed_loop_has_no_tail_of_its_own() -> None:
    assert judged(sent(late=33), open_loop=False) == Said()


CEILING = Ceiling(1600.0, 30 * NS_PER_US, 90 * NS_PER_US, "2026-07-01")


def test_a_run_near_the_ceiling_is_told_so() -> None:
    assert judged(sent(), ceiling=CEILING).warnings == (
        "62 % of this host's ceiling was reached (1,600 req/s in the self-test of 2026-07-01): "
        "part of this latency is the generator's own; use more workers (general.threads) or a lower rate",
    )
    assert judged(sent(), ceiling=CEILING, open_loop=False).warnings == (
        "62 % of this host's ceiling was reached (1,600 req/s in the self-test of 2026-07-01): "
        "the generator, not the server, may be the limit; use more workers (general.threads)",
    )


def test_far_from_the_ceiling_and_without_a_self_test_nothing_is_said() -> None:
    assert judged(sent(), ceiling=replace(CEILING, throughput_per_s=2000.0)) == Said()
    assert judged(sent(), ceiling=replace(CEILING, throughput_per_s=0.0)) == Said()
    cut_short = judge(LIMITS, sent(), replace(QUIET, ceiling=CEILING), open_loop=True, spin=False, duration_ns=0)
    assert cut_short == Verdict()


RISING = [NS_PER_MS * value for value in (10, 11, 12, 14, 16, 18, 20, 25, 30)]


@pytest.mark.parametrize("open_loop", [True, False])
def test_a_drift_is_said_with_its_size(open_loop: bool) -> None:
    hint = "it had not settled; warm up longer (general.warmup), or check what else ran"
    assert judged(sent(), p99s=RISING, open_loop=open_loop).warnings == (
        f"the p99 response time rose over the window, from 11 ms in its first third to 25 ms in its last: {hint}",
    )
    assert judged(sent(), p99s=RISING[::-1], open_loop=open_loop).warnings == (
        f"the p99 response time fell over the window, from 25 ms in its first third to 11 ms in its last: {hint}",
    )


def test_a_drift_that_the_rate_explains_is_none() -> None:
    assert judged(sent(), p99s=RISING, steady=False) == Said()


def test_how_sure_a_drift_must_be_is_the_plans_to_say() -> None:
    assert judged(sent(), p99s=RISING, limits=VerdictLimits(drift_p=0.0)) == Said()


@pytest.mark.parametrize(
    "p99s",
    [
        RISING[:7],
        [NS_PER_MS] * 60,
        [1_000 * NS_PER_US + 100 * number for number in range(60)],
        np.random.default_rng(1).normal(NS_PER_MS, NS_PER_MS / 10, 60).astype(int).tolist(),
    ],
    ids=["too few", "none", "too small", "noise"],
)
def test_what_is_no_drift_is_not_said(p99s: list[int]) -> None:
    assert judged(sent(), p99s=p99s) == Said()


# ── Words ────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("verdict", "codes"),
    [
        (judged(sent(late=200)), (Code.GENERATOR_LATE,)),
        (judged(sent(), worker(overdue=120)), (Code.GENERATOR_SHORT,)),
        (judged(sent(late=33, late_ns=100 * NS_PER_S)), (Code.LATE_TAIL,)),
        (judged(sent(), throttled()), (Code.CPU_QUOTA,)),
        (judged(sent(), ceiling=CEILING), (Code.NEAR_CEILING,)),
        (judged(sent(), p99s=RISING), (Code.DRIFT,)),
        (judged(sent(), host=HostSigns(0.011, "acpi_pm")), (Code.CPU_STOLEN, Code.SLOW_CLOCK)),
        (judged(sent()), ()),
    ],
)
def test_everything_that_is_said_has_its_code(verdict: Said, codes: tuple[Code, ...]) -> None:
    assert verdict.codes == codes
