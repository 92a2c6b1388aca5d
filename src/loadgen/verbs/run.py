"""Put load on a server and report what happened: results on standard output, progress on standard error."""

from __future__ import annotations

import argparse

from loadgen import config, session
from loadgen.errors import ExitCode

add_arguments = session.add_arguments


def run(args: argparse.Namespace) -> ExitCode:
    """Loads the config, runs it, prints it. Raises LoadgenError for whatever ends it before there is a result."""
    with session.opened(args) as opened:
        return opened.search() if config.wants_search(opened.settings) else opened.measure()
