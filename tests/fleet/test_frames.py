"""Frames, messages and the handshake of agents: bytes in, values out; and what is refused."""

import os
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st
from introduced import introduced

from loadgen.engine._histogram import Histogram
from loadgen.fleet.frame import LONGEST, Frame, FrameError, Frames, Kind, frame
from loadgen.fleet.introduction import Claim, HandshakeError, Introduction, is_proof, misfit, nonce, proof
from loadgen.fleet.launchers.local import Child
from loadgen.fleet.pickled import UnknownMessageError, pickled, unpickled
from loadgen.phase import Phase
from loadgen.snapshot import Snapshot
from loadgen.worker.messages import ClockReading, IntervalEnded

FRAMES = st.lists(st.tuples(st.sampled_from(Kind), st.binary(max_size=40)), max_size=6)


@given(FRAMES, st.lists(st.integers(1, 30), min_size=1))
def test_frames_are_the_same_however_the_stream_is_cut(sent: list[tuple[Kind, bytes]], cuts: list[int]) -> None:
    data, frames, found = b"".join(frame(*each) for each in sent), Frames(), []
    while data:
        size = cuts[len(data) % len(cuts)]
        found += frames.feed(data[:size])
        data = data[size:]
    assert found == [Frame(*each) for each in sent]


@pytest.mark.parametrize("data", [b"HTTP/1.1 400", b"\x00\x00\x00\x00\xee", (LONGEST + 1).to_bytes(4) + b"\x01"])
def test_bytes_that_are_no_frame_are_refused_at_their_head(data: bytes) -> None:
    with pytest.raises(FrameError):
        Frames().feed(data)


def test_a_body_that_is_too_long_is_not_sent() -> None:
    with pytest.raises(FrameError):
        frame(Kind.SAID, bytes(LONGEST + 1))


def test_a_message_comes_back_equal_with_its_histograms() -> None:
    snapshot = Snapshot(at_ns=7)
    report = IntervalEnded(phase=Phase.MEASURE, snapshot=snapshot, number=3, length_ns=9)
    assert unpickled(pickled(report)) == report
    histogram = Histogram()
    assert unpickled(pickled(histogram)).to_bytes() == histogram.to_bytes()


class Calls:
    """Pickles as a call of a function."""

    def __init__(self, function: object, *arguments: object) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return self.call


@pytest.mark.parametrize(
    "evil",
    [
        Calls(os.system, "touch /tmp/loadgen-was-here"),
        Calls(eval, "1"),
        Calls(getattr, ClockReading, "__init__"),
        Calls(Child, "x", ("true",), ""),
    ],
    ids=["a shell", "eval", "getattr", "a process"],
)
def test_a_pickle_that_would_act_is_refused(evil: Calls) -> None:
    with pytest.raises(UnknownMessageError, match="no part of a message"):
        unpickled(pickle.dumps(evil))


@given(st.binary(max_size=200))
def test_any_bytes_are_a_message_or_refused(data: bytes) -> None:
    try:
        unpickled(data)
    except UnknownMessageError:
        return


def test_an_introduction_comes_back_equal() -> None:
    assert Introduction.of_json(introduced().to_json()) == introduced()


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b"{}", b"\xff", b'{"protocol": true}', introduced(pid="x").to_json(), b"[" * 100_000, b"1" * 70_000],
)
def test_what_is_no_introduction_is_refused(body: bytes) -> None:
    with pytest.raises(HandshakeError):
        Introduction.of_json(body)


def test_a_proof_is_of_one_token_one_side_and_one_conversation() -> None:
    a, b, token = nonce(), nonce(), "t" * 16
    own = proof(token, "leader", a, b)
    assert is_proof(own, token, "leader", a, b)
    assert not is_proof(own, token, "agent", a, b)
    assert not is_proof(own, token, "leader", b, a)
    assert not is_proof(own, "u" * 16, "leader", a, b)
    assert not is_proof("", token, "leader", a, b)
    assert token not in own


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (introduced(version="0.9"), "has loadgen 0.9, and this is 1"),
        (introduced(protocol=99), "speaks version 99"),
        (introduced(order="big"), "big-endian"),
        (Claim(version="2", run="r", rank=0, agent="a", nonce="n"), "has loadgen 2"),
    ],
)
def test_another_version_is_a_misfit(said: Introduction | Claim, words: str) -> None:
    assert words in misfit(said, "1")
    assert misfit(introduced(), "1") == ""
