"""Measure servers in turns on this host, and report for each metric whether the second is better, worse or the same.

A candidate is a server file such as server/config/redis.toml, whose server is started anew for each round; the address
of a running server; a command with {port} in it; or a file of earlier results. Each further candidate is compared with
the first. The last word may name a CONFIG, whose load and [compare] apply to all.
"""

from __future__ import annotations

from pathlib import Path

from loadgen import config
from loadgen.cli import session
from loadgen.cli.contestants import Contestants, syntax
from loadgen.cli.options import Given, Option, OptionGroup, Positional
from loadgen.cli.options.kind import FILE_NAME
from loadgen.config import presets
from loadgen.errors import ExitCode, UsageError

SYNTAX = syntax(
    "compare",
    Positional("candidates", "CANDIDATE", "A B [MORE …] [CONFIG]; with --aa, A [CONFIG]", least=1, most=None),
    groups=(
        OptionGroup(
            "comparison",
            (
                Option(("--aa",), "compare one candidate with itself, for this host's noise and false alarms"),
                Option(("--plot",), "write the intervals as an SVG picture", FILE_NAME),
            ),
        ),
    ),
)


def run(args: Given) -> ExitCode:
    """Run rounds until each metric has its answer. Raises LoadgenError when the rounds cannot begin."""
    words, file = list(args.candidates), None
    last = presets.CONFIGS.file(words[-1])
    if len(words) > 1 and not presets.SERVERS.path(words[-1]) and is_config(last):
        words.pop()
        file = last
    if args.aa and len(words) != 1:
        raise UsageError("--aa compares one candidate with itself: name one, and a CONFIG if you like.")
    if not args.aa and len(words) < 2:
        raise UsageError("name two candidates at least, or --aa to compare one with itself.")
    field = Contestants(args, "compare", file)
    wanted = session.wanted(args, field.settings)
    if args.aa:
        return field.compare_with_itself(words[0], wanted).exit_code
    # All candidates were in the same rounds: one answer is enough.
    return min(compared.exit_code for compared in field.compare(field.candidates(words), wanted))


def is_config(file: Path) -> bool:
    """True when the file exists and has more than a [target]."""
    return file.suffix == ".toml" and presets.is_there(str(file)) and not config.is_server_file(file)
