"""Events to JSON records."""
