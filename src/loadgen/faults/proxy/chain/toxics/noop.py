"""`noop`: passes everything on."""

from __future__ import annotations

from loadgen.faults.proxy.chain.toxics.behaviour import Behaviour


class Noop(Behaviour):
    """Everything passes unchanged."""

    passes = True
    __slots__ = ()
