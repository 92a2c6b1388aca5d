"""The reader of a test of jobs: a TOML text to a `JobsPlan`, with the position of every problem.

A test of jobs is no configuration: it describes a queue and what is done to it, and no load engine. Its tables are few,
and are rows here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from loadgen.config import embedded, placement
from loadgen.config.document.reading import Reading, Rows, as_number, as_share, as_text, one_of, within
from loadgen.config.document.toml_file import TomlFile, parsed, text_of
from loadgen.config.jobs_contradictions import DURABILITIES, contradictions
from loadgen.config.overridden import overridden, put
from loadgen.config.tables.table import Path as KeyPath
from loadgen.config.told.monitors import without_credentials
from loadgen.errors import UsageError
from loadgen.jobs import cron
from loadgen.jobs.backoff import Growth
from loadgen.jobs.job import Terms
from loadgen.jobs.load.metrics import SELECTORS, vocabulary_of
from loadgen.jobs.load.plan import (
    HOST,
    LIBRARIES,
    OURS,
    SERVER,
    Chains,
    JobFault,
    JobsPlan,
    Kind,
    Publishing,
    QueueSettings,
    Scheduling,
)
from loadgen.jobs.load.work import Act
from loadgen.jobs.url import parse
from loadgen.judge.check import Check, mistakes
from loadgen.units import format_duration, parse_duration, parse_rate, parse_size, shown

MOST_JOBS = 10_000_000
MOST_WORKERS = 1_000
MOST_AT_ONCE = 10_000
MOST_PRODUCERS = 64
MOST_PAYLOAD = 16 * 2**20
MOST_SEED = 2**53 - 1


@dataclass(frozen=True, slots=True)
class JobsCase:
    """A test of a file."""

    plan: JobsPlan
    baseline: JobsPlan | None = None
    """The test that is run before it, whose throughput is the plan's `baseline_per_s`; None for none."""


@dataclass(frozen=True, slots=True)
class Overrides:
    """What a command line says beside a file."""

    flags: Mapping[str, object] | None = None
    """By name of FLAGS, the value."""
    sets: Sequence[str] = ()
    """The words after each `--set`, such as `queue.lease=2s`."""


FLAGS: Mapping[str, KeyPath] = {
    "--workers": ("workers", "count"),
    "--concurrency": ("workers", "concurrency"),
    "--rate": ("publish", "rate"),
    "--adapter": ("queue", "adapter"),
    "--storage": ("queue", "storage"),
    "--patience": ("patience",),
}
"""The flags that set one key."""

TOTAL, WORK, FAIL_P = "--jobs", "--work", "--fail-p"
"""The flags that are about every kind of jobs."""


# ── Readers ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def _duration(value: object) -> int:
    return parse_duration(as_number(value))


def _some_time(value: object) -> int:
    if (ns := _duration(value)) == 0:
        raise ValueError('must be longer than 0; write a duration such as "10s"')
    return ns


def _rate(value: object) -> float:
    return parse_rate(as_number(value))


def _size(value: object) -> int:
    size = parse_size(as_number(value))
    if size > MOST_PAYLOAD:
        raise ValueError(f"must be at most {MOST_PAYLOAD // 2**20} MiB, not {shown(value)}")
    return size


def _truth(value: object) -> bool:
    if not isinstance(value, bool):
        raise ValueError(f"must be true or false, not {shown(value)}")
    return value


def _growth(value: object) -> Growth:
    return Growth(one_of([*map(str, Growth)])(value))


def _act(value: object) -> Act:
    return Act(one_of([*map(str, Act)])(value))


def _url(value: object) -> str:
    return _checked(value, parse)


def _cron(value: object) -> str:
    return _checked(value, lambda text: cron.check(text, "UTC"))


def _zone(value: object) -> str:
    return _checked(value, lambda text: cron.check("* * * * *", text))


def _checked(value: object, check: Callable[[str], object]) -> str:
    """Read text that a check, which raises UsageError, has nothing against."""
    text = as_text(value)
    try:
        check(text)
    except UsageError as error:
        raise ValueError(f"{str(error)[:1].lower()}{str(error)[1:].removesuffix('.')}") from None
    return text


_ROOT: Rows = {
    "title": ("title", as_text),
    "upstream": ("upstream", as_text),
    "patience": ("patience_ns", _some_time),
    "seed": ("seed", within(0, MOST_SEED)),
}
"""By key of the root, the field of a JobsPlan, and the reader of the key's value."""

