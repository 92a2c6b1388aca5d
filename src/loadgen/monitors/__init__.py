"""Monitors: what is read beside a load, from processes, servers and pages, each on its own schedule.

`kinds` has the kinds and their keys, `plan` a resolved `[[monitor]]`, `monitor` the interface and `make`. A file per
kind reads; what it reads is parsed by pure functions. `board` reads all monitors of a command, each in a thread, and
`account` sums up what came of each.
"""
