"""The exception that ends a load early."""

from __future__ import annotations


class EndedEarly(Exception):
    """The load ends early: its stop token was set, a worker or the watched server died, or no request can succeed.

    The crew or its leader catches it.
    """