_QUEUE: Rows = {
    "adapter": ("adapter", one_of([*OURS, *LIBRARIES])),
    "storage": ("storage", _url),
    "name": ("queue_name", as_text),
    "renews": ("renews", _truth),
    "lease": ("lease_ns", _some_time),
    "sweep": ("sweep_ns", _some_time),
    "max_deliveries": ("max_deliveries", within(1, 1_000)),
    "durability": ("durability", one_of([*DURABILITIES["sqlite"], *DURABILITIES["redis"]])),
    "result_ttl": ("result_ttl_ns", _duration),
}
_OF_PLAN = ("adapter", "storage", "queue_name", "renews")
"""The fields of _QUEUE that are the plan's own."""

_TERMS: Rows = {
    "max_attempts": ("max_attempts", within(1, 100)),
    "timeout": ("timeout_ns", _duration),
    "backoff": ("growth", _growth),
    "initial": ("initial_ns", _some_time),
    "max": ("longest_ns", _some_time),
    "jitter": ("jitter", as_share),
}

_WORKERS: Rows = {
    "count": ("workers", within(1, MOST_WORKERS)),
    "concurrency": ("concurrency", within(1, MOST_AT_ONCE)),
}

_PLACEMENT: Rows = {
    "workers": (
        "namespaces",
        placement.reader(
            "the ledger by which jobs are counted is a file of this one; name network namespaces of this machine, such "
            'as "netns:a,b", or put on a test of its own on each machine'
        ),
    )
}

_PUBLISH: Rows = {
    "producers": ("producers", within(1, MOST_PRODUCERS)),
    "concurrency": ("concurrency", within(1, MOST_AT_ONCE)),
    "batch": ("batch", within(1, MOST_AT_ONCE)),
    "rate": ("rate_per_s", _rate),
    "submissions": ("submissions", within(1, 1_000)),
    "bursts": ("bursts", within(1, 10_000)),
    "pause": ("pause_ns", _some_time),
    "before_workers": ("before_workers", _truth),
}

_JOBS: Rows = {
    "jobs": ("jobs", within(1, MOST_JOBS)),
    "work": ("work_ns", _duration),
    "busy": ("busy", _truth),
    "fail_p": ("fail_p", as_share),
    "act": ("act", _act),
    "payload": ("payload_bytes", _size),
}

_CHAINS: Rows = {
    "workflows": ("workflows", within(1, MOST_JOBS)),
    "steps": ("steps", within(1, 1_000)),
    "work": ("work_ns", _duration),
    "concurrency": ("concurrency", within(1, MOST_AT_ONCE)),
}

_SCHEDULES: Rows = {
    "schedules": ("schedules", within(1, 100_000)),
    "attempts": ("attempts", within(1, 1_000)),
    "updates": ("updates", within(0, 10_000)),
    "operations": ("operations", within(0, 10_000)),
    "removes": ("removes", _truth),
    "cron": ("cron", _cron),
    "zone": ("zone", _zone),
    "fires": ("fires_ns", _duration),
    "concurrency": ("concurrency", within(1, MOST_AT_ONCE)),
}

_BASELINE: Rows = {
    "jobs": ("jobs", within(1, MOST_JOBS)),
    "workers": ("workers", within(1, MOST_WORKERS)),
}

_TABLES = ("queue", "terms", "workers", "placement", "publish", "jobs", "chains", "schedules", "baseline", "fault",
           "monitor", "check", "settings")  # fmt: skip


def read(path: Path, overrides: Overrides | None = None) -> JobsCase:
    """Return the test of a file. Raises ConfigError with a sentence for every problem."""
    return case_of(text_of(path), path.stem, str(path), overrides)


def case_of(text: str, name: str, source: str, overrides: Overrides | None = None) -> JobsCase:
    """Return the test of a text that messages call `source`. Raises ConfigError as `read` does."""
    file = parsed(text, source)
    overrides = overrides or Overrides()
    flags = _put_flags(file, overrides.flags or {})
    problems = [*overridden(file, overrides.sets)]
    reading = Reading(file, flags)
    case = _Reader(reading, overrides.flags or {}).case(name)
    reading.check(*problems)
    return case


