"""The metrics of a test of jobs by the names that its own checks use, and those checks judged. No I/O.

Latencies are of histograms, counts of the ledger. A percentile without a selector is that of the handling: from the
begin of an execution to the acknowledgement of its end, as upstream's load tests measure.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fractions import Fraction

from loadgen.engine._histogram import Histogram
from loadgen.jobs.load.account import LATENCIES, Counts
from loadgen.jobs.load.evidence import Evidence
from loadgen.jobs.load.plan import JobsPlan
from loadgen.judge import check
from loadgen.judge.expression.dimension import COUNT, NUMBER, PER_TIME, SHARE, SIZE, TIME
from loadgen.judge.expression.value import AtLeast, Scalar, Series, Unknown, exact
from loadgen.judge.expression.vocabulary import MONITOR, Axis, Known, Over, Vocabulary
from loadgen.judge.monitored import OF_MONITORS, MonitoredSeries, MonitorMetrics, of_monitors
from loadgen.judge.named import Check
from loadgen.monitors.making import series_of
from loadgen.percentiles import PERCENTILES
from loadgen.units import NS_PER_S

OPERATIONS = ("create", "list", "pause", "resume", "update", "delete")
"""The operations on schedules, by the names in `ended.Operations`."""

DEFAULT_LATENCY = "handling"

_PARTS = ("latency", "kind")

_COUNTS: Mapping[str, tuple[str, Callable[[Counts], int]]] = {
    "attempted": ("jobs whose publish was begun", lambda counts: counts.attempted),
    "acknowledged": ("jobs whose publish was acknowledged", lambda counts: counts.acknowledged),
    "publish_failed": ("jobs whose publish failed", lambda counts: counts.publish_failed),
    "deduplicated": ("submissions that were answered with an earlier job", lambda counts: counts.deduplicated),
    "executed": ("jobs that began at least once", lambda counts: counts.executed),
    "executions": ("all begins of jobs", lambda counts: counts.executions),
    "completed": ("jobs that ended well", lambda counts: counts.completed),
    "dead": ("jobs that have failed for good", lambda counts: counts.dead),
    "failures": ("executions that failed", lambda counts: counts.failures),
    "lost": ("jobs that were acknowledged and never executed", lambda counts: counts.lost),
    "held": ("jobs that a dead worker kept until the patience ended", lambda counts: counts.held),
    "recovered": ("jobs that were executed though their publish was not acknowledged", lambda counts: counts.recovered),
    "unexpected": ("jobs that were executed and never published", lambda counts: counts.unexpected),
    "duplicates": ("duplicate executions and duplicate effects", lambda counts: counts.duplicates),
    "duplicate_executions": (
        "executions beyond the first, and beyond one after each failure",
        lambda counts: counts.duplicate_executions,
    ),
    "duplicate_effects": ("ends beyond the first that had an effect", lambda counts: counts.duplicate_effects),
    "stuck": ("jobs that were executed, and are neither completed nor dead", lambda counts: counts.stuck),
    "refused": ("ends and renewals that the queue refused, by fences", lambda counts: counts.refused),
    "reclaimed": ("expired leases that a sweep found", lambda counts: counts.reclaimed),
    "retries_early": ("retries that began before their time", lambda counts: counts.retries_early),
    "waits_outside": ("waits before a retry outside the backoff and its jitter", lambda counts: counts.waits_outside),
    "fired": ("firings of schedules", lambda counts: counts.fired),
    "double_fired": ("firings of a schedule for the same time, beyond the first", lambda counts: counts.double_fired),
    "storage_errors": ("errors of the storage", lambda counts: counts.storage_errors),
    "locks": ("times at which the storage was locked for too long", lambda counts: counts.locks),
}

_FACTS: Mapping[str, tuple[str, str]] = {
    "stream_length": ("stream_length", "entries that were left in the stream in the end"),
}
"""By name, the fact of the queue's own (`ended.Cost.facts`), and the meaning."""

_SIZES: Mapping[str, tuple[str, str]] = {
    "storage_before": ("bytes_before", "what the storage took before the first publish"),
    "storage_most": ("bytes_most", "the most that the storage took"),
    "storage_after": ("bytes_after", "what the storage took when all jobs had ended"),
    "bytes_per_job": ("pending_bytes_per_job", "what a job takes in the storage until it ends"),
    "worker_memory": ("workers_rss_bytes", "the greatest memory of a worker, with its children"),
}
"""By name, the field of `ended.Cost`, and the meaning."""

