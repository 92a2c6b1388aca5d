"""Histories: results over time."""
