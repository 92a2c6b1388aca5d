"""The model of Redis at times that are told, and its transactions: what no server can be asked exactly."""

from __future__ import annotations

import pytest

from loadgen.verify.model.redis import COMMANDS, Model
from loadgen.verify.reply import OK, QUEUED, Error, Null, Reply

MS = 1_000_000
S = 1000 * MS
NOW = 1_700_000_000 * S


def ask(model: Model, command: str, now_ns: int = NOW, connection: int = 0) -> Reply:
    return model.ask(command.encode().split(), now_ns, connection)


def test_a_key_is_there_until_the_millisecond_in_which_its_time_has_come() -> None:
    model = Model()
    ask(model, "SET a 1 PX 100")
    assert ask(model, "GET a", NOW + 99 * MS) == b"1"
    assert ask(model, "PTTL a", NOW + 99 * MS) == 1
    assert ask(model, "GET a", NOW + 100 * MS) == Null.BULK
    assert ask(model, "PTTL a", NOW + 100 * MS) == -2


@pytest.mark.parametrize("write", ["SET a 2", "GETSET a 2", "PERSIST a"])
def test_what_takes_the_time_to_live_away_keeps_the_key(write: str) -> None:
    model = Model()
    ask(model, "SET a 1 EX 10")
    ask(model, write)
    assert ask(model, "EXISTS a", NOW + 20 * S) == 1


@pytest.mark.parametrize("write", ["SET a 2 KEEPTTL", "INCR a", "APPEND a x", "SETRANGE a 0 5"])
def test_what_changes_the_value_in_place_keeps_the_time_to_live(write: str) -> None:
    model = Model()
    ask(model, "SET a 1 EX 10")
    ask(model, write)
    assert ask(model, "EXISTS a", NOW + 10 * S) == 0


def test_a_rename_and_a_copy_take_the_time_to_live_along() -> None:
    model = Model()
    ask(model, "SET a 1 EX 10")
    ask(model, "COPY a b")
    ask(model, "RENAME a c")
    assert [ask(model, f"TTL {key}") for key in "abc"] == [-2, 10, 10]


def test_a_stream_chooses_ids_that_grow_even_when_the_clock_goes_back() -> None:
    model = Model()
    first = ask(model, "XADD a * f v", NOW)
    second = ask(model, "XADD a * f v", NOW)
    third = ask(model, "XADD a * f v", NOW - S)
    ms = NOW // MS
    assert [first, second, third] == [b"%d-%d" % (ms, sequence) for sequence in range(3)]


# ── Transactions ──────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("by", "reply"),
    [("SET a 2", Null.ARRAY), ("DEL a", Null.ARRAY), ("SET b 2", (b"1",)), ("GET a", (b"1",))],
)
def test_exec_gives_nothing_when_another_connection_changed_a_watched_key(by: str, reply: Reply) -> None:
    model = Model()
    ask(model, "SET a 1")
    ask(model, "WATCH a")
    ask(model, by, connection=1)
    assert ask(model, "MULTI") == OK
    assert ask(model, "GET a") == QUEUED
    assert ask(model, "EXEC") == reply


def test_a_command_that_is_refused_spoils_the_transaction() -> None:
    model = Model()
    ask(model, "MULTI")
    ask(model, "SET a 1")
    assert ask(model, "NOSUCH a") == Error(b"ERR unknown command 'NOSUCH', with args beginning with: ")
    assert ask(model, "EXEC") == Error(b"EXECABORT Transaction discarded because of previous errors.")
    assert ask(model, "EXISTS a") == 0


def test_an_error_inside_a_transaction_does_not_undo_the_rest() -> None:
    model = Model()
    ask(model, "MULTI")
    ask(model, "SET a x")
    ask(model, "INCR a")
    ask(model, "SET b 1")
    first, second, third = ask(model, "EXEC")
    assert (first, third) == (OK, OK)
    assert second == Error(b"ERR value is not an integer or out of range")


def test_a_connection_that_ends_leaves_its_transaction_undone() -> None:
    model = Model()
    ask(model, "MULTI")
    ask(model, "SET a 1")
    model.close(0)
    assert ask(model, "EXEC") == Error(b"ERR EXEC without MULTI")
    assert ask(model, "EXISTS a") == 0


def test_the_model_has_every_command_of_the_grammar() -> None:
    from loadgen.verify.grammar.groups import GROUPS
    from loadgen.verify.model.redis import TRANSACTIONS

    asked = {name for group in GROUPS.values() for name in group.commands}
    assert asked - COMMANDS.keys() - TRANSACTIONS.keys() == set()
