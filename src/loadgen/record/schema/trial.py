"""The records of clients on trial: `trial-began`, `trial-phase`, `trial-sample`, `fault` and `trial`. No I/O."""

from __future__ import annotations

from loadgen.faults.fault import Layer
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
from loadgen.trial.checks.every import CHECKS
from loadgen.trial.ended import PHASES, VERDICTS
from loadgen.trial.observed import WRONG

SHARE_OR_NULL: Schema = {"type": ["number", "null"], "minimum": 0, "maximum": 1}
TRUTH_OR_NULL: Schema = {"type": ["boolean", "null"]}
AT: Schema = {"type": "number"}
AT_OR_NULL: Schema = {"type": ["number", "null"]}
ANY_PHASE: Schema = {"enum": [*PHASES]}
VALUE: Schema = {"type": ["number", "string", "boolean"]}
OPERATIONS_OR_NULL: Schema = {"anyOf": [map_of(COUNT), {"type": "null"}]}

FAULT = part(
    field("kind", TEXT, "its kind, such as `kill`"),
    field("layer", {"enum": [str(layer) for layer in Layer]}, "the layer in which it happens"),
    field("on", array_of(COUNT), "the numbers of the nodes, from 1; empty for all"),
    field("roles", array_of(TEXT), "their roles at the start, where loadgen starts a cluster", optional=True),
    fields(
        dict.fromkeys(("at_secs", "for_secs", "every_secs", "stagger_secs"), NUMBER),
        "when it first begins, how long it lasts (0: to the end), the time between two beginnings (0: once), and "
        "between a beginning on one node and on the next",
    ),
    field("times", COUNT, "how often it begins"),
    field("parameters", map_of(VALUE), "the kind's own parameters: times in ns, shares from 0 to 1, sizes in bytes"),
    field("seed", COUNT, "the seed of its draws"),
)

REPORT = object_of(
    {
        "fault": FAULT.schema,
        "spells": array_of(
            object_of({"node": COUNT, "began_secs": AT, "ended_secs": AT_OR_NULL, "effects": COUNT_OR_NULL})
        ),
        "effects": COUNT,
        "seen": COUNT_OR_NULL,
        "fired": TRUTH,
        "failure": TEXT_OR_NULL,
    }
)

TRIAL_PLAN = part(
    field("scenario", TEXT, "the scenario's name; empty for a workload without faults"),
    field("title", TEXT, "what happens in it"),
    fields({"client": TEXT, "factory": TEXT}, "the client's name, and the factory that makes it"),
    field("options", map_of(VALUE), "the settings that the factory was given"),
    field("protocol", TEXT, "`memcache` or `resp`"),
    fields({"nodes": COUNT, "groups": COUNT}, "servers, and groups of callers that reach them by ways of their own"),
    field(
        "namespaces",
        array_of(TEXT),
        "the network namespaces of this machine in which groups of callers are, by turns: group 1 in the first; empty: "
        "here",
    ),
    fields({"workload": TEXT, "rate_per_s": NUMBER}, "the workload, and its rate; 0 for a closed loop"),
    fields({"concurrency": COUNT, "timeout_secs": NUMBER}, "callers, and the deadline of an operation"),
    field("seed", COUNT, "the seed of everything random"),
    field(
        "phases",
        object_of(dict.fromkeys(PHASES, NUMBER)),
        "the length of each phase in seconds, `settle`, `baseline`, `fault`, `recovery`; 0: until somebody stops it",
    ),
    field("expects", TEXTS, "the classes of errors that the faults may cause"),
    field(
        "limits",
        object_of({"recovery_secs": NUMBER, "refusal_secs": NUMBER, "healthy": SHARE, "unread_secs": NUMBER}),
        "the limits of the checks: `recovery_secs`, the p99 of refusals (`refusal_secs`), the share that `healthy` "
        "nodes "
        "keep, and the longest that statistics may be unreadable (`unread_secs`)",
    ),
    field("faults", array_of(FAULT.schema), "the faults; their times count from the start of the fault phase"),
)

