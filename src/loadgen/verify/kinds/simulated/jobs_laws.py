"""What holds of a simulated case of queues: the account of its ledger, and the calls of its storages.

The account is the one that load tests have (`jobs.load.account`). A law that weather may excuse says by what: a job is
executed twice only where the worker that had it was killed, held up or cut off, or was late to renew its lease.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from loadgen.jobs.job import Inspection, State, Swept, TryAgain
from loadgen.jobs.ledger import Entry, What
from loadgen.jobs.load.book import Book
from loadgen.units import NS_PER_MS, NS_PER_S
from loadgen.verify.kinds.simulated.jobs_plan import SQLITE, Plan, Weather
from loadgen.verify.kinds.simulated.jobs_watch import NEVER_NS, Called, Process, Watch
from loadgen.verify.kinds.simulated.jobs_weather import REDIS, Spell
from loadgen.verify.scenario.states import always, sometimes
from loadgen.verify.world._ground import UNIX_EPOCH_NS
from loadgen.verify.world.net import Link
from loadgen.verify.world.redis.append_only import EVERYSEC

LOST = "no acknowledged job is lost"
UNEXPECTED = "nothing is executed that was not published"
EFFECT = "a job has one effect"
STUCK = "every job that began comes to an end"
EXPLAINED = "a job is executed again only after a fault of its worker"
FENCED = "an end with an old fence is refused"
GROWS = "the fence of a job grows with each claim"
LEASE = "a lease is not taken before its end"
DELIVERIES = "a job is claimed no more often than is allowed"
ATTEMPTS = "a job is tried no more often than is allowed"
KEYS = "the submissions of a key are executed as one job"
EARLY = "nothing is executed before its time"
BACKOFF = "the wait before a retry is the backoff, within its jitter"
RECLAIM = "the jobs of a dead worker are found within a lease, a sweep and the network's time"
EMPTY = "of a queue whose jobs have ended nothing is left"

SYNC_NS = NS_PER_S
"""With appendfsync everysec, what was written earlier than this before a power cut is synced."""
_FIRST_WRITE_NS = 5 * NS_PER_S
"""From the start of a server to its first write, and the sync of that: workers sweep each second."""
KNOWN_S = 60.0
"""For how long at most Redis knows a job whose result is not kept."""

_NEWEST = 100
"""More calls than there are between two looks."""
_PARTS = 6
"""A renewal that took a sixth of a lease is late: there are three in a lease, of which two may fail."""

RECLAIMS, REFUSED, DEAD_LETTER, RETRIED, DEDUPLICATED = (
    "a job whose lease has expired is reclaimed",
    "a late end is refused",
    "a job is dead as it was claimed too often",
    "a failed job is tried again",
    "a submission is deduplicated",
)
TWICE, HEAVY, KILLED, BOUNDED, UNSEEN = (
    "a job is executed twice",
    "a publish is repeated, as its answer was lost",
    "a worker is killed that has jobs",
    "the time of a reclaim is bounded",
    "an end is stored whose answer nobody saw",
)
LOCKED = "the file is locked by another"
CUT_OFF = "an acknowledged publish is lost to a power cut within the time of a sync"


def states(layout: str) -> tuple[str, ...]:
    """Return the states that a campaign is to reach."""
    common = (RECLAIMS, REFUSED, DEAD_LETTER, RETRIED, DEDUPLICATED, TWICE, KILLED, BOUNDED)
    return (*common, LOCKED) if layout == SQLITE else (*common, HEAVY, UNSEEN, CUT_OFF)


@dataclass(frozen=True, slots=True)
class Held:
    """A claim, as its worker got it."""

    process: Process
    job: str
    fence: int
    delivery: int
    attempt: int
    call: Called


@dataclass
class Seen:
    """What was seen of a case."""

    plan: Plan
    watch: Watch
    spells: Sequence[Spell]
    link: Link
    now_ns: int
    dead: set[str]
    """The dead letters that the queue has at the end."""
    claims: dict[str, list[Held]] = field(default_factory=lambda: defaultdict(list))
    """By job, in the order of their answers."""
    doubtful: set[str] = field(default_factory=set)
    """Jobs whose worker has not heard if the storage took their end."""
    buried: set[str] = field(default_factory=set)
    """Jobs that are perhaps dead letters by a sweep whose answer was lost."""
    republished: set[str] = field(default_factory=set)
    """Jobs whose publish was repeated perhaps when the queue had forgotten them, as results are not kept."""
    touched: set[str] = field(default_factory=set)
    """Jobs of which something was done within the time of a sync before a power cut that lost it."""

    def __post_init__(self) -> None:
        self.book = Book(fenced=True, max_attempts=self.plan.terms.max_attempts, backoff=self.plan.terms.backoff)
        for entry in self.watch.entries:
            if isinstance(entry, Process):
                if self.book.died(entry.name, entry.ended_ns):
                    sometimes(KILLED)
            else:
                self.book.take((entry,))
        self.book.presume(self.now_ns)
        self.counts = self.book.account(self.now_ns).counts
        self.lease_ns = round(self.plan.lease_s * NS_PER_S)
        self._gather()
        self._look_at_power_cuts()

    def entries(self, *whats: What) -> Iterator[Entry]:
        """Yield the entries of some kinds."""
        return (each for each in self.watch.entries if isinstance(each, Entry) and each.what in whats)

    def jobs(self, *whats: What) -> Counter[str]:
        """Return how often each job has an entry of some kinds."""
        return Counter(each.job for each in self.entries(*whats))

    def _gather(self) -> None:
        told: set[tuple[str, int]] = set()
        asked: set[tuple[str, int]] = set()
        for call in sorted(self.watch.calls, key=lambda call: call.answered_ns):
            if call.operation == "settle":
                # What is asked again is refused where the queue has forgotten the job by then.
                answer = call.answer or [False] * len(call.jobs)
                ends = [(each.claim.id, each.claim.fence) for each in call.jobs]
                told |= {end for end, taken in zip(ends, answer, strict=True) if taken}
                asked |= {*ends} if call.answer is None else set()
            if call.answer is None or call.operation not in ("claim", "sweep"):
                continue
            process = self.watch.processes[call.worker]
            for claim in call.answer.claims if isinstance(call.answer, Swept) else call.answer:
                held = Held(process, claim.id, claim.fence, claim.delivery, claim.attempt, call)
                self.claims[claim.id].append(held)
        self.doubtful = {job for job, _ in asked - told}
        if any(call.operation == "sweep" and call.answer is None for call in self.watch.calls):
            self.buried = self.dead
        if not self.plan.result_ttl_s and self.plan.layout != SQLITE:
            times = Counter(job.id for call in self.watch.calls if call.operation == "publish" for job in call.jobs)
            self.republished = {job for job, count in times.items() if count > 1}

    def _look_at_power_cuts(self) -> None:
        """Find the jobs of which a power cut may have lost something that was acknowledged."""
        if self.plan.layout == SQLITE or self.plan.fsync != EVERYSEC:
            return
        # A server that is stopped does not sync.
        stopped_ns = sum(each.until_ns - each.from_ns for each in self.spells if each.weather is Weather.PAUSE_REDIS)
        for spell in self.spells:
            if spell.weather is not Weather.POWER_CUT:
                continue
            since_ns = spell.from_ns - SYNC_NS - stopped_ns
            for killed in self.spells:
                # What a killed server has written is synced with the first write of the next one.
                if killed.weather is Weather.KILL_REDIS and 0 <= spell.from_ns - killed.until_ns < _FIRST_WRITE_NS:
                    since_ns = min(since_ns, killed.from_ns - SYNC_NS - stopped_ns)
            for call in self.watch.calls:
                if call.answered_ns >= since_ns and call.asked_ns <= spell.from_ns:
                    self.touched |= _ids(call)

    # ── Weather ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def met(self, host: str, from_ns: int, until_ns: int, *weather: Weather) -> bool:
        """Return True when a host or the server was under a fault at some time of a span; without kinds, any."""
        return any(
            (spell.weather in weather if weather else spell.weather is not Weather.JUMP or self.leases_jump)
            and (spell.meets(host, from_ns, until_ns) or spell.meets(REDIS, from_ns, until_ns))
            for spell in self.spells
        )

    @property
    def leases_jump(self) -> bool:
        """True where leases are by a clock of the day: that of Redis."""
        return self.plan.layout != SQLITE

    @property
    def jumped(self) -> bool:
        """True when a clock by which jobs are due was set."""
        hosts = {host for spell in self.spells if spell.weather is Weather.JUMP for host in spell.hosts}
        return bool(hosts) if self.plan.layout == SQLITE else REDIS in hosts

    def kept_ns(self, held: Held) -> int:
        """Return a time at which the lease of a claim had not begun yet for the last time that its worker knows of."""
        since_ns = held.call.asked_ns
        for call in self.watch.calls:
            if call.operation == "renew" and call.worker == held.process.name and call.answer is not None:
                for claim, kept in zip(call.jobs, call.answer, strict=True):
                    if kept and (claim.id, claim.fence) == (held.job, held.fence):
                        since_ns = max(since_ns, call.asked_ns)
        return since_ns

    def explains(self, held: Held, until_ns: int) -> bool:
        """Return True when something had befallen a worker by a time that costs it a claim."""
        if held.process.ended_ns <= until_ns:
            return True
        since_ns = self.kept_ns(held)
        if self.met(held.process.host, since_ns, until_ns):
            return True
        return any(
            call.worker == held.process.name
            and call.operation == "renew"
            and call.asked_ns <= until_ns
            and call.answered_ns >= since_ns
            and (call.answer is None or call.took_ns > self.lease_ns // _PARTS)
            for call in self.watch.calls
        )


def judge_newest(plan: Plan, watch: Watch, most: int = _NEWEST) -> None:
    """Hold the newest claims against the bounds of a job's: it might go on for ever."""
    for call in watch.calls[-most:]:
        if call.answer is None or call.operation not in ("claim", "sweep"):
            continue
        for claim in call.answer.claims if isinstance(call.answer, Swept) else call.answer:
            found = f"executions {claim.delivery}: job {claim.id} is delivered again, after {plan.max_deliveries} times"
            always(claim.delivery <= plan.max_deliveries, DELIVERIES, found)
            found = f"job {claim.id} has attempt {claim.attempt}"
            always(claim.attempt <= plan.terms.max_attempts, ATTEMPTS, found)


