"""The records of tests of jobs: their beginning, each second, what happens to workers, and their end. No I/O."""

from __future__ import annotations

from loadgen.jobs.backoff import Growth
from loadgen.jobs.load.account import LATENCIES
from loadgen.jobs.load.ended import Axis, Stage
from loadgen.jobs.load.work import Act
from loadgen.judge.check import Level
from loadgen.record.schema.field import field, fields, part, record
from loadgen.record.schema.latency import WHOLE_LATENCY
from loadgen.record.schema.monitors import MONITORS
from loadgen.record.schema.shape import (
    CODES,
    COUNT,
    COUNT_OR_NULL,
    NUMBER,
    NUMBER_OR_NULL,
    PERCENT_OR_NULL,
    SHARE,
    TEXT,
    TEXT_OR_NULL,
    TEXTS,
    TRUTH,
    Schema,
    array_of,
    map_of,
    object_of,
)
from loadgen.record.schema.trial import FAULT, REPORT, SHARE_OR_NULL, TRUTH_OR_NULL, VALUE
from loadgen.severity import Severity

VERDICT: Schema = {"enum": ["pass", "fail", "cannot-tell", "could-not-run", "interrupted"]}
_SEVERITY: Schema = {"enum": [severity.name.lower() for severity in Severity]}
_SEED: Schema = {"type": "integer"}


def _or_null(schema: Schema) -> Schema:
    return {"anyOf": [schema, {"type": "null"}]}


KIND = part(
    field("jobs", COUNT, "how many"),
    fields({"work_secs": NUMBER, "busy": TRUTH}, "how long each takes, and whether that is CPU time; else it waits"),
    field("fail_p", SHARE, "the probability with which an attempt fails"),
    field("act", {"enum": [str(act) for act in Act]}, "what it does beside its work"),
    field("payload_bytes", COUNT, "the least length of a payload"),
)

PUBLISHING = part(
    field("kinds", array_of(KIND.schema), "the kinds of jobs, evenly mixed: see above"),
    fields(
        {"producers": COUNT, "concurrency": COUNT, "batch": COUNT},
        "processes that publish, publishes under way at once in each, and jobs in one publish",
    ),
    field("rate_per_s", NUMBER, "intended publishes per second; 0: each as soon as there is room"),
    field("submissions", COUNT, "how often each job is submitted, with the same key"),
    fields({"bursts": COUNT, "pause_secs": NUMBER}, "bursts, and the time from one to the next"),
    field("before_workers", TRUTH, "all jobs are published before the first worker starts"),
)

CHAINS = part(
    fields({"workflows": COUNT, "steps": COUNT}, "workflows, and the steps of each, one published after the other"),
    field("work_secs", NUMBER, "how long a step takes"),
    field("concurrency", COUNT, "workflows under way at once"),
)

SCHEDULING = part(
    fields(
        dict.fromkeys(("schedules", "attempts", "updates", "operations"), COUNT),
        "schedules, how often each is created, how often it is changed, and how often it is read, paused or resumed",
    ),
    field("removes", TRUTH, "each is removed in the end"),
    fields({"cron": TEXT, "zone": TEXT}, "when they fire"),
    field("fires_secs", NUMBER, "how long they run; 0: their firings are not waited for"),
    field("concurrency", COUNT, "operations under way at once"),
)

