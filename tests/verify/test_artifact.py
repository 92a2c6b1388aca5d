"""Artifacts: written and read back whole, refused when they are something else, and replayed."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from planted_artifacts import kept
from planted_kinds import Reads, Says

from loadgen.errors import OutputError, UsageError
from loadgen.verify.artifact import Artifact, Origin, from_json, hash_of, read, to_json, written
from loadgen.verify.case import Outcome, Verdict
from loadgen.verify.replay import kept as run_kept
from loadgen.verify.replay import replayed
from loadgen.verify.tape import Recording, Tape


@pytest.fixture(scope="module")
def artifact() -> Artifact:
    return kept()[1]


def test_an_artifact_is_read_as_it_was_written(artifact: Artifact, tmp_path: Path) -> None:
    path = written(artifact, tmp_path / "new" / "folder")
    assert path == tmp_path / "new" / "folder" / "set_get_roundtrip-1.json"
    assert read(path) == artifact
    assert artifact.origin == Origin("0.1.0", "abc", hash_of("planted", {"bug": "lost", "ops": "100"}), "5bec")
    assert [each.name for each in path.parent.iterdir()] == [path.name]


def test_the_document_has_what_a_reader_needs_first(artifact: Artifact) -> None:
    fields = [*json.loads(to_json(artifact))]
    assert fields[:5] == ["artifact", "origin", "suite", "kind", "seed"]
    assert fields[-2:] == ["shrunk", "tape"]


def test_words_that_are_no_text_survive() -> None:
    odd = replace(kept()[0], message="a lone \ud800 and \x00 and é", operations=("SET \udcff",))
    assert from_json(to_json(odd), "it") == odd


def test_another_artifact_of_the_same_case_replaces_it(artifact: Artifact, tmp_path: Path) -> None:
    written(artifact, tmp_path)
    path = written(replace(artifact, message="later"), tmp_path)
    assert read(path).message == "later"


def test_an_artifact_that_cannot_be_written_leaves_nothing(artifact: Artifact, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match=r"could not be written to .*file"):
        written(artifact, tmp_path / "file")
    (tmp_path / "set_get_roundtrip-1.json").mkdir()
    with pytest.raises(OutputError, match="could not be written"):
        written(artifact, tmp_path)
    assert sorted(each.name for each in tmp_path.iterdir()) == ["file", "set_get_roundtrip-1.json"]


Change = Callable[[dict[str, Any]], object]
CHANGES: dict[str, Change] = {
    "'seed' is missing": lambda document: document.pop("seed"),
    "is no int": lambda document: document.update(seed="7"),
    "is not between 0 and": lambda document: document.update(seed=-1),
    "True is no int": lambda document: document.update(seed=True),
    "is no bool": lambda document: document.update(reproduced=1),
    "3 is no str": lambda document: document["operations"].append(3),
    "is no str": lambda document: document["options"].update(ops=100),
    "unexpected keyword": lambda document: document["origin"].update(more="x"),
    "99 is not between 0 and": lambda document: document["tape"]["draws"][0].__setitem__(0, 99),
    "is not between 0 and 1": lambda document: document["tape"]["draws"][0].__setitem__(2, 2),
    "too many values": lambda document: document["tape"]["draws"][0].append(1),
    "is not between 0": lambda document: document["shrunk"]["spans"][0].__setitem__(2, 10**9),
    "object": lambda document: document.update(tape=3),
    "has form 2, and this loadgen reads 1": lambda document: document.update(artifact=2),
    "is no artifact; the file": lambda document: document.pop("artifact"),
}


@pytest.mark.parametrize("said", CHANGES)
def test_a_document_of_another_form_is_refused(said: str, artifact: Artifact) -> None:
    document = json.loads(to_json(artifact))
    CHANGES[said](document)
    with pytest.raises(UsageError, match=f"^it: .*{said}"):
        from_json(json.dumps(document), "it")


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "is not JSON"),
        (b"[1]", "is no artifact"),
        (b"\xff", "is not UTF-8"),
        (b"[" * 100_000, "is not JSON"),
        (None, "cannot be read: No such file"),
    ],
)
def test_a_file_that_is_no_artifact_is_refused(data: bytes | None, said: str, tmp_path: Path) -> None:
    path = tmp_path / "it.json"
    if data is not None:
        path.write_bytes(data)
    with pytest.raises(UsageError, match=said):
        read(path)


def test_another_version_is_refused_with_both_named(artifact: Artifact) -> None:
    assert artifact.refusal("0.1.0") == ""
    refusal = artifact.refusal("0.2.0")
    assert "loadgen 0.1.0" in refusal
    assert "loadgen 0.2.0" in refusal
    assert "--force" in refusal


# ── Replays ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_replay_fails_as_recorded(artifact: Artifact) -> None:
    found = replayed(artifact, Reads(bug="lost"))
    assert (found.divergence, found.remark) == ("", "")
    assert found.outcome.operations == artifact.operations
    whole = replayed(artifact, Reads(bug="lost"), whole=True)
    assert (whole.divergence, whole.remark) == ("", "")
    assert len(whole.outcome.operations) > len(artifact.operations)


def test_a_replay_without_the_bug_says_where_it_went_on(artifact: Artifact) -> None:
    found = replayed(artifact, Reads())
    assert found.outcome.verdict is Verdict.PASS
    drawn = len(artifact.shrunk.draws)
    assert found.divergence.startswith(f"after the last of {drawn} draws: the end when recorded, ")
    assert "did not fail (pass); it was recorded as GET returns what SET stored" in found.remark
    assert found.divergence in found.remark


def test_the_first_other_draw_is_located(artifact: Artifact) -> None:
    class Renamed(Reads):
        def run(self, tape: Tape) -> Outcome:
            tape.below(3, "protocol")
            return super().run(tape)

    found = replayed(artifact, Renamed(bug="lost"))
    said = f'at draw 1 of {len(artifact.shrunk.draws)}: "one more operation" below 2 when recorded, "protocol" below 3'
    assert found.divergence == f"{said} now"


def test_the_first_other_operation_fault_or_trace_is_located(artifact: Artifact) -> None:
    outcome = Reads(bug="lost").run(Tape.of(artifact.shrunk.values))

    class Said(Reads):
        said = outcome

        def run(self, tape: Tape) -> Outcome:
            super().run(tape)
            return self.said

    kind = Said(bug="lost")
    assert replayed(artifact, kind).divergence == ""
    kind.said = replace(outcome, operations=(outcome.operations[0], "GET a → 'other'"))
    assert replayed(artifact, kind).divergence == (
        f"at operation 2 of {len(outcome.operations)}: {outcome.operations[1]} when recorded, GET a → 'other' now"
    )
    kind.said = replace(outcome, faults=())
    assert replayed(artifact, kind).divergence == "at fault 1 of 1: pause when recorded, the end now"
    kind.said = replace(outcome, trace="0123")
    assert "the trace is 0123, and was" in replayed(artifact, kind).divergence


def test_another_failure_is_told_from_the_recorded_one(artifact: Artifact) -> None:
    class Other(Reads):
        def run(self, tape: Tape) -> Outcome:
            return replace(super().run(tape), fingerprint="something else")

    assert "failed in another way" in replayed(artifact, Other(bug="lost")).remark


def test_a_kept_case_passes_when_its_failure_is_mended(artifact: Artifact) -> None:
    found = run_kept(artifact, Reads(), "renew it")
    assert (found.outcome.verdict, found.divergence, found.remark) == (Verdict.PASS, "", "")
    assert run_kept(artifact, Reads(bug="lost"), "renew it").outcome.fingerprint == artifact.fingerprint


def test_a_kept_case_that_is_read_as_another_is_not_judged(artifact: Artifact) -> None:
    class Renamed(Reads):
        def run(self, tape: Tape) -> Outcome:
            tape.below(3, "protocol")
            return super().run(tape)

    class Swapped(Reads):
        """The same draws mean other operations."""

        def run(self, tape: Tape) -> Outcome:
            outcome = super().run(tape)
            return replace(outcome, operations=("APPEND a", *outcome.operations[1:]))

    class Shorter(Reads):
        def run(self, tape: Tape) -> Outcome:
            return Outcome(Verdict.PASS)

    drawn, first = len(artifact.shrunk.draws), artifact.operations[0]
    for kind, where in (
        (Renamed(), f'at draw 1 of {drawn}: "one more operation" below 2 when recorded, "protocol" below 3 now'),
        (Shorter(), f'at draw 1 of {drawn}: "one more operation" below 2 when recorded, the end now'),
        (Swapped(), f"at operation 1 of {len(artifact.operations)}: {first} when recorded, APPEND a now"),
    ):
        outcome = run_kept(artifact, kind, "renew it").outcome
        assert (outcome.verdict, outcome.message) == (Verdict.UNTOLD, f"stale: {where}; renew it")


def test_a_kept_case_that_is_read_as_another_and_fails_has_failed(artifact: Artifact) -> None:
    failed = Outcome(Verdict.FAIL, "it lives", "it died")
    assert run_kept(artifact, Says("set_get_roundtrip", failed), "renew it").outcome == failed


def test_a_tape_of_no_draws_is_an_artifact_too() -> None:
    empty = replace(kept()[0], tape=Recording(), shrunk=Recording())
    assert from_json(to_json(empty), "it") == empty
