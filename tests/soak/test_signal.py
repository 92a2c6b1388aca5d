"""The go/no-go signal: what answers mean, how long one that cannot be had is put up with, and what is served."""

from __future__ import annotations

import http.client
import json
import socket
import threading

import pytest

from loadgen.errors import TargetError
from loadgen.soak.go import Go
from loadgen.soak.observed_signal import ObservedSignal
from loadgen.soak.served_signal import ServedSignal
from loadgen.soak.signal import OLDEST_S, PATIENCE, Answer, Obeyed, Signal, Told, respond, understood
from loadgen.web.get import NoPageError
from loadgen.web.http import Request

GO, NO_GO, NONE = Signal.GO, Signal.NO_GO, Signal.UNREACHABLE


@pytest.mark.parametrize(
    ("status", "body", "meaning"),
    [
        (200, b"True", Answer(GO)),
        (200, b"False\n", Answer(NO_GO)),
        (200, b" go ", Answer(GO)),
        (200, b"no-go", Answer(NO_GO)),
        (200, b'{"go": true, "x": 1}', Answer(GO)),
        (200, b'{"go": false, "why": ["a", "b"]}', Answer(NO_GO, "a; b")),
        (503, b'{"go": true, "why": "full"}', Answer(NO_GO, "full")),
        (503, b"", Answer(NO_GO, "it answers 503")),
        (404, b"True", Answer(NONE, "it answers 404")),
        (200, b"", Answer(NONE, "its answer is no go/no-go signal: it is empty")),
        (200, b"<html>\n<p>True", Answer(NONE, "its answer is no go/no-go signal: <html> <p>True")),
        (200, b'{"go": "yes"}', Answer(NONE, 'its answer is no go/no-go signal: {"go": "yes"}')),
        (200, b"1", Answer(NONE, "its answer is no go/no-go signal: 1")),
        (200, b"[" * 100_000, Answer(NONE, f"its answer is no go/no-go signal: {'[' * 59}…")),
        (200, b"False\x1b[2J", Answer(NONE, r"its answer is no go/no-go signal: False\x1b[2J")),
    ],
)
def test_an_answer_has_one_meaning(status: int, body: bytes, meaning: Answer) -> None:
    assert understood(status, body) == meaning


def test_a_reason_from_outside_moves_no_cursor() -> None:
    assert understood(200, json.dumps({"go": False, "why": "\x1b[2J"}).encode()).why == r"\x1b[2J"


def obeyed(*signals: Signal) -> Obeyed:
    now = Obeyed()
    for signal in signals:
        now = now.told(Answer(signal, f"said {signal.value}"))
    return now


def test_a_signal_is_obeyed_at_once_in_both_directions() -> None:
    assert obeyed(NO_GO) == Obeyed(False, "said no-go", 0, 1)
    assert obeyed(NO_GO, GO) == Obeyed(True, "", 0, 2)


def test_an_unreachable_signal_keeps_the_last_one_for_so_many_polls_and_is_then_a_no_go() -> None:
    assert obeyed(GO, *[NONE] * (PATIENCE - 1)).go
    assert obeyed(GO, *[NONE] * PATIENCE) == Obeyed(
        False, f"no answer in {PATIENCE} polls: said unreachable", PATIENCE, PATIENCE + 1
    )
    assert not obeyed(NO_GO, NONE).go
    assert obeyed(GO, *[NONE] * 2, GO, *[NONE] * 2).go, "polls in a row"
    assert obeyed(GO, *[NONE] * 9, GO).go


def asked(path: str, told: Told | None, now_s: float = 100.0, method: str = "GET") -> tuple[int, str]:
    answer = respond(Request(method, path), told, now_s)
    return answer.status, answer.body.decode().strip()


def test_what_is_served_is_understood_by_who_obeys_it() -> None:
    for told in (Told(True, "soaking", 99.0), Told(False, "soaking", 99.0, ("fds: red", "a restart"))):
        for path in ("/", "/state"):
            answer = respond(Request("GET", path), told, 100.0)
            meaning = understood(answer.status, answer.body)
            assert meaning.signal is (GO if told.go else NO_GO)
            if path == "/state":
                assert meaning.why == "; ".join(told.why)


