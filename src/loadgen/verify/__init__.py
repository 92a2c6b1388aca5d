"""Verification: seeded cases against servers and models, shrunk and replayed when they fail."""
