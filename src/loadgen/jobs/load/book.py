"""The account of a test of jobs while it grows: a fold over the ledger's entries. Pure; the time is in the entries.

The book knows what producers published and what bodies and workers wrote, and nothing of the queue's own state.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from statistics import median

from loadgen.engine._histogram import Histogram
from loadgen.jobs.backoff import Backoff
from loadgen.jobs.ledger import Entry, What
from loadgen.jobs.load.account import Account, Counts, Second, Share
from loadgen.units import NS_PER_S

EARLY_NS = 2_000_000
"""A retry is early when it begins so long before its time: due times are kept in whole ms."""

MOST_ERRORS = 20


_TROUBLES = frozenset((What.ERROR, What.LOCKED, What.FAILED))
_TRIES = frozenset((What.ATTEMPTED, What.POLLED))
"""Entries that are no progress: of a storage that fails, and of what was tried only."""


class _Job:
    """One job."""

    __slots__ = (
        "accepted", "acknowledged_ns", "attempted_ns", "begins", "dead", "died_ns", "due_ns", "ends", "failed",
        "first_begin_ns", "kind", "last_end_ns", "open", "presumed", "raised", "retry_ns", "same_as",
        "settled_failures",
    )  # fmt: skip

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.due_ns = self.attempted_ns = self.acknowledged_ns = 0
        """When its publish was intended, when it began, and when it was acknowledged; 0: it was not."""
        self.failed = False
        """True when its publish failed."""
        self.same_as = ""
        """The id of the job with the same key, for a submission that was deduplicated."""
        self.begins = self.ends = self.raised = self.settled_failures = self.accepted = 0
        self.dead = False
        self.first_begin_ns = self.last_end_ns = 0
        self.open: dict[tuple[str, int, int], int] = {}
        """By worker, process and fence, the begin of each execution that has not ended."""
        self.died_ns = 0
        """When the worker died that had begun it and not ended it; 0: none did, or the job began again."""
        self.presumed = False
        """True when its end counts as acknowledged though nobody has said so: see `Book.presume`."""
        self.retry_ns = 0
        """When it is to be tried again; 0: it is not, or it began again."""


@dataclass(slots=True)
class _Worker:
    """One worker."""

    completed: int = 0
    begins: int = 0
    busy_ns: int = 0
    polls: int = 0


class Book:
    """The account while it grows.

    `fenced` says that the queue acknowledges ends, by fences; `from_begin` that the time of the test counts from the
    first execution, and not from the first publish.
    """

    def __init__(
        self, *, fenced: bool, max_attempts: int, backoff: Backoff | None = None, from_begin: bool = False
    ) -> None:
        self._from_begin = from_begin
        self._fenced = fenced
        self._max_attempts = max_attempts
        self._backoff = backoff
        self._jobs: dict[str, _Job] = {}
        self._workers: dict[str, _Worker] = {}
        self._histograms: dict[str, Histogram] = {}
        self._of_kinds: dict[str, Histogram] = {}
        self._begun: dict[int, list[int]] = {}
        self._per_second: dict[int, list[int]] = {}
        self._fired: dict[str, int] = {}
        self._missed = 0
        self._errors: dict[str, int] = {}
        self._untold: dict[str, int] = {}
        """By job that had ended, without a word of its acknowledgement, when its worker died: the time of that."""
        self._tally = dict.fromkeys(
            ("refused", "reclaimed", "early", "outside", "errors", "locks", "deduplicated", "failures"), 0
        )
        self.ended = 0
        """Jobs that have completed or are dead."""
        self.completed = 0
        self.acknowledged = 0
        self.waiting = 0
        """Acknowledged jobs that have neither completed nor died."""
        self.first_ns = self.published_ns = self.last_ns = 0
        self.ready: dict[str, int] = {}
        """By worker, the processes that have said that they are ready."""
        self.is_troubled = False
        """True when the storage has failed since the last progress."""
        self._act: Mapping[What, Callable[[Entry], None]] = {
            What.ATTEMPTED: self._attempted,
            What.ACKNOWLEDGED: self._acknowledged,
            What.DEDUPLICATED: self._deduplicated,
            What.FAILED: self._failed,
            What.BEGIN: self._begin,
            What.END: self._end,
            What.RAISED: self._raised,
            What.READY: self._ready,
            What.ACCEPTED: self._accepted,
            What.REFUSED: lambda _: self._count("refused"),
            What.RETRIED: self._retried,
            What.DEAD: self._dead,
            What.RECLAIMED: lambda _: self._count("reclaimed"),
            What.ERROR: self._error,
            What.LOCKED: self._locked,
            What.POLLED: self._polled,
            What.FIRED: self._on_fired,
        }

    def take(self, entries: Iterable[Entry]) -> int:
        """Take entries, in the order in which they were written; return the number of those that are a progress."""
        progress = 0
        for entry in entries:
            self._act[entry.what](entry)
            if entry.what in _TROUBLES:
                self.is_troubled = True
            elif entry.what not in _TRIES:
                self.is_troubled = False
                progress += 1
        return progress

    def died(self, worker: str, at_ns: int) -> int:
        """Note that a worker died, whose entries have all been taken; return the number of jobs that it had begun."""
        in_flight = 0
        for name, job in self._jobs.items():
            mine = [execution for execution in job.open if execution[0] == worker]
            for execution in mine:
                del job.open[execution]
            if mine and not self._is_over(job):
                job.died_ns = at_ns
                in_flight += 1
                if any(pid < 0 for _, pid, _ in mine):
                    self._untold[name] = at_ns
        return in_flight

    def presume(self, before_ns: int) -> None:
        """Take jobs for completed that had ended when their worker died before a time, and did not begin again since.

        The worker may have died after the queue had the end and before the ledger had the news. The time is such that a
        job whose end the queue had not would have begun again.
        """
        over = [name for name, died_ns in self._untold.items() if died_ns <= before_ns]
        for name in over:
            job = self._jobs[name]
            died_ns = self._untold.pop(name)
            if self._is_over(job):
                continue  # Another execution, which had begun before, has ended since.
            job.died_ns = 0
            job.presumed = True
            job.accepted += 1
            self._over(job, Entry(What.ACCEPTED, name, job.last_end_ns or died_ns), was_over=False, well=True)

    def in_flight(self, worker: str) -> int:
        """Return the number of jobs that a worker has begun and not ended."""
        return sum(any(execution[0] == worker for execution in job.open) for job in self._jobs.values())

    # ── Entries ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def _job(self, name: str) -> _Job:
        job = self._jobs.get(name)
        if job is None:
            self._jobs[name] = job = _Job(name.partition(".")[0])
        return job

    def _attempted(self, entry: Entry) -> None:
        job = self._job(entry.job)
        job.due_ns, job.attempted_ns = entry.due_ns or entry.t_ns, entry.t_ns
        if not self._from_begin and (not self.first_ns or job.due_ns < self.first_ns):
            self.first_ns = job.due_ns

    def _acknowledged(self, entry: Entry) -> None:
        job = self._job(entry.job)
        if not job.acknowledged_ns:
            self.acknowledged += 1
            self.waiting += not self._is_over(job)
        job.acknowledged_ns = entry.t_ns
        self.published_ns = max(self.published_ns, entry.t_ns)
        self._second(entry.t_ns)[0] += 1
        self._record("publish", entry.t_ns - job.attempted_ns)

    def _deduplicated(self, entry: Entry) -> None:
        job = self._job(entry.job)
        job.same_as = entry.words
        self._count("deduplicated")
        self._record("publish", entry.t_ns - job.attempted_ns)

    def _failed(self, entry: Entry) -> None:
        self._job(entry.job).failed = True
        self._note(f"publish: {entry.words}")

    def _begin(self, entry: Entry) -> None:
        job = self._job(entry.job)
        self._untold.pop(entry.job, None)
        if job.presumed:
            self._presumed_wrongly(job)
        job.begins += 1
        job.open[entry.worker, entry.pid, entry.fence] = entry.t_ns
        self._worker(entry).begins += 1
        if not job.first_begin_ns:
            job.first_begin_ns = entry.t_ns
            self._begun.setdefault(entry.t_ns // NS_PER_S, [])
            if job.due_ns:
                waited_ns = max(0, entry.t_ns - job.due_ns)
                self._record("queueing", waited_ns)
                self._begun[entry.t_ns // NS_PER_S].append(waited_ns)
            if not self.first_ns:
                self.first_ns = entry.t_ns
        if job.died_ns:
            self._record("reclaim", entry.t_ns - job.died_ns)
            job.died_ns = 0
        if job.retry_ns:
            self._record("retry", max(0, entry.t_ns - job.retry_ns))
            if entry.t_ns < job.retry_ns - EARLY_NS:
                self._count("early")
            job.retry_ns = 0

    def _end(self, entry: Entry) -> None:
        job = self._job(entry.job)
        was_over = self._is_over(job)
        job.ends += 1
        job.last_end_ns = entry.t_ns
        self._executed(job, entry)
        if not self._fenced:
            self._over(job, entry, was_over, well=True)

    def _raised(self, entry: Entry) -> None:
        job = self._job(entry.job)
        was_over = self._is_over(job)
        job.raised += 1
        self._count("failures")
        self._executed(job, entry)
        if not self._fenced and job.raised >= self._max_attempts:
            job.dead = job.ends == 0
            self._over(job, entry, was_over, well=False)

    def _executed(self, job: _Job, entry: Entry) -> None:
        began_ns = job.open.pop((entry.worker, entry.pid, entry.fence), None)
        if began_ns is None:
            return
        length_ns = entry.t_ns - began_ns
        self._record("execution", length_ns)
        self._worker(entry).busy_ns += length_ns
        # The acknowledgement of this end needs the begin.
        job.open[entry.worker, -entry.pid, entry.fence] = began_ns
        if not self._fenced:
            del job.open[entry.worker, -entry.pid, entry.fence]
            self._handled(job, length_ns)

    def _accepted(self, entry: Entry) -> None:
        job = self._job(entry.job)
        was_over = self._is_over(job)
        job.accepted += 1
        began_ns = job.open.pop((entry.worker, -entry.pid, entry.fence), None)
        if began_ns is not None:
            self._handled(job, entry.t_ns - began_ns)
        if job.last_end_ns:
            self._record("ack", max(0, entry.t_ns - job.last_end_ns))
        self._over(job, entry, was_over, well=True)

    def _handled(self, job: _Job, length_ns: int) -> None:
        self._record("handling", length_ns)
        if job.kind.isdigit():
            self._of_kinds.setdefault(job.kind, Histogram()).record(length_ns)

    def _retried(self, entry: Entry) -> None:
        job = self._job(entry.job)
        job.settled_failures += 1
        job.retry_ns = entry.due_ns
        job.open.pop((entry.worker, -entry.pid, entry.fence), None)
        job.open.pop((entry.worker, entry.pid, entry.fence), None)
        if self._backoff is not None and entry.attempt:
            nominal_ns = self._backoff.nominal_ns(entry.attempt)
            waited_ns = entry.due_ns - entry.t_ns
            # A settlement takes its time, which the wait does not include: due times are counted from there, in ms.
            slack_ns = EARLY_NS
            if abs(waited_ns - nominal_ns) > nominal_ns * self._backoff.jitter + slack_ns:
                self._count("outside")

    def _dead(self, entry: Entry) -> None:
        job = self._job(entry.job)
        was_over = self._is_over(job)
        job.dead = True
        job.settled_failures += bool(entry.fence)
        job.died_ns = 0
        job.open.clear()
        self._over(job, entry, was_over, well=False)

    def _ready(self, entry: Entry) -> None:
        self.ready[entry.worker] = self.ready.get(entry.worker, 0) + 1

    def _error(self, entry: Entry) -> None:
        self._count("errors")
        self._note(entry.words)

    def _locked(self, entry: Entry) -> None:
        self._count("locks")
        self._note(entry.words)

    def _polled(self, entry: Entry) -> None:
        worker = self._worker(entry)
        worker.polls += entry.attempt

    def _on_fired(self, entry: Entry) -> None:
        # A firing's job is named after its intended time.
        self._fired[entry.job] = self._fired.get(entry.job, 0) + 1
        self._missed += entry.attempt
        self._record("firing", max(0, entry.t_ns - entry.due_ns))
        job = self._job(entry.job)
        job.due_ns, job.attempted_ns = entry.due_ns, entry.t_ns
        if not job.acknowledged_ns:
            self.acknowledged += 1
            self.waiting += not self._is_over(job)
        job.acknowledged_ns = entry.t_ns

    # ── Sums ──────────────────────────────────────────────────────────────────────────────────────────────────────────

    def _is_over(self, job: _Job) -> bool:
        return job.dead or bool(job.accepted if self._fenced else job.ends)

    def _over(self, job: _Job, entry: Entry, was_over: bool, *, well: bool) -> None:
        self.last_ns = max(self.last_ns, entry.t_ns)
        if was_over:
            return
        self.ended += 1
        self.waiting -= bool(job.acknowledged_ns)
        if not well:
            return
        self.completed += 1
        self._worker(entry).completed += 1
        self._second(entry.t_ns)[1] += 1
        if job.due_ns:
            self._record("end_to_end", max(0, entry.t_ns - job.due_ns))

    def _presumed_wrongly(self, job: _Job) -> None:
        """Take back that a job counts as completed: it has begun again after all."""
        job.presumed = False
        job.accepted -= 1
        self.ended -= 1
        self.completed -= 1
        self.waiting += bool(job.acknowledged_ns)

    def _record(self, name: str, length_ns: int) -> None:
        found = self._histograms.get(name)
        if found is None:
            self._histograms[name] = found = Histogram()
        found.record(length_ns)

    def _worker(self, entry: Entry) -> _Worker:
        found = self._workers.get(entry.worker)
        if found is None:
            self._workers[entry.worker] = found = _Worker()
        return found

    def _second(self, t_ns: int) -> list[int]:
        return self._per_second.setdefault(t_ns // NS_PER_S, [0, 0])

    def _count(self, name: str) -> None:
        self._tally[name] += 1

    def _note(self, words: str) -> None:
        if words in self._errors or len(self._errors) < MOST_ERRORS:
            self._errors[words] = self._errors.get(words, 0) + 1

    # ── The account ───────────────────────────────────────────────────────────────────────────────────────────────────

    def account(self, now_ns: int, *, held: int = 0) -> Account:
        """Return the account until now. `held` are unexecuted jobs that the queue itself says a worker has."""
        return Account(
            counts=self._counts(held),
            latencies=dict(self._histograms),
            of_kinds=dict(self._of_kinds),
            unreclaimed_ns=tuple(
                now_ns - job.died_ns for job in self._jobs.values() if job.died_ns and not self._is_over(job)
            ),
            shares=tuple(
                Share(name, worker.completed, worker.begins, worker.busy_ns, worker.polls)
                for name, worker in sorted(self._workers.items(), key=lambda each: _by_number(each[0]))
                if name
            ),
            seconds=tuple(self._seconds()),
            first_ns=self.first_ns,
            published_ns=self.published_ns,
            last_ns=self.last_ns,
            errors=dict(self._errors),
        )

    def _counts(self, held: int) -> Counts:
        # A key's submissions are one job: whichever of them the queue has kept.
        real = [job for job in self._jobs.values() if not job.same_as]
        never = sum(1 for job in real if job.acknowledged_ns and not job.begins and not job.dead)
        held = min(held, never)
        return Counts(
            attempted=sum(1 for job in real if job.attempted_ns),
            acknowledged=sum(1 for job in real if job.acknowledged_ns),
            publish_failed=sum(1 for job in real if job.failed and not job.acknowledged_ns),
            deduplicated=self._tally["deduplicated"],
            executed=sum(1 for job in self._jobs.values() if job.begins),
            executions=sum(job.begins for job in self._jobs.values()),
            completed=self.completed,
            presumed=sum(job.presumed for job in self._jobs.values()),
            dead=sum(1 for job in real if job.dead),
            failures=self._tally["failures"],
            lost=never - held,
            held=held,
            recovered=sum(1 for job in real if job.begins and job.attempted_ns and not job.acknowledged_ns),
            unexpected=sum(1 for job in self._jobs.values() if job.begins and (not job.attempted_ns or job.same_as)),
            duplicate_executions=sum(self._extra(job) for job in self._jobs.values()),
            duplicate_effects=sum(
                max(0, (job.accepted if self._fenced else job.ends) - 1) for job in self._jobs.values()
            ),
            stuck=sum(1 for job in self._jobs.values() if job.begins and not self._is_over(job)),
            refused=self._tally["refused"],
            reclaimed=self._tally["reclaimed"],
            retries_early=self._tally["early"],
            waits_outside=self._tally["outside"],
            fired=sum(self._fired.values()),
            double_fired=sum(times - 1 for times in self._fired.values()),
            missed_firings=self._missed,
            storage_errors=self._tally["errors"],
            locks=self._tally["locks"],
        )

    def _extra(self, job: _Job) -> int:
        """Return the executions of a job beyond the first, and beyond one after each failure."""
        failures = max(job.raised, job.settled_failures)
        is_dead = job.dead and not (job.accepted or job.ends)
        return max(0, job.begins - max(1, failures + (not is_dead)))

    def _seconds(self) -> Iterator[Second]:
        if not self.first_ns:
            return
        first, last = self.first_ns // NS_PER_S, self.last_ns // NS_PER_S
        for second in range(first, last + 1):
            published, completed = self._per_second.get(second, (0, 0))
            begun = self._begun.get(second)
            yield Second(
                ((second + 1) * NS_PER_S - self.first_ns) / NS_PER_S,
                published,
                completed,
                float(median(begun)) if begun else None,
            )


def _by_number(name: str) -> tuple[int, str]:
    return int(name) if name.isdigit() else 1 << 30, name
