"""The exception by which a load ends before its time."""

from __future__ import annotations


class EndedEarly(Exception):
    """The load ends early: its stop token was set, or a worker or the watched server died. Never leaves the crew."""
