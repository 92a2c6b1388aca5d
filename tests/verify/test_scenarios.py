"""Scenarios as cases: found, kept and run again by the command, determined by their seeds, judged by their states."""

from __future__ import annotations

import asyncio
import gc
import itertools
import subprocess
import sys
from pathlib import Path

import pytest
from in_process import invoked
from worlds import passes

from loadgen.testing import SimulationFailed, StateNotReached, World, always, settings, simulate, sometimes
from loadgen.verify import artifact
from loadgen.verify.case import Outcome, Verdict
from loadgen.verify.scenario.run import DETERMINED, Scenario, ScenarioKind
from loadgen.verify.scenario.settings import KINDS
from loadgen.verify.tape import Tape
from loadgen.verify.world.seal import sealed

SCENARIOS = """
import asyncio
from loadgen.testing import always, settings, sometimes

@settings(faults=[])
async def small(world):
    number = world.draw.below(100, "number")
    await asyncio.sleep(number / 10)
    sometimes("a large number", number > 50)
    sometimes("never", False)
    always(number < 90, "numbers are small", f"{number} is not")

async def passes(world):
    names = {f"name {n}" for n in range(3)}
    await asyncio.sleep(world.draw.below(len(names), "number"))

def not_one(world):
    pass
"""


NO_WORLD = "async def it(): pass"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "mine.py").write_text(SCENARIOS)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "mine", raising=False)
    return tmp_path


# ── The command ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_failure_is_shrunk_kept_and_found_again_by_seed_artifact_and_bank(folder: Path) -> None:
    done = invoked("simulate", "mine:small", "--seeds", "50")
    assert done.status == 1
    assert "invariant     numbers are small" in done.stdout
    assert "found         90 is not" in done.stdout
    [path] = Path("failures").iterdir()
    recorded = artifact.read(path)
    assert path.name == f"mine-small-{recorded.seed}.json"
    assert [draw.value for draw in recorded.shrunk.draws if draw.site == "number"] == [90]
    assert "90 is not" in invoked("replay", str(path)).stdout
    again = invoked("replay", "--seed", str(recorded.seed), "--test", "mine:small")
    assert again.status == 1
    assert "numbers are small" in again.stdout
    assert invoked("seeds", "add", "--bank", "bank.txt", str(path)).status == 0
    assert f"{recorded.seed} mine:small" in Path("bank.txt").read_text()
    assert invoked("seeds", "test", "--bank", "bank.txt").status == 1


def test_a_file_names_a_scenario_as_a_module_does(folder: Path) -> None:
    assert invoked("simulate", "./mine.py:passes", "mine:passes", "--seeds", "3").status == 0


@pytest.mark.parametrize(
    ("word", "complaint"),
    [
        ("mine", 'loadgen: "mine" names no scenario; write module:function, or file.py:function.'),
        ("mine:", 'loadgen: "mine:" names no scenario; write module:function, or file.py:function.'),
        ("nowhere:scenario", "loadgen: nowhere: cannot be imported: No module named 'nowhere'."),
        ("nowhere.py:scenario", "loadgen: nowhere.py: cannot be imported: there is no such file."),
        ("raises:scenario", "loadgen: raises: cannot be imported: KeyError: 'no' (raises.py, line 1: {}['no'])."),
        ("half.py:it", "loadgen: half.py: cannot be imported: SyntaxError: '(' was never closed (half.py, line 1)."),
        ("ends:it", "loadgen: ends: cannot be imported: SystemExit: 3 (ends.py, line 1: raise SystemExit(3))."),
        (
            "no_world:it",
            "loadgen: no_world: it cannot be called with a world: too many positional arguments; "
            "write async def it(world).",
        ),
        ("mine:not_one", "loadgen: mine has no coroutine function not_one; it has small, passes."),
    ],
)
def test_a_word_that_names_no_scenario_is_a_usage_error(folder: Path, word: str, complaint: str) -> None:
    for name, text in {"raises": "{}['no']", "half": "(", "ends": "raise SystemExit(3)", "no_world": NO_WORLD}.items():
        (folder / f"{name}.py").write_text(text)
    done = invoked("simulate", word)
    assert (done.status, done.stderr.strip()) == (2, complaint)


def test_a_state_that_a_campaign_never_reaches_fails_it(folder: Path) -> None:
    text = SCENARIOS.replace("number < 90", "True")
    (folder / "mine.py").write_text(text)
    done = invoked("simulate", "mine:small", "--seeds", "100")
    assert done.status == 1
    assert "no case reached the state: never" in done.stdout
    assert "a large number" in done.stdout
    # Too few seeds to say so.
    assert invoked("simulate", "mine:small", "--seeds", "20").status == 0


# ── Determined by the seed ────────────────────────────────────────────────────────────────────────────────────────────


async def crowded(world: World) -> None:
    """Hosts that talk to a server and to each other, with all kinds of faults among them."""
    from redis.asyncio import Redis
    from redis.exceptions import RedisError

    world.redis("cache", fsync="everysec")

    async def worker(name: str) -> None:
        async with Redis(host="cache", socket_timeout=0.5) as redis:
            for _ in range(20):
                try:
                    await redis.incr("n")
                    await redis.rpush("l", name)
                except (RedisError, OSError):
                    await asyncio.sleep(0.1)

    await asyncio.gather(*(world.host(name).run(worker(name)) for name in "abc"))


