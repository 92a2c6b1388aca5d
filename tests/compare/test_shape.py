"""The shape of a load: the description made from a plan or a record, and the differences of two shapes."""

from __future__ import annotations

from dataclasses import fields, replace

import pytest
from constructed_events import plan

from loadgen.compare.shape import Shape
from loadgen.plan import Plan, Weights
from loadgen.record.schema.load import LOAD


def every() -> Plan:
    """A load to which every field of a shape applies: it has commands of several keys, and counters."""
    own = plan()
    keyspace = replace(own.workload.keyspace, counters=7)
    return replace(own, workload=replace(own.workload, keyspace=keyspace, keys_per_request=10))


def test_a_plan_has_every_field_of_a_shape_and_a_record_reads_back_as_it() -> None:
    shape = Shape.of(every())
    assert all(getattr(shape, field.name) is not None for field in fields(Shape))
    assert Shape.read(shape.record()) == shape
    assert Shape.read({**shape.record(), "weights": None, "something": "else"}) == replace(shape, weights=None)


def test_a_record_has_the_fields_that_its_schema_says_in_that_order() -> None:
    assert list(Shape.of(every()).record()) == list(LOAD)


@pytest.mark.parametrize(("loop", "idle"), [("open", "refill"), ("closed", "arrival")])
def test_what_has_no_meaning_in_a_loop_is_not_of_its_shape(loop: str, idle: str) -> None:
    shape = Shape.of(plan())
    assert Shape.read({**shape.record(), "loop": loop}) == replace(shape, **{idle: None})


def test_shapes_differ_where_both_are_known_and_unlike_and_weights_by_their_ratios() -> None:
    shape = Shape(conns=50, weights=Weights(get=80, set=20), prefill=True)
    assert shape.differences(Shape(conns=50, weights=Weights(get=4, set=1), threads=7)) == []
    assert shape.differences(Shape(conns=100, weights=Weights(get=1, delete=1), prefill=False)) == [
        "conns 50, not 100",
        "weights 80% get / 20% set, not 50% get / 50% delete",
        "prefill true, not false",
    ]


def test_what_one_shape_lacks_is_taken_from_another() -> None:
    assert Shape(conns=1).or_else(Shape(conns=2, threads=3)) == Shape(conns=1, threads=3)
