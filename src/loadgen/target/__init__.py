"""Servers under test: start, question and stop servers."""
