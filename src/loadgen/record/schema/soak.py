"""The records of a soak: its beginning, its baseline, each checkpoint, notes between them, and its end. No I/O."""

from __future__ import annotations

from loadgen.record.schema.field import field, fields, part, record
from loadgen.record.schema.shape import CODES, COUNT, NUMBER, TEXT, TEXTS, TIMESTAMP, TRUTH, Schema, map_of, object_of
from loadgen.soak.ended import Noted
from loadgen.soak.found import How
from loadgen.soak.verdict import Answer

_OBJECT: Schema = {"type": "object"}
_TRIPLE: Schema = {"type": "array", "items": {"type": ["number", "null"]}, "minItems": 3, "maxItems": 3}
_PAIR: Schema = {"type": "array", "items": {"type": "number"}, "minItems": 2, "maxItems": 2}

_ASKED = "what was asked, as in `run.json`: times in seconds, `series`, `bands`, `checks`, `monitors`"

SOAK_BEGAN = record(
    "soak-began",
    field("version", TEXT, "of loadgen"),
    field("target", TEXT, "who is soaked, in words"),
    field("load", TEXT, "what load is put on it, in words"),
    field("folder", TEXT, "the run folder"),
    field("expected_end", TIMESTAMP, "when the soak is over if nothing holds it up"),
    field("asked", _OBJECT, _ASKED),
)

SOAK_BASELINE = record(
    "soak-baseline",
    field("load", TEXT, "the load from now on, where settling has found its rate; else empty"),
    field(
        "baseline", map_of(_PAIR), "by series, `monitor.series`: the value that growth is counted from, and its time"
    ),
)

SOAK_CHECKPOINT = record(
    "soak-checkpoint",
    fields({"number": COUNT, "of": COUNT}, "which of how many"),
    field("t_s", NUMBER, "its time in seconds of the soak, whose clock stands still while it pauses"),
    field("duration_s", NUMBER, "how long the soak is to be, extensions included"),
    field("expected_end", TIMESTAMP, "when the soak is over if nothing holds it up"),
    field(
        "reached",
        map_of(_TRIPLE),
        "by series, its newest value, its growth since the baseline, and that per minute; null where there is none",
    ),
)

SOAK_NOTE = record(
    "soak-note",
    field("kind", {"enum": [str(each) for each in Noted]}, "what happened"),
    field("t_s", {"type": "number"}, "its time in seconds of the soak; negative while it settles"),
    field("words", TEXT, "in a sentence"),
)

SOAK_METADATA = part(
    field("tool", TEXT, "`loadgen soak`"),
    field("version", TEXT, "of loadgen"),
    field("host", TEXT, "the fingerprint of the machine that the soak ran on"),
    field("target", TEXT, "who was soaked, in words"),
    field("folder", TEXT, "the run folder"),
    fields({"began": TIMESTAMP, "ended": TIMESTAMP}, "when"),
    field("replayed", TRUTH, "a recorded soak was judged again, by `--replay`"),
)

SOAK_SUMMARY = part(
    field("verdict", {"enum": [str(each) for each in Answer]}, "of all rows, bands and checks"),
    field("exit_status", COUNT, "of the command"),
    field(
        "end",
        object_of({"how": {"enum": [str(each) for each in How]}, "t_s": NUMBER, "why": TEXT}),
        "how it ended (`how`), after how many seconds (`t_s`), and where it was early `why`",
    ),
    field("notes", TEXTS, "remarks on a verdict that holds"),
    field("codes", object_of({"notes": CODES}), "the code of every sentence there"),
)

SOAK = record(
    "soak",
    field("metadata", SOAK_METADATA.schema, "what was soaked, where and when; see below"),
    field("summary", SOAK_SUMMARY.schema, "the answer; see below"),
    field("asked", _OBJECT, _ASKED),
    field(
        "found",
        _OBJECT,
        "`baseline`, `checkpoints`, `gaps`, `restarts`, and `totals` of the load, by the names of a run's checks, in "
        "base units",
    ),
    field(
        "judged",
        _OBJECT,
        "`rows` (what is asked of every soak), `graded` (the growth of each series by its band, per minute, with the "
        "interval that it lies in) and `checks`; `passed` is null where it cannot be told",
    ),
)
