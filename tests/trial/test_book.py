"""The account of operations, in virtual time: each one ends in exactly one count."""

from __future__ import annotations

from dataclasses import replace
from random import Random

from hypothesis import given
from hypothesis import strategies as st
from trials import plan

from loadgen.trial.board import SLOT_BYTES, Board
from loadgen.trial.book import MOST_WRONG, Book
from loadgen.trial.observed import Counts, NodeState, Observed, Transition
from loadgen.trial.traffic import Operation
from loadgen.trial.value import Seal, sealed

MS = 1_000_000
GET = Operation("get", ("k",))
SET = Operation("set", ("k",), 64)


def book() -> Book:
    """Deadlines are 200 ms, and an operation is overdue 100 ms later."""
    return Book(plan(timeout_ms=200), 0)


def observed(own: Book, at_ms: int = 1_000) -> Observed:
    return own.take(at_ms * MS)


def test_an_operation_is_counted_on_its_node_at_its_end() -> None:
    own = book()
    call = own.begin(SET, 2, 0, 1 * MS)
    first = observed(own, 2)
    own.end(call, True, 5 * MS)
    second = observed(own, 10)
    assert (first.of(2).begun, first.of().ended, first.under_way) == (1, 0, 1)
    counts = second.of(2)
    assert (counts.begun, counts.ok, second.under_way) == (0, 1, 0)
    assert counts.latency.max == 5 * MS, "from the intended time"
    assert counts.service.max == 4 * MS, "from the call"
    assert second.slowest_ns == 4 * MS, "from the beginning"
    assert (second.from_ns, second.to_ns) == (2 * MS, 10 * MS)
    assert second.of(1) == Counts()


def test_a_miss_is_right_and_counted() -> None:
    own = book()
    for operation, answer in (
        (GET, None),
        (Operation("delete", ("k",)), False),
        (Operation("increment", ("c",)), None),
        (Operation("get_many", ("k", "l")), {}),
        (SET, None),
    ):
        own.end(own.begin(operation, 1, 0, 0), answer, MS)
    counts = observed(own).of()
    assert (counts.ok, counts.misses, counts.wrong) == (5, 4, 0), "a set finds nothing, and misses nothing"


def test_an_error_is_counted_by_its_class_with_the_first_example() -> None:
    own = book()
    for error, words in (("timeout", "first"), ("timeout", "second"), ("lost", "third")):
        own.fail(own.begin(GET, 1, 0, 2 * MS), error, words, 7 * MS)
    seen = observed(own)
    counts = seen.of(1)
    assert counts.errors == {"timeout": 2, "lost": 1}
    assert (counts.failed, counts.failed_latency.count, counts.latency.count) == (3, 3, 0)
    assert (counts.failed_latency.min, counts.failed_service.max) == (7 * MS, 5 * MS)
    assert (counts.failed_service.count, counts.service.count) == (3, 0)
    assert seen.examples == {"timeout": "first", "lost": "third"}


def test_an_operation_past_its_deadline_is_overdue_before_it_ends_and_once() -> None:
    own = book()
    call = own.begin(GET, 1, 0, 0)
    assert observed(own, 299).of().overdue == 0
    late = observed(own, 301)
    assert (late.of(1).overdue, late.slowest_ns) == (1, 301 * MS)
    assert observed(own, 500).of().overdue == 0
    own.fail(call, "timeout", "", 600 * MS)
    assert observed(own, 700).of().overdue == 0


def test_an_operation_that_ends_late_between_two_reports_is_overdue() -> None:
    own = book()
    own.end(own.begin(GET, 1, 0, 0), None, 301 * MS)
    assert observed(own).of().overdue == 1