JOBS_PLAN = part(
    fields({"name": TEXT, "title": TEXT}, "the test, and what is tested"),
    fields(
        {"adapter": TEXT, "storage": TEXT, "queue_name": TEXT},
        "the queue's library, the URL of its storage without the password (empty: one of loadgen's own), and its name",
    ),
    field(
        "queue",
        object_of(
            {
                "lease_secs": NUMBER,
                "sweep_secs": NUMBER,
                "max_deliveries": COUNT,
                "durability": TEXT,
                "result_ttl_secs": NUMBER,
            }
        ),
        "settings of the queue: `lease_secs`, the time between two sweeps `sweep_secs`, the claims after which a job "
        "is dead `max_deliveries`, `durability`, and how long results are kept `result_ttl_secs`",
    ),
    field(
        "terms",
        object_of(
            {
                "max_attempts": COUNT,
                "timeout_secs": NUMBER,
                "backoff": object_of(
                    {
                        "growth": {"enum": [str(growth) for growth in Growth]},
                        "initial_secs": NUMBER,
                        "longest_secs": NUMBER,
                        "jitter": NUMBER,
                    }
                ),
            }
        ),
        "the terms of each job: `max_attempts`, `timeout_secs` (0: none), and the waits before a retry, `backoff`: "
        "their `growth`, the first `initial_secs`, the most `longest_secs`, and the `jitter` as a share",
    ),
    field("publishing", PUBLISHING.schema, "what is published, and how: see below"),
    field("chains", _or_null(CHAINS.schema), "workflows of several steps: see below; null: none"),
    field("scheduling", _or_null(SCHEDULING.schema), "operations on schedules: see below; null: none"),
    fields({"workers": COUNT, "concurrency": COUNT}, "worker processes, and jobs that each executes at once"),
    field(
        "namespaces",
        array_of(TEXT),
        "the network namespaces of this machine in which workers are, by turns: worker 1 in the first; empty: here",
    ),
    field("patience_secs", NUMBER, "the time without any event after which jobs are given up"),
    field("renews", TRUTH, "workers renew their leases"),
    field(
        "faults",
        array_of(object_of({"fault": FAULT.schema, "on_workers": TRUTH, "at_share": SHARE_OR_NULL})),
        "the faults: each `fault` as in `trial-began`, whether its nodes are workers (`on_workers`), and the share of "
        "jobs that have ended at its beginning (`at_share`; null: its own time counts)",
    ),
    field(
        "checks",
        array_of(object_of({"expr": TEXT, "level": {"enum": [str(level) for level in Level]}})),
        "each `[[check]]`, with its `expr` and `level`",
    ),
    field(
        "shows_monitors",
        TRUTH,
        "true when the file or one of its checks asks for monitors, and false when only logs and records have what "
        "they read",
    ),
    field("settings", map_of(VALUE), "settings of the library, by its own names"),
    field("seed", _SEED, "the seed of everything random"),
)

COUNTS = part(
    fields(
        dict.fromkeys(("attempted", "acknowledged", "publish_failed", "deduplicated"), COUNT),
        "jobs whose publish was begun, was acknowledged, and failed; submissions that were answered with an earlier "
        "job",
    ),
    fields({"executed": COUNT, "executions": COUNT}, "jobs that began at least once, and all begins"),
    fields(
        {"completed": COUNT, "dead": COUNT, "failures": COUNT},
        "jobs that ended well, dead letters, and executions that failed",
    ),
    fields(
        {"lost": COUNT, "held": COUNT},
        "jobs that were acknowledged and never executed; those of them that a worker has by the queue's own account "
        "are `held`, not lost",
    ),
    fields(
        {"recovered": COUNT, "unexpected": COUNT},
        "jobs that were executed though their publish was not acknowledged, or though they were never published",
    ),
    fields(
        {"duplicate_executions": COUNT, "duplicate_effects": COUNT},
        "executions beyond the first and beyond one after each failure, and ends beyond the first that had an effect",
    ),
    field("stuck", COUNT, "jobs that were executed, and neither completed nor are dead"),
    fields(
        {"refused": COUNT, "reclaimed": COUNT},
        "ends and renewals that the queue refused, and expired leases that a sweep found",
    ),
    fields(
        {"retries_early": COUNT, "waits_outside": COUNT},
        "retries before their time, and waits before a retry outside the backoff and its jitter",
    ),
    fields(
        {"fired": COUNT, "double_fired": COUNT, "missed_firings": COUNT},
        "firings of schedules, those beyond the first for the same time, and those that came due while no worker ran",
    ),
    field(
        "presumed",
        COUNT,
        "those of `completed` whose worker died between the end and the news of it, and that nobody began again",
    ),
    fields({"storage_errors": COUNT, "locks": COUNT}, "operations that the storage failed, and locks held too long"),
)

