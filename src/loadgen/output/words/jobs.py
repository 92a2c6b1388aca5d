"""Tests of jobs in words, the same in every format for people. Pure functions to plain text.

Totals, the distribution over workers and the answer have the names and the form that users know from their own scripts:
"Success Rate: 100.00%", "Worker 1: 198 jobs (19.8%)", "TEST PASSED". Their numbers are not grouped, for who reads them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from loadgen.escape import printable
from loadgen.faults.kinds import KINDS
from loadgen.faults.report import FaultReport
from loadgen.jobs.load.account import LATENCIES, Account, Counts, Share
from loadgen.jobs.load.ended import JobsBegan, JobsEnded, JobsProgress, WorkerNoted
from loadgen.jobs.load.plan import JobFault, JobsPlan, Kind
from loadgen.jobs.load.work import Act
from loadgen.monitors.report import MonitorReport
from loadgen.output.words import figures, named, places, sentences
from loadgen.severity import Severity
from loadgen.snapshot import Histogram
from loadgen.units import NS_PER_S, span

LONGEST = 500
"""Characters of a sentence, in which text from outside has been cut already."""

LONGEST_NAME = 40
"""Characters of a name: of a test, a worker, an adapter."""

MOST_WORKERS = 20
"""The most workers that have a line each."""

MOST_TIMES = 5
"""The most beginnings of a fault that are named."""

MOST_SAID = 40
"""The most lines that are shown of what the user's own program has printed."""

_ANSWERS = {
    Severity.GOOD: "TEST PASSED",
    Severity.FAILED: "TEST FAILED",
    Severity.BREACHED: "TEST FAILED",
    Severity.COULD_NOT_RUN: "COULD NOT RUN",
    Severity.INTERRUPTED: "INTERRUPTED",
}

_COUNTED = {
    "lost": ("Lost", "acknowledged and never executed"),
    "held": ("Held", "acknowledged, not executed, and with a worker by the queue's own account"),
    "recovered": ("Recovered", "executed without an acknowledged publish"),
    "unexpected": ("Unexpected", "executed and never published"),
    "stuck": ("Stuck", "executed, and neither completed nor dead"),
    "dead": ("Dead", "dead letters, or failed in every attempt"),
    "publish_failed": ("Not Published", "the publish failed"),
    "deduplicated": ("Deduplicated", "submissions that were answered with an earlier job"),
    "failures": ("Failures", "executions that failed"),
    "presumed": ("Presumed", "completed by all signs: the worker died before it could say so, and nobody began again"),
    "refused": ("Refused", "ends and renewals of workers that did not have the job any more"),
    "reclaimed": ("Reclaimed", "expired leases that a sweep found"),
    "retries_early": ("Early Retries", "retries that began before their time"),
    "waits_outside": ("Odd Waits", "waits before a retry outside the backoff and its jitter"),
    "fired": ("Fired", "firings of schedules"),
    "double_fired": ("Fired Twice", "firings beyond the first for the same time"),
    "missed_firings": ("Missed Firings", "firings that came due while no worker ran"),
    "storage_errors": ("Storage Errors", "operations that the storage failed"),
    "locks": ("Locks", "operations for which the storage was locked for too long"),
}
"""By a name of Counts, its label and its meaning."""

_ALWAYS = ("lost",)
"""The counts that are shown when they are 0, too."""

_ACTS = {
    Act.RAISE: "that raise",
    Act.HANG: "that hang",
    Act.KILL: "that kill their worker",
    Act.UNSTORABLE: "that return what cannot be stored",
}

