"""Run one case again: that of FILE, the artifact of a failure, or the one that --seed and --test name.

The case of an artifact is its shrunk one. An artifact of another version of loadgen is refused unless --force is given,
as the same tape may be another case there. Where a replay draws or does anything else than was recorded, it says at
which draw or operation. The exit status is 1 when the case fails again.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from loadgen import output
from loadgen.cli import specification, verification
from loadgen.cli.options import Given, Option, OptionGroup, Positional, Syntax
from loadgen.cli.options.kind import TEXT
from loadgen.cli.options.verification import ARTIFACT, RESULTS, SEED, of_suites
from loadgen.cli.verification import Job, Planned, Run
from loadgen.errors import ExitCode, UsageError
from loadgen.escape import printable
from loadgen.verify import artifact, kinds
from loadgen.verify.artifact import Artifact
from loadgen.verify.campaign import Campaign
from loadgen.verify.kinds import Opened, Suite
from loadgen.verify.replay import replayed
from loadgen.version import __version__


def syntax(suites: Mapping[str, Suite]) -> Syntax:
    return Syntax(
        (
            OptionGroup(
                "which case",
                (
                    Option(("--seed",), "the seed of the case", SEED),
                    Option(("--test",), "the test: a kind of case, or a verb for all its kinds", TEXT, "TEST"),
                    Option(("--whole",), "of an artifact, run the case as it was drawn, not the shrunk one"),
                    Option(("--force",), "run the artifact of another version all the same"),
                    ARTIFACT,
                ),
            ),
            of_suites(suites.values()),
            RESULTS,
        ),
        (Positional("file", "FILE", "the artifact of a failure"),),
    )


SYNTAX = syntax(kinds.SUITES)


def run(given: Given) -> ExitCode:
    """Run the case, print what came of it, and return the exit code. Raises LoadgenError."""
    named = [word.spelling for name in ("seed", "test") if (word := given.word(name)) is not None]
    if given.file is not None:
        if named:
            raise UsageError(f"FILE has seed and test: leave out {' and '.join(named)}.")
        return _of_artifact(given, artifact.read(Path(given.file)))
    if len(named) < 2:
        raise UsageError("name the artifact of a failure, or a case by --seed and --test.")
    for name in ("whole", "force"):
        if (word := given.word(name)) is not None:
            raise UsageError(f"{word.spelling} is for the artifact of a failure: name a FILE, or leave it out.")
    suites = _suites(given.get("spec"))
    selection = kinds.selected(given.test, suites)
    verification.check_options(given, suites, selection.suite)
    options = verification.options_of(given, selection.suite)
    job = Job(selection.suite, options, (Run(selection.kinds, [given.seed]),))
    return verification.run(given, Planned("replay", [job]))


def _of_artifact(given: Given, recorded: Artifact) -> ExitCode:
    """Run the case of an artifact."""
    if (refusal := recorded.refusal(__version__)) and not given.force:
        raise UsageError(f"{printable(given.file)}: {refusal}")
    if given.whole and recorded.tape is None:
        again = verification.case_command(recorded.kind, recorded.seed, recorded.options)
        raise UsageError(f"--whole: {printable(given.file)} has the shrunk case only; the whole one is `{again}`.")
    suites = _suites(given.get("spec") or recorded.options.get("spec"))
    suite = verification.suite_of(given.file, recorded, suites)
    verification.check_options(given, suites, suite)
    options = verification.options_of(given, suite, recorded.options)

    def act(leader: Campaign, job: Job, opened: Opened) -> None:
        [kind] = opened.kinds
        if opened.identity != recorded.server:
            output.remark(f"note: this is {opened.identity or 'unknown'}, and it was {recorded.server or 'unknown'}")
        if opened.spec_hash and opened.spec_hash != recorded.origin.spec_hash:
            output.remark("note: the spec file is another than it was")
        leader.replay(
            verification.batch(job, opened, [kind], [recorded.seed]),
            recorded,
            given.file,
            lambda: replayed(recorded, kind, whole=given.whole),
            whole=given.whole,
        )

    job = Job(suite, options, (Run((recorded.kind,), [recorded.seed]),))
    return verification.run(given, Planned("replay", [job]), act)


def _suites(spec: str | None) -> dict[str, Suite]:
    """Return all suites, with the cases of a spec file."""
    return specification.suites_of(specification.spec_of(spec))
