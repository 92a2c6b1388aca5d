"""Search for the highest rate at which a server meets its SLO; without an SLO, for the knee of its latency."""

from __future__ import annotations

from loadgen.cli import session
from loadgen.cli.options import Given, Syntax
from loadgen.cli.options.load import CONFIG, GROUPS, REFUSED, refused
from loadgen.cli.options.machines import MACHINES
from loadgen.errors import ExitCode

SYNTAX = Syntax(
    (*(group.without("--requests", "--tests", "--csv") for group in GROUPS), MACHINES),
    (CONFIG,),
    refused=(
        *REFUSED,
        *refused("a search measures each rate for a time; write it with --set workload.saturation_search.…", "-n"),
        *refused("a search has one mix; write it with --mix", "-t"),
        *refused("a search has no row for each test; --format json has all figures", "--csv"),
    ),
)


def run(given: Given) -> ExitCode:
    """Search by [workload.saturation_search], or by its defaults. Raises LoadgenError as `loadgen run` does."""
    with session.opened(given, force_search=True) as opened:
        return opened.search()
