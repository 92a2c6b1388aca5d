"""Put load on a server, and report the results on standard output, with progress on standard error."""

from __future__ import annotations

from loadgen import config
from loadgen.cli import session
from loadgen.cli.options import Given, Syntax
from loadgen.cli.options.load import CONFIG, GROUPS, REFUSED
from loadgen.cli.options.machines import MACHINES
from loadgen.errors import ExitCode

SYNTAX = Syntax((*GROUPS, MACHINES), (CONFIG,), refused=REFUSED)


def run(given: Given) -> ExitCode:
    """Run the configured load or search, and print its result. Raises LoadgenError when there is no result."""
    with session.opened(given) as opened:
        return opened.search() if config.wants_search(opened.settings) else opened.measure()