def test_the_value_of_another_key_is_wrong_and_names_both_requests() -> None:
    own = book()
    write = own.begin(SET, 1, 0, 0)
    own.end(write, True, 1 * MS)
    own.fail(own.begin(GET, 1, 0, 2 * MS), "timeout", "", 202 * MS)
    own.end(own.begin(Operation("get", ("other",)), 2, 0, 300 * MS), write.value, 400 * MS)
    seen = observed(own)
    assert (seen.of(2).wrong, seen.of(2).ok) == (1, 0)
    (wrong,) = seen.wrong
    assert (wrong.kind, wrong.node, wrong.key, wrong.at_ns) == ("other_key", 2, "other", 400 * MS)
    assert wrong.found == (
        "value 1 of writer 1 for key k, written 0.400 s before; a get of k that had failed began 0.398 s before; "
        "this get began 0.100 s before"
    )


def test_each_value_of_a_batch_is_held_against_its_key() -> None:
    own = book()
    values = {}
    for key in "abc":
        write = own.begin(Operation("set", (key,), 64), 1, 0, 0)
        own.end(write, True, 1)
        values[key] = write.value
    right = own.begin(Operation("get_many", ("a", "b", "c")), 0, 2, 2)
    own.end(right, values, 3)
    off_by_one = own.begin(Operation("get_many", ("a", "b", "c")), 0, 4, 4)
    own.end(off_by_one, {"a": values["b"], "b": values["c"]}, 5)
    unasked = own.begin(Operation("get_many", ("a",)), 0, 6, 6)
    own.end(unasked, {"z": values["a"]}, 7)
    seen = observed(own)
    assert (seen.of(0).ok, seen.of(0).wrong) == (1, 2)
    assert [(wrong.kind, wrong.key) for wrong in seen.wrong] == [
        ("other_key", "a"),
        ("other_key", "b"),
        ("other_key", "z"),
    ]


def test_a_batch_on_several_nodes_counts_once_and_on_each_node_as_its_keys_ended() -> None:
    own = book()
    write = own.begin(Operation("set", ("a",), 64), 1, 0, 0)
    own.end(write, True, 1)
    observed(own)
    batch, parts = Operation("get_many", ("a", "b", "c")), {1: ("a",), 2: ("b", "c")}
    own.end(own.begin(batch, 0, 0, 1 * MS, parts), {"a": write.value}, 5 * MS)
    own.end(own.begin(batch, 0, 0, 1 * MS, parts), {"a": write.value, "c": write.value}, 5 * MS)
    seen = observed(own)
    assert (seen.of().begun, seen.of().ok, seen.of().wrong) == (2, 1, 1)
    assert (seen.of(1).begun, seen.of(1).ok, seen.of(1).misses, seen.of(1).wrong) == (2, 2, 0, 0)
    assert (seen.of(2).begun, seen.of(2).ok, seen.of(2).misses, seen.of(2).wrong) == (2, 1, 1, 1)
    assert [wrong.node for wrong in seen.wrong] == [2]
    assert seen.seen == {0, 1, 2}
    assert (seen.of(1).latency.count, seen.of(1).service.count, seen.of(0).service.count) == (0, 0, 1), "of the whole"


def test_a_batch_that_failed_counts_on_the_nodes_whose_end_is_told() -> None:
    own = book()
    batch, parts = Operation("get_many", ("a", "b", "c")), {1: ("a",), 2: ("b",), 3: ("c",)}
    own.fail(own.begin(batch, 0, 0, 0, parts), "timeout", "", MS, {1: "", 2: "timeout"})
    own.fail(own.begin(batch, 0, 0, 0, parts), "lost", "", MS)
    own.fail(own.begin(GET, 1, 0, 0), "lost", "", MS, {1: "lost"})
    seen = observed(own)
    assert (seen.of().begun, seen.of().errors) == (3, {"timeout": 1, "lost": 2})
    assert (seen.of(1).begun, seen.of(1).ok, seen.of(1).errors) == (2, 1, {"lost": 1})
    assert (seen.of(2).begun, seen.of(2).ok, seen.of(2).errors) == (1, 0, {"timeout": 1})
    assert (seen.of(3), seen.of(0).errors) == (Counts(), {"timeout": 1, "lost": 1})