COUNTED = part(
    fields({"begun": COUNT, "ok": COUNT}, "operations that began, and that ended well in the interval"),
    field("ok_per_s", NUMBER_OR_NULL, "the latter per second"),
    fields(
        {"success": SHARE_OR_NULL, "failure": SHARE_OR_NULL},
        "the shares that ended well, and by an error or a wrong answer; null where nothing ended",
    ),
    field("misses", COUNT, "the part of `ok` that found nothing"),
    field("wrong", COUNT, "wrong answers"),
    field("overdue", COUNT, "operations that ended after their deadline"),
    field("errors", map_of(COUNT), "errors by class"),
    fields(
        {"latency": WHOLE_LATENCY, "failed_latency": WHOLE_LATENCY},
        "response times of operations that ended well, and by an error, from the time at which they were due: see "
        "[latency](#latency); `histogram` has all counts, as in `histograms` of a result",
    ),
    fields(
        {"service": WHOLE_LATENCY, "failed_service": WHOLE_LATENCY},
        "their service times, from the call of the client: without the wait for a caller that was free. The checks of "
        "the client are held against these",
    ),
)

STATE = part(
    field("breaker", TEXT_OR_NULL, "`closed`, `half-open` or `open`"),
    fields(
        dict.fromkeys(
            (
                "consecutive_failures",
                "total",
                "constructing",
                "active",
                "idle",
                "waiting",
                "most",
                "opened",
                "closed",
                "failed_dials",
                "abandoned",
                "sockets",
            ),
            COUNT_OR_NULL,
        ),
        "failures in a row; connections in all, being opened, in use and idle; operations that wait for one; the most "
        "connections; those opened and closed since the start; dials that failed; connections given up while a reply "
        "was outstanding (`abandoned`); sockets by the kernel. Null: the client does not say",
    ),
)

_OBSERVED = (
    field("secs", NUMBER, "the length of the interval or phase"),
    field("all", COUNTED.schema, "all nodes together"),
    field(
        "by_node",
        map_of(COUNTED.schema),
        "each node by its number; `0` for operations whose node is not known, or that are on several. Such an "
        "operation counts once in `all`, and on each of its nodes too",
    ),
    field(
        "parts",
        map_of(COUNTED.schema),
        "of `by_node`, what is a part of an operation on several nodes: how each node's keys ended, where the client "
        "says. The times are those of the whole, and so only in `0`",
    ),
    field("states", map_of(STATE.schema), "what the client says of each node at the end; empty where it says nothing"),
    fields(
        {"unread_secs": NUMBER, "slowest_secs": NUMBER},
        "the longest that the client's statistics could not be read, and the longest operation",
    ),
    field("waited_secs", NUMBER, "the longest that a thread of a caller waited for a CPU, within one interval"),
    fields({"under_way": COUNT, "due": COUNT}, "operations under way at the end, and operations that fell due"),
    fields(
        {"backend_loads": COUNT, "expiries": COUNT},
        "values that the callers of a stampede asked the backend for, as the cache missed, and the times that the key "
        "was gone",
    ),
    field("tasks", COUNT_OR_NULL, "tasks and threads that are not the caller's own"),
    field("examples", map_of(TEXT), "the first error of each class, in the client's words"),
)

OBSERVED = part(*_OBSERVED)

TRIAL_BEGAN = record(
    "trial-began",
    field("number", COUNT, "the number of the trial, from 1"),
    field("plan", TRIAL_PLAN.schema, "the trial: see below"),
)

TRIAL_PHASE = record(
    "trial-phase",
    field("phase", ANY_PHASE, "the phase that begins"),
    field("secs", NUMBER, "its length; 0: until somebody stops it"),
)

TRIAL_SAMPLE = record("trial-sample", field("phase", ANY_PHASE, "the phase"), *_OBSERVED)

FAULT_EVENT = record(
    "fault",
    fields({"begins": TRUTH, "node": COUNT}, "true for a beginning, false for an end; and the node, from 1"),
    field("fault", FAULT.schema, "the fault"),
    field("effects", COUNT_OR_NULL, "how often it took effect in this spell; null for a beginning"),
    field("failure", TEXT_OR_NULL, "why it could not be begun or ended; null when it was"),
)

