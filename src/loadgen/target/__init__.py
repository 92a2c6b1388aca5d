"""Servers under test: start them, ask them, stop them."""
