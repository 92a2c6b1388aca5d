"""Whether callers in network namespaces reach what they are to ask, before anything starts."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlsplit

from loadgen.config.placement import is_loopback
from loadgen.errors import UsageError
from loadgen.escape import printable
from loadgen.faults.fault import Layer
from loadgen.host.ports import is_own_address
from loadgen.plan import Endpoint
from loadgen.trial.plan import TrialPlan


def check(plan: TrialPlan, endpoints: Sequence[Endpoint], toxiproxy: str) -> None:
    """Raise UsageError for nodes, proxies or a backend that the callers' namespaces do not reach."""
    where = "placement.clients"
    if not endpoints:
        raise UsageError(
            f"{where}: the servers that loadgen starts are on loopback, where network namespaces do not reach them; "
            "start some that listen on the namespaces' links, and name them by --endpoints."
        )
    for each in endpoints:
        if is_loopback(each.address):
            raise UsageError(
                f"--endpoints: {each} is another host in each network namespace of {where}; write an address of this "
                "machine that they reach."
            )
    if plan.traffic.shape == "stampede":
        raise UsageError(
            f"{where}: the workload {plan.traffic.name} asks a backend on loopback, where network namespaces do not "
            "reach it; choose another workload, or leave out [placement]."
        )
    if not any(fault.layer is Layer.PROXY for fault in plan.faults):
        return
    if toxiproxy and is_loopback(_host(toxiproxy)):
        raise UsageError(
            f"--toxiproxy: the proxies of {printable(toxiproxy)} would be on loopback, where the network namespaces of "
            f"{where} do not reach them; write an address of this machine that they reach."
        )
    if not toxiproxy:
        for each in endpoints:
            if not is_own_address(each.address):
                raise UsageError(
                    f"--endpoints: {each} is not on this machine, and the proxies of {where} listen at the addresses "
                    "of their nodes; start the nodes here, or leave out [placement]."
                )


def _host(url: str) -> str:
    """Return the host of a URL; empty for what is none, which is refused when it is used."""
    try:
        return urlsplit(url if "//" in url else f"//{url}").hostname or ""
    except ValueError:
        return ""
