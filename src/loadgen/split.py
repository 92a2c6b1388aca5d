"""The division of a load among workers: connections, key ids and seeds. Pure arithmetic."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

_MASK = 2**64 - 1


def split_connections(connections: int, weights: Sequence[int], workers: int) -> list[tuple[int, ...]]:
    """Return, for each worker, its number of connections to each server.

    Servers' totals are in proportion to their weights, by largest remainder, of equals the first; with at least as many
    connections as servers, none has none. Workers' totals differ by at most 1, and so do workers' connections to one
    server.
    """
    shares = [[0] * len(weights) for _ in range(workers)]
    # Dealt like cards: a server continues where the one before ended, so that remainders are spread too.
    dealt = 0
    for server, total in enumerate(_totals(connections, weights)):
        for worker in range(workers):
            shares[(dealt + worker) % workers][server] = total // workers + (worker < total % workers)
        dealt += total
    return [tuple(share) for share in shares]


def _totals(connections: int, weights: Sequence[int]) -> list[int]:
    whole = sum(weights)
    totals = [connections * weight // whole for weight in weights]
    order = sorted(range(len(weights)), key=lambda server: -(connections * weights[server] % whole))
    for server in order[: connections - sum(totals)]:
        totals[server] += 1
    while connections >= len(weights) and 0 in totals:
        totals[totals.index(max(totals))] -= 1
        totals[totals.index(0)] += 1
    return totals


def split_range(count: int, workers: int) -> list[tuple[int, int]]:
    """Return each worker's first id and number of ids: contiguous, covering 0 … count-1, even to within 1."""
    bounds = [worker * count // workers for worker in range(workers + 1)]
    return [(first, end - first) for first, end in pairwise(bounds)]


def worker_seed(run_seed: int, index: int) -> int:
    """Return a worker's seed: output `index` of a SplitMix64 generator that starts from the run's seed; 0 … 2^64-1.

    Steele, Lea, Flood: "Fast splittable pseudorandom number generators", OOPSLA 2014; constants of Vigna's
    splitmix64.c. Unlike seed + index, the generator gives unrelated streams to workers of runs with adjacent seeds.
    """
    z = (run_seed + (index + 1) * 0x9E3779B97F4A7C15) & _MASK
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & _MASK
    return z ^ (z >> 31)