JOBS_SUMMARY = part(
    field("verdict", VERDICT, "the answer"),
    field("exit_status", COUNT, "of a command with this test alone"),
    fields(
        {"total_jobs": COUNT, "completed": COUNT},
        "jobs that were published, and those of them that ended well",
    ),
    field("success_rate", PERCENT_OR_NULL, "the latter of the former, in percent"),
    field("jobs_per_s", NUMBER_OR_NULL, "completed jobs per second, from the first publish to the last end"),
    fields({"lost": COUNT, "duplicates": COUNT}, "lost jobs; duplicate executions and duplicate effects together"),
)

COST = part(
    fields(
        {"storage_cpu_secs": NUMBER_OR_NULL, "workers_cpu_secs": NUMBER_OR_NULL},
        "CPU time of the server that has the queue, and of all workers",
    ),
    field("workers_rss_bytes", COUNT_OR_NULL, "the greatest memory of a worker, its children included"),
    field("pending_bytes_per_job", NUMBER_OR_NULL, "what a job takes in the storage until it ends"),
    fields(
        dict.fromkeys(("bytes_before", "bytes_most", "bytes_after"), COUNT_OR_NULL),
        "what the storage took before the first publish, at most, and when all jobs had ended",
    ),
    field("facts", map_of(_SEED), "what else the queue says of itself at the end, by its own names"),
)

_CHECKS = array_of(
    object_of(
        {"name": TEXT, "passed": TRUTH_OR_NULL, "found": TEXT, "limit": TEXT_OR_NULL, "vital": TRUTH},
        {"level": {"enum": [str(level) for level in Level]}},
    )
)

JOBS_BEGAN = record(
    "jobs-began",
    fields({"number": COUNT, "of": COUNT}, "the test's number, from 1, of the tests of the command"),
    field("axis", {"enum": [*map(str, Axis), None]}, "in what these differ; null for a single test"),
    fields({"queue": TEXT, "version": TEXT}, "the queue's library and storage in words, and the version of loadgen"),
    field("plan", JOBS_PLAN.schema, "the test: see below"),
)

JOBS_PROGRESS = record(
    "jobs-progress",
    field("stage", {"enum": [str(stage) for stage in Stage]}, "where the test is"),
    fields({"acknowledged": COUNT, "ended": COUNT}, "jobs that were published, and jobs that completed or are dead"),
    field("expected", COUNT, "jobs that are to end; 0: that is not known beforehand"),
    field("jobs_per_s", NUMBER, "jobs that ended in the last interval, per second"),
    fields({"elapsed_secs": NUMBER, "left_secs": NUMBER_OR_NULL}, "the time so far, and what is left at this rate"),
)

JOBS_WORKER = record(
    "jobs-worker",
    fields({"worker": TEXT, "words": TEXT}, "the worker, and what happened to it"),
    field("t_secs", {"type": "number"}, "when, from the start of the test"),
)

