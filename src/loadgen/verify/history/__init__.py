"""Histories: what each operation of a run asked, when it was called, when it returned, and what came back.

`_operation` is the record of one operation on a register, `file` the binary file of such records, `ndjson` the text
form in Jepsen's words, which has counters, sets, queues and transactions too. Nothing here judges a history.
"""
