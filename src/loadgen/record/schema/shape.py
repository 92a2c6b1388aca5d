"""The JSON Schemas of values that records are built of. No I/O."""

from __future__ import annotations

from typing import Any

from loadgen.reason import Code

Schema = dict[str, Any]

TEXT: Schema = {"type": "string"}
TEXTS: Schema = {"type": "array", "items": TEXT}
TRUTH: Schema = {"type": "boolean"}
MAX_INTEGER = 2**53 - 1
"""The greatest integer that every reader of JSON holds exactly: many read numbers as doubles."""

COUNT: Schema = {"type": "integer", "minimum": 0, "maximum": MAX_INTEGER}
NUMBER: Schema = {"type": "number", "minimum": 0}
COUNT_OR_NULL: Schema = {"type": ["integer", "null"], "minimum": 0, "maximum": MAX_INTEGER}
NUMBER_OR_NULL: Schema = {"type": ["number", "null"], "minimum": 0}
SHARE: Schema = {"type": "number", "minimum": 0, "maximum": 1}
TEXT_OR_NULL: Schema = {"type": ["string", "null"]}
PERCENT_OR_NULL: Schema = {"type": ["number", "null"], "minimum": 0, "maximum": 100}
TIMESTAMP: Schema = {"type": "string", "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$"}
CODE: Schema = {"enum": [str(code) for code in Code if code is not Code.UNNAMED]}
CODES: Schema = {"type": "array", "items": CODE}
CODE_OR_NULL: Schema = {"enum": [*CODE["enum"], None]}
LOOP: Schema = {"enum": ["closed", "open"]}


def object_of(required: Schema, optional: Schema | None = None) -> Schema:
    return {
        "type": "object",
        "properties": {**required, **(optional or {})},
        "required": list(required),
        "additionalProperties": False,
    }


def map_of(values: Schema) -> Schema:
    return {"type": "object", "additionalProperties": values}


def array_of(items: Schema) -> Schema:
    return {"type": "array", "items": items}
