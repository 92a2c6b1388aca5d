"""Counters, sets, queues and list-append: what is legal, and each anomaly with the least that shows it."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest
from simulated_register import simulated
from written_histories import Row, history, row

from loadgen.errors import UsageError
from loadgen.verify.checkers import register
from loadgen.verify.checkers.answer import KINDS, MOST_SHOWN, Answer
from loadgen.verify.checkers.models import MODELS, strict_register
from loadgen.verify.history import ndjson


def check(model: str, *rows: Row) -> Answer:
    return MODELS[model](history(*rows))


def in_turn(*rows: tuple[Any, ...]) -> list[Row]:
    """Operations one after the other: process, f, asked, back and perhaps the end."""
    return [
        row(process, f, asked, back, 10 * at, 10 * at + 5, *more)
        for at, (process, f, asked, back, *more) in enumerate(rows)
    ]


def txn(process: int, *steps: list[Any], ended: str = "ok") -> tuple[Any, ...]:
    return process, "txn", [*steps], [*steps], ended


def append(key: str, element: Any) -> list[Any]:
    return ["append", key, element]


def r(key: str, *elements: Any) -> list[Any]:
    return ["r", key, [*elements]]


ILLEGAL: list[tuple[str, str, list[Row], int]] = [
    ("counter", "too-low", in_turn((0, "add", 3, 3), (1, "read", None, 2)), 2),
    ("counter", "too-low", in_turn((0, "add", 3, 3), (1, "read", None, None)), 2),
    ("counter", "too-high", in_turn((0, "add", 3, 3), (1, "read", None, 4)), 1),
    ("counter", "too-high", in_turn((0, "add", 3, 3, "fail"), (1, "read", None, 3)), 1),
    ("counter", "too-high", in_turn((0, "add", 3, 3), (0, "add", -1, -1), (1, "read", None, 3)), 1),
    ("set", "lost", in_turn((0, "add", 1, 1), (1, "read", None, [])), 2),
    ("set", "lost", in_turn((0, "add", 1, 1, "info"), (1, "read", None, [1]), (1, "read", None, [])), 3),
    ("set", "unexpected", in_turn((1, "read", None, [9])), 1),
    ("set", "unexpected", in_turn((0, "add", 9, 9, "fail"), (1, "read", None, [9])), 1),
    ("queue", "lost", in_turn((0, "enqueue", 1, 1), (1, "dequeue", None, None)), 2),
    ("queue", "lost", in_turn((0, "enqueue", 1, 1), (1, "drain", None, [])), 2),
    ("queue", "unexpected", in_turn((1, "dequeue", None, 9)), 1),
    (
        "list-append",
        "G0",
        in_turn(
            txn(0, append("x", 1), append("y", 1)), txn(1, append("x", 2), append("y", 2)), txn(2, r("x", 1, 2)),
            txn(2, r("y", 2, 1)),
        ),
        4,
    ),
    ("list-append", "G1a", in_turn(txn(0, append("x", 1), ended="fail"), txn(1, r("x", 1))), 2),
    (
        "list-append",
        "G1b",
        in_turn(txn(0, append("x", 1), append("x", 2)), txn(1, r("x", 1))),
        2,
    ),
    ("list-append", "G1c", in_turn(txn(0, append("x", 1), r("y", 1)), txn(1, append("y", 1), r("x", 1))), 2),
    ("list-append", "G-single", in_turn(txn(0, r("x"), r("y", 1)), txn(1, append("x", 1), append("y", 1))), 2),
    ("list-append", "G2", in_turn(txn(0, r("x"), append("y", 1)), txn(1, r("y"), append("x", 1))), 2),
    (
        "list-append",
        "incompatible-order",
        in_turn(txn(0, append("x", 1)), txn(0, append("x", 2)), txn(1, r("x", 1, 2)), txn(1, r("x", 2))),
        2,
    ),
    ("list-append", "duplicate-elements", in_turn(txn(0, append("x", 1)), txn(1, r("x", 1, 1))), 1),
    ("list-append", "unexpected", in_turn(txn(1, r("x", 1))), 1),
    ("list-append", "internal", in_turn(txn(0, append("x", 1), r("x"))), 1),
]  # fmt: skip


@pytest.mark.parametrize(("model", "kind", "rows", "size"), ILLEGAL)
def test_an_anomaly_is_named_and_shown_by_its_operations(model: str, kind: str, rows: list[Row], size: int) -> None:
    answer = check(model, *rows)
    assert kind in answer.kinds
    violation = next(each for each in answer.violations if each.kind == kind)
    assert len(violation.window) == size
    assert sum(each.accused for each in violation.window) == 1
    assert answer.found == sum(answer.kinds.values()) >= len(answer.violations)


@pytest.mark.parametrize(("model", "kind", "rows", "size"), ILLEGAL)
def test_without_the_accused_operation_there_is_no_anomaly(model: str, kind: str, rows: list[Row], size: int) -> None:
    violation = next(each for each in check(model, *rows).violations if each.kind == kind)
    [accused] = [each.call_ns for each in violation.window if each.accused]
    rest = [each for each in rows if each[5] != accused]
    assert len(rest) == len(rows) - 1
    assert not rest or check(model, *rest).kinds.get(kind, 0) == 0


def test_every_kind_is_found_somewhere() -> None:
    of_registers = {"unwritten", "early", "two-values", "overwritten", "revived", "no-order"}
    assert {kind for _, kind, _, _ in ILLEGAL} | of_registers == {*KINDS}


@pytest.mark.parametrize(
    ("model", "rows", "counted"),
    [
        # An addition under way may count or not; one that timed out, from then on.
        ("counter", [row(0, "add", 3, 3, 0, 9), row(1, "read", None, 0, 1, 2), row(1, "read", None, 3, 3, 4)], {}),
        ("counter", [row(0, "add", 3, 3, 0, 5), row(1, "read", None, 0, 5, 6)], {}),
        ("counter", [row(1, "read", None, 3, 0, 6), row(0, "add", 3, 3, 6, 9)], {}),
        ("counter", in_turn((0, "add", 3, 3, "info"), (1, "read", None, 0), (1, "read", None, 3)), {"unknown": 1}),
        ("counter", in_turn((0, "add", -3, -3), (1, "read", None, -3)), {}),
        ("set", in_turn((0, "add", 1, 1), (1, "read", None, [1])), {"stable": 1, "acknowledged": 1}),
        ("set", in_turn((0, "add", 1, 1, "info"), (1, "read", None, [1])), {"recovered": 1, "stable": 1}),
        ("set", in_turn((0, "add", 1, 1), (1, "read", None, []), (1, "read", None, [1])),
         {"stale": 1, "longest stale ns": 5}),
        ("set", in_turn((1, "read", None, []), (0, "add", 1, 1)), {"never-read": 1}),
        ("set", [row(0, "add", 1, 1, 0, 9), row(1, "read", None, [], 9, 10)], {"never-read": 1}),
        ("set", in_turn((0, "add", 1, 1), (1, "read", None, [1, 1])), {"duplicated": 1}),
        ("queue", in_turn((0, "enqueue", 1, 1), (1, "dequeue", None, 1), (1, "dequeue", None, 1)),
         {"ok": 1, "duplicated": 1}),
        ("queue", in_turn((0, "enqueue", 1, 1, "info"), (1, "drain", None, [1])), {"recovered": 1, "ok": 1}),
        ("queue", in_turn((1, "dequeue", None, None), (0, "enqueue", 1, 1)), {"left": 1}),
        ("list-append", in_turn(txn(0, append("x", 1)), txn(1, append("x", 2), r("x", 1, 2)), txn(2, r("x", 1))),
         {"transactions": 3}),
        # One that timed out was seen; another was not.
        ("list-append", in_turn(txn(0, append("x", 1), ended="info"), txn(0, append("x", 2), ended="info"),
                                txn(1, r("x", 1))), {"unknown": 2}),
    ],
)  # fmt: skip
def test_what_may_happen_is_legal_and_counted(model: str, rows: list[Row], counted: dict[str, int]) -> None:
    answer = check(model, *rows)
    assert (answer.found, answer.nothing, answer.unjudged_count) == (0, "", 0)
    assert {name: answer.counts[name] for name in counted} == counted


def test_values_that_a_dequeue_without_an_end_may_have_are_not_lost() -> None:
    rows = in_turn((0, "enqueue", 1, 1), (0, "enqueue", 2, 2), (1, "dequeue", None, None, "info"),
                   (2, "dequeue", None, None))  # fmt: skip
    answer = check("queue", *rows)
    assert (answer.kinds["lost"], answer.counts["untold"], answer.unjudged_count) == (1, 1, 1)


@pytest.mark.parametrize(
    ("model", "rows"),
    [
        ("register", in_turn((0, "write", 1, 1))),
        ("counter", in_turn((0, "add", 1, 1))),
        ("set", in_turn((0, "add", 1, 1), (1, "read", None, [], "info"))),
        ("queue", in_turn((0, "enqueue", 1, 1))),
        ("list-append", in_turn(txn(0, append("x", 1)))),
    ],
)
def test_a_history_without_an_answered_read_is_not_judged(model: str, rows: list[Row]) -> None:
    assert check(model, *rows).nothing


@pytest.mark.parametrize("model", MODELS)
def test_an_operation_that_a_model_does_not_have_is_refused_with_its_line(model: str) -> None:
    with pytest.raises(UsageError, match=r"line 1: .*jump"):
        check(model, row(0, "jump", 1, 1, 0, 1))


def test_an_element_that_is_appended_twice_is_refused() -> None:
    with pytest.raises(UsageError, match="a second time"):
        check("list-append", *in_turn(txn(0, append("x", 1)), txn(1, append("x", 1))))


def test_keys_are_judged_apart() -> None:
    events = [*history(*in_turn((0, "add", 1, 1)), key="a"), *history(*in_turn((1, "read", None, 1)), key="b")]
    answer = MODELS["counter"](events)
    assert (answer.keys, answer.kinds) == (2, {"too-high": 1})
    assert answer.violations[0].key == "b"


def test_a_serial_order_of_transactions_is_never_accused_and_a_stale_read_within_one_is_found() -> None:
    accused = 0
    for seed in range(60):
        random = Random(seed)
        lists: dict[str, list[int]] = {"x": [], "y": [], "z": []}
        rows = []
        broken = seed % 2 == 1
        for number in range(40):
            steps: list[list[Any]] = []
            for step in range(random.randrange(1, 4)):
                key = random.choice("xyz")
                if random.random() < 0.5:
                    lists[key].append(10 * number + step)
                    steps.append(append(key, 10 * number + step))
                else:
                    stale = len(lists[key]) - (random.randrange(3) if broken else 0)
                    steps.append(r(key, *lists[key][: max(stale, 0)]))
            rows.append(txn(number % 5, *steps))
        answer = check("list-append", *in_turn(*rows))
        accused += bool(answer.found)
        assert broken or not answer.found, (seed, answer.violations)
    assert accused == 30


# ── Registers of users, and windows ───────────────────────────────────────────────────────────────────────────────────


def test_a_register_of_a_user_has_its_own_names() -> None:
    rows = in_turn((0, "write", "old", "old"), (7, "write", {"a": 1}, {"a": 1}), (3, "read", None, "old"))
    answer = MODELS["register"](history(*rows, key="user:17"))
    [violation] = answer.violations
    assert (violation.kind, violation.key) == ("overwritten", "user:17")
    assert violation.why == 'process 3 read old after {"a": 1} had replaced it; nothing wrote old again.'
    assert [(each.process, each.words) for each in violation.window] == [
        ("0", "write old → stored"),
        ("7", 'write {"a": 1} → stored'),
        ("3", "read → old"),
    ]


@pytest.mark.parametrize(
    ("rows", "kind"),
    [
        (in_turn((0, "write", 1, 1), (0, "cas", [1, 2], [1, 2]), (1, "read", None, 1)), "no-order"),
        (in_turn((0, "write", 1, 1), (0, "cas", [3, 2], False), (1, "read", None, 1)), None),
        (in_turn((0, "write", 1, 1), (0, "add", 2, False), (1, "read", None, 1)), None),
        (in_turn((0, "write", 1, 1), (0, "delete", None, None), (1, "read", None, 1)), "revived"),
        (in_turn((0, "write", 1, 1), (0, "delete", None, False), (1, "read", None, 1)), "revived"),
        (in_turn((0, "write", 1, 1, "fail"), (1, "read", None, 1)), "unwritten"),
    ],
)
def test_the_words_of_a_register(rows: list[Row], kind: str | None) -> None:
    assert [*check("register", *rows).kinds] == ([kind] if kind else [])


def test_a_lost_value_is_a_violation_where_nothing_is_evicted() -> None:
    rows = in_turn((0, "write", 1, 1), (1, "read", None, None))
    assert check("register", *rows).found == 0
    assert strict_register(history(*rows)).kinds == {"lost": 1}


def test_the_window_is_small_and_illegal_by_itself() -> None:
    sizes = []
    for seed in range(60):
        found = simulated(seed, 60, lies=0.05, values=5 * (seed % 2), conditional=seed % 3 == 0)
        for violation in register.check(found).violations:
            sizes.append(len(violation.window))
            assert violation.window
            assert violation.why.endswith(".")
    assert sorted(sizes)[len(sizes) // 2] <= 3
    assert max(sizes) < 60


def test_a_window_checked_again_is_illegal() -> None:
    """An operation is left out together with all that rests on it, so what is left still proves the violation."""
    rows = in_turn(
        (0, "write", 1, 1), (1, "read", None, 1), (0, "cas", [1, 2], [1, 2]), (1, "read", None, 2),
        (1, "read", None, 1), (2, "write", 3, 3), (1, "read", None, 3),
    )  # fmt: skip
    [violation] = check("register", *rows).violations
    words = [each.words for each in violation.window]
    assert words == ["write 1 → stored", "cas 1 to 2 → stored", "read → 1"]
    assert check("register", rows[0], rows[2], rows[4]).kinds == {"no-order": 1}


def test_no_more_violations_are_shown_than_can_be_read_and_all_are_counted() -> None:
    events = [each for key in range(3 * MOST_SHOWN) for each in history(row(0, "read", None, 1, 0, 1), key=key)]
    answer = MODELS["register"](events)
    assert (answer.found, len(answer.violations)) == (3 * MOST_SHOWN, MOST_SHOWN)


# ── Lines ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_lines_come_back_as_they_were_written() -> None:
    rows = [row(0, "write", 1, 1, 0, 4), row(1, "read", None, 1, 2, 3), row(2, "write", 2, 2, 5, 9, "info")]
    events = history(*rows, key="k")
    back = ndjson.operations((line.encode() for line in ndjson.write(events)), "back")
    assert [(each.process, each.f, each.ended, each.call_ns, each.return_ns, each.result) for each in back] == [
        (each.process, each.f, each.ended, each.call_ns, each.return_ns, each.result) for each in events
    ]
    assert events[2].return_ns is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no line"),
        ("nonsense", "line 1 is no JSON"),
        ("[1]", "line 1 is no JSON object"),
        ('{"process":0,"type":"invoke"}', 'line 1 has no "f"'),
        ('{"process":0,"type":"done","f":"read"}', '"type" is invoke, ok, fail, info, not "done"'),
        ('{"process":0,"type":"ok","f":"read"}', "line 1: process 0 completes what it did not invoke"),
        ('{"process":0,"type":"invoke","f":"read"}\n{"process":0,"type":"invoke","f":"read"}',
         "one operation at a time"),
        ('{"process":0,"type":"invoke","f":"read","time":5}\n{"process":0,"type":"ok","f":"read"}',
         "every line has it"),
        ('{"process":0,"type":"invoke","f":"read","time":5}\n{"process":0,"type":"ok","f":"read","time":4}',
         "line 2: the operation of line 1 completes before it was invoked"),
        ('{"process":0,"type":"invoke","f":"read"}\n{"process":0,"type":"ok","f":"write"}',
         "line 2 completes another operation than that of line 1"),
    ],
)  # fmt: skip
def test_a_line_that_is_wrong_is_named(text: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        ndjson.operations(text.encode().splitlines(), "here")
