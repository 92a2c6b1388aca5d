"""What came of each monitor: readings, gaps, restarts, and the extent of each series."""

from loadgen.monitors.account import Accounts, Extent
from loadgen.monitors.reading import Gap, Reading


def reading(identity: str = "", name: str = "a", **values: float) -> Reading:
    return Reading(name, 0, 0.0, values, identity)


def test_the_extent_of_a_series_is_of_the_readings_that_have_it() -> None:
    accounts = Accounts(["a"])
    for each in (reading(x=3), reading(x=1, y=7), reading(), reading(x=2)):
        accounts.add(each)
    a = accounts.by_name["a"]
    assert a.readings == 4
    assert a.series == {"x": Extent(3, 1, 3, 2, 3), "y": Extent(7, 7, 7, 7, 1)}


def test_gaps_are_counted_and_the_last_reason_is_kept() -> None:
    accounts = Accounts(["a", "b"])
    accounts.add(Gap("a", 0, 0.0, "first"))
    accounts.add(reading(x=1))
    accounts.add(Gap("a", 0, 0.0, "second"))
    assert (accounts.by_name["a"].gaps, accounts.by_name["a"].last_gap) == (2, "second")
    assert accounts.by_name["b"].gaps == accounts.by_name["b"].readings == 0


def test_another_identity_is_a_restart_across_gaps_too() -> None:
    accounts = Accounts(["a"])
    assert not accounts.add(reading("pid 1"))
    assert not accounts.add(reading("pid 1"))
    assert not accounts.add(Gap("a", 0, 0.0, "down"))
    assert not accounts.add(reading("")), "a reading that does not know its process is no restart"
    assert accounts.add(reading("pid 2"))
    assert not accounts.add(reading("pid 2"))
    assert accounts.by_name["a"].restarts == 1
