"""The records of campaigns: `campaign-began`, `case`, `failure` and `campaign`. No I/O."""

from __future__ import annotations

from loadgen.record.schema.field import field, fields, part, record
from loadgen.record.schema.shape import (
    CODES,
    COUNT,
    COUNT_OR_NULL,
    NUMBER,
    NUMBER_OR_NULL,
    PERCENT_OR_NULL,
    TEXT,
    TEXT_OR_NULL,
    TEXTS,
    TIMESTAMP,
    TRUTH,
    Schema,
    array_of,
    map_of,
    object_of,
)
from loadgen.verify.case import Verdict

_TRUTH_OR_NULL: Schema = {"type": ["boolean", "null"]}
_SEED: Schema = {"type": "number", "minimum": 0}
"""A seed above 2**53 is the nearest double; the replay command has it exactly."""

WRITES = part(
    field("acknowledged", COUNT, "writes with a good reply; the sum of the next four"),
    field("survived", COUNT, "those whose effect is there after the restart, or that of a later write of the key"),
    field("lost", COUNT, "those whose value is not there"),
    field("revived", COUNT, "deletions after which the key has a value again, and keys served after they expired"),
    field("wrong", COUNT, "those in whose place a value is served that nobody wrote there"),
    field("lost_ms", NUMBER, "the longest time from the good reply to a lost write to the end of the server"),
    field("slowest_ms", NUMBER, "the longest time from sending a write to its good reply"),
    fields({"refused": COUNT, "unanswered": COUNT}, "writes with an error reply, and without any"),
    field("dumps", COUNT, "SAVE, BGSAVE and BGREWRITEAOF that the server was told"),
    fields(
        {"dumps_failed": COUNT, "dumps_cut": COUNT}, "those that it said have failed; their half-made files at its end"
    ),
    field("not_started", COUNT, "cases after which the server did not start with its damaged files"),
)

CAMPAIGN_BEGAN = record(
    "campaign-began",
    field("suite", TEXT, "what is run, such as `properties`"),
    field("tests", TEXTS, "its tests; each is run with every seed"),
    field("seeds", COUNT_OR_NULL, "how many seeds there are; null where a time ends the campaign"),
    field("duration_s", NUMBER_OR_NULL, "the time after which no case is begun; null where the seeds end it"),
    field("version", TEXT, "of loadgen"),
    field("server", TEXT_OR_NULL, "what is tested, name and version in its own words"),
    field("options", map_of(TEXT), "what a case depends on beside its seed"),
)

CASE = record(
    "case",
    fields({"name": TEXT, "seed": _SEED}, "the test, and the seed that it was run with"),
    field("passed", _TRUTH_OR_NULL, "null where the case was not judged"),
    field(
        "verdict",
        {"enum": [str(each) for each in Verdict]},
        "`pass`, `fail`, `untold` (run, and not to be judged) or `skipped`",
    ),
    field("duration_ms", NUMBER, "how long the case took, without shrinking"),
    field("operations", COUNT, "how many operations the case did; one that failed ends at the failure"),
    field("error", TEXT_OR_NULL, "the invariant that was broken and what was found; why a case was not judged"),
    field("trace_hash", TEXT_OR_NULL, "a hash of all that the case did and saw, where a seed determines that"),
    field(
        "writes",
        {**WRITES.schema, "type": ["object", "null"]},
        "of a case that looks for acknowledged writes after a fault of their server, what became of them; see below",
    ),
    field("shrunk_case", TEXT_OR_NULL, "the file of the shrunk case that was run; null for the seed's own case"),
    field("replay_command", TEXT_OR_NULL, "of a failure, the command that runs the case again"),
)

