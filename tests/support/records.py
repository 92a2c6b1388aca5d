"""Records held against their JSON Schema, which is compiled once: checking the schema itself takes seconds."""

from jsonschema import Draft202012Validator

from loadgen.record.schema.records import RECORD

_VALIDATOR = Draft202012Validator(RECORD)


def check_record(record: object) -> None:
    """Raises ValidationError for a record that the schema does not allow."""
    _VALIDATOR.validate(record)
