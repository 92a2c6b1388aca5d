"""Judge a server against a baseline: PASS (exit status 0), FAIL (1), or 4 where that cannot be told, with the reason.

REF is a server file, a command with {port} in it or an address, which is run now, in turns with the candidate; or a
file of earlier results of this host, which is weaker. The candidate is the CONFIG's [target], or what --server names.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from loadgen import host, output, session
from loadgen.comparison import Verdict
from loadgen.contestants import Contestants, add_rounds
from loadgen.errors import ExitCode, LoadgenError
from loadgen.results import Stored

CODES = {
    Verdict.PASS: ExitCode.YES,
    Verdict.FAIL: ExitCode.NO,
    Verdict.INCONCLUSIVE: ExitCode.CANNOT_TELL,
    Verdict.REFUSED: ExitCode.CANNOT_TELL,
}


class OtherHost(LoadgenError):
    """The baseline was measured on another machine."""

    exit_code = ExitCode.CANNOT_TELL


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("config", type=Path, metavar="CONFIG", help="the load, and the thresholds in its [gate]")
    parser.add_argument("--baseline", required=True, metavar="REF", help="what the candidate is held against")
    parser.add_argument("--server", metavar="FILE", help="the candidate, if not the CONFIG's [target]")
    add_rounds(parser, "gate")
    session.add_results(parser)
    reports = parser.add_argument_group("reports for CI", "beside the results; each may be given")
    reports.add_argument("--junit", metavar="FILE", help="write JUnit XML, a test case for each metric")
    reports.add_argument("--markdown", metavar="FILE", help='append Markdown, as to "$GITHUB_STEP_SUMMARY"')
    reports.add_argument("--plot", metavar="FILE", help="write the intervals as an SVG picture")
    reports.add_argument(
        "--annotations",
        choices=("auto", "always", "never"),
        default="auto",
        help="print ::error lines on standard error, which GitHub shows beside the change (default: auto, in its jobs)",
    )
    session.add_keys(parser, without=("general.duration", "general.requests", "general.warmup"))


def run(args: argparse.Namespace) -> ExitCode:
    """Runs rounds until the answer is clear. Raises LoadgenError for what keeps it from beginning."""
    field = Contestants(args, "gate", args.config)
    found = field.candidates([args.baseline, args.server or ""])
    for each in found:
        if isinstance(each, Stored) and each.candidate.host not in ("", host.fingerprint()):
            raise OtherHost(
                f"{each.candidate.name} was measured on another machine ({each.candidate.host}), so it says nothing of "
                "this one; name a server file as --baseline, and both run here."
            )
    [compared] = field.compare(found, args.plot)
    if args.junit:
        output.write_junit(args.junit, compared)
    if args.markdown:
        output.append_markdown(args.markdown, compared)
    if args.annotations == "always" or (args.annotations == "auto" and os.environ.get("GITHUB_ACTIONS") == "true"):
        for line in output.annotations(compared):
            output.remark(line)
    if compared.interrupted:
        return ExitCode.INTERRUPTED
    return ExitCode.COULD_NOT_RUN if compared.failure else CODES[compared.verdict]