JOBS = record(
    "jobs",
    field("summary", JOBS_SUMMARY.schema, "the answer and the totals: see below"),
    fields({"queue": TEXT, "version": TEXT, "host": TEXT}, "the queue, the version of loadgen, and the machine"),
    field("plan", JOBS_PLAN.schema, "the test, as in `jobs-began`"),
    field("counts", COUNTS.schema, "jobs by what became of them: see below"),
    field(
        "latency",
        object_of({}, dict.fromkeys(LATENCIES, WHOLE_LATENCY)),
        "; ".join(f"`{name}`: {meaning}" for name, meaning in LATENCIES.items())
        + ". Each is as in [latency](#latency), with all counts in `histogram`; absent: there was none",
    ),
    field("kinds", map_of(WHOLE_LATENCY), "the handling of each kind of job, by its number, from 1"),
    field(
        "unreclaimed_secs",
        array_of(NUMBER),
        "for each job that a dead worker had begun and nobody began again, how long that was waited for",
    ),
    field(
        "workers",
        array_of(
            object_of({"worker": TEXT, "completed": COUNT, "executions": COUNT, "busy_secs": NUMBER, "polls": COUNT})
        ),
        "each `worker`: the jobs that it completed, its `executions`, the time that they took (`busy_secs`), and how "
        "often it asked for jobs (`polls`; 0: that is not known)",
    ),
    field(
        "seconds",
        array_of(object_of({"t_secs": NUMBER, "published": COUNT, "completed": COUNT, "queueing_ns": NUMBER_OR_NULL})),
        "each second, which ends at `t_secs`: jobs `published` and `completed`, and the median `queueing_ns` of those "
        "that began in it",
    ),
    field("elapsed_secs", NUMBER, "from the first publish to the last end"),
    field("errors", map_of(COUNT), "storage errors and failed publishes by their words"),
    field("checks", _CHECKS, "every check, as in `trial`"),
    field("faults", array_of(REPORT), "what each fault of the plan did, as in `trial`; times from the first publish"),
    field("cost", COST.schema, "what the queue cost: see below"),
    MONITORS,
    field(
        "operations",
        array_of(object_of({"name": TEXT, "count": COUNT, "failed": COUNT, "elapsed_secs": NUMBER})),
        "operations on schedules by `name`: their `count`, how many `failed`, and how long all of them took",
    ),
    field("in_flight_at_kills", COUNT, "jobs that workers had begun and not ended when they were killed"),
    field("censored_secs", NUMBER_OR_NULL, "the longest of `unreclaimed_secs`; null: all began again"),
    fields({"profile": TEXTS, "said": TEXTS}, "files of a profiler, and what the user's own program has printed"),
    fields(
        {"reasons": TEXTS, "severities": array_of(_SEVERITY)},
        "why the test did not reach its end, or does not hold, and how grave each of these is",
    ),
    field("notes", TEXTS, "remarks, each with its remedy where there is one"),
    field(
        "codes",
        object_of({"reasons": CODES, "notes": CODES}),
        "the code of every sentence in these, see [Codes](#codes)",
    ),
    field("interrupted", TRUTH, "true when the user ended it"),
)

COMPARED_ROW = part(
    fields({"name": TEXT, "adapter": TEXT, "queue": TEXT}, "the test, the queue's library, and the queue in words"),
    field("workers", COUNT, "worker processes"),
    field("verdict", VERDICT, "its answer"),
    field("jobs_per_s", NUMBER_OR_NULL, "completed jobs per second"),
    field("efficiency", NUMBER_OR_NULL, "jobs per second of a worker, as a share of those of one worker alone"),
    fields({"lost": COUNT, "duplicates": COUNT}, "lost jobs; duplicate executions and duplicate effects together"),
    fields(
        {"reclaim_p50_secs": NUMBER_OR_NULL, "reclaim_max_secs": NUMBER_OR_NULL, "reclaim_censored": COUNT},
        "from the death of a worker to the next begin of a job that it had begun, median and maximum, which are lower "
        "bounds where they rest on jobs that nobody began again; and how many of these there were",
    ),
    field("workers_rss_bytes", COUNT_OR_NULL, "the greatest memory of a worker, its children included"),
    field("storage_cpu_us_per_job", NUMBER_OR_NULL, "CPU time of the server that has the queue, per completed job"),
    field("pending_bytes_per_job", NUMBER_OR_NULL, "what a job takes in the storage until it ends"),
)

JOBS_COMPARED = record(
    "jobs-compared",
    field("axis", {"enum": [*map(str, Axis)]}, "in what the tests differ"),
    field("exit_status", COUNT, "of the command"),
    field("rows", array_of(COMPARED_ROW.schema), "each test, in order: see below"),
    field("checks", _CHECKS, "checks over all tests, as in `trial`"),
    field("interrupted", TRUTH, "true when the user ended it"),
)

JOBS_INSPECTED = record(
    "jobs-inspected",
    field("queue", TEXT, "the queue's library and storage in words"),
    field("counts", map_of(COUNT), "jobs by state"),
    field("oldest_secs", NUMBER_OR_NULL, "the age of the oldest pending job; null: there is none"),
    field("facts", map_of(_SEED), "what else the queue says of itself, by its own names"),
    field(
        "running",
        array_of(object_of({"id": TEXT, "name": TEXT, "worker": TEXT, "attempt": COUNT, "age_secs": NUMBER})),
        "running jobs: the `id`, the function's `name`, the `worker`, the `attempt`, and for how long (`age_secs`)",
    ),
    field("older_than_secs", NUMBER_OR_NULL, "the age from which on they are listed; null: they are not"),
    field("workers", map_of(NUMBER), "by worker, the seconds since it was last heard of"),
)
