"""Values that show which tool's flag was meant, for flags with two meanings. Each function returns the sentence that
refuses such a value; empty for other values."""

from __future__ import annotations

import re

_TIME = re.compile(r"[0-9]+(\.[0-9]+)?(ns|us|ms|s|secs?|m|mins?|h|hrs?|hours?)", re.ASCII)

PROTOCOLS = {
    "redis": "resp",
    "resp2": "resp",
    "resp": "resp",
    "resp3": "resp3",
    "memcache": "memcache",
    "memcache_text": "memcache",
    "ping": "ping",
}
"""Protocols by their names in other tools."""


def of_threads(value: str) -> str:
    """Recognise memtier's `-t 4`, where `-t` names tests."""
    if value.isascii() and value.isdigit():
        return f"names tests, as in redis-benchmark, such as -t get,set; for worker processes write --threads {value}"
    return ""


def of_duration(value: str) -> str:
    """Recognise `-d 10s`, where `-d` is a value's size."""
    if _TIME.fullmatch(value):
        return f"is the size of a value in bytes, as in redis-benchmark; for a time write --duration {value}"
    return ""


def of_operations(value: str) -> str:
    """Recognise redlite-dst's `oracle -o 100`, where `-o` is the file of the results."""
    if value.isascii() and value.isdigit():
        return f"is the file of the results; for operations of oracle write --ops {value}, for the file ./{value}"
    return ""


def of_protocol(value: str) -> str:
    """Recognise memtier's `-P memcache_text`, where `-P` is a pipeline's depth."""
    if value in PROTOCOLS or value.startswith("memcache"):
        name = PROTOCOLS.get(value, value)
        return f"is the pipeline's depth, as in redis-benchmark; for the protocol write --protocol {name}"
    return ""


def of_address(value: str) -> str:
    """Recognise memtier's `-s host`, where `-s` is a Unix socket, as in redis-benchmark."""
    if "/" not in value and not value.endswith(".sock"):
        return f"is a Unix socket, as in redis-benchmark; for the server's address write -h {value}"
    return ""


def of_all_keys(value: str) -> str:
    """Recognise memtier's `--requests allkeys`."""
    return "takes a number here: allkeys is not there yet" if value == "allkeys" else ""


def of_user(value: str) -> str:
    """Recognise `-u name`, where `-u` is a URI."""
    if "://" not in value:
        return f"is the server's URI, such as redis://user:password@host:6379; for a user write --user {value}"
    return ""
