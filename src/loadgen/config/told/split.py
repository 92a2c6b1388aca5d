"""How a run is divided among its workers: connections, rate, key ids and seeds. Pure arithmetic."""

from __future__ import annotations

from itertools import pairwise

from loadgen.config.tables.schema import Config

_MASK = 2**64 - 1


def worker_count(threads: int, config: Config) -> int:
    """How many workers are used of so many `threads`: no more than can each have a connection to every endpoint.

    A key decides by ketama which endpoint it goes to, so a worker that could not reach one could not send all its keys.
    """
    return max(1, min(threads, config.connection.connections // config.target.servers))


def split_connections(connections: int, endpoints: int, workers: int) -> list[tuple[int, ...]]:
    """For each worker, its connections to each endpoint.

    Endpoints' totals differ by at most 1, workers' totals as well, and so do workers' connections to one endpoint.
    """
    shares = [[0] * endpoints for _ in range(workers)]
    base, extra = divmod(connections, endpoints)
    # Dealt like cards, one endpoint after the other and never starting over, so that remainders spread too.
    dealt = 0
    for endpoint in range(endpoints):
        total = base + (endpoint < extra)
        for worker in range(workers):
            shares[(dealt + worker) % workers][endpoint] = total // workers + (worker < total % workers)
        dealt += total
    return [tuple(share) for share in shares]


def split_range(count: int, workers: int) -> list[tuple[int, int]]:
    """For each worker, the first and the number of its ids: contiguous, covering 0 … count-1, even to within 1."""
    bounds = [worker * count // workers for worker in range(workers + 1)]
    return [(first, end - first) for first, end in pairwise(bounds)]


def worker_seed(run_seed: int, index: int) -> int:
    """A worker's seed: output number `index` of a SplitMix64 generator that starts from the run's seed; 0 … 2^64-1.

    Steele, Lea, Flood: "Fast splittable pseudorandom number generators", OOPSLA 2014; constants of Vigna's
    splitmix64.c. Unlike seed + index, it gives unrelated streams to the workers of runs whose seeds are neighbours.
    """
    z = (run_seed + (index + 1) * 0x9E3779B97F4A7C15) & _MASK
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & _MASK
    return z ^ (z >> 31)
