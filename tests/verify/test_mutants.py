"""Mutants: planted defects are found, shrunk and found again; without them the same seeds pass."""

from __future__ import annotations

from pathlib import Path

import pytest
from in_process import invoked

from loadgen.errors import UsageError
from loadgen.verify import artifact
from loadgen.verify.kinds import selected
from loadgen.verify.kinds.simulated.suite import SUITE
from loadgen.verify.mutants.mutant import Where
from loadgen.verify.mutants.proof import search
from loadgen.verify.mutants.registry import MUTANTS, VARIABLE

OPTIONS = {"ops": "60"}
SEEDS = 100
SAMPLE = ("stale read", "lost wake-up", "reply before the write", "slicer swaps pieces")
"""One of each of server, client, disk and proxy; `make mutants` has all of them."""


def test_every_mutant_names_a_kind_that_is_to_find_it() -> None:
    simulated = [mutant for mutant in MUTANTS.values() if mutant.kind]
    assert len(simulated) >= 14
    assert {mutant.kind for mutant in simulated} <= {*SUITE.kinds}
    assert {mutant.where for mutant in simulated} == {*Where}
    assert all(mutant.breaks for mutant in MUTANTS.values())


@pytest.mark.parametrize("name", SAMPLE)
def test_a_mutant_is_found_shrunk_and_found_again_and_what_ships_passes(name: str) -> None:
    mutant = MUTANTS[name]
    with mutant.planted(), SUITE.opened([mutant.kind], OPTIONS, print) as opened:
        proof = search(name, opened.kinds[0], range(SEEDS), replays=2, runs=120)
    assert proof.found is not None, f"{name} is not found in {proof.seeds} seeds"
    assert proof.replays == 2
    assert proof.operations <= 30
    assert proof.faults <= 2
    with SUITE.opened([mutant.kind], OPTIONS, print) as opened:
        control = search(name, opened.kinds[0], range(proof.seeds))
    assert control.found is None, f"without {name} a seed fails: {control.found}"


def test_the_environment_plants_a_mutant_and_the_report_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    kind = "engine_write_contention"
    monkeypatch.setenv(VARIABLE, "reply twice")
    with selected(kind).suite.opened([kind], OPTIONS, print) as opened:
        assert "'reply twice'" in opened.identity
        assert search("", opened.kinds[0], range(20), replays=0, runs=0).found is not None
    monkeypatch.setenv(VARIABLE, "no such one")
    with pytest.raises(UsageError, match="there is no mutant"), SUITE.opened([kind], OPTIONS, print):
        pass


def test_an_artifact_knows_its_mutant_and_a_replay_says_when_it_is_another(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(VARIABLE, "reply twice")
    found = invoked("simulate", "--filter", "engine_write_contention", "--ops", "60", "--seeds", "1")
    assert found.status == 1, found
    path = min(Path("failures").iterdir())
    assert "'reply twice'" in artifact.read(path).server
    again = invoked("replay", str(path))
    assert again.status == 1, again
    assert "note: this is" not in again.stderr
    monkeypatch.delenv(VARIABLE)
    without = invoked("replay", str(path))
    assert without.status == 0, without
    said = " ".join((without.stdout + without.stderr).split())
    assert "this is a simulated world, and it was a simulated world with the mutant 'reply twice'" in said
    assert "the case did not fail" in said
