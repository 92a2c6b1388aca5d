"""The flags that the verbs of verification share: one row each."""

from __future__ import annotations

from collections.abc import Iterable

from loadgen.cli.options import tells
from loadgen.cli.options.kind import FILE_NAME, TEXT, choice, whole
from loadgen.cli.options.load import COLORS
from loadgen.cli.options.option import Option, OptionGroup
from loadgen.verify.kinds import Suite
from loadgen.verify.tape import MOST

FORMATS = {
    "console": "clean",
    "clean": "clean",
    "verbose": "verbose",
    "json": "document",
    "ndjson": "json",
    "markdown": "markdown",
    "quiet": "quiet",
}
"""By the name of a format here, the name of the output."""

ARTIFACTS = "failures"
"""The folder of artifacts."""

SEED = whole("N", 0, MOST - 1)

RESULTS = OptionGroup(
    "results",
    (
        Option(("--format",), "format of the results; json is one document at the end, ndjson a line for each event",
               choice(tuple(FORMATS)), default="console"),
        Option(("-v", "--verbose"), "the same as --format verbose: a line for each case"),
        Option(("-q", "--quiet"), "the same as --format quiet"),
        Option(("-o", "--output"), "write the results to FILE; standard output still shows them for people",
               FILE_NAME, betrays=tells.of_operations),
        Option(("--junit",), "write JUnit XML", FILE_NAME),
        Option(("--color",), "use of colour; auto: on a terminal", choice(COLORS), default="auto"),
    ),
)  # fmt: skip

ARTIFACT = Option(
    ("--artifacts",),
    f"folder for the artifact of each failure, which replay takes (default: {ARTIFACTS})",
    TEXT,
    "FOLDER",
    default=ARTIFACTS,
)


KNOWN_DEFECTS = Option(
    ("--known-defects",), "draw also what some versions of servers are known to answer wrongly (docs/VERIFY.md)"
)


def seeds(count: int, *, by_spec: bool = False) -> OptionGroup:
    """Return the flags that say which seeds are run; `count` is how many by default, or says the spec file."""
    return OptionGroup(
        "seeds",
        (
            Option(
                ("-s", "--seeds"),
                f"number of seeds (default: {'of the spec file, ' if by_spec else ''}{count:,})",
                whole("N", 1, 10_000_000),
                default=None if by_spec else count,
            ),
            Option(("--seed",), "the first seed (default: 0)", SEED, default=0),
            ARTIFACT,
        ),
    )


def of_suites(suites: Iterable[Suite]) -> OptionGroup:
    """Return the options of suites, on which their cases depend."""
    named: dict[str, list[Suite]] = {}
    for suite in suites:
        for name in suite.options:
            named.setdefault(name, []).append(suite)
    return OptionGroup(
        "what the case depends on",
        tuple(Option((f"--{name}",), _what(name, having), TEXT, "VALUE") for name, having in named.items()),
    )


def _what(name: str, suites: list[Suite]) -> str:
    defaults = (f" ({suite.options[name]})" if suite.options[name] else "" for suite in suites)
    return "as of " + ", ".join(f"{suite.name}{default}" for suite, default in zip(suites, defaults, strict=True))
