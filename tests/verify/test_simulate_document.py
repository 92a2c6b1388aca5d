"""Every example of docs/SIMULATE.md does what the document says: what fails, with which seed, and what passes."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from in_process import invoked
from places import ROOT

from loadgen.testing import SimulationFailed, simulate
from loadgen.verify.case import Verdict
from loadgen.verify.kinds.scenarios import suite
from loadgen.verify.scenario.loading import loaded
from loadgen.verify.scenario.settings import KINDS, Settings
from loadgen.verify.tape import Tape

TEXT = (ROOT / "docs/SIMULATE.md").read_text()
FILES = dict(re.findall(r"<!-- file: (\S+) -->\n```python\n(.*?)```", TEXT, re.S))
OUTPUTS = dict(re.findall(r"<!-- run: loadgen simulate (\S+) -->\n```text\n(.*?)```", TEXT, re.S))


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the files of the document, each whole."""
    use = FILES["locks.py"][FILES["locks.py"].index("async def count") :]
    counted = FILES["orders.py"].replace('redis.incr("orders")', 'redis.sadd("orders", number)')
    counted = counted.replace('int(await redis.get("orders"))', 'await redis.scard("orders")')
    whole = {
        "owned.py": FILES["owned.py"] + "\n\n" + use,
        "fenced.py": FILES["owned.py"] + "\n\n" + FILES["fenced.py"],
        "counted.py": counted,
    }
    for name, text in {**FILES, **whole}.items():
        (tmp_path / name).write_text(text)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    for name in ("locks", "owned", "fenced", "orders", "counted"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    return tmp_path


def seed_of(text: str) -> int:
    found = re.search(r"\[seed=(\d+)\]", text)
    assert found is not None
    return int(found[1])


def test_the_lock_fails_with_the_seed_that_the_document_shows_and_as_it_shows() -> None:
    output = OUTPUTS["locks:scenario"]
    with suite(["locks:scenario"]).opened(["locks:scenario"], {}, lambda event: None) as opened:
        [kind] = opened.kinds
        outcome = kind.run(Tape.seeded("locks:scenario", seed_of(output)))
    assert outcome.verdict is Verdict.FAIL
    assert f"invariant     {outcome.invariant}\n" in output
    size = re.search(r"^size .* (\d+) faults?$", output, re.M)
    assert size is not None
    assert len(outcome.faults) == int(size[1])
    simulate(loaded("locks:scenario"), seeds=seed_of(output), name="locks:scenario")


def test_a_lock_with_an_owner_still_fails_with_the_seed_that_the_document_names() -> None:
    named = re.search(r"seed (\d+) pauses `a`", TEXT)
    assert named is not None
    with pytest.raises(SimulationFailed, match="no count is lost") as failed:
        simulate(loaded("owned:scenario"), seeds=1, seed=int(named[1]), name="owned:scenario", shrink_runs=20)
    assert failed.value.seed == int(named[1])


def test_the_guarded_write_passes_and_its_state_is_reached() -> None:
    """77 times in 1,000 seeds: of the first 60, some are enough."""
    assert simulate(loaded("fenced:scenario"), seeds=60, name="fenced:scenario")["a lock is lost"] > 0


def test_an_order_behind_toxics_is_counted_twice_with_the_seed_that_the_document_shows() -> None:
    output = OUTPUTS["orders:scenario"]
    seed = seed_of(output)
    with pytest.raises(SimulationFailed, match="every order is counted once") as failed:
        simulate(loaded("orders:scenario"), seeds=1, seed=seed, name="orders:scenario", shrink_runs=20)
    assert failed.value.seed == seed
    simulate(loaded("orders:scenario"), seeds=seed, name="orders:scenario")
    assert simulate(loaded("counted:scenario"), seeds=seed + 30, name="counted:scenario")["an order is sent again"]


def test_the_fixture_passes_in_a_suite_and_fails_with_seed_case_and_replay(folder: Path) -> None:
    (folder / "test_locks.py").write_text(
        FILES["test_fenced.py"].replace("fenced", "locks").replace("seeds=100", "shrink_runs=20")
    )
    words = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--simulate-seeds", "5"]
    first = ["--simulate-seed", str(seed_of(OUTPUTS["locks:scenario"]) - 2)]
    done = subprocess.run([*words, *first], cwd=folder, capture_output=True, text=True, timeout=120)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "1 failed, 1 passed" in done.stdout
    seed = seed_of(OUTPUTS["locks:scenario"])
    assert f"replay     loadgen replay --seed {seed} --test locks:scenario" in done.stdout
    assert "fault      " in done.stdout
    assert "no count is lost" in done.stdout


@pytest.mark.law
@pytest.mark.parametrize("name", OUTPUTS)
def test_a_campaign_prints_what_the_document_shows(name: str) -> None:
    """With all its seeds, and all shrinking. Times and speeds are those of another machine."""

    def without_speed(text: str) -> str:
        text = re.sub(r"\([\d,.]+ ms\)", "(… ms)", text)
        text = re.sub(r"virtual\s+time\s+[\d.,]+\s+×\s+real", "virtual time … × real", text)
        text = re.sub(r"[\d.,]+ seeds/s,\s+[\d.]+ s\b", "… seeds/s, … s", text)
        # Lines end elsewhere with other figures.
        return " ".join(text.split())

    done = invoked("simulate", name)
    assert without_speed(done.stdout) == without_speed(OUTPUTS[name])


def test_the_tables_have_every_fault_and_every_setting() -> None:
    named = re.findall(r"^\| `(\w+)` \| .* \| (yes)? ?\|$", TEXT, re.M)
    assert {name: bool(drawn) for name, drawn in named} == {kind: kind in Settings().faults for kind in KINDS}
    assert [name for name in Settings.__slots__ if f"`{name}`" not in TEXT] == []
