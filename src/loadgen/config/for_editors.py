"""The configuration's JSON Schema, for editors and for other programs."""

from __future__ import annotations

from typing import Any

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from loadgen.config.tables.schema import Config
from loadgen.config.tables.tree import alias, tables


def json_schema() -> dict[str, Any]:
    """Return a JSON Schema of the 2020-12 draft. Durations are strings such as "10s", or numbers of seconds.

    Counts, rates and sizes are numbers, or strings with a unit such as "10k". The schema has no bounds for strings.
    """
    schema = Config.model_json_schema(schema_generator=_WithoutNull)
    for path, table in tables():
        properties = schema["$defs"][table.__name__]["properties"] if path else schema["properties"]
        for name, field in table.model_fields.items():
            if older := alias(field):
                properties[older.name] = {
                    **properties[name],
                    "deprecated": True,
                    "description": f"An older spelling of {name}.",
                }
    return {"$schema": GenerateJsonSchema.schema_dialect, **schema}


class _WithoutNull(GenerateJsonSchema):
    """A schema generator without null: TOML has none, and a key that is not set is left out."""

    def nullable_schema(self, schema: core_schema.NullableSchema) -> JsonSchemaValue:
        return self.generate_inner(schema["schema"])

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        if schema.get("default", ...) is None:
            return self.generate_inner(schema["schema"])
        return super().default_schema(schema)
