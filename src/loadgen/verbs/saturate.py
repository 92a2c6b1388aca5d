"""Search the highest rate at which a server still meets its SLO; without an SLO, the knee of its latency."""

from __future__ import annotations

import argparse

from loadgen import session
from loadgen.errors import ExitCode

add_arguments = session.add_arguments


def run(args: argparse.Namespace) -> ExitCode:
    """Searches by [workload.saturation_search], or by its defaults. Raises LoadgenError as `loadgen run` does."""
    with session.opened(args, force_search=True) as opened:
        return opened.search()