FAILED = part(
    fields({"suite": TEXT, "test": TEXT, "seed": _SEED}, "the case in which the failure was found first"),
    field("seeds", array_of(_SEED), "all seeds that failed alike; empty in `failure`, where they are not known yet"),
    fields({"invariant": TEXT, "message": TEXT}, "what was broken, and what was found"),
    field("fingerprint", TEXT, "the failure without its values: failures of one test with the same are one"),
    fields({"operations": TEXTS, "faults": TEXTS}, "what the smallest case did, in order, as text"),
    fields({"shrunk_ops": COUNT, "shrunk_faults": COUNT}, "how many there are of them"),
    fields({"drawn_ops": COUNT, "drawn_faults": COUNT}, "how many the seed's own case had"),
    field("reproduced", TRUTH, "the same tape failed again in the same way; if not, nothing was shrunk"),
    field("trace_hash", TEXT_OR_NULL, "as in `case`, of the smallest case"),
    field("duration_ms", NUMBER, "how long the seed's own case took"),
    field(
        "replay_command",
        TEXT,
        "the command that runs the seed's own case again, on any machine; of a bank's shrunk case, its file",
    ),
    field("artifact", TEXT_OR_NULL, "the file that `loadgen replay FILE` takes; null where none was written"),
    field("divergence", TEXT_OR_NULL, "of a replay, where it left the recorded run"),
)

FAILURE = record("failure", *FAILED.rows)

METADATA = part(
    field("tool", {"const": "loadgen"}, "what made the report"),
    field("version", TEXT, "its version"),
    field("timestamp", TIMESTAMP, "when the campaign ended, RFC 3339 in UTC"),
    fields({"suite": TEXT, "host": TEXT}, "what was run, and the machine on which"),
    field("server", TEXT_OR_NULL, "what was tested, name and version in its own words"),
)

MACHINE = part(
    fields({"name": TEXT, "host": TEXT}, "as it was launched, such as `local 2`; and what the machine calls itself"),
    field("processes", COUNT, "processes that ran seeds there"),
    fields({"seeds": COUNT, "seeds_per_s": NUMBER}, "seeds that it ran and reported, and that per second"),
    field("lost", TEXT_OR_NULL, "how it was lost; null for a machine that was there to the end"),
    field("leased_again", COUNT, "seeds that it had not reported when it was lost, which others were given"),
)

SUMMARY = part(
    fields(
        dict.fromkeys(("total", "passed", "failed", "untold", "skipped"), COUNT),
        "cases, and how they ended",
    ),
    field("duration_ms", NUMBER, "how long the campaign took, with shrinking"),
    field("success_rate", PERCENT_OR_NULL, "passed of all cases but those that were skipped, in percent"),
    fields({"seeds": COUNT, "seeds_per_s": NUMBER}, "seeds that were run with every test, and that per second"),
    field("cases_per_s", NUMBER, "cases per second; of `fuzz`, a case is one input"),
    field(
        "virtual_ratio",
        NUMBER_OR_NULL,
        "of `simulate`, virtual time over real time, where of each case one of its two runs counts; null elsewhere",
    ),
    field(
        "compatibility",
        map_of(PERCENT_OR_NULL),
        "of the oracle, by group of commands and for `all`: the operations that did not diverge, in percent",
    ),
    field("writes", map_of(WRITES.schema), "by test, the `writes` of all its cases together"),
    field("states", map_of(COUNT), "by state that some case must reach, how often it was reached"),
    field("machines", array_of(MACHINE.schema), "of `cloud`, what each machine did; see below. Empty elsewhere"),
    field("interrupted", TRUTH, "stopped by Ctrl-C"),
    field("exit_status", COUNT, "of the command"),
    fields({"reasons": TEXTS, "notes": TEXTS}, "why it did not pass, apart from failures; and remarks"),
    field("codes", object_of({"reasons": CODES, "notes": CODES}), "the code of every sentence there"),
)

CAMPAIGN = record(
    "campaign",
    field("metadata", METADATA.schema, "what was run, by what and where; see below"),
    field("summary", SUMMARY.schema, "the counts and the answer; see below"),
    field("failures", array_of(FAILED.schema), "the different failures, each with the fields of `failure`"),
)