crowded = settings(faults=[*KINDS], mean_faults=4, within_s=2)(crowded)


def run(scenario: Scenario, seed: int, name: str = "test:scenario") -> Outcome:
    with sealed():
        kind = ScenarioKind(name, scenario)
        kind.warm_up()
        return kind.run(Tape.seeded(name, seed))


def test_a_seed_is_the_same_run_whatever_was_run_before() -> None:
    traces = [run(crowded, seed).trace for seed in (1, 2, 3, 4, 3, 2, 1)]
    assert traces[:3] == traces[:3:-1]
    assert len(set(traces)) == 4


def test_a_seed_is_the_same_run_with_every_order_of_hashes() -> None:
    program = (
        "from test_scenarios import crowded, run; print(*(run(crowded, seed).trace for seed in range(1, 4)), sep='\\n')"
    )
    path = ":".join([str(Path(__file__).parent), str(Path(__file__).parents[1] / "support")])
    printed = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={"PYTHONPATH": path, "PYTHONHASHSEED": hashes},
            capture_output=True,
            text=True,
            check=True,
            timeout=120,
        ).stdout
        for hashes in ("1", "2")
    }
    assert len(printed) == 1
    assert printed.pop().split() == [run(crowded, seed).trace for seed in (1, 2, 3)]


def test_a_run_that_depends_on_anything_else_is_found_with_its_first_difference() -> None:
    numbers = itertools.count()

    async def leaks(world: World) -> None:
        if next(numbers) % 2:
            world.draw.below(5, "left")
        else:
            world.draw.below(7, "right")

    outcome = run(leaks, 1)
    assert (outcome.verdict, outcome.invariant) == (Verdict.FAIL, DETERMINED)
    assert '"left" below 5 when recorded, "right" below 7 now' in outcome.message


def test_a_run_that_ends_in_another_way_though_its_draws_are_the_same_is_found() -> None:
    numbers = itertools.count()

    async def leaks(world: World) -> None:
        await asyncio.sleep(next(numbers) / 1000)

    outcome = run(leaks, 1)
    assert (outcome.verdict, outcome.invariant) == (Verdict.FAIL, DETERMINED)


def test_garbage_is_collected_between_runs_and_not_in_them() -> None:
    """What is finalised must not depend on when a collection comes."""

    class Ring:
        def __init__(self) -> None:
            self.ring = self

        def __del__(self) -> None:
            collected.append(1)

    async def scenario(world: World) -> None:
        before = len(collected)
        Ring()
        kept = [[n] for n in range(50_000)]
        assert len(collected) == before
        del kept

    collected: list[int] = []
    passes(scenario)
    gc.collect()
    assert collected == [1]


# ── From a program ────────────────────────────────────────────────────────────────────────────────────────────────────


@settings(faults=[])
async def broken(world: World) -> None:
    sometimes("it was here")
    always(world.draw.below(10, "number") < 9, "it is below nine")


async def calm(world: World) -> None:
    sometimes("it was here")


def test_simulate_raises_with_all_that_a_failure_needs_and_else_returns_the_states(tmp_path: Path) -> None:
    with pytest.raises(SimulationFailed) as failed:
        simulate(broken, artifacts=tmp_path)
    words = str(failed.value).splitlines()
    assert words[0] == f"seed {failed.value.seed} of {broken.__module__}:broken fails"
    assert words[1] == "invariant  it is below nine"
    assert words[-2].startswith(f"replay     loadgen replay --seed {failed.value.seed} --test ")
    assert words[-1].endswith(f"test_scenarios-broken-{failed.value.seed}.json")
    assert simulate(calm, seeds=3) == {"it was here": 3}


@settings(faults=[], states=["a state without a place"])
async def pale(world: World) -> None:
    sometimes("three", world.draw.below(3, "number") == 3)


def test_a_state_that_no_seed_of_many_reaches_is_a_failure_too() -> None:
    with pytest.raises(StateNotReached) as missed:
        simulate(pale, seeds=100)
    assert missed.value.states == ["a state without a place", "three"]
    assert simulate(pale, seeds=99) == {"a state without a place": 0, "three": 0}


def test_a_world_inside_of_a_running_loop_is_refused() -> None:
    async def inside() -> None:
        simulate(broken)

    with pytest.raises(RuntimeError, match="simulate outside of a running one"):
        asyncio.run(inside())


def test_a_fault_that_is_not_known_and_a_name_that_is_taken_are_refused() -> None:
    with pytest.raises(ValueError, match="there is no fault 'earthquake'; there are pause"):
        settings(faults=["earthquake"])

    async def scenario(world: World) -> None:
        world.redis("cache")
        with pytest.raises(ValueError, match="there is a server 'cache' already"):
            world.memcached("cache")
        with pytest.raises(ValueError, match="fsync is 'sometimes'"):
            world.redis("other", fsync="sometimes")
        with pytest.raises(ValueError, match="there is no Redis server 'nowhere'; there are cache"):
            world.faults.power_cut("nowhere", 1)

    passes(scenario)
