"""Compare servers in turns on this host, and say of each metric whether the second is better, worse or the same.

A candidate is a server file (server/config/redis.toml), which is started anew for each round; the address of a server
that runs; a command with {port} in it; or a file of earlier results. Of more than two, all are held against the first.
The last file may be a CONFIG, whose load and [compare] hold for all.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from loadgen import config, session
from loadgen.contestants import Contestants, add_rounds
from loadgen.errors import ExitCode, UsageError
from loadgen.stats.sequential import Answer


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("candidates", nargs="+", metavar="CANDIDATE", help="A B [MORE …] [CONFIG]")
    parser.add_argument(
        "--aa", action="store_true", help="compare one candidate with itself: this host's noise and false alarms"
    )
    parser.add_argument("--plot", metavar="FILE", help="write the intervals as an SVG picture")
    add_rounds(parser, "compare")
    session.add_results(parser)
    session.add_keys(parser, without=("general.duration", "general.requests", "general.warmup"))


def run(args: argparse.Namespace) -> ExitCode:
    """Runs rounds until each metric has its answer. Raises LoadgenError for what keeps it from beginning."""
    words, file = list(args.candidates), None
    last = Path(words[-1])
    if len(words) > 1 and last.suffix == ".toml" and last.exists() and not config.is_server_file(last):
        words.pop()
        file = last
    if args.aa and len(words) != 1:
        raise UsageError("--aa compares one candidate with itself: name one, and a CONFIG if you like.")
    if not args.aa and len(words) < 2:
        raise UsageError("name two candidates at least, or --aa to compare one with itself.")
    field = Contestants(args, "compare", file)
    if args.aa:
        found = field.compare_with_itself(words[0])
        if found.interrupted:
            return ExitCode.INTERRUPTED
        return ExitCode.COULD_NOT_RUN if found.failure else ExitCode.YES
    ended = field.compare(field.candidates(words), args.plot)
    if ended[0].interrupted:
        return ExitCode.INTERRUPTED
    if ended[0].failure:
        return ExitCode.COULD_NOT_RUN
    answered = any(row.answer is not Answer.UNCLEAR for compared in ended for row in compared.rows)
    return ExitCode.YES if answered else ExitCode.CANNOT_TELL
