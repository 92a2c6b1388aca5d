"""The number of workers of a run, and their seeds. Pure arithmetic."""

from __future__ import annotations

from loadgen.config.tables.schema import Config

_MASK = 2**64 - 1


def worker_count(threads: int, config: Config) -> int:
    """Return the number of workers: `threads`, but no more than can each have a connection to every endpoint.

    Ketama assigns each key to an endpoint, so a worker without a connection to every endpoint could not send all keys.
    """
    return max(1, min(threads, config.connection.connections // config.target.servers))


def worker_seed(run_seed: int, index: int) -> int:
    """Return a worker's seed: output `index` of a SplitMix64 generator that starts from the run's seed; 0 … 2^64-1.

    Steele, Lea, Flood: "Fast splittable pseudorandom number generators", OOPSLA 2014; constants of Vigna's
    splitmix64.c. Unlike seed + index, the generator gives unrelated streams to workers of runs with adjacent seeds.
    """
    z = (run_seed + (index + 1) * 0x9E3779B97F4A7C15) & _MASK
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & _MASK
    return z ^ (z >> 31)