def unended(watch: Watch) -> set[str]:
    """Return the acknowledged jobs of which the ledger has no end."""
    found: set[str] = set()
    for entry in watch.entries:
        if isinstance(entry, Entry) and entry.what is What.ACKNOWLEDGED:
            found.add(entry.job)
    over = (each for each in watch.entries if isinstance(each, Entry) and each.what in (What.ACCEPTED, What.DEAD))
    return found - {each.job for each in over}


def _ids(call: Called) -> set[str]:
    """Return the jobs that a call asked for, or was answered with."""
    asked = {each.claim.id if hasattr(each, "claim") else each.id for each in call.jobs}
    answer = call.answer
    if isinstance(answer, Swept):
        return asked | {each.id for each in answer.claims} | {*answer.reclaimed} | {*answer.dead}
    return asked | {each.id for each in answer} if call.operation == "claim" and answer else asked


def judge(seen: Seen) -> None:
    """Hold what was seen against the laws. Raises Broken for the first that does not hold."""
    counts = seen.counts
    for state, count in (
        (RECLAIMS, counts.reclaimed),
        (REFUSED, counts.refused),
        (RETRIED, sum(1 for _ in seen.entries(What.RETRIED))),
        (DEDUPLICATED, counts.deduplicated),
        (TWICE, counts.duplicate_executions),
        (LOCKED, counts.locks),
        (DEAD_LETTER, sum(not entry.fence for entry in seen.entries(What.DEAD))),
        (HEAVY, sum(call.operation == "publish" and call.answer is None for call in seen.watch.calls)),
        (UNSEEN, bool(seen.doubtful)),
    ):
        sometimes(state, count)
    judge_newest(seen.plan, seen.watch, len(seen.watch.calls))
    _judge_account(seen)
    for job, claims in seen.claims.items():
        _judge_claims(seen, job, claims)
    _judge_times(seen)
    _judge_keys(seen)
    _judge_reclaims(seen)


