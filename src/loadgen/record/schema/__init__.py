"""The JSON Schema (2020-12) of records, and the tables of their fields."""
