"""Smoke tests: criteria, and the test of one server."""