def _judge_account(seen: Seen) -> None:
    begun, over = seen.jobs(What.BEGIN), seen.jobs(What.ACCEPTED, What.DEAD)
    attempted, acknowledged = seen.jobs(What.ATTEMPTED), seen.jobs(What.ACKNOWLEDGED)
    lost = acknowledged.keys() - begun.keys() - seen.jobs(What.DEAD).keys() - seen.buried
    sometimes(CUT_OFF, lost & seen.touched)
    found = sorted(lost - seen.touched)
    always(not found, LOST, f"lost {len(found)}: {', '.join(found)}")
    unexpected = sorted(begun.keys() - attempted.keys())
    always(not unexpected, UNEXPECTED, f"unexpected {len(unexpected)}: {', '.join(unexpected)}")
    excused = seen.touched | seen.republished
    twice = sorted(job for job, times in seen.jobs(What.ACCEPTED).items() if times > 1 and job not in excused)
    always(not twice, EFFECT, f"duplicate_effects {len(twice)}: {', '.join(twice)}")
    stuck = sorted(begun.keys() - over.keys() - seen.doubtful - seen.buried - seen.touched)
    always(not stuck, STUCK, f"stuck {len(stuck)}: {', '.join(stuck)}")
    counts = seen.counts
    always(counts.lost <= len(lost | seen.buried), LOST, f"lost {counts.lost} in the account, {len(lost)} seen")
    doubtful = seen.doubtful | seen.buried | seen.touched
    always(counts.stuck <= len(doubtful), STUCK, f"stuck {counts.stuck} in the account, where {len(doubtful)} may be")
    if not excused:
        always(not counts.duplicate_effects, EFFECT, f"duplicate_effects {counts.duplicate_effects}")
    keyed = any(job.key for job in seen.plan.jobs)
    always(keyed or not counts.unexpected, UNEXPECTED, f"unexpected {counts.unexpected}")


