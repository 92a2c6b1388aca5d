"""Judge a server against a baseline: PASS (exit status 0), FAIL (1) or no answer (4), with the reasons.

REF is a server file, a command with {port} in it or an address: the baseline is measured now, in turns with the
candidate. REF may also be a file of earlier results of this host, which is weaker evidence. The candidate is the
[target] of CONFIG, or the server that --server names.
"""

from __future__ import annotations

import os
from dataclasses import replace

from loadgen.cli import session
from loadgen.cli.contestants import Contestants, syntax
from loadgen.cli.options import Given, Option, OptionGroup, Positional
from loadgen.cli.options.kind import FILE_NAME, TEXT, choice
from loadgen.compare.results import Stored
from loadgen.config import presets
from loadgen.errors import ExitCode, LoadgenError
from loadgen.host import machine


class OtherHost(LoadgenError):
    """The baseline was measured on another machine."""

    exit_code = ExitCode.CANNOT_TELL


SYNTAX = syntax(
    "gate",
    Positional("config", "CONFIG", "a TOML file or a preset, with the load and the thresholds in [gate]", least=1),
    groups=(
        OptionGroup(
            "baseline and candidate",
            (
                Option(("--baseline",), "the baseline of the candidate", TEXT, "REF", required=True),
                Option(("--server", "--candidate"), "the candidate, in place of the [target] of CONFIG", TEXT, "FILE"),
            ),
        ),
        OptionGroup(
            "reports for CI",
            (
                Option(("--junit",), "write JUnit XML, with a test case for each metric", FILE_NAME),
                Option(("--markdown",), 'append Markdown, for example to "$GITHUB_STEP_SUMMARY"', FILE_NAME),
                Option(("--plot",), "write the intervals as an SVG picture", FILE_NAME),
                Option(
                    ("--annotations",),
                    "print ::error lines, which GitHub shows beside the change, on standard error; auto: in its jobs",
                    choice(("auto", "always", "never")),
                    default="auto",
                ),
            ),
            "Written beside the results; any of them can be combined.",
        ),
    ),
)


def run(args: Given) -> ExitCode:
    """Run rounds until the answer is clear. Raises LoadgenError when the rounds cannot begin."""
    field = Contestants(args, "gate", presets.CONFIGS.named(args.config))
    found = field.candidates([args.baseline, args.candidate or ""])
    for each in found:
        if isinstance(each, Stored) and each.candidate.host not in ("", machine.fingerprint()):
            raise OtherHost(
                f"{each.candidate.name} was measured on another machine ({each.candidate.host}), so it says nothing of "
                "this one; name a server file as --baseline, and both run here."
            )
    annotated = args.annotations == "always" or (
        args.annotations == "auto" and os.environ.get("GITHUB_ACTIONS") == "true"
    )
    wanted = replace(
        session.wanted(args, field.settings), junit=args.junit, markdown=args.markdown, annotations=annotated
    )
    [compared] = field.compare(found, wanted)
    return compared.exit_code