TRIAL = record(
    "trial",
    field("plan", TRIAL_PLAN.schema, "the trial, as in `trial-began`"),
    fields({"client_version": TEXT, "server": TEXT}, "the client's library and the servers, with versions"),
    field(
        "verdict",
        {"enum": [*dict.fromkeys(VERDICTS.values())]},
        "the answer",
    ),
    field(
        "checks",
        array_of(
            object_of(
                {
                    "name": {"anyOf": [{"enum": [*CHECKS]}, {"type": "string", "pattern": "^check [0-9]+$"}]},
                    "passed": TRUTH_OR_NULL,
                    "found": TEXT,
                    "limit": TEXT_OR_NULL,
                    "vital": TRUTH,
                },
                {"level": {"enum": [*map(str, Level)]}},
            )
        ),
        "every check that applies, with `name`, `found` and `limit` in words: `passed` is null where it cannot be "
        "told, and `vital` false where the client does "
        "not expose what the check needs. Those of the scenario's own `[[check]]` are `check 1` and so on, with the "
        "expression as `limit` and their `level`",
    ),
    field("phases", map_of(OBSERVED.schema), "what was observed in each phase"),
    field(
        "nodes",
        array_of(
            object_of(
                {
                    "node": COUNT,
                    "faulted": TRUTH,
                    "detected_secs": NUMBER_OR_NULL,
                    "outage_secs": NUMBER_OR_NULL,
                    "recovered_secs": NUMBER_OR_NULL,
                }
            )
        ),
        "for each `node` (0: all together), and whether a fault was on it (`faulted`): from the fault to the breaker's "
        "opening or the first error (`detected_secs`); from the first error to the last (`outage_secs`); from the "
        "end of "
        "the last fault to the time back inside the baseline's interval (`recovered_secs`)",
    ),
    field(
        "faults",
        array_of(REPORT),
        "what each `fault` did: its `spells`, when it was on which node (`began_secs`, `ended_secs`) with its "
        "`effects`, from the start "
        "of the baseline; how often it took effect (`effects`), of how many packets that it was about (`seen`; null "
        "where it is not about packets), whether that is at least the least effect of its kind (`fired`), and its "
        "`failure`",
    ),
    field(
        "transitions",
        array_of(object_of({"at_secs": AT, "node": COUNT, "before": TEXT, "after": TEXT})),
        "the changes of breakers, `at_secs` from the start of the baseline, on which `node`, from the state `before` "
        "to the "
        "state `after`",
    ),
    field(
        "pools",
        array_of(
            object_of(
                {
                    "at_secs": AT,
                    "phase": ANY_PHASE,
                    "node": COUNT,
                    **dict.fromkeys(("total", "active", "idle", "waiting"), COUNT_OR_NULL),
                }
            )
        ),
        "each pool once a second (`at_secs`): connections in all (`total`), in use (`active`) and `idle`, and "
        "operations "
        "that wait for one (`waiting`)",
    ),
    field(
        "wrong",
        array_of(object_of({"at_secs": AT, "kind": {"enum": [*WRONG]}, "node": COUNT, "key": TEXT, "found": TEXT})),
        "the first wrong answers, 20 at most: the `kind`, the `key` that was asked for, and what was `found`",
    ),
    field(
        "servers",
        array_of(object_of({"node": COUNT, "operations": OPERATIONS_OR_NULL})),
        "for each `node`, the `operations` that its server counted itself since the callers began, by name: those that "
        "the client sent, repetitions included; a memcached counts each key of a `get_many` as a `get`. Null where the "
        "server was started anew, or did not answer",
    ),
    MONITORS,
    field("leaked_sockets", COUNT_OR_NULL, "connections that the client left open after its close"),
    field("backend_served", COUNT_OR_NULL, "loads by the backend's own count; null where the workload has none"),
    fields({"could_not_run": TEXTS, "notes": TEXTS}, "why the trial did not reach its end, and remarks"),
    field(
        "codes",
        object_of({"could_not_run": CODES, "notes": CODES}),
        "the code of every sentence in these, see [Codes](#codes)",
    ),
    field("interrupted", TRUTH, "true when the user ended it"),
)