def _judge_claims(seen: Seen, job: str, claims: Sequence[Held]) -> None:
    plan = seen.plan
    executed = {(entry.worker, entry.fence): entry.t_ns for entry in seen.entries(What.BEGIN) if entry.job == job}
    failed = {entry.fence for entry in seen.entries(What.RETRIED) if entry.job == job}
    if job in seen.touched | seen.republished:
        return
    fences = [held.fence for held in claims]
    always(len(fences) == len({*fences}), GROWS, f"job {job} is claimed twice with fence {_most(fences)}")
    again = 0
    for number, held in enumerate(claims):
        for later in claims[number + 1 :]:
            if later.call.asked_ns > held.call.answered_ns:
                found = f"job {job} has fence {held.fence}, then {later.fence}"
                always(later.fence > held.fence, GROWS, found)
        after = min((each for each in claims if each.fence > held.fence), key=lambda each: each.fence, default=None)
        if after is None or held.fence in failed or after.attempt > held.attempt:
            continue
        until_ns = after.call.answered_ns
        found = f"job {job} of {held.process.name} is claimed by {after.process.name}"
        if (held.process.name, held.fence) in executed and (after.process.name, after.fence) in executed:
            again += 1
            words = f"duplicate_executions {again}: {found}, and nothing befell the first"
            always(seen.explains(held, until_ns), EXPLAINED, words)
        if not seen.jumped or plan.layout == SQLITE:
            early_ns = seen.kept_ns(held) + seen.lease_ns - until_ns
            always(early_ns <= NS_PER_MS, LEASE, f"{found} {early_ns} ns before the end of its lease")
    _judge_ends(seen, job, claims)


def _judge_ends(seen: Seen, job: str, claims: Sequence[Held]) -> None:
    """Require that no end is taken from a worker after another has claimed the job."""
    for call in seen.watch.calls:
        if call.operation != "settle" or call.answer is None:
            continue
        for settlement, taken in zip(call.jobs, call.answer, strict=True):
            claim = settlement.claim
            if claim.id != job or not taken:
                continue
            newer = [held for held in claims if held.fence > claim.fence and held.call.answered_ns < call.asked_ns]
            # What was taken before is taken again when it is repeated.
            repeated = isinstance(settlement.ending, TryAgain) or any(held.attempt > claim.attempt for held in newer)
            found = f"the end of job {job} with fence {claim.fence} is taken after a claim"
            always(not newer or repeated, FENCED, found)