def test_a_batch_that_is_no_mapping_is_wrong_on_each_of_its_nodes() -> None:
    own = book()
    batch = Operation("get_many", ("a", "b"))
    own.end(own.begin(batch, 0, 0, 0, {1: ("a",), 2: ("b",)}), [], MS)
    seen = observed(own)
    assert (seen.of().wrong, seen.of(1).wrong, seen.of(2).wrong) == (1, 1, 1)


def test_a_set_that_was_refused_supersedes_nothing() -> None:
    own = book()
    first = own.begin(SET, 1, 0, 0)
    own.end(first, True, 1)
    own.end(own.begin(SET, 1, 0, 2), False, 3)
    own.end(own.begin(GET, 1, 0, 4), first.value, 5)
    assert observed(own).of().wrong == 0
    own.end(own.begin(SET, 1, 0, 6), None, 7)
    own.end(own.begin(GET, 1, 0, 8), first.value, 9)
    assert [wrong.kind for wrong in observed(own).wrong] == ["stale"]


def test_an_increment_that_was_refused_may_have_taken_effect_or_not() -> None:
    own, operation = book(), Operation("increment", ("c",))
    for answer in (1, False, 3, False, 4):
        own.end(own.begin(operation, 1, 0, 0), answer, 1)
    seen = observed(own)
    assert (seen.of().wrong, seen.of().ok, seen.of().misses) == (0, 5, 2)


def test_an_increment_that_took_effect_twice_is_a_wrong_count() -> None:
    own = book()
    for answer in (1, 3):
        own.end(own.begin(Operation("increment", ("c",)), 1, 0, 0), answer, 1)
    seen = observed(own)
    assert [wrong.kind for wrong in seen.wrong] == ["count"]
    assert (seen.of().ok, seen.of().wrong) == (1, 1)


def test_answers_of_the_wrong_type_are_wrong() -> None:
    own = book()
    for operation, answer in ((GET, "text"), (Operation("increment", ("c",)), True), (Operation("get_many", "k"), [])):
        own.end(own.begin(operation, 1, 0, 0), answer, 1)
    assert [wrong.kind for wrong in observed(own).wrong] == ["damaged"] * 3


def test_only_the_first_wrong_answers_are_described_and_all_are_counted() -> None:
    own = book()
    strange = sealed(Seal("strange", 9, 9, 0, 0), 64)
    for _ in range(MOST_WRONG + 5):
        own.end(own.begin(GET, 1, 0, 0), strange, 1)
    seen = observed(own)
    assert (len(seen.wrong), seen.of().wrong) == (MOST_WRONG, MOST_WRONG + 5)


def test_what_is_not_of_operations_is_passed_on_and_counted_once() -> None:
    own = book()
    own.loads(5)
    own.changed(Transition(5, 1, "closed", "open"))
    states = {1: NodeState(total=3)}
    first = own.take(10, due=7, states=states, unread_ns=4, tasks=2)
    second = own.take(20, due=9)
    assert (first.backend_loads, first.due, first.states, first.unread_ns, first.tasks) == (1, 7, states, 4, 2)
    assert first.transitions == (Transition(5, 1, "closed", "open"),)
    assert (second.backend_loads, second.due, second.transitions) == (0, 2, ())


def books() -> tuple[Book, Book]:
    """Two processes with a board: "lg:1:s0" is a key of the first."""
    memory, keys = bytearray(SLOT_BYTES), ["lg:1:s0"]
    plans = [replace(plan(timeout_ms=200), writer=writer, writers=2, run=7) for writer in (1, 2)]
    one, other = (Book(each, 0, Board(memory, keys)) for each in plans)
    return one, other