def _put_flags(file: TomlFile, given: Mapping[str, object]) -> dict[KeyPath, str]:
    """Put the values of flags into the tree, and return the keys that they gave, each with its flag."""
    put_by: dict[KeyPath, str] = {}

    def give(path: KeyPath, flag: str) -> None:
        put(file, path, given[flag])
        put_by[path] = flag

    tables = file.tree.get("jobs")
    kinds = [number for number, each in enumerate(tables) if isinstance(each, dict)] if isinstance(tables, list) else []
    for flag in given:
        if flag in FLAGS:
            give(FLAGS[flag], flag)
        elif flag in (WORK, FAIL_P):
            for number in kinds:
                give(("jobs", number, "work" if flag == WORK else "fail_p"), flag)
            if flag == WORK and isinstance(file.tree.get("chains"), dict):
                give(("chains", "work"), flag)
    # The storage of a command line brings its queue along, where the file's is another one of ours.
    storage, queue = given.get("--storage"), file.tree.get("queue")
    if isinstance(storage, str) and "--adapter" not in given and isinstance(queue, dict):
        sqlite, adapter = storage.startswith("sqlite:"), queue.get("adapter", "sqlite")
        if adapter in OURS and sqlite != (adapter == "sqlite"):
            put(file, ("queue", "adapter"), "sqlite" if sqlite else "streams")
            put_by["queue", "adapter"] = "--storage"
    return put_by