def _judge_times(seen: Seen) -> None:
    counts = seen.counts
    if not seen.jumped:
        always(not counts.retries_early, EARLY, f"retries_early {counts.retries_early}")
        first: dict[str, int] = {}
        for entry in seen.entries(What.BEGIN):
            first.setdefault(entry.job, entry.t_ns)
        for call in seen.watch.calls:
            for job in call.jobs if call.operation == "publish" else ():
                if job.due_ms and job.id in first:
                    began_ms = (first[job.id] + UNIX_EPOCH_NS) / NS_PER_MS
                    shifted = seen.met(call.worker, 0, NEVER_NS, Weather.JUMP)
                    found = f"job {job.id} begins {job.due_ms - began_ms:g} ms before its time"
                    always(shifted or began_ms >= job.due_ms - 1.0, EARLY, found)
    always(not counts.waits_outside, BACKOFF, f"waits_outside {counts.waits_outside}")


def _judge_keys(seen: Seen) -> None:
    begun = seen.jobs(What.BEGIN)
    of_key: dict[str, list[str]] = defaultdict(list)
    for job in seen.plan.jobs:
        if job.key and begun[job.id] and job.id not in seen.touched:
            of_key[job.key].append(job.id)
    for key, jobs in of_key.items():
        always(len(jobs) == 1, KEYS, f"unexpected {len(jobs) - 1}: {', '.join(jobs)} have the {key}")


def _judge_reclaims(seen: Seen) -> None:
    """Require that a dead worker's jobs are found in time, where nothing else happened."""
    plan, link = seen.plan, seen.link
    if link.loss or any(spell.weather is not Weather.KILL_WORKER for spell in seen.spells):
        return
    network_ns = 40 * (link.latency_ns + link.jitter_ns) + NS_PER_S // 2
    within_ns = seen.lease_ns + round(1.1 * plan.sweep_s * NS_PER_S) + network_ns
    found = [(entry.job, entry.t_ns) for entry in seen.entries(What.RECLAIMED, What.DEAD)]
    for process in seen.watch.processes.values():
        if not process.killed:
            continue
        died_ns, until_ns = process.ended_ns, process.ended_ns + within_ns
        others = seen.watch.processes.values()
        if not any(
            each.host.startswith("w") and each.began_ns <= died_ns and each.ended_ns >= until_ns for each in others
        ):
            continue
        for job in _unsettled(seen, process):
            sometimes(BOUNDED)
            told = any(each == job and died_ns <= at_ns <= until_ns for each, at_ns in found) or job in seen.buried
            words = f"job {job} of {process.name} is not found within {within_ns / NS_PER_S:g} s"
            always(told or job in seen.doubtful, RECLAIM, words)


def _unsettled(seen: Seen, process: Process) -> list[str]:
    """Return the jobs that a process had claimed and not settled when it ended."""
    held = {(each.job, each.fence) for claims in seen.claims.values() for each in claims if each.process is process}
    for call in seen.watch.calls:
        if call.operation == "settle" and call.worker == process.name and call.answer is not None:
            held -= {(each.claim.id, each.claim.fence) for each in call.jobs}
    return sorted(job for job, _ in held)


def judge_rest(plan: Plan, inspection: Inspection, keys: Sequence[str]) -> None:
    """Hold what is left of a queue against the law."""
    counts = {state: count for state, count in inspection.counts.items() if count}
    kept = {State.DEAD} if not plan.result_ttl_s else {State.DEAD, State.SUCCESS}
    words = ", ".join(f"{count} {state}" for state, count in counts.items())
    always(counts.keys() <= kept, EMPTY, words)
    left = {
        name: inspection.facts.get(name, 0) for name in ("stream_length", "pending_entries", "list_length", "taken")
    }
    always(not any(left.values()), EMPTY, left)
    always(not inspection.running, EMPTY, inspection.running)
    jobs = [key for key in keys if ":job:" in key]
    if not plan.result_ttl_s and plan.layout != SQLITE:
        dead = counts.get(State.DEAD, 0)
        always(len(jobs) == dead, EMPTY, f"{len(jobs)} jobs are kept, of which {dead} are dead")
    taken = [key for key in keys if ":taken:" in key]
    always(not taken, EMPTY, f"keys are left: {', '.join(taken)}")


def _most(fences: Sequence[int]) -> int:
    return Counter(fences).most_common(1)[0][0]
