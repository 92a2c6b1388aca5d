"""fakeredis as a subject: its replies keep their types, and what it raises is a finding."""

from __future__ import annotations

import pytest

from loadgen.protocol import Wire
from loadgen.verify.grammar.groups import GROUPS
from loadgen.verify.kinds.oracle import OracleKind
from loadgen.verify.reply import OK, QUEUED, Error, NoReply, Null, Reply
from loadgen.verify.step import Step
from loadgen.verify.subject.fake import FakeredisSubject
from loadgen.verify.subject.of_model import ModelSubject
from loadgen.verify.tape import Tape

pytest.importorskip("fakeredis")


def asked(subject: FakeredisSubject, *commands: str) -> list[Reply]:
    return subject.ask([Step(tuple(command.encode().split())) for command in commands])


def test_replies_keep_their_types() -> None:
    commands = ("SET a 1", "GET a", "INCR a", "GET b", "LPUSH a x", "MULTI", "MGET a b", "EXEC")
    replies = asked(FakeredisSubject(), *commands)
    assert replies[:4] == [OK, b"1", 2, Null.BULK]
    assert isinstance(replies[4], Error)
    assert replies[4].code == b"WRONGTYPE"
    assert replies[5:] == [OK, QUEUED, ((b"2", Null.BULK),)]


def test_what_a_command_raises_is_no_reply_and_the_next_case_begins_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    subject = FakeredisSubject()
    asked(subject, "SET a 1")
    monkeypatch.setattr(subject, "_reply", lambda raw: 1 / 0)
    assert asked(subject, "GET a", "GET a") == [NoReply("it raised ZeroDivisionError: division by zero")] * 2
    monkeypatch.undo()
    assert asked(subject, "GET a") == [Null.BULK]


def test_the_oracle_finds_what_fakeredis_answers_wrong() -> None:
    """fakeredis 2.41: SINTERCARD of a key that is not there answers WRONGTYPE, where Redis answers 0."""
    kind = OracleKind(GROUPS["sets"], ModelSubject(Wire.RESP), FakeredisSubject())
    outcomes = [kind.run(Tape.seeded(kind.name, seed)) for seed in range(10)]
    assert "oracle_sets: SINTERCARD: error WRONGTYPE for integer" in {outcome.fingerprint for outcome in outcomes}
