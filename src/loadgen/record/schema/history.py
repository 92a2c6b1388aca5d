"""The field `history` of results: the history that was kept of a load, as JSON Schema. No I/O."""

from __future__ import annotations

from loadgen.record.schema.field import field
from loadgen.record.schema.shape import COUNT, NUMBER, TEXT, TRUTH, object_of

_COUNTS = ("records", "ok", "miss", "not_done", "unknown", "undrawn")

HISTORY = field(
    "history",
    object_of({"file": TEXT, "keys": NUMBER, "whole": TRUTH, **dict.fromkeys(_COUNTS, COUNT)}),
    (
        "the history that was kept of all phases but the precheck: `file`; `keys` (the share of keys that it is of); "
        "`records`, of these `ok` (did what they asked), `miss` (found nothing), `not_done` (refused, or never sent "
        "as a whole: nothing was changed), `unknown` (timed out, lost, still open, corrupt, or an error that does not "
        "tell: they may take effect later, or never); `undrawn` (requests that were due and never made, so that they "
        "have no key and no record); `whole`: false when a worker ended before its time, so that its last records are "
        "missing. Absent without a history"
    ),
    optional=True,
)