NAMES: Mapping[str, Known] = {
    **{name: Known(TIME, f"{percentile.label} of a latency", _PARTS) for name, percentile in PERCENTILES.items()},
    "mean": Known(TIME, "mean of a latency", _PARTS),
    **{
        name: Known(COUNT, meaning, over=Over.INTERVALS if name in ("acknowledged", "completed") else None)
        for name, (meaning, _) in _COUNTS.items()
    },
    "throughput": Known(PER_TIME, "completed jobs per time, from the first publish to the last end", over=Over.LEVEL),
    "baseline_throughput": Known(PER_TIME, "the throughput of the test before, where the file has [baseline]"),
    "waiting": Known(TIME, "median queueing of the jobs that began in each second", is_scalar=False, over=Over.LEVEL),
    "storage": Known(
        SIZE,
        "what the storage takes, once a second: memory of Redis, or the size of the file and its log",
        is_scalar=False,
        over=Over.LEVEL,
    ),
    "intended_rate": Known(PER_TIME, "intended publishes per time; 0 where there is no schedule"),
    "planned": Known(COUNT, "jobs that are to end, by the plan; firings of schedules are not among them"),
    "success": Known(SHARE, "share of the jobs that ended well, of those that were planned or published"),
    "dead_share": Known(SHARE, "share of the executed jobs that have failed for good"),
    "attempts_per_job": Known(NUMBER, "executions per executed job"),
    "least_share": Known(SHARE, "the least that a worker completed, relative to its fair share"),
    "greatest_share": Known(SHARE, "the most that a worker completed, relative to its fair share"),
    "drain": Known(TIME, "from the last publish to the last end"),
    "elapsed": Known(TIME, "from the first publish to the last end"),
    "operations": Known(PER_TIME, "operations on schedules per time", ("operation",)),
    "operations_failed": Known(COUNT, "operations on schedules that failed", ("operation",)),
    "operations_success": Known(SHARE, "share of the operations on schedules that did not fail", ("operation",)),
    **{name: Known(COUNT, meaning) for name, (_, meaning) in _FACTS.items()},
    **{name: Known(SIZE, meaning) for name, (_, meaning) in _SIZES.items()},
}


SELECTORS = (*LATENCIES, *OPERATIONS, "kind")
"""The words of selectors, which no monitor can be named."""


def vocabulary(kinds: int, monitors: MonitoredSeries | None = None) -> Vocabulary:
    """Return the names for a test with so many kinds of jobs, and with these monitors."""
    monitors = monitors or {}
    axes = {
        "latency": Axis(tuple(LATENCIES)),
        "kind": Axis(counted="kind", most=kinds),
        "operation": Axis(OPERATIONS),
        MONITOR: Axis(tuple(monitors)),
    }
    return Vocabulary({**NAMES, **(OF_MONITORS if monitors else {})}, axes, monitors)


def vocabulary_of(plan: JobsPlan) -> Vocabulary:
    """Return the names for a test with this plan."""
    return vocabulary(len(plan.publishing.kinds), series_of(plan.monitors))


def judged(evidence: Evidence) -> tuple[Check, ...]:
    """Return the file's own checks with their answers."""
    plan = evidence.plan
    metrics = JobsMetrics(evidence)
    answers = check.judge(plan.checks, metrics.names, metrics)
    return tuple(
        Check(f"check {number}", each.passed, each.found, limit=each.check.expr, level=each.check.level)
        for number, each in enumerate(answers, 1)
    )


