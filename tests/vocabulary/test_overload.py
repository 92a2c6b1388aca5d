"""Overload is named where less was served than offered and a queue grew: on invented counts, and in one real run."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import pytest
from faulty_server import FaultyServer, Peer, good_reply, is_load, polite
from in_process import invoked_load

from loadgen.engine._histogram import Histogram
from loadgen.overload import BACKLOG_NS, Overload, lateness_ns, of_window, offered_served
from loadgen.snapshot import Backlog, Snapshot, Tally
from loadgen.units import NS_PER_MS, NS_PER_S


def window(planned: int, served: int, ages_ms: Sequence[int], last_ms: int | None = None) -> Overload:
    last = Backlog(100, NS_PER_MS * (ages_ms[-1] if last_ms is None else last_ms))
    measured = Snapshot(tallies={"get": Tally(planned=planned)}, answered_in_time=served, backlog=last)
    return of_window(measured, 4 * NS_PER_S, [Backlog(100, ms * NS_PER_MS) for ms in ages_ms])


def test_twice_the_capacity_is_a_queue_that_only_grows() -> None:
    account = window(8000, 4000, [500, 1000, 1500, 2000])
    assert (account.offered_per_s, account.served_per_s) == (2000, 1000)
    assert (account.named, account.growing, account.only_grew) == (True, True, True)


@pytest.mark.parametrize(
    ("planned", "served", "ages_ms"),
    [
        (8000, 7990, [0, 0, 0, 0]),
        # Frozen for 100 ms in every second, whenever it is looked.
        (8000, 7800, [90, 90, 90, 90]),
        # A second of silence that was made good.
        (8000, 7999, [900, 500, 100, 0]),
        # Late, and all of it served.
        (8000, 7999, [0, 0, 0, 250]),
    ],
)
def test_what_is_worked_off_is_no_overload(planned: int, served: int, ages_ms: list[int]) -> None:
    assert not window(planned, served, ages_ms).named


def test_a_burst_that_is_being_worked_off_is_named_and_does_not_grow() -> None:
    account = window(8000, 7000, [2000, 1500, 1000, 500])
    assert (account.named, account.growing, account.only_grew) == (True, False, False)


def test_a_queue_that_was_shorter_in_between_has_not_only_grown() -> None:
    account = window(8000, 5000, [800, 300, 900, 1500])
    assert (account.named, account.growing, account.only_grew) == (True, True, False)


def test_a_number_of_requests_is_held_against_the_rate_and_not_against_how_long_it_took() -> None:
    measured = Snapshot(tallies={"get": Tally(planned=4000)}, answered_in_time=4000)
    backlogs = [Backlog(1000, ms * NS_PER_MS) for ms in (500, 1000, 1500, 0)]
    account = of_window(measured, 4 * NS_PER_S, backlogs, offered_per_s=2000)
    assert (account.offered_per_s, account.served_per_s) == (2000, 1000)
    assert account.backlog == backlogs[2]
    assert (account.named, account.growing, account.only_grew) == (True, True, True)


def test_an_empty_window_has_no_rates() -> None:
    assert offered_served(Snapshot(), 0) == (0.0, 0.0)
    assert not of_window(Snapshot(), 0).named


def test_backlogs_of_workers_add_up_and_are_as_old_as_the_oldest() -> None:
    assert Backlog(3, 500) + Backlog(4, 200) == Backlog(7, 500)
    later = Snapshot(backlog=Backlog(9, 9))
    assert (later - Snapshot(backlog=Backlog(5, 5))).backlog == Backlog(9, 9)


def test_the_generator_is_late_beyond_both_limits_only() -> None:
    def interval(ours_ns: int, response_ns: int) -> Snapshot:
        ours, response = Histogram(), Histogram()
        ours.record(ours_ns)
        response.record(response_ns)
        return Snapshot(response={"get": response}, lag_ours=ours)

    assert lateness_ns(interval(2000, 10_000), 1000, 0.1) == 2000
    assert lateness_ns(interval(900, 1000), 1000, 0.1) == 0
    assert lateness_ns(interval(2000, 100_000), 1000, 0.1) == 0
    assert lateness_ns(Snapshot(), 1000, 0.1) == 0


def test_overload_is_named_while_it_goes_on_and_at_the_end_and_is_no_failure() -> None:
    def slow(peer: Peer) -> None:
        for request in peer.requests():
            if is_load(request):
                threading.Event().wait(0.005)
            peer.send(good_reply(request))

    with FaultyServer(slow) as server:
        options = ("--rate", "2000", "--warmup", "500ms", "--duration", "900ms", "--connections", "1")
        more = ("--arrival", "constant", "--set", "general.interval=300ms", "--set", "connection.request_timeout=300ms")
        finished = invoked_load(server.port, *options, "--pipeline", "1", *more)
    samples = [record for record in finished.records if record["type"] == "sample"]
    overload = finished.result["overload"]
    assert overload["named"]
    assert overload["growing"]
    assert overload["only_grew"]
    assert overload["offered_per_s"] == pytest.approx(2000, rel=0.01)
    assert overload["served_per_s"] < 300
    assert overload["backlog"]["age_ns"] > BACKLOG_NS
    # The warm-up's backlog, of at least 0.3 s, was not carried over: the first row has replies to its own requests.
    assert overload["left_by_warmup"] > 600
    assert samples[0]["req_s"] > 0
    assert all(sample["offered_s"] == pytest.approx(2000, rel=0.1) for sample in samples)
    assert [sample["backlog"]["growing"] for sample in samples] == [True] * 3
    assert finished.status == 0


def test_a_closed_loop_is_offered_nothing() -> None:
    with FaultyServer(polite()) as server:
        finished = invoked_load(server.port)
    assert finished.status == 0, finished.stderr
    assert finished.counts["ok"] > 0
    assert "overload" not in finished.result
    assert not any("backlog" in record for record in finished.records)
