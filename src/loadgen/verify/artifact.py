"""The artifact of a failure: all that a replay needs, as one JSON document. No I/O but in `written` and `read`.

A tape means something to one version of the code only: another version may draw something else. A replay therefore
refuses the artifact of another version, and says where its draws left the recorded ones.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import Any

from loadgen.errors import OutputError, UsageError
from loadgen.escape import printable
from loadgen.verify import whole_file
from loadgen.verify.tape import MOST, Draw, Recording, Span

FORMAT = 1
"""The version of the document's form."""

LARGEST = 256 << 20
"""Bytes of the largest file that is read."""


@dataclass(frozen=True, slots=True)
class Origin:
    """What made a failure, beside kind and seed."""

    version: str
    """Of loadgen."""
    git: str = ""
    """The commit of loadgen's own checkout; empty where it does not run from one."""
    config_hash: str = ""
    """A hash of suite and options, by `hash_of`."""
    spec_hash: str = ""
    """A hash of the spec file; empty for a suite without one."""


def hash_of(suite: str, options: Mapping[str, str]) -> str:
    """Return the hash of what a case depends on beside kind and seed: 16 hexadecimal digits."""
    return blake2b(json.dumps([suite, sorted(options.items())]).encode(), digest_size=8).hexdigest()


@dataclass(frozen=True, slots=True)
class Artifact:
    """A failure that can be replayed."""

    origin: Origin
    suite: str
    kind: str
    seed: int
    options: Mapping[str, str]
    """What the case depends on beside its seed."""
    server: str
    """Name and version of the subjects in their own words."""
    invariant: str
    message: str
    fingerprint: str
    operations: tuple[str, ...]
    """Of the shrunk case."""
    faults: tuple[str, ...]
    trace: str
    """The hash of all that the shrunk case did and saw; empty where runs of one tape may differ."""
    reproduced: bool
    """False when the same tape did not fail again."""
    tape: Recording | None = field(repr=False)
    """Of the seed's own case; None in a seed bank, as the seed draws it again."""
    shrunk: Recording = field(repr=False)
    """The smallest tape that was found with the same failure."""

    def refusal(self, version: str) -> str:
        """Return why this version does not replay the artifact, in a sentence; empty when it does."""
        if self.origin.version == version:
            return ""
        return (
            f"the artifact is of loadgen {printable(self.origin.version)}, and this is loadgen {version}, in which the "
            "same tape may be another case: run it with that version, or with --force to try it all the same."
        )


# ── The document ──────────────────────────────────────────────────────────────────────────────────────────────────────


def to_json(artifact: Artifact) -> str:
    """Return the document: readable fields first, tapes last, each on a line of its own."""
    fields = {key: value for key, value in asdict(artifact).items() if key not in ("tape", "shrunk")}
    head = json.dumps({"artifact": FORMAT, **fields}, indent=1)
    tapes = (f' "{name}": {_tape(recording)}' for name, recording in _tapes(artifact))
    return head.removesuffix("\n}") + ",\n" + ",\n".join(tapes) + "\n}\n"


def _tapes(artifact: Artifact) -> list[tuple[str, Recording]]:
    return [("shrunk", artifact.shrunk), *([("tape", artifact.tape)] if artifact.tape is not None else [])]


def _tape(recording: Recording) -> str:
    """Return a tape: the names of sites and spans once, and draws and spans that name them by their place."""
    sites = [*dict.fromkeys(draw.site for draw in recording.draws)]
    names = [*dict.fromkeys(span.name for span in recording.spans)]
    site_of, name_of = ({name: place for place, name in enumerate(each)} for each in (sites, names))
    return json.dumps(
        {
            "sites": sites,
            "draws": [[site_of[draw.site], draw.n, draw.value] for draw in recording.draws],
            "names": names,
            "spans": [[name_of[span.name], span.start, span.end] for span in recording.spans],
        },
        separators=(",", ":"),
    )


