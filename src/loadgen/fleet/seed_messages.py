"""The messages between the leader of a campaign of seeds, its agents, and their processes. Values; no I/O.

A campaign is told as the command line that a user would type on that machine: the agent makes the same jobs of it as
the leader, which is checked. A process carries out one lease after the other; seeds of a lease are run in order.
"""

from __future__ import annotations

from dataclasses import dataclass

from loadgen.fleet.leases import Lease
from loadgen.verify.account import Findings
from loadgen.verify.artifact import Artifact

# ── To an agent ───────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file that a campaign reads, such as a spec file, as it is where the campaign is led."""

    path: str
    """As it is named by the command line: relative to the folder that the agent runs in, or absolute."""
    digest: str
    """Of its bytes, by `loadgen.fleet.source_files.digest`."""


@dataclass(frozen=True, slots=True)
class Prepare:
    """Start so many processes, which bring up the subjects of a campaign. The first message, sent once."""

    verb: str
    words: tuple[str, ...]
    """The verb's options and positionals."""
    files: tuple[SourceFile, ...]
    processes: int
    process: int = 0
    """The number of the process that is told, which the agent writes."""


@dataclass(frozen=True, slots=True)
class Take:
    """Carry out a lease after those that were given before."""

    process: int
    lease: Lease


@dataclass(frozen=True, slots=True)
class Shorten:
    """End a lease at `end`, or after the seed under way, whichever is later. The answer is `Shortened`."""

    process: int
    number: int
    end: int


@dataclass(frozen=True, slots=True)
class Known:
    """A failure was found elsewhere: it need not be shrunk again."""

    kind: str
    fingerprint: str


@dataclass(frozen=True, slots=True)
class Finish:
    """End after the seed under way, and shrink nothing any further. The answer of each process is `Finished`."""


Order = Prepare | Take | Shorten | Known | Finish

# ── From an agent ─────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Ready:
    """A process has made the campaign's jobs, and brought up the subjects of the first."""

    process: int
    parts: str
    """The digest of the parts that the command line comes to, by `Study.digest`."""
    identity: str
    """Name and version of the subjects in their own words."""


@dataclass(frozen=True, slots=True)
class Reported:
    """The seeds of a lease from `first` to before `end` were run, with every kind."""

    process: int
    number: int
    first: int
    end: int
    findings: Findings
    artifacts: tuple[Artifact, ...] = ()
    """Of the failures of `findings`."""
    identity: str = ""


@dataclass(frozen=True, slots=True)
class Shortened:
    """A lease ends at `end`."""

    process: int
    number: int
    end: int


@dataclass(frozen=True, slots=True)
class Finished:
    """A process has ended after its seed; what it has not reported was not run."""

    process: int


@dataclass(frozen=True, slots=True)
class ProcessEnded:
    """A process has ended in the middle of its work, and another is started, with another number."""

    process: int
    words: str
    """How it ended, after its name: "was killed by SIGSEGV"."""
    follower: int
    """The number of the process that takes its place."""


@dataclass(frozen=True, slots=True)
class Unable:
    """The machine cannot run the campaign, or not go on with it. The last message."""

    words: str
    """A sentence or several, without the machine's name."""
    traceback: str = ""
    """Of an internal error; empty for others."""


Answer = Ready | Reported | Shortened | Finished | ProcessEnded | Unable
