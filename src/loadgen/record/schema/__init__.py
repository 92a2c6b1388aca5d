"""What JSON records may hold, as JSON Schema 2020-12."""
