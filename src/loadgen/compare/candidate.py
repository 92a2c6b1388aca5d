"""One of the things compared. A value; no I/O."""

from __future__ import annotations

from dataclasses import dataclass, field

from loadgen.compare.shape import Shape


@dataclass(frozen=True, slots=True)
class Candidate:
    """One of the things compared."""

    name: str
    """A server file's stem, an endpoint, a program's name, or a result file's name."""
    kind: str
    """server, endpoint or results."""
    identity: str = ""
    """Name and version in the server's own words."""
    host: str = ""
    """Of results: the fingerprint of the machine that they were taken on; empty when they do not say."""
    taken: str = ""
    """Of results: when, ISO 8601."""
    shape: Shape = field(default_factory=Shape)
    """Of the load that it is measured under; of results, as far as they say."""
