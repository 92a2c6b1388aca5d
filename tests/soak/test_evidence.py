"""Evidence against evidence names what leaks, whatever form its text has."""

from __future__ import annotations

import threading
from collections.abc import Mapping

import pytest

from loadgen.soak.capture import Captures
from loadgen.soak.evidence import Change, culprit, difference, differences

PEER = "tcp to 10.0.0.7:443, established"


def descriptors(leaked: int, files: int = 3) -> str:
    rows = sorted([(leaked, PEER), (files, "/var/log/app.log"), (1, "tcp listening on port 80")], reverse=True)
    return f"{leaked + files + 1} descriptors\n" + "".join(f"{count:>7}  {name}\n" for count, name in rows if count)


def client(number: int, host: str, name: str = "", cmd: str = "get") -> str:
    about = f"laddr=127.0.0.1:6379 fd={number} name={name} age=1 cmd={cmd} lib-name=lettuce"
    return f"id={number} addr={host}:{40_000 + number} {about}"


def clients(*counts: tuple[str, str, int]) -> str:
    rows = [(host, name) for host, name, count in counts for _ in range(count)]
    return "".join(f"{client(number, *row)}\n" for number, row in enumerate(rows))


def test_descriptors_are_held_against_each_other_by_target() -> None:
    found = difference("descriptors.txt", descriptors(4), descriptors(44, files=1))
    assert found.changes == (Change(PEER, 4, 44), Change("/var/log/app.log", 3, 1))
    assert culprit("fds", [found]) == f"{PEER} +40"
    assert culprit("sockets", [found]) == f"{PEER} +40"
    assert culprit("threads", [found]) == "", "descriptors say nothing of threads"
    assert culprit("fds", [difference("descriptors.txt", descriptors(4), descriptors(4))]) == ""


def test_the_heading_of_a_table_is_no_target() -> None:
    # "9 descriptors" has the form of a row when it is indented.
    found = difference(
        "descriptors.txt", "      4 descriptors\n      4  pipe\n", "      9 descriptors\n      9  pipe\n"
    )
    assert found.changes == (Change("pipe", 4, 9),)


def test_connections_of_redis_are_told_apart_by_who_they_are_from_and_not_by_their_ports() -> None:
    before = clients(("10.0.0.7", "web", 5), ("10.0.0.8", "cron", 2))
    now = clients(("10.0.0.8", "cron", 30), ("10.0.0.7", "web", 5))
    found = difference("clients.txt", before, now)
    assert found.changes == (Change("connections from 10.0.0.8, name cron, of lettuce, last command get", 2, 30),)
    assert culprit("connected_clients", [found]).endswith("cron, of lettuce, last command get +28")
    assert culprit("used_memory", [found]) == "", "what connections take is a number of its own"


def test_statistics_are_held_against_each_other_by_name() -> None:
    info = "# Memory\nused_memory:{}\nmem_clients_normal:{}\nmem_allocator:jemalloc-5.3\nused_memory_human:1.2M\n"
    found = difference("info.txt", info.format(1000, 20), info.format(9000, 7020))
    assert found.changes == (Change("used_memory", 1000, 9000), Change("mem_clients_normal", 20, 7020))
    assert culprit("used_memory", [found]) == "mem_clients_normal +7000", "and not itself"
    slabs = "STAT 5:chunk_size 240\nSTAT 5:total_pages {}\nSTAT 9:total_pages 1\nSTAT active_slabs 2\n"
    found = difference("slabs.txt", slabs.format(1), slabs.format(7))
    assert (found.changes, culprit("bytes", [found])) == ((Change("5:total_pages", 1, 7),), "5:total_pages +6")


def test_stacks_are_told_apart_by_where_they_stand_and_not_by_their_numbers() -> None:
    def dump(blocked: int) -> str:
        stacks = [
            f"goroutine {n} [select, {n} minutes]:\nmain.reader(0xc000{n:03x})\n\tapp.go:12 +0x1f"
            for n in range(blocked)
        ]
        return "\n\n".join(["goroutine 1 [running]:\nmain.main()\n\tapp.go:3 +0x2", *stacks]) + "\n"

    found = difference("goroutine.txt", dump(3), dump(50))
    assert len(found.changes) == 1
    assert found.changes[0].growth == 47
    assert "main.reader" in culprit("goroutines", [found])


def test_any_other_text_is_held_against_itself_by_the_shapes_of_its_lines() -> None:
    found = difference("log.txt", "started at 1\nretry 1 of 7\n", "started at 1\nretry 2 of 7\nretry 3 of 9\n")
    assert found.changes == (Change("retry # of #", 1, 2),)


@pytest.mark.parametrize(("before", "now"), [("", ""), ("", "x\n"), ("   \n\n", "\x1b[2J 1\n"), ("5\n", "6\n")])
def test_texts_of_no_form_have_a_difference_too(before: str, now: str) -> None:
    assert "\x1b" not in difference("x", before, now).text()


def test_the_text_of_a_difference_is_bounded_and_has_what_grew_most_and_what_shrank_most() -> None:
    before = "".join(f"{number + 1:>7}  file {number}\n" for number in range(1000))
    now = "".join(f"{2 * number + 1:>7}  file {number}\n" for number in range(500, 1000))
    lines = difference("descriptors.txt", before, now).text().splitlines()
    assert len(lines) == 201
    assert lines[0] == f"{'+999':>12}  1000 → 1999  file 999"
    assert lines[-2].endswith("−500  500 → 0  file 499")
    assert lines[-1] == "800 smaller changes are left out"


def test_only_texts_of_both_captures_are_held_against_each_other() -> None:
    assert [each.file for each in differences({"a": "1", "b": "2"}, {"b": "3", "c": "4"})] == ["b"]


class Source:
    """A board whose monitor leaks with each capture, and waits in it until it may go on."""

    def __init__(self) -> None:
        self.goes_on = threading.Semaphore(0)
        self.asked = 0

    def evidence(self, monitor: str) -> Mapping[str, str]:
        if monitor != "proxy":
            return {}
        self.goes_on.acquire(timeout=60)
        self.asked += 1
        return {"descriptors.txt": descriptors(4 * self.asked)}


def test_captures_are_held_against_the_first_and_name_who_leaks() -> None:
    source = Source()
    captures = Captures(source.evidence, ["proxy", "mute"])
    captures.ask("the baseline")
    captures.ask("fds: red")
    assert captures.taken() == [], "it does not wait"
    source.goes_on.release(2)
    baseline, breach = captures.close(60)
    assert (baseline.why, baseline.differences, set(baseline.files)) == ("the baseline", {}, {"proxy"})
    assert breach.culprit("proxy", "fds") == f"{PEER} +4"
    assert breach.culprit("mute", "fds") == ""
    assert [(monitor, file) for monitor, file, _ in breach.texts()] == [
        ("proxy", "descriptors.txt"),
        ("proxy", "descriptors-grown.txt"),
    ]


def test_more_captures_than_may_wait_are_left_out_and_a_source_that_hangs_is_left_behind() -> None:
    source = Source()
    captures = Captures(source.evidence, ["proxy"])
    for number in range(100):
        captures.ask(f"breach {number}")
    assert captures.close(0.0) == []
    source.goes_on.release(200)
    captures._thread.join(60)
    assert len(captures.taken()) < 20