def from_json(text: str, name: str) -> Artifact:
    """Return the artifact of a document. Raises UsageError, whose text begins with `name`, for another document."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        raise UsageError(f"{name}: is no artifact, as it is not JSON.") from None
    if not isinstance(document, dict) or "artifact" not in document:
        raise UsageError(f"{name}: is no artifact; the file that a failure names with `artifact` is one.")
    if document["artifact"] != FORMAT:
        raise UsageError(
            f"{name}: has form {printable(str(document['artifact']), 20)}, and this loadgen reads {FORMAT}."
        )
    try:
        return Artifact(
            origin=Origin(**{key: _text(value) for key, value in document["origin"].items()}),
            options={key: _text(value) for key, value in document["options"].items()},
            operations=tuple(map(_text, document["operations"])),
            faults=tuple(map(_text, document["faults"])),
            seed=_number(document["seed"], MOST - 1),
            reproduced=_is(document["reproduced"], bool),
            tape=_recording(document["tape"]) if "tape" in document else None,
            shrunk=_recording(document["shrunk"]),
            **{
                key: _text(document[key])
                for key in ("suite", "kind", "server", "invariant", "message", "fingerprint", "trace")
            },
        )
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        raise UsageError(f"{name}: is no artifact as loadgen writes it ({printable(_why(error), 80)}).") from None


def _why(error: Exception) -> str:
    return f"{error} is missing" if isinstance(error, KeyError) else str(error)


def _recording(document: Mapping[str, Any]) -> Recording:
    sites, names = [[*map(_text, document[key])] for key in ("sites", "names")]
    draws = []
    for site, n, value in document["draws"]:
        possible = _number(n, MOST)
        draws.append(Draw(sites[_number(site, len(sites) - 1)], possible, _number(value, possible - 1)))
    spans = []
    for name, start, end in document["spans"]:
        last = _number(end, len(draws))
        spans.append(Span(names[_number(name, len(names) - 1)], _number(start, last), last))
    return Recording(tuple(draws), tuple(spans))


def _is(value: Any, kind: type) -> Any:
    if type(value) is not kind:
        raise TypeError(f"{value!r} is no {kind.__name__}")
    return value


def _text(value: Any) -> str:
    return str(_is(value, str))


def _number(value: Any, most: int) -> int:
    if not 0 <= _is(value, int) <= most:
        raise ValueError(f"{value} is not between 0 and {most}")
    return int(value)


# ── Files ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def file_name(kind: str, seed: int) -> str:
    """Return KIND-SEED. What a kind's name has beside letters, digits and dots is a line."""
    return f"{re.sub(r'[^A-Za-z0-9_.]+', '-', kind)}-{seed}"


def written(artifact: Artifact, folder: Path, name: str = "") -> Path:
    """Write the artifact as KIND-SEED.json, or as `name`, in the folder, which is made if need be; return the path.

    The file is there whole or not at all, and replaces an earlier one of the same name. Raises OutputError.
    """
    path = folder / (name or f"{file_name(artifact.kind, artifact.seed)}.json")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        whole_file.write(path, to_json(artifact))
    except OSError as error:
        raise OutputError(
            f"the artifact could not be written to {printable(str(path))}: {error.strerror or error}"
        ) from error
    return path


def read(path: Path) -> Artifact:
    """Read an artifact. Raises UsageError for a file that cannot be read, or is none."""
    name = printable(str(path))
    try:
        with path.open("rb") as file:
            data = file.read(LARGEST + 1)
    except OSError as error:
        raise UsageError(f"{name}: cannot be read: {error.strerror or error}.") from None
    if len(data) > LARGEST:
        raise UsageError(f"{name}: is larger than {LARGEST >> 20} MiB, so it is no artifact.")
    try:
        return from_json(data.decode("utf-8"), name)
    except UnicodeDecodeError:
        raise UsageError(f"{name}: is no artifact, as it is not UTF-8.") from None