class _Reader:
    """What the tables of a test come to."""

    def __init__(self, reading: Reading, given: Mapping[str, object]) -> None:
        self._reading = reading
        self._tree = reading.file.tree
        self._given = given

    def case(self, name: str) -> JobsCase:
        values = self._reading.values((), self._tree, _ROOT, also=_TABLES)
        queue = self._values("queue", _QUEUE)
        values |= {field: queue.pop(field) for field in _OF_PLAN if field in queue}
        if values.get("adapter") in LIBRARIES:
            # What users of a library get who set nothing.
            queue = {"lease_ns": 0, **queue}
        values["queue"] = replace(QueueSettings(), **queue)
        values["terms"] = self._terms()
        values |= self._values("workers", _WORKERS)
        values |= self._values("placement", _PLACEMENT)
        values["publishing"] = self._publishing()
        values["chains"] = self._chains()
        values["scheduling"] = self._scheduling()
        values["settings"] = tuple(self._settings())
        plan = JobsPlan(**({"name": name, "title": name} | values))
        plan = replace(plan, faults=tuple(self._faults(plan)))
        plan = self._with_monitors(plan)
        plan = replace(plan, checks=embedded.checks(self._reading, vocabulary_of(plan)))
        plan = replace(plan, shows_monitors="monitor" in self._tree or _names_monitors(plan.checks, plan))
        for path, sentence in contradictions(plan, self._tree):
            self._reading.problem(path, sentence)
        self._flags_about_nothing(plan)
        return JobsCase(plan, self._baseline(plan))

    # ── Tables ────────────────────────────────────────────────────────────────────────────────────────────────────────

    def _terms(self) -> Terms:
        values = self._values("terms", _TERMS)
        terms = Terms()
        own = {field: values.pop(field) for field in ("max_attempts", "timeout_ns") if field in values}
        backoff = replace(terms.backoff, **values)
        if backoff.initial_ns > backoff.longest_ns:
            initial, longest = format_duration(backoff.initial_ns), format_duration(backoff.longest_ns)
            self._reading.problem(
                ("terms", "initial"), f"the first wait, {initial}, is longer than the longest, {longest}; raise max"
            )
        return replace(terms, **own, backoff=backoff)

    def _publishing(self) -> Publishing:
        values = self._values("publish", _PUBLISH)
        kinds = []
        for number, table in enumerate(self._reading.tables(("jobs",))):
            found = self._reading.values(("jobs", number), table, _JOBS, needs=("jobs",))
            kinds.append(Kind(**({"jobs": 1} | found)))
        publishing = Publishing(**values, kinds=tuple(kinds))
        if TOTAL not in self._given:
            return publishing
        return self._with_total(publishing)

    def _with_total(self, publishing: Publishing) -> Publishing:
        """Return the publishing with as many jobs as `--jobs` says, in the proportions of the file."""
        if not publishing.kinds:
            self._reading.flag_problem(
                TOTAL, "this test publishes no jobs of its own; set the numbers of its tables by --set"
            )
            return publishing
        try:
            total = within(len(publishing.kinds), MOST_JOBS)(self._given[TOTAL])
        except ValueError as error:
            self._reading.flag_problem(TOTAL, str(error))
            return publishing
        return replace(publishing, kinds=_scaled(publishing.kinds, total))

    def _chains(self) -> Chains | None:
        if "chains" not in self._tree:
            return None
        table = self._reading.table(("chains",))
        return Chains(**({"workflows": 1} | self._reading.values(("chains",), table, _CHAINS, needs=("workflows",))))

    def _scheduling(self) -> Scheduling | None:
        if "schedules" not in self._tree:
            return None
        table = self._reading.table(("schedules",))
        found = self._reading.values(("schedules",), table, _SCHEDULES, needs=("schedules",))
        return Scheduling(**({"schedules": 1} | found))

    def _settings(self) -> Iterator[tuple[str, str | int | float | bool]]:
        for key, value in self._reading.table(("settings",)).items():
            if isinstance(value, (str, int, float, bool)):
                yield key, value
            else:
                self._reading.problem(("settings", key), f"must be a number, text, true or false, not {shown(value)}")

    def _baseline(self, plan: JobsPlan) -> JobsPlan | None:
        if "baseline" not in self._tree:
            return None
        found = self._values("baseline", _BASELINE)
        if not found:
            self._reading.problem(("baseline",), "says nothing; add jobs or workers, by which the test before differs")
        publishing = plan.publishing
        if "jobs" in found and publishing.kinds:
            jobs = max(found["jobs"], len(publishing.kinds))
            publishing = replace(publishing, kinds=_scaled(publishing.kinds, jobs))
        workers = found.get("workers", plan.workers)
        # The checks are about the test itself.
        return replace(
            plan, name=f"{plan.name}: baseline", publishing=publishing, workers=workers, checks=(), faults=()
        )

    def _faults(self, plan: JobsPlan) -> Iterator[JobFault]:
        """Yield the faults, whose keys are those of a configuration's `[[fault]]`, and `workers`; `at` may be a share
        of the jobs."""
        tables = self._reading.tables(("fault",))
        shares: list[float | None] = []
        ours = []
        for index, table in enumerate(tables):
            at = table.get("at")
            share = None
            if isinstance(at, str) and at.strip().endswith("%"):
                share = self._share(index, at.strip())
            shares.append(share)
            kept = {key: value for key, value in table.items() if key != "workers" and (key != "at" or share is None)}
            if "workers" in table:
                kept |= self._workers(index, table)
            ours.append(kept)
        for index, fault in enumerate(embedded.faults(self._reading, ours, plan.seed)):
            on_workers = "workers" in tables[index]
            # Without a seed of its own a fault gets one of the test.
            yield JobFault(fault, on_workers, shares[index])

    def _with_monitors(self, plan: JobsPlan) -> JobsPlan:
        """Return the plan with the monitors of the file; where it has none, with those of every test."""
        if "monitor" in self._tree:
            return replace(plan, monitors=without_credentials(embedded.monitors(self._reading, SELECTORS)))
        return replace(plan, monitors=(HOST,) if plan.adapter == "sqlite" else (HOST, SERVER))

    def _workers(self, index: int, table: Mapping[str, object]) -> dict[str, object]:
        """Return the workers of a fault as the nodes that it is on."""
        if "on" in table:
            self._reading.problem(("fault", index, "on"), "the fault is on workers, by workers; leave on out")
        value = table["workers"]
        listed = value if isinstance(value, list) else [value]
        numbers = [each for each in listed if isinstance(each, int) and not isinstance(each, bool) and each >= 1]
        if value == "all":
            return {"on": "all"}
        if not numbers or len(numbers) < len(listed) or len({*numbers}) < len(numbers):
            self._reading.problem(
                ("fault", index, "workers"),
                'must be the number of a worker, such as 1, or several, such as [1, 2], or "all"',
            )
            return {}
        return {"on": numbers}

    def _share(self, index: int, at: str) -> float | None:
        try:
            return as_share(at.replace(" ", ""))
        except ValueError as error:
            self._reading.problem(("fault", index, "at"), str(error))
            return 0.0

    def _flags_about_nothing(self, plan: JobsPlan) -> None:
        if FAIL_P in self._given and not plan.publishing.kinds:
            self._reading.flag_problem(FAIL_P, "this test publishes no jobs of its own that could fail")
        if WORK in self._given and not plan.jobs:
            self._reading.flag_problem(WORK, "this test has no jobs")

    # ── Shared ────────────────────────────────────────────────────────────────────────────────────────────────────────

    def _values(self, name: str, rows: Rows) -> dict[str, Any]:
        return self._reading.values((name,), self._reading.table((name,)), rows)


def _names_monitors(checks: Sequence[Check], plan: JobsPlan) -> bool:
    """Return True when one of the checks has a name that there is with monitors only."""
    without = vocabulary_of(replace(plan, monitors=()))
    return any(mistakes(check.expr, without) for check in checks)


def _scaled(kinds: Sequence[Kind], total: int) -> tuple[Kind, ...]:
    """Return the kinds with so many jobs in all, in their proportions; each has one at least."""
    whole = sum(kind.jobs for kind in kinds)
    counts = [max(1, total * kind.jobs // whole) for kind in kinds]
    counts[counts.index(max(counts))] += total - sum(counts)
    return tuple(replace(kind, jobs=count) for kind, count in zip(kinds, counts, strict=True))