class JobsMetrics:
    """The values of one test. Points of series count from the first publish."""

    def __init__(self, evidence: Evidence) -> None:
        plan = evidence.plan
        self._evidence = evidence
        self._account = evidence.account
        self.names = vocabulary_of(plan)
        """The vocabulary of the test's checks."""
        self._read = MonitorMetrics(plan.checks, self.names)
        for reading in evidence.readings:
            self._read.add(reading, reading.at_ns - self._account.first_ns)

    def scalar(self, name: str, chosen: Mapping[str, str | int]) -> Scalar:
        counts, cost = self._account.counts, self._evidence.cost
        if name in PERCENTILES or name == "mean":
            return self._latency(name, chosen)
        if name in _COUNTS:
            return Fraction(_COUNTS[name][1](counts))
        if name in _FACTS:
            fact = _FACTS[name][0]
            said = cost.facts.get(fact)
            return Fraction(said) if said is not None else Unknown(f"the queue does not say its {words(fact)}")
        if name in OF_MONITORS:
            return of_monitors(name, chosen.get(MONITOR), self._evidence.monitors)
        if name in _SIZES:
            size = getattr(cost, _SIZES[name][0])
            return exact(size) if size is not None else Unknown(f"{_SIZES[name][1]} was not measured")
        if name.startswith("operations"):
            return self._operations(name, chosen.get("operation"))
        return self._other(name, counts)

    def series(self, name: str, chosen: Mapping[str, str | int]) -> Series | Unknown:
        if MONITOR in chosen:
            return self._read.series(name, chosen[MONITOR], self._evidence.monitors)
        if name == "storage":
            sizes = tuple((at_ns - self._account.first_ns, float(size)) for at_ns, size in self._evidence.storage)
            return Series(sizes) if sizes else Unknown("the storage does not say what it takes")
        every = [(round(second.t_s * NS_PER_S), second) for second in self._account.seconds]
        if NAMES[name].over is Over.INTERVALS:
            if not every:
                return Unknown("nothing was published")
            counts = ((at, second.completed if name == "completed" else second.published) for at, second in every)
            return Series(tuple((at, float(count)) for at, count in counts), from_ns=0)
        if name == "waiting":
            return Series(tuple((at, second.queueing_ns) for at, second in every if second.queueing_ns is not None))
        # The first and the last second are parts of one.
        return Series(tuple((at, second.completed / NS_PER_S) for at, second in every[1:-1]))

    def _latency(self, name: str, chosen: Mapping[str, str | int]) -> Scalar:
        latency = str(chosen.get("latency", DEFAULT_LATENCY))
        if "kind" in chosen:
            if latency != DEFAULT_LATENCY:
                return Unknown(f"kinds of jobs are told apart in {DEFAULT_LATENCY} only, and not in {latency}")
            found = self._account.of_kinds.get(str(chosen["kind"]))
        else:
            found = self._account.latencies.get(latency)
        waits = self._account.unreclaimed_ns if latency == "reclaim" else ()
        if waits:
            found = (found or Histogram()) + Histogram()
            for wait_ns in waits:
                found.record(wait_ns, censored=True)
        if found is None or not found.count:
            return Unknown(f"there was no {words(latency)}")
        if name == "mean":
            mean = exact(found.mean)
            return AtLeast(mean) if waits else mean
        q = PERCENTILES[name].quantile
        value = Fraction(found.quantile(q))
        return AtLeast(value) if found.is_lower_bound(q) else value

    def _operations(self, name: str, operation: str | int | None) -> Scalar:
        those = [each for each in self._evidence.operations if operation in (None, each.name)]
        count = sum(each.count for each in those)
        failed = sum(each.failed for each in those)
        elapsed_ns = sum(each.elapsed_ns for each in those)
        if not count:
            return Unknown(f"no {operation or 'operation'} was carried out")
        if name == "operations_failed":
            return Fraction(failed)
        if name == "operations_success":
            return Fraction(count - failed, count)
        return Fraction(count, elapsed_ns) if elapsed_ns else Unknown("the operations took no time")

    def _other(self, name: str, counts: Counts) -> Scalar:
        account = self._account
        match name:
            case "throughput":
                if not account.elapsed_ns or not counts.completed:
                    return Unknown("no job ended well")
                return Fraction(counts.completed, account.elapsed_ns)
            case "baseline_throughput":
                before = self._evidence.plan.baseline_per_s
                return exact(before) / NS_PER_S if before is not None else Unknown("there was no test before this one")
            case "intended_rate":
                return exact(self._evidence.plan.publishing.rate_per_s) / NS_PER_S
            case "planned":
                return Fraction(self._evidence.plan.jobs)
            case "success":
                jobs = max(counts.attempted, self._evidence.plan.jobs)
                return Fraction(counts.completed, jobs) if jobs else Unknown("no job was published")
            case "dead_share":
                return Fraction(counts.dead, counts.executed) if counts.executed else Unknown("no job was executed")
            case "attempts_per_job":
                if not counts.executed:
                    return Unknown("no job was executed")
                return Fraction(counts.executions, counts.executed)
            case "least_share" | "greatest_share":
                completed = [*self._evidence.completed()]
                if not sum(completed):
                    return Unknown("no job ended well")
                most = min(completed) if name == "least_share" else max(completed)
                return Fraction(most * len(completed), sum(completed))
            case "drain":
                if not account.published_ns or not account.last_ns:
                    return Unknown("no job ended")
                return Fraction(max(0, account.last_ns - account.published_ns))
        return Fraction(account.elapsed_ns) if account.elapsed_ns else Unknown("no job ended")


def words(name: str) -> str:
    """Return a name of the ledger as words: "end_to_end" is "end to end"."""
    return name.replace("_", " ")
