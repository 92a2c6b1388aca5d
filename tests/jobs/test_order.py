"""What producers publish, and when."""

import itertools
from collections import Counter

import pytest

from loadgen.jobs.load.order import submissions
from loadgen.jobs.load.plan import Kind, Publishing

MS = 1_000_000
S = 1_000_000_000


def all_of(publishing: Publishing):
    return [
        submission for producer in range(publishing.producers) for submission in submissions(publishing, producer, 1)
    ]


@pytest.mark.parametrize("producers", [1, 3, 7])
def test_producers_together_publish_each_job_once(producers: int):
    found = all_of(Publishing((Kind(50), Kind(7)), producers=producers))
    assert Counter(each.work.n for each in found) == Counter(
        [*(f"1.{n}" for n in range(50)), *(f"2.{n}" for n in range(7))]
    )


def test_kinds_are_mixed_evenly():
    found = [each.work.n.partition(".")[0] for each in submissions(Publishing((Kind(90), Kind(10))), 0, 1)]
    places = [place for place, kind in enumerate(found) if kind == "2"]
    assert len(places) == 10
    assert all(8 <= after - before <= 12 for before, after in itertools.pairwise(places))


def test_a_rate_gives_each_publish_its_time_over_all_producers():
    found = sorted(all_of(Publishing((Kind(10),), producers=2, rate_per_s=100.0)), key=lambda each: each.due_ns)
    assert [each.due_ns for each in found] == [n * 10 * MS for n in range(10)]


def test_bursts_have_equal_parts():
    found = all_of(Publishing((Kind(20),), bursts=4, pause_ns=3 * S))
    assert Counter(each.due_ns for each in found) == {0: 5, 3 * S: 5, 6 * S: 5, 9 * S: 5}


def test_submissions_of_a_key_fall_to_different_producers():
    publishing = Publishing((Kind(10),), producers=5, submissions=5)
    by_producer = [{each.key for each in submissions(publishing, producer, 1)} for producer in range(5)]
    assert all(len(keys) == 10 for keys in by_producer)
    assert len({each.work.n for each in all_of(publishing)}) == 50


def test_payloads_are_as_long_as_was_asked_for():
    [found] = submissions(Publishing((Kind(1, payload_bytes=500),)), 0, 1)
    assert 500 <= len(found.work.to_json()) <= 520