QUANTILES = (("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("max", 1.0))
"""The columns of latencies."""

Facts = list[tuple[str, str]]
"""Labels, each with its words."""


def answer(severity: Severity) -> str:
    """Return TEST PASSED, TEST FAILED, CAN'T TELL, COULD NOT RUN, or INTERRUPTED (by the user)."""
    return _ANSWERS.get(severity, "CAN'T TELL")


def verdict(severity: Severity) -> str:
    """Return the answer for a table: PASS, FAIL, CAN'T TELL, COULD NOT RUN, or INTERRUPTED."""
    return answer(severity).replace("TEST PASSED", "PASS").replace("TEST FAILED", "FAIL")


# ── What is tested ────────────────────────────────────────────────────────────────────────────────────────────────────


def name(plan: JobsPlan) -> str:
    return printable(plan.name, LONGEST_NAME)


def title(plan: JobsPlan) -> str:
    """Return the test with what is tested: "multi-worker: 5 workers share 1,000 jobs"."""
    return f"{name(plan)}: {printable(plan.title, LONGEST)}" if plan.title else name(plan)


def place(began: JobsBegan) -> str:
    """Return the place among the tests of the command: "test 3/12"; empty for a single test."""
    return f"test {began.number}/{began.of}" if began.of > 1 else ""


def queue(words: str) -> str:
    return printable(words, LONGEST)


def load(plan: JobsPlan) -> str:
    """Return what is published: "1,000 jobs of 10 ms, 5 producers, 50/s"; empty where a user's program does it."""
    its, said = plan.publishing, [_kind(kind) for kind in plan.publishing.kinds]
    if plan.chains is not None:
        workflows = figures.plural(plan.chains.workflows, "workflow", figures.grouped)
        said.append(f"{workflows} of {plan.chains.steps} steps of {span(plan.chains.work_ns)}")
    if plan.scheduling is not None:
        said.append(_scheduling(plan))
    if its.kinds:
        said += [f"{its.rate_per_s:g}/s"] * bool(its.rate_per_s)
        said += [f"{its.producers} producers"] * (its.producers > 1)
        said += [f"{its.batch} in each publish"] * (its.batch > 1)
        said += [f"each submitted {its.submissions} times with the same key"] * (its.submissions > 1)
        said += [f"in {its.bursts} bursts, {span(its.pause_ns)} apart"] * (its.bursts > 1)
        said += ["all published before the first worker starts"] * its.before_workers
    return ", ".join(said)


def _kind(kind: Kind) -> str:
    jobs = figures.plural(kind.jobs, "job", figures.grouped)
    said = [f"{jobs} of {span(kind.work_ns)}{' of CPU time' * kind.busy}"]
    said += [_ACTS[kind.act]] if kind.act in _ACTS else []
    said += [f"with {figures.size(kind.payload_bytes)}"] * bool(kind.payload_bytes)
    said += [f"({100 * kind.fail_p:g} % of attempts fail)"] * bool(kind.fail_p)
    return " ".join(said)


def _scheduling(plan: JobsPlan) -> str:
    its = plan.scheduling
    assert its is not None
    said = [figures.plural(its.schedules, "schedule", figures.grouped)]
    said += [f"each created {its.attempts} times"] * (its.attempts > 1)
    said += [f"each changed {figures.plural(its.updates, 'time')}"] * bool(its.updates)
    said += [f"each read, paused and resumed {figures.plural(its.operations, 'time')}"] * bool(its.operations)
    said += [f"firing by {printable(its.cron)} for {span(its.fires_ns)}"] * bool(its.fires_ns)
    return ", ".join(said)


def crew(plan: JobsPlan) -> str:
    """Return who executes: "5 workers, 6 jobs at once each, 3 attempts, lease 5 s"; empty where a program of the user's
    does it."""
    if not plan.workers:
        return ""
    each = " each" * (plan.workers > 1)
    said = [
        figures.plural(plan.workers, "worker"),
        f"{figures.plural(plan.concurrency, 'job')} at once{each}",
        figures.plural(plan.terms.max_attempts, "attempt"),
    ]
    if plan.is_ours:
        said.append(f"lease {span(plan.queue.lease_ns)}")
        said += ["leases not renewed"] * (not plan.renews)
    return ", ".join([*said, *places.placed(plan.namespaces)])


def setting(began: JobsBegan) -> Facts:
    """Return what is tested, under what load, by whom; words may be empty."""
    return [("queue", queue(began.queue)), ("load", load(began.plan)), ("workers", crew(began.plan))]


def planned(each: JobFault) -> str:
    """Return a fault and its place: "kill (process) on worker 2, at 30 % of the jobs"."""
    share = f", at {figures.share(each.at_share, 0)} % of the jobs" if each.at_share is not None else ""
    return f"{_where(each)}{share}"


def _where(each: JobFault) -> str:
    kind = f"{each.fault.kind} ({each.fault.layer})"
    if not each.on_workers:
        return f"{kind} on the storage"
    nodes = each.fault.on
    workers = f"worker{'s' * (len(nodes) > 1)} {', '.join(map(str, nodes))}" if nodes else "every worker"
    return f"{kind} on {workers}"


# ── While a test runs ─────────────────────────────────────────────────────────────────────────────────────────────────


def stage(event: JobsProgress) -> str:
    return str(event.stage)


def share(event: JobsProgress) -> float | None:
    """Return the share of jobs that have ended, 0 to 1; None where the number of jobs is not known."""
    return min(1.0, event.ended / event.expected) if event.expected else None


def progress(event: JobsProgress) -> str:
    """Return how far a test is: "456 of 1,000 jobs (45.6 %), 85.2 jobs/s, 8 s left"."""
    done = share(event)
    ended = figures.plural(event.ended, "job", figures.grouped)
    said = [ended if done is None else f"{event.ended:,} of {event.expected:,} jobs ({figures.share(done)} %)"]
    said += [f"{figures.rate(event.jobs_per_s)} jobs/s"] * bool(event.ended)
    said += [f"{figures.left(event.left_s * NS_PER_S)} left"] if event.left_s is not None else []
    return ", ".join(said)


def noted(event: WorkerNoted) -> str:
    """Return what happened to a worker: "worker 2: killed (SIGKILL) with 6 jobs in flight"."""
    return f"worker {printable(event.worker, LONGEST_NAME)}: {printable(event.words, LONGEST)}"


# ── What came of it ───────────────────────────────────────────────────────────────────────────────────────────────────


def has_results(ended: JobsEnded) -> bool:
    """Return False for a test that could not even begin."""
    counts = ended.account.counts
    return ended.severity is not Severity.COULD_NOT_RUN or counts.attempted + counts.executed > 0


def totals(ended: JobsEnded) -> Facts:
    """Return the totals, as users' own scripts print them."""
    counts, per_s = ended.account.counts, ended.account.jobs_per_s
    done = figures.share(counts.completed / counts.attempted, 2) if counts.attempted else ""
    return [
        ("Total Jobs", str(counts.attempted)),
        ("Completed", str(counts.completed)),
        ("Success Rate", f"{done}%" if done else figures.NOTHING),
        ("Throughput", figures.NOTHING if per_s is None else f"{per_s:.2f} jobs/sec"),
    ]


def distribution(account: Account, plan: JobsPlan) -> Facts:
    """Return what each worker has completed, and where it was; of many workers, the least and the most."""
    shares, whole = account.shares, sum(share.completed for share in account.shares)
    if len(shares) <= MOST_WORKERS:
        return [
            (f"Worker {printable(each.worker, LONGEST_NAME)}", f"{_completed(each, whole)}{_place(each, plan)}")
            for each in shares
        ]
    least, most = min(shares, key=_by_completed), max(shares, key=_by_completed)
    mean = whole / len(shares)
    return [
        (label, f"{_completed(each, whole)}, worker {printable(each.worker, LONGEST_NAME)}")
        for label, each in (("Least", least), ("Most", most))
    ] + [("Mean", f"{mean:.1f} jobs, over {len(shares)} workers")]


def _place(share: Share, plan: JobsPlan) -> str:
    where = plan.namespace(int(share.worker)) if plan.namespaces and share.worker.isdecimal() else ""
    return f", in {printable(where, LONGEST_NAME)}" if where else ""


def _by_completed(share: Share) -> int:
    return share.completed


def _completed(share: Share, whole: int) -> str:
    part = f" ({100 * share.completed / whole:.1f}%)" if whole else ""
    return f"{figures.plural(share.completed, 'job')}{part}"


def duplicates(ended: JobsEnded) -> str:
    """Return "NO", or "YES (7 executions, 0 effects; 12 jobs in flight at the kills)"."""
    counts = ended.account.counts
    if not counts.duplicates:
        return "NO"
    said = [
        f"{figures.plural(counts.duplicate_executions, 'execution', figures.grouped)}, "
        f"{figures.plural(counts.duplicate_effects, 'effect', figures.grouped)}"
    ]
    if ended.in_flight_at_kills:
        said.append(f"{figures.plural(ended.in_flight_at_kills, 'job', figures.grouped)} in flight at the kills")
    return f"YES ({'; '.join(said)})"


def counted(counts: Counts) -> Facts:
    """Return the counts that say something, with their meanings."""
    found = []
    for field, (label, meaning) in _COUNTED.items():
        count: int = getattr(counts, field)
        if count or field in _ALWAYS:
            found.append((label, f"{count:,}{f' ({meaning})' * bool(count)}"))
    if counts.executions > counts.executed:
        each = f"{counts.attempts_per_job:.2f} per job that was executed"
        found.append(("Executions", f"{counts.executions:,} ({each})"))
    return found


def operations(ended: JobsEnded) -> Facts:
    """Return the operations on schedules of each kind: "500 in 2.1 s, 238.10 ops/sec"."""
    found = []
    for each in ended.operations:
        rate = f", {each.per_s:.2f} ops/sec" if each.per_s is not None else ""
        failed = f", {each.failed:,} failed" if each.failed else ""
        found.append((printable(each.name, LONGEST_NAME), f"{each.count:,} in {span(each.elapsed_ns)}{rate}{failed}"))
    return found


@dataclass(frozen=True, slots=True)
class Row:
    """The latencies of one name."""

    name: str
    count: int
    cells: tuple[str, ...]
    """By QUANTILES."""


def latencies(account: Account) -> list[Row]:
    """Return the latencies in the order of a job's life, then the handling of each kind of job, where there are kinds.

    Reclaims that were waited for in vain are among the others: "> 30.0 s".
    """
    found: Mapping[str, Histogram] = {**account.latencies, "reclaim": account.reclaim}
    rows = [_row(name.replace("_", " "), found[name]) for name in LATENCIES if name in found and found[name].count]
    kinds = account.of_kinds if len(account.of_kinds) > 1 else {}
    return [*rows, *(_row(f"handling {printable(kind, 8)}", each) for kind, each in kinds.items())]


def _row(name: str, histogram: Histogram) -> Row:
    return Row(name, histogram.count, tuple(quantile(histogram, q) for _, q in QUANTILES))


def quantile(histogram: Histogram, q: float) -> str:
    """Return a quantile in words: "~42.5µs" where few samples lie beyond, "> 30.0 s" where the wait was in vain."""
    if histogram.count and histogram.is_lower_bound(q):
        return f"> {figures.latency(histogram.quantile(q))}"
    return figures.quantile(histogram, q)


def signs(rows: list[Row]) -> list[str]:
    """Return what the signs in these rows mean."""
    shown = "".join(cell for row in rows for cell in row.cells)
    return [
        *[sentences.FEW_SAMPLES] * (figures.FEW_SAMPLES in shown),
        *["> waited for so long in vain: jobs of a worker that died, which nobody began again"] * (">" in shown),
    ]


def faults(ended: JobsEnded) -> list[str]:
    """Return what each fault did: "kill (process) on worker 2, at 30 % of the jobs: processes killed: 1, at 2.31 s"."""
    in_flight = figures.plural(ended.in_flight_at_kills, "job", figures.grouped)
    return [
        f"{planned(each)}: {_effect(report, ended.account.first_ns)}"
        for each, report in zip(ended.plan.faults, ended.faults, strict=False)
    ] + [f"{in_flight} in flight at the kills"] * bool(ended.in_flight_at_kills)


def _effect(report: FaultReport, since_ns: int) -> str:
    if report.failure:
        return printable(report.failure, LONGEST)
    if not report.spells:
        return "did not begin"
    began = [*dict.fromkeys(f"{(spell.began_ns - since_ns) / NS_PER_S:.2f} s" for spell in report.spells)]
    more = f" and {len(began) - MOST_TIMES} more times" * (len(began) > MOST_TIMES)
    missed = "" if report.fired else ", which is no effect"
    return f"{KINDS[report.fault.kind].counts}: {report.counted}, at {', '.join(began[:MOST_TIMES])}{more}{missed}"


def cost(ended: JobsEnded) -> Facts:
    """Return what the queue cost: how busy the workers' places were with jobs, CPU time for a job, memory, and what the
    storage took."""
    its, found = ended.cost, []
    places = ended.plan.workers * ended.plan.concurrency
    if places and ended.account.elapsed_ns:
        busy = sum(each.busy_ns for each in ended.account.shares) / (places * ended.account.elapsed_ns)
        found.append(("Worker Time", f"{100 * busy:.0f} % of {figures.plural(places, 'place')} busy on average"))
    for label, cpu_s, each_ns in (
        ("Storage CPU", its.storage_cpu_s, ended.storage_cpu_ns_per_job),
        ("Worker CPU", its.workers_cpu_s, ended.workers_cpu_ns_per_job),
    ):
        if cpu_s is not None:
            each = f"{figures.latency(each_ns)} per job, " if each_ns is not None else ""
            found.append((label, f"{each}{cpu_s:.2f} s in all"))
    if its.workers_rss_bytes is not None:
        found.append(("Worker Memory", f"{figures.size(its.workers_rss_bytes)} at most"))
    if its.pending_bytes_per_job is not None:
        found.append(("Pending Job", f"{figures.size(round(its.pending_bytes_per_job))} in the storage"))
    sizes = (("before", its.bytes_before), ("at most", its.bytes_most), ("after", its.bytes_after))
    if said := [f"{figures.size(size)} {when}" for when, size in sizes if size is not None]:
        found.append(("Storage Size", ", ".join(said)))
    if its.facts:
        found.append(("Queue", facts(its.facts)))
    return found


def monitors(ended: JobsEnded) -> tuple[MonitorReport, ...]:
    """Return what monitors read, where the test was asked for them."""
    return ended.monitors if ended.plan.shows_monitors else ()


def facts(of: Mapping[str, int]) -> str:
    """Return what a queue says of itself: "stream length 0, WAL 4.15 MB"."""
    return ", ".join(
        f"{_spoken(name.removesuffix('_bytes'))} {figures.size(value) if name.endswith('_bytes') else f'{value:,}'}"
        for name, value in of.items()
    )


def _spoken(name: str) -> str:
    return printable(name.replace("_", " "), LONGEST_NAME).replace("wal", "WAL")


def errors(account: Account) -> list[str]:
    """Return the errors of the storage: "database is locked (12 times)"."""
    return [
        f"{printable(words, LONGEST)} ({figures.plural(count, 'time', figures.grouped)})"
        for words, count in account.errors.items()
    ]


def notes(ended: JobsEnded) -> list[str]:
    return [printable(note.words, LONGEST) for note in ended.notes]


def why(ended: JobsEnded) -> list[str]:
    """Return why the test did not pass: what kept it from its end, and the checks that failed or cannot tell."""
    said = [printable(reason.words, LONGEST) for reason in ended.reasons]
    return [*said, *_unmet(ended)]


def _unmet(ended: JobsEnded) -> Iterator[str]:
    for check in ended.checks:
        if check.severity is not Severity.GOOD:
            yield f"{check.name}: {named.line(check)}"


def said(ended: JobsEnded) -> list[str]:
    """Return what the user's own program has printed, MOST_SAID lines at most."""
    more = len(ended.said) - MOST_SAID
    lines = [printable(line, LONGEST) for line in ended.said[:MOST_SAID]]
    return lines + [f"… and {figures.plural(more, 'more line')}"] * (more > 0)


def profile(ended: JobsEnded) -> list[str]:
    return [printable(path, LONGEST) for path in ended.profile]


def summary(ended: JobsEnded) -> str:
    """Return a test in a few words: "1,000 of 1,000 jobs, 85.23 jobs/sec, lost 0, duplicates 0"."""
    counts = ended.account.counts
    per_s = dict(totals(ended))["Throughput"]
    said = [f"{counts.completed:,} of {counts.attempted:,} jobs", per_s]
    said += [f"{each.name} {each.per_s:.2f}/sec" for each in ended.operations if each.per_s is not None]
    return ", ".join([*said, f"lost {counts.lost:,}", f"duplicates {counts.duplicates:,}"])
