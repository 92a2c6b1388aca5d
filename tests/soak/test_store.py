"""The samples of a soak in memory: exact while they fit, thinned by a rule beyond, and flat."""

import itertools
import math
import tracemalloc
from collections.abc import Iterable

import pytest

from loadgen.soak import store as stores
from loadgen.soak.folder import Row
from loadgen.soak.store import Store


def filled(store: Store, rows: Iterable[tuple[float, float | None, float | None]]) -> Store:
    for t_s, level, count in rows:
        store.add(Row(t_s, ("proc.fds", "load.requests"), (level, count)))
    return store


def test_a_series_leaves_out_samples_without_a_value() -> None:
    store = filled(Store(10), [(-1, 5, None), (1, None, 10), (2, 7, 20)])
    assert ([*store.points("proc.fds").times_s], [*store.points("proc.fds").values]) == ([-1, 2], [5, 7])
    assert [*store.points("proc.fds", 0.0).values] == [7]
    assert [*store.points("load.requests", 0.0, 1.0).values] == [10]
    assert len(store.points("no.such")) == 0
    assert store.newest("proc.fds") == 7
    assert store.newest("load.requests", from_s=2.5) is None


def test_a_series_that_comes_later_has_no_values_before() -> None:
    store = filled(Store(10), [(1, 5, 1)])
    store.add(Row(2, ("proc.fds", "web.tasks"), (6, 3)))
    assert [*store.points("web.tasks").times_s] == [2]


def test_beyond_its_room_every_second_sample_goes_and_counts_stay_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stores, "MOST_ROWS", 64)
    store = filled(Store(10_000, counted=["load.requests"]), ((t, t, 1) for t in range(1, 1001)))
    assert len(store) <= 64
    assert store.thinned == 16
    times, values = store.points("proc.fds").times_s, store.points("proc.fds").values
    assert [*times] == [*values], "a level is that of its own time"
    assert math.fsum(store.points("load.requests").values) == 1000, "no request is lost"
    *gaps, last = [after - before for before, after in itertools.pairwise(times)]
    assert {*gaps} == {16}, "samples are evenly spaced, whenever they came"
    assert 0 < last <= 16


def test_memory_is_flat_from_the_first_sample_of_a_day_to_the_last() -> None:
    names = tuple(f"monitor.series{number}" for number in range(10))
    row = [1.0] * len(names)
    store = Store(86_400)
    store.add(Row(0, names, row))
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    for t_s in range(1, 86_400):
        store.add(Row(t_s, names, row))
    after, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert after - before < 10_000
    assert len(store) == 86_400
