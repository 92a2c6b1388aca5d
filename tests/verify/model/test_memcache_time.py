"""The model of memcache at times that are told."""

from __future__ import annotations

import pytest

from loadgen.verify.model.memcache import EXISTS, NOT_FOUND, STORED, TOUCHED, Model
from loadgen.verify.reply import Reply

S = 1_000_000_000
NOW = 1_700_000_000 * S
MONTH_S = 60 * 60 * 24 * 30


def ask(model: Model, command: str, now_ns: int = NOW, connection: int = 0) -> Reply:
    return model.ask(command.encode().split(), now_ns, connection)


@pytest.mark.parametrize(
    ("exptime", "there", "gone"),
    [
        ("10", NOW + 9 * S, NOW + 10 * S),
        (str(MONTH_S), NOW + (MONTH_S - 1) * S, NOW + MONTH_S * S),
        # Above a month, an exptime is a Unix time.
        (str(NOW // S + 5), NOW + 4 * S, NOW + 5 * S),
        (str(MONTH_S + 1), None, NOW),
        ("-1", None, NOW),
        ("0", NOW + 100 * MONTH_S * S, None),
    ],
)
def test_an_item_is_there_until_its_exptime(exptime: str, there: int | None, gone: int | None) -> None:
    model = Model()
    assert ask(model, f"set a 0 {exptime} x") == STORED
    if there is not None:
        assert ask(model, "get a", there) == ((b"a", 0, b"x"),)
    if gone is not None:
        assert ask(model, "get a", gone) == ()


def test_touch_moves_the_exptime_and_keeps_value_and_unique_number() -> None:
    model = Model()
    ask(model, "set a 0 10 x")
    before = ask(model, "gets a")
    assert ask(model, "touch a 100", NOW + 5 * S) == TOUCHED
    assert ask(model, "gets a", NOW + 50 * S) == before
    assert ask(model, "touch a 1", NOW + 105 * S) == NOT_FOUND


def test_cas_is_stored_once_for_each_unique_number_that_was_read() -> None:
    model = Model()
    ask(model, "set a 0 0 x")
    ask(model, "gets a", connection=0)
    ask(model, "gets a", connection=1)
    assert ask(model, "cas a 0 0 y last", connection=0) == STORED
    assert ask(model, "cas a 0 0 z last", connection=1) == EXISTS
    assert ask(model, "get a") == ((b"a", 0, b"y"),)
