"""A candidate of a comparison: a server, an endpoint or stored results. A value; no I/O."""

from __future__ import annotations

from dataclasses import dataclass, field

from loadgen.compare.shape import Shape


@dataclass(frozen=True, slots=True)
class Candidate:
    """A candidate of a comparison."""

    name: str
    """A server file's stem, an endpoint, a program's name, or a result file's name."""
    kind: str
    """server, endpoint or results."""
    identity: str = ""
    """Name and version in the server's own words."""
    host: str = ""
    """For results, the fingerprint of the machine that they were taken on; empty when they do not say."""
    taken: str = ""
    """For results, the time at which they were taken, in ISO 8601."""
    shape: Shape = field(default_factory=Shape)
    """The shape of the load on the candidate; for results, as far as they say."""
