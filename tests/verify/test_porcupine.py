"""loadgen's checker of registers and Porcupine, whose model is written in Go from the document, agree on every key."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from porcupine_oracle import BUILD, illegal_keys, program
from simulated_register import simulated

from loadgen.verify.checkers._register import Register
from loadgen.verify.history._operations import Operations

WAYS: dict[str, tuple[Callable[[int, float], Operations], bool]] = {
    "unique values": (lambda seed, lies: simulated(seed, 14, lies=lies), False),
    "unique values, nothing evicted": (lambda seed, lies: simulated(seed, 14, lies=lies, evicts=False), True),
    "values again": (lambda seed, lies: simulated(seed, 14, lies=lies, values=3), False),
    "cas and add": (lambda seed, lies: simulated(seed, 14, lies=lies, conditional=True), False),
    "cas and add on few values, nothing evicted": (
        lambda seed, lies: simulated(seed, 14, lies=lies, values=3, conditional=True, evicts=False),
        True,
    ),
}


@pytest.mark.parametrize("way", WAYS)
def test_porcupine_finds_the_same_keys_illegal(way: str) -> None:
    """250 histories of each way, of which at least 50 are illegal and 50 legal: 500 and more in all."""
    oracle = program()
    if oracle is None:
        pytest.skip(f"Porcupine is not built: set {BUILD}=1, with Go installed")
    made, strict = WAYS[way]
    histories = [made(seed, 0.0 if seed % 2 else 0.2) for seed in range(250)]
    theirs = illegal_keys(oracle, histories, strict=strict)
    for register in (Register(strict=strict), Register(strict=strict, by_search=True)):
        ours = []
        for each in histories:
            register.judged(each)
            assert register.unjudged_count == 0
            ours.append({register.accusation(index)[1] for index in range(register.accused)})
        assert ours == theirs
    assert min(sum(map(bool, theirs)), theirs.count(set())) >= 50
    assert not any(theirs[1::2])