def test_a_value_of_another_process_is_stale_once_a_newer_write_or_delete_is_acknowledged() -> None:
    for later in (Operation("set", ("lg:1:s0",), 64), Operation("delete", ("lg:1:s0",))):
        writer, reader = books()
        first = writer.begin(Operation("set", ("lg:1:s0",), 64), 1, 0, 0)
        writer.end(first, True, 1)
        second = writer.begin(later, 1, 2, 2)
        early = reader.begin(Operation("get", ("lg:1:s0",)), 1, 3, 3)
        writer.end(second, True, 4)
        late = reader.begin(Operation("get_many", ("lg:1:s0",)), 1, 5, 5)
        reader.end(early, first.value, 6)
        reader.end(late, {"lg:1:s0": first.value}, 7)
        seen = observed(reader)
        assert (seen.sighted, seen.of().ok, seen.of().wrong) == (2, 1, 1)
        [wrong] = seen.wrong
        assert wrong.kind == "stale"
        assert wrong.found.startswith("value 1 of writer 1 for key lg:1:s0, written 0.000 s before; write 2, begun ")


def test_a_write_that_failed_or_was_refused_makes_no_value_of_another_process_stale() -> None:
    writer, reader = books()
    first = writer.begin(Operation("set", ("lg:1:s0",), 64), 1, 0, 0)
    writer.end(first, True, 1)
    writer.fail(writer.begin(Operation("set", ("lg:1:s0",), 64), 1, 2, 2), "timeout", "", 3)
    writer.end(writer.begin(Operation("delete", ("lg:1:s0",)), 1, 4, 4), False, 5)
    reader.end(reader.begin(Operation("get", ("lg:1:s0",)), 1, 6, 6), first.value, 7)
    seen = observed(reader)
    assert (seen.sighted, seen.of().ok, seen.of().wrong) == (1, 1, 0)


def test_a_delete_under_way_holds_up_nothing_that_is_settled() -> None:
    own = book()
    own.end(own.begin(SET, 1, 0, 0), True, 1)
    own.begin(Operation("delete", ("k",)), 1, 2, 2)
    write = own.begin(SET, 1, 3, 3).write
    assert write is not None
    assert write.settled == (1, 2)


def test_a_miss_and_a_key_of_one_s_own_are_no_values_of_another_process() -> None:
    own, _ = books()
    own.end(own.begin(Operation("get", ("lg:2:s0",)), 1, 0, 0), None, 1)
    write = own.begin(Operation("set", ("lg:1:s0",), 64), 1, 2, 2)
    own.end(write, True, 3)
    own.end(own.begin(Operation("get", ("lg:1:s0",)), 1, 4, 4), write.value, 5)
    seen = observed(own)
    assert (seen.sighted, seen.of().ok) == (0, 3)


@given(st.lists(st.sampled_from(["begin", "end", "fail", "take"]), max_size=60), st.integers(0, 2**32 - 1))
def test_every_operation_that_began_is_in_one_count_or_under_way(steps: list[str], seed: int) -> None:
    random = Random(seed)
    own, open_calls, total, begun = book(), [], Observed(), 0
    for at, step in enumerate(steps):
        if step == "begin":
            open_calls.append(own.begin(random.choice([GET, SET]), random.randrange(3), at, at))
            begun += 1
        elif step == "take":
            total += own.take(at)
        elif open_calls:
            call = open_calls.pop(random.randrange(len(open_calls)))
            own.end(call, None, at) if step == "end" else own.fail(call, "lost", "", at)
    total += own.take(len(steps))
    assert total.of().begun == begun == total.of().ended + len(open_calls)
    assert total.of().latency.count + total.of().failed_latency.count == total.of().ended
    assert total.of().service.count + total.of().failed_service.count == total.of().ended


def test_loads_that_follow_each_other_closely_are_of_one_expiry() -> None:
    """A key of 2 s: callers that miss in the same second miss the same expiry, in whatever interval."""
    own = Book(plan(workload="stampede"), 0)
    for at_ms in (0, 3, 60, 900, 1_100, 1_101, 2_000, 4_000):
        own.loads(at_ms * 1_000_000)
        if at_ms == 60:
            first = own.take(61_000_000)
    second = own.take(5_000_000_000)
    assert (first.backend_loads, first.expiries) == (3, 1)
    assert (second.backend_loads, second.expiries) == (5, 2)
    assert ((first + second).backend_loads, (first + second).expiries) == (8, 3)
