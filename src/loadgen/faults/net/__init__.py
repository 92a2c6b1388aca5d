"""Faults of the net layer: packets, in the network namespace of a server."""

from __future__ import annotations

from collections.abc import Sequence

from loadgen.faults.layer import LayerFaults
from loadgen.faults.net import filters
from loadgen.faults.net.link import LinkDown
from loadgen.faults.net.queued import Queued
from loadgen.faults.net.throttle import Throttle
from loadgen.faults.packets.decisions import KINDS as QUEUED
from loadgen.target.server import ManagedServer


class NetFaults(LayerFaults):
    """The interpreter of the net layer. Each server must have a network namespace of its own."""

    def __init__(self, servers: Sequence[ManagedServer]) -> None:
        rules = dict.fromkeys(filters.RULES, filters.Filter)
        queues = dict.fromkeys(QUEUED, Queued)
        super().__init__(servers, {**rules, **queues, "throttle": Throttle, "link_down": LinkDown})
