"""The files of /proc about a process, on bytes as the kernel writes them."""

from loadgen.monitors.procfs import PAGE_BYTES, TICKS_PER_S, kinds_of, parse_rollup, parse_stat, parse_switches

STAT = (
    b"4711 (a) b (c)) S 1 4711 4711 0 -1 4194560 905 12 3 4 250 50 7 8 20 0 5 0 2535278 62287872 3034 "
    b"18446744073709551615 1 1 0 0 0 0 0 4097 17642 0 0 0 17 1 0 0 0 0 0 0 0 0 0 0 0 0 0\n"
)


def test_a_name_with_parentheses_and_blanks_shifts_no_column() -> None:
    stat = parse_stat(STAT)
    assert (stat.name, stat.state) == ("a) b (c)", "S")
    assert (stat.minor_faults, stat.threads, stat.started_ticks) == (905, 5, 2535278)
    assert stat.cpu_ns == 300 * 10**9 // TICKS_PER_S
    assert stat.rss_bytes == 3034 * PAGE_BYTES


def test_switches_are_voluntary_and_other_ones_together() -> None:
    status = b"Name:\tx\nThreads:\t5\nvoluntary_ctxt_switches:\t40\nnonvoluntary_ctxt_switches:\t2\n"
    assert parse_switches(status) == 42


def test_pss_and_uss_are_in_bytes_and_uss_is_what_is_private() -> None:
    rollup = (
        b"55d0-7ffe ---p 00000000 00:00 0    [rollup]\nRss:               12136 kB\nPss:                8075 kB\n"
        b"Pss_Anon:           2700 kB\nPrivate_Clean:      4000 kB\nPrivate_Dirty:      2720 kB\nSwap:    0 kB\n"
    )
    assert parse_rollup(rollup) == (8075 * 1024, 6720 * 1024)


def test_descriptors_are_told_apart_by_what_they_point_to() -> None:
    links = ["socket:[1]", "socket:[2]", "pipe:[3]", "/dev/null", "anon_inode:[eventfd]", "anon_inode:[eventpoll]"]
    assert kinds_of([*links, "/tmp/x (deleted)"]) == {"sockets": 2, "files": 2, "pipes": 1, "eventfds": 1}
