"""The greetings of every connection, also of one that is opened again: the user, the database, and a sign of life."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass, field

import pytest
from runs import plan
from stages import Connection, Stage

from loadgen.engine._engine import Engine

MS = 1_000_000
S = 1_000 * MS
GREETINGS = re.compile(rb"\*\d\r\n\$\d\r\n(AUTH|SELECT|HELLO|PING|GET|SET)\r\n")


@dataclass
class Closing:
    """Answers, and closes each connection after its third reply to a GET or SET."""

    stage: Stage | None = None
    asked: dict[int, list[bytes]] = field(default_factory=lambda: defaultdict(list))
    selected: bytes = b"+OK\r\n"

    def received(self, connection: Connection, data: bytes) -> None:
        assert self.stage is not None
        asked = self.asked[id(connection)]
        for name in GREETINGS.findall(data):
            asked.append(name)
            answer = {b"PING": b"+PONG\r\n", b"HELLO": b"%0\r\n", b"GET": b"$-1\r\n", b"SELECT": self.selected}
            self.stage.reply(connection, self.stage.now_ns, answer.get(name, b"+OK\r\n"))
        if len([name for name in asked if name in (b"GET", b"SET")]) == 3:
            self.stage.hang_up(connection, self.stage.now_ns)


@pytest.mark.parametrize(
    ("protocol", "database", "greeting"),
    [("resp", 3, [b"AUTH", b"SELECT", b"PING"]), ("resp3", 3, [b"HELLO", b"SELECT"]), ("resp", 0, [b"AUTH", b"PING"])],
)
def test_every_connection_selects_its_database_also_one_that_is_opened_again(
    protocol: str, database: int, greeting: list[bytes]
) -> None:
    server = Closing()
    stage = server.stage = Stage(server, S)
    told = plan(1, f"target.protocol={protocol}", f"target.database={database}", "target.password=p",
                "target.username=u", "connection.connections=2", "connection.pipeline_depth=1")  # fmt: skip
    heard: list[str] = []
    engine = Engine(stage.plan(told), 0, heard.append, stage.reactor, stage.reactor.net)
    engine.connect()
    stage.run(2 * S)
    engine.load(3 * S, 0, 60 * S, [], 30)
    stage.run(100 * S)
    assert heard == ["connected", "drained"]
    assert len(server.asked) >= 10
    assert {tuple(asked[: len(greeting)]) for asked in server.asked.values()} == {tuple(greeting)}
    engine.close()


def test_a_database_that_is_not_there_ends_the_connection_before_any_request() -> None:
    server = Closing(selected=b"-ERR DB index is out of range\r\n")
    stage = server.stage = Stage(server, S)
    told = plan(1, "target.database=99", "connection.connections=2")
    heard: list[str] = []
    engine = Engine(stage.plan(told), 0, heard.append, stage.reactor, stage.reactor.net)
    engine.connect()
    stage.run(1100 * MS)
    assert heard == ["connected"]
    assert dict(engine.failure_counts()) == {"turned away": 2}
    assert engine.failure_examples()["turned away"] == "ERR DB index is out of range"
    assert {tuple(asked) for asked in server.asked.values()} == {(b"SELECT",)}
    engine.close()