def test_the_state_is_json_with_the_leaders_facts() -> None:
    status, body = asked("/state?x=1", Told(True, "soaking", 98.5, facts={"checkpoint": 3}))
    assert status == 200
    assert json.loads(body) == {"go": True, "why": [], "state": "soaking", "age_s": 1.5, "checkpoint": 3}
    assert json.loads(asked("/state", None)[1])["state"] == "starting"


def test_a_leader_that_says_nothing_is_a_no_go() -> None:
    told = Told(True, "soaking", 0.0)
    assert asked("/", told, OLDEST_S) == (200, "True")
    assert asked("/", told, OLDEST_S + 1) == (200, "False")
    status, body = asked("/state", told, OLDEST_S + 1)
    assert (status, json.loads(body)["why"]) == (503, ["the soak has said nothing for 11 s: it hangs, or is stopped"])


def test_other_paths_and_methods_are_refused() -> None:
    assert asked("/metrics", None)[0] == 404
    assert asked("/", None, method="POST")[0] == 405


def test_the_signal_is_served_to_any_number_of_questions_and_its_port_is_free_again() -> None:
    served = ServedSignal(0)
    try:
        kept = http.client.HTTPConnection(served.host, served.port, timeout=10)
        for go, word in ((True, b"True\n"), (False, b"False\n")):
            served.tell(Told(go, "soaking", 1e12))
            kept.request("GET", "/")
            assert kept.getresponse().read() == word
        with pytest.raises(TargetError, match=f"cannot be served at 127.0.0.1:{served.port} .*; name another port"):
            ServedSignal(served.port)
        kept.close()
    finally:
        served.close()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((served.host, served.port), 5).close()
    again = ServedSignal(served.port)
    again.close()


class Answers:
    """A URL that gives these answers, one each time it is asked, and then no more."""

    def __init__(self, *answers: tuple[int, bytes] | NoPageError) -> None:
        self._answers = [*answers]
        self.asked_more, self.end = threading.Event(), threading.Event()

    def __call__(self, url: str) -> tuple[int, bytes]:
        assert url == "http://other/"
        if not self._answers:
            self.asked_more.set()
            self.end.wait(60)
            raise NoPageError("it is over")
        answer = self._answers.pop(0)
        if isinstance(answer, NoPageError):
            raise answer
        return answer


def until_over(answers: Answers) -> Obeyed:
    observed = ObservedSignal("http://other/", answers, every_s=0.0)
    answers.asked_more.wait(60)
    now = observed.now
    answers.end.set()
    observed.close()
    return now


def test_another_signal_is_polled_and_one_that_cannot_be_had_is_a_no_go_in_the_end() -> None:
    assert until_over(Answers((200, b"False"), (200, b"True"))).go
    refused = NoPageError("connection refused")
    broken = until_over(Answers((200, b"True"), *[refused] * PATIENCE))
    assert (broken.go, broken.why) == (False, f"no answer in {PATIENCE} polls: connection refused")


def test_a_signal_that_hangs_holds_up_nobody() -> None:
    answers = Answers()
    observed = ObservedSignal("http://other/", answers)
    assert observed.now == Obeyed()
    assert observed.first(0.01) is None
    answers.end.set()
    assert observed.first(60) == Obeyed(True, "it is over", 1, 1)
    observed.close()


def test_a_soak_obeys_what_another_serves() -> None:
    with Go(serves=("127.0.0.1", 0)) as other, Go(obeys=other.url) as soak:
        assert soak.may_go() == (True, "")
        assert (other.may_go(), soak.url) == ((True, ""), "")
        other.tell("soaking", ["the disk is full"])
        for path, why in (("/", "it says no-go"), ("/state", "the disk is full")):
            with Go(obeys=f"{other.url}{path}") as late:
                assert late.may_go() == (False, why)
    with pytest.raises(TargetError, match=r"/state gives no go/no-go signal \(nothing listens there\): is its server"):
        Go(obeys=f"{other.url}/state")
