"""The records `round`, `comparison` and `noise`: servers compared with each other. No I/O."""

from __future__ import annotations

from loadgen.compare.answers import GateAnswer
from loadgen.compare.metric import METRICS
from loadgen.compare.settings import Idle
from loadgen.record.schema.field import field, fields, part, record
from loadgen.record.schema.load import LOAD
from loadgen.record.schema.shape import (
    CODE_OR_NULL,
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
from loadgen.stats.sequential import Shift

# The least change is -1, a fall to 0.
_CHANGE_OR_NULL: Schema = {"type": ["number", "null"], "minimum": -1}
_ABOUT: Schema = {
    "name": TEXT,
    "kind": {"enum": ["server", "endpoint", "results"]},
    "identity": TEXT_OR_NULL,
    "taken": TEXT_OR_NULL,
}

_CANDIDATE = object_of({**_ABOUT, "host": TEXT_OR_NULL, "load": object_of({}, LOAD)})
_VALUES = object_of({}, dict.fromkeys(METRICS, NUMBER_OR_NULL))
ROUND = record(
    "round",
    fields(dict.fromkeys(("number", "max_rounds"), COUNT), "which round, from 1, of how many at most"),
    field("candidates", TEXTS, "names; the first is the one that the others are held against"),
    field(
        "about",
        array_of(object_of(_ABOUT)),
        "of each: `name`, `kind` (`server`, `endpoint` or `results`), `identity` and `taken`",
    ),
    field(
        "order",
        array_of(COUNT),
        "the candidates, by their place in that list from 0, in the order of the slices: 0, 1, 1, 0, …",
    ),
    field(
        "values",
        array_of(_VALUES),
        (
            "by candidate, its metrics in this round: `throughput` (per second), `p50`, `p99`, `p999` (response "
            "time in ns), `server_cpu` (CPU time per request in ns), `rss` (bytes). Those that were not measured "
            "are absent"
        ),
    ),
    field("doubts", TEXTS, "why percentiles of a candidate are in part the generator's, as sentences"),
    field("codes", object_of({"doubts": CODES}), "`doubts`: the code of every sentence there, see [Codes](#codes)"),
    field("late", array_of(TEXTS), "for each candidate, the metrics that are left out of its `values` for that reason"),
    field("repeated", COUNT, "how many slices were measured again, because the host had taken a CPU away meanwhile"),
    field("took_secs", NUMBER, "how long the round took"),
)

METRIC = part(
    field(
        "answer",
        {"enum": [str(answer) for answer in Shift]},
        (
            "of B: `better`, `worse`, `same` (a change as large as the threshold is ruled out; of a gate, one for "
            'the worse, which people read as "not worse") or `unclear`'
        ),
    ),
    field(
        "effect",
        _CHANGE_OR_NULL,
        "the change, by Hodges and Lehmann's estimate; null when there is nothing to estimate it from",
    ),
    fields(
        dict.fromkeys(("ci_low", "ci_high"), _CHANGE_OR_NULL),
        "its confidence interval; null at an end that so few rounds leave open",
    ),
    field(
        "p",
        {"type": ["number", "null"], "minimum": 0, "maximum": 1},
        "of the exact rank test, one-sided for a gate, before it is corrected for the number of metrics",
    ),
    field("rounds", COUNT, "how many it rests on"),
    field(
        "threshold",
        NUMBER,
        (
            "the change that matters, as a share of what is worse when there is more of it: of `throughput`, of "
            "the time per request"
        ),
    ),
    fields(dict.fromkeys(("a", "b"), NUMBER_OR_NULL), "medians over the rounds, in `unit`: `per_s`, `ns` or `bytes`"),
    field("noise", NUMBER_OR_NULL, "σ of the rounds' differences, as a share; null from few rounds"),
    field("more_rounds", COUNT_OR_NULL, "where it is unclear, how many more it would probably take"),
    field("why", TEXT_OR_NULL, "where it is unclear for another reason than too few rounds, that reason"),
    field(
        "level",
        {"type": ["number", "null"], "minimum": 0, "maximum": 1},
        (
            "where it is unclear, the `p` that would have been needed to find a change: the look's α, shared "
            "among the metrics without one; null where it is clear or there is no `p`"
        ),
    ),
    field("took_secs", NUMBER, "how long the rounds that it rests on took"),
    field("unit", {"enum": ["per_s", "ns", "bytes"]}, "that of `a` and `b`"),
)

COMPARISON = record(
    "comparison",
    fields({"version": TEXT, "host": TEXT_OR_NULL}, "of loadgen, and as in `config`"),
    fields(
        dict.fromkeys(("a", "b"), _CANDIDATE),
        (
            "`name`; `kind` (`server`, `endpoint` or `results`); `identity` (in its own words, or null); of "
            "results, the `host` they were taken on and when they were `taken`, else null; `load`, those fields "
            "of `config` that say what was asked of it (`threads` to `arrival`), of results as far as they say"
        ),
    ),
    field(
        "metrics",
        object_of({}, dict.fromkeys(METRICS, METRIC.schema)),
        (
            "by metric, the answer and what it rests on, see below. Only those that are judged; empty when no "
            "round ended"
        ),
    ),
    field("gate", TRUTH, "whether it was asked only if B, the candidate, is worse than A, the baseline"),
    field(
        "answer",
        {"enum": [*(str(verdict) for verdict in GateAnswer), None]},
        (
            "of a gate: `PASS`, `FAIL` (a metric is worse), `INCONCLUSIVE`, `REFUSED` (the host is too noisy to "
            "judge a metric on, and no other is worse), or `ERROR` (it could not be run to its end). null of a "
            "comparison, which has an answer for each metric and none for all"
        ),
    ),
    field(
        "paired",
        TRUTH,
        "both ran in the same rounds. Otherwise at least one is a stored result, and the answer is weaker",
    ),
    field("confidence", SHARE, "of the intervals: 0.9 where 5 % may lie beyond either end"),
    field("seed", COUNT, "of the rounds' orders and of the requests"),
    field("rate_per_s", NUMBER, "the offered rate at which latency was taken; 0 where it was not"),
    fields(
        {"slices": COUNT, "slice_secs": NUMBER, "settle_secs": NUMBER, "max_rounds": COUNT},
        (
            "how many slices each has in a round, how long one is measured, how long it goes on before, and how "
            "many rounds there may be"
        ),
    ),
    field(
        "idle",
        {"enum": [str(idle) for idle in Idle]},
        "what became of the other servers while one was measured, as configured: `run`, `stop` or `alone`",
    ),
    field("took_secs", NUMBER, "how long the whole took"),
    field(
        "rounds",
        array_of(object_of({"a": _VALUES, "b": _VALUES})),
        (
            "each round's metrics, of `a` and of `b`, as the `values` of `round`; of stored results those of its "
            "runs, and `{}` where one side has fewer"
        ),
    ),
    field("round_counts", array_of(COUNT), "how many rounds `a` and `b` have"),
    field("notes", TEXTS, "what to know about it, as sentences"),
    field("failure", TEXT_OR_NULL, "why it could not run to its end; null when it did"),
    field("refused", TEXT_OR_NULL, "why a metric cannot be judged on this host; null when all can"),
    field(
        "codes",
        object_of({"notes": CODES, "failure": CODE_OR_NULL, "refused": CODE_OR_NULL}),
        (
            "the code of every sentence in `notes`, and those of `failure` and `refused`, null where these are; "
            "see [Codes](#codes)"
        ),
    ),
    field("interrupted", TRUTH, "stopped by Ctrl-C"),
)

NOISE = record(
    "noise",
    fields({"candidate": _CANDIDATE, "host": TEXT_OR_NULL}, "as in `comparison`"),
    field("rounds", COUNT, "how many there were"),
    field("noise", map_of(NUMBER_OR_NULL), "by metric, σ of the rounds' differences, as a share"),
    field(
        "false_alarms",
        map_of(SHARE),
        (
            "by metric, how often the rule would call it worse than itself, as a share of resampled comparisons; "
            "under `any`, one metric or more. Empty when there were too few rounds"
        ),
    ),
    fields({"interrupted": TRUTH, "failure": TEXT_OR_NULL, "took_secs": NUMBER}, "as in `comparison`"),
    field("codes", object_of({"failure": CODE_OR_NULL}), "that of `failure`, or null; see [Codes](#codes)"),
)
